package mysqld

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Options say what server is to be started.
type Options struct {
	Program string   // path of mysqld; required
	Folder  string   // holds data/, run/ (socket, pid) and error.log; created when absent; required
	DataDir string   // boot on this existing data directory (a restored clone) instead of Folder/data
	TCP     bool     // also listen on a free port of 127.0.0.1; else there is no network at all
	Args    []string // further options of mysqld, verbatim, last, so that they win
	Quiet   bool     // the set that is safe for booting a clone: see quietArgs
	// DieWithParent has the kernel kill the server when the process that started it dies, however it
	// dies (Linux only; elsewhere it does nothing). For tests and scratch servers.
	DieWithParent bool
}

// quietArgs keep a server booted on a copy from doing what its source did: it opens no port, applies
// no replication, runs no events and writes no binary log.
func quietArgs() []string {
	return []string{
		"--skip-networking", "--skip-replica-start", "--event-scheduler=OFF",
		"--disable-log-bin", "--loose-mysqlx=OFF", "--loose-group-replication-start-on-boot=OFF",
	}
}

// socketLimit is the longest path of a Unix socket: sun_path is 108 bytes, the last one a zero (unix(7)).
const socketLimit = 107

// StartError is a server that died or was never ready.
type StartError struct {
	Program  string
	ErrorLog string   // where the whole log is
	Tail     []string // the log's last lines
	Err      error    // the exit status, or the context's error
}

func (e *StartError) Error() string {
	text := fmt.Sprintf("start %s: %v (log: %s)", e.Program, e.Err, e.ErrorLog)
	if len(e.Tail) == 0 {
		return text
	}
	return text + "\n" + strings.Join(e.Tail, "\n")
}

// Unwrap returns the exit status or the context's error.
func (e *StartError) Unwrap() error { return e.Err }

// Start starts a server and returns when it answers queries. A data directory below Folder that is
// absent or empty is initialised first, with a root account that has no password; an absent or empty
// Options.DataDir is an error, since a fresh server in its place would prove nothing.
//
// When the server dies or ctx ends before it is ready, the error is a *StartError with the log's
// last lines, and no process is left. ctx does not bound the server's life: Stop ends it.
func Start(ctx context.Context, o Options) (*Server, error) {
	s, err := prepare(o)
	if err != nil {
		return nil, err
	}
	if err := s.initialise(ctx, o); err != nil {
		return nil, errors.Join(err, s.cleanUp())
	}
	// Between choosing a free port and binding it another process may take it.
	for attempt := 1; ; attempt++ {
		err := s.launch(ctx, o)
		if err == nil {
			return s, nil
		}
		if attempt == 5 || !portTaken(err) {
			return nil, errors.Join(err, s.cleanUp())
		}
	}
}

// prepare lays out the folders; it starts nothing.
func prepare(o Options) (*Server, error) {
	if o.Program == "" || o.Folder == "" {
		return nil, errors.New("start mysqld: a program and a folder are required")
	}
	folder, err := filepath.Abs(o.Folder)
	if err != nil {
		return nil, fmt.Errorf("start mysqld: %w", err)
	}
	run := filepath.Join(folder, "run")
	if err := os.MkdirAll(run, 0o750); err != nil {
		return nil, fmt.Errorf("start mysqld: %w", err)
	}
	s := &Server{
		program: o.Program, dataDir: filepath.Join(folder, "data"), run: run,
		socket: filepath.Join(run, "mysqld.sock"), errorLog: filepath.Join(folder, "error.log"),
	}
	if o.DataDir != "" {
		if s.dataDir, err = filepath.Abs(o.DataDir); err != nil {
			return nil, fmt.Errorf("start mysqld: %w", err)
		}
	}
	if len(s.socket) <= socketLimit {
		return s, nil
	}
	if s.scratch, err = os.MkdirTemp("", "mysqld-"); err != nil {
		return nil, fmt.Errorf("start mysqld: %w", err)
	}
	s.socket = filepath.Join(s.scratch, "s")
	if len(s.socket) > socketLimit {
		return nil, errors.Join(fmt.Errorf("start mysqld: socket path %q is longer than %d bytes", s.socket, socketLimit), s.cleanUp())
	}
	return s, nil
}

func (s *Server) initialise(ctx context.Context, o Options) error {
	entries, err := os.ReadDir(s.dataDir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("start mysqld: %w", err)
	}
	if len(entries) > 0 {
		return nil
	}
	if o.DataDir != "" {
		return fmt.Errorf("start mysqld: data directory %s is absent or empty", s.dataDir)
	}
	args := append([]string{
		"--no-defaults", "--initialize-insecure", "--datadir=" + s.dataDir, "--log-error=" + s.errorLog,
	}, asRoot()...)
	cmd := exec.CommandContext(ctx, o.Program, append(args, InitArgs(o.Args)...)...)
	cmd.WaitDelay = 5 * time.Second
	isolate(cmd, o.DieWithParent)
	return s.logged(cmd, func() error {
		if err := cmd.Run(); err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return s.startError(fmt.Errorf("initialise the data directory: %w", err))
		}
		return nil
	})
}

// InitArgs returns those of a server's options that shape its data directory for good, and which
// must therefore be given when it is initialised too.
func InitArgs(args []string) []string {
	shaping := map[string]bool{
		"innodb_page_size": true, "innodb_data_file_path": true, "innodb_data_home_dir": true,
		"innodb_undo_directory": true, "innodb_log_group_home_dir": true,
		"lower_case_table_names": true, "character_set_server": true, "collation_server": true,
		"early_plugin_load": true,
	}
	var kept []string
	for _, arg := range args {
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if shaping[strings.ReplaceAll(name, "-", "_")] {
			kept = append(kept, arg)
		}
	}
	return kept
}

// launch starts the process once and awaits readiness.
func (s *Server) launch(ctx context.Context, o Options) error {
	args := append([]string{
		"--no-defaults", "--datadir=" + s.dataDir, "--socket=" + s.socket,
		"--pid-file=" + filepath.Join(s.run, "mysqld.pid"), "--log-error=" + s.errorLog,
		"--loose-mysqlx=OFF", // its socket and port are the same for every server of a machine
	}, asRoot()...)
	if o.Quiet {
		args = append(args, quietArgs()...)
	}
	s.port = 0
	switch {
	case o.TCP && !o.Quiet:
		port, err := freePort(ctx)
		if err != nil {
			return err
		}
		s.port = port
		args = append(args, "--bind-address=127.0.0.1", "--port="+strconv.Itoa(port))
	default:
		args = append(args, "--skip-networking")
	}
	// Without ctx's end: the server outlives its start.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), o.Program, append(args, o.Args...)...)
	isolate(cmd, o.DieWithParent)
	if err := s.logged(cmd, cmd.Start); err != nil {
		return fmt.Errorf("start %s: %w", o.Program, err)
	}
	p := &process{pid: cmd.Process.Pid, done: make(chan struct{})}
	s.process = p
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := s.await(ctx); err != nil {
		return errors.Join(err, s.end())
	}
	return nil
}

// logged runs do with the command's output appended to the error log: what mysqld says before it
// opens its own log, and what its wrapper or loader says, would be lost otherwise.
func (s *Server) logged(cmd *exec.Cmd, do func() error) error {
	log, err := os.OpenFile(s.errorLog, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("open error log: %w", err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	return errors.Join(do(), log.Close())
}

// readyInterval is how often a starting server is asked whether it answers. A start takes seconds.
const readyInterval = 25 * time.Millisecond

func (s *Server) await(ctx context.Context) error {
	db, err := s.open()
	if err != nil {
		return err
	}
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for {
		if err := db.PingContext(ctx); err == nil {
			return db.Close()
		}
		select {
		case <-s.process.done:
			exit := s.process.err
			if exit == nil {
				exit = errors.New("it ended without an error")
			}
			return errors.Join(s.startError(exit), db.Close())
		case <-ctx.Done():
			return errors.Join(s.startError(ctx.Err()), db.Close())
		case <-tick.C:
		}
	}
}

func (s *Server) startError(err error) error {
	tail, readErr := Tail(s.errorLog, 20)
	if readErr != nil {
		err = errors.Join(err, readErr)
	}
	return &StartError{Program: s.program, ErrorLog: s.errorLog, Tail: tail, Err: err}
}

// portTaken recognises mysqld's message that its port is in use.
func portTaken(err error) bool {
	var start *StartError
	if !errors.As(err, &start) {
		return false
	}
	return strings.Contains(strings.Join(start.Tail, "\n"), "Bind on TCP/IP port")
}

func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return port, nil
}

// asRoot is what mysqld asks of whoever starts it as root: to say that it is meant.
func asRoot() []string {
	if os.Geteuid() == 0 {
		return []string{"--user=root"}
	}
	return nil
}

// isolate puts the server into a process group of its own, so that a Ctrl-C meant for the program in
// front does not stop it too.
func isolate(cmd *exec.Cmd, dieWithParent bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if dieWithParent {
		setParentDeathSignal(cmd.SysProcAttr)
	}
}
