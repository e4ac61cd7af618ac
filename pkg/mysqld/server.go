package mysqld

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Server is a running private server.
type Server struct {
	program, dataDir, run, socket, errorLog string
	scratch                                 string // holds the socket where Folder's path is too long; "" else
	port                                    int
	process                                 *process
}

// process is the child; err may be read once done is closed.
type process struct {
	pid  int
	done chan struct{}
	err  error
}

// Socket returns the path of the Unix socket.
func (s *Server) Socket() string { return s.socket }

// Port returns the port on 127.0.0.1; 0 when the server has no network.
func (s *Server) Port() int { return s.port }

// PID returns the process id of mysqld.
func (s *Server) PID() int { return s.process.pid }

// DataDir returns the absolute path of the data directory.
func (s *Server) DataDir() string { return s.dataDir }

// ErrorLog returns the path of the error log, which outlives the server.
func (s *Server) ErrorLog() string { return s.errorLog }

// Done is closed when the process has ended, for whatever reason.
func (s *Server) Done() <-chan struct{} { return s.process.done }

// DB opens a pool as root over the socket and checks that it works. The caller closes it.
func (s *Server) DB(ctx context.Context) (*sql.DB, error) {
	db, err := s.open()
	if err != nil {
		return nil, err
	}
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to %s: %w", s.socket, err), db.Close())
	}
	return db, nil
}

func (s *Server) open() (*sql.DB, error) {
	config := mysql.NewConfig()
	config.User, config.Net, config.Addr = "root", "unix", s.socket
	config.Logger = &mysql.NopLogger{} // the driver would write to stderr
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", s.socket, err)
	}
	return sql.OpenDB(connector), nil
}

// InstallClone installs the clone plugin unless it is active.
func (s *Server) InstallClone(ctx context.Context) error {
	db, err := s.DB(ctx)
	if err != nil {
		return err
	}
	return errors.Join(installClone(ctx, db), db.Close())
}

func installClone(ctx context.Context, db *sql.DB) error {
	var status string
	err := db.QueryRowContext(ctx, "SELECT plugin_status FROM information_schema.plugins WHERE plugin_name = 'clone'").Scan(&status)
	switch {
	case err == nil && status == "ACTIVE":
		return nil
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("read plugin status: %w", err)
	}
	if _, err := db.ExecContext(ctx, "INSTALL PLUGIN clone SONAME 'mysql_clone.so'"); err != nil {
		return fmt.Errorf("install the clone plugin: %w", err)
	}
	return nil
}

// stopBound is how long a server may take to shut down before it is killed. A server with a small
// buffer pool needs a second or two.
const stopBound = time.Minute

// Stop asks the server to shut down and waits until it has; after a minute, or when ctx ends, it is
// killed, and the error says so. Whatever is returned, the process is gone. Stopping a server that
// has ended is not an error.
func (s *Server) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopBound)
	defer cancel()
	if err := s.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.process.done:
		return s.cleanUp()
	case <-ctx.Done():
	}
	return errors.Join(fmt.Errorf("stop mysqld %d: killed: %w", s.process.pid, ctx.Err()), s.Kill())
}

// Kill ends the server with SIGKILL, as a crash would, and waits until it is gone.
func (s *Server) Kill() error {
	if err := s.end(); err != nil {
		return err
	}
	return s.cleanUp()
}

func (s *Server) end() error {
	if err := s.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-s.process.done
	return nil
}

// signal does nothing once the process was waited for: its pid may belong to another by then.
func (s *Server) signal(sig syscall.Signal) error {
	select {
	case <-s.process.done:
		return nil
	default:
	}
	if err := syscall.Kill(s.process.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal mysqld %d: %w", s.process.pid, err)
	}
	return nil
}

// cleanUp removes what a server leaves outside its data directory when it could not do so itself.
func (s *Server) cleanUp() error {
	var errs []error
	for _, path := range []string{s.socket, s.socket + ".lock", filepath.Join(s.run, "mysqld.pid")} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if s.scratch != "" {
		errs = append(errs, os.RemoveAll(s.scratch))
	}
	return errors.Join(errs...)
}

// tailBytes is how much of a log's end is read to find its last lines.
const tailBytes = 64 << 10

// Tail returns the last lines of a log, at most n and at most 64 KiB; none for a log that is not there.
func Tail(path string, n int) (lines []string, err error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	offset := max(0, info.Size()-tailBytes)
	buf := make([]byte, info.Size()-offset)
	if _, err := file.ReadAt(buf, offset); err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	text := strings.TrimRight(string(buf), "\n")
	if text == "" {
		return nil, nil
	}
	lines = strings.Split(text, "\n")
	return lines[max(0, len(lines)-n):], nil
}
