// Package mysqldtest gives a test a real MySQL server of its own, started in a second or two on a
// copy of a data directory that is initialised once a machine.
package mysqldtest

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"runner/pkg/mysqld"
)

// startTimeout is far beyond what a server takes on a loaded machine.
const startTimeout = 3 * time.Minute

// Server is a running server that belongs to one test.
type Server struct {
	*mysqld.Server
	folder string
	db     *sql.DB
}

type config struct {
	args         []string
	tcp, noClone bool
	quiet        bool
	keyring      bool
	dataDir      string
}

// Option changes how a server is started.
type Option func(*config)

// WithArgs adds options of mysqld, verbatim, after the package's own.
func WithArgs(args ...string) Option {
	return func(c *config) { c.args = append(c.args, args...) }
}

// WithTCP has the server listen on a free port of 127.0.0.1 as well.
func WithTCP() Option { return func(c *config) { c.tcp = true } }

// WithoutClone leaves the clone plugin out.
func WithoutClone() Option { return func(c *config) { c.noClone = true } }

// WithDataDir boots on an existing data directory, a restored copy say. It is used in place, so it
// changes; nothing is installed into it.
func WithDataDir(dir string) Option { return func(c *config) { c.dataDir = dir } }

// WithQuiet starts with mysqld.Options.Quiet.
func WithQuiet() Option { return func(c *config) { c.quiet = true } }

// smallArgs make a server small and quick: tests need neither its caches nor its durability, which
// only matters when the machine itself goes down. Performance schema stays on: CLONE reports there.
func smallArgs() []string {
	return []string{
		"--innodb-buffer-pool-size=32M", "--innodb-redo-log-capacity=16M", "--innodb-flush-method=nosync",
		"--innodb-flush-log-at-trx-commit=0", "--sync-binlog=0", "--innodb-doublewrite=OFF",
		"--performance-schema=ON", "--max-connections=100",
	}
}

// Start starts a server for the test and kills it when the test ends. The clone plugin is loaded
// unless told otherwise, and root has no password.
//
// Sockets, data and log are in a temporary folder with a short path. When the test failed, the last
// lines of the error log are added to its output.
func Start(t testing.TB, options ...Option) *Server {
	t.Helper()
	var c config
	for _, option := range options {
		option(&c)
	}
	folder := shortTemp(t)
	fresh := slices.ContainsFunc(mysqld.InitArgs(c.args), func(arg string) bool { return strings.Contains(arg, "/") })
	if c.dataDir == "" && !fresh { // a template cannot be shared where options name places for parts of it
		copyTemplate(t, filepath.Join(folder, "data"), c)
	}
	program := Program(t)
	if c.keyring {
		program = withManifest(t, program, folder)
		c.args = append(c.args, "--plugin-dir="+filepath.Join(folder, "plugin"))
		if c.dataDir == "" {
			addKeyring(t, filepath.Join(folder, "data"))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	server, err := mysqld.Start(ctx, mysqld.Options{
		Program: program, Folder: folder, DataDir: c.dataDir, TCP: c.tcp, Quiet: c.quiet,
		Args: append(smallArgs(), c.args...), DieWithParent: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Server: server, folder: folder}
	t.Cleanup(func() { s.stop(t) })
	if fresh && !c.noClone && c.dataDir == "" {
		if err := server.InstallClone(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if s.db, err = server.DB(ctx); err != nil {
		t.Fatal(err)
	}
	return s
}

// Folder returns the server's temporary folder, outside its data directory; the test may make files
// and directories of its own there.
func (s *Server) Folder() string { return s.folder }

// Pool returns a pool as root that is closed when the test ends.
func (s *Server) Pool() *sql.DB { return s.db }

// stop kills the server: nobody needs the data any more, and a shutdown would take a second.
func (s *Server) stop(t testing.TB) {
	t.Helper()
	if s.db != nil {
		_ = s.db.Close() // fails where the test killed a connection, or the server
	}
	if err := s.Kill(); err != nil {
		t.Error(err)
	}
	if t.Failed() {
		lines, err := mysqld.Tail(s.ErrorLog(), 30)
		t.Logf("error log of mysqld %d (%v):\n%s", s.PID(), err, strings.Join(lines, "\n"))
	}
}

// Exec runs statements one after the other on one connection; a failing one ends the test.
func (s *Server) Exec(t testing.TB, statements ...string) {
	t.Helper()
	ctx := context.Background()
	conn, err := s.db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range statements {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
}

// Query returns the rows of a query as text; NULL is "NULL".
func (s *Server) Query(t testing.TB, query string, args ...any) [][]string {
	t.Helper()
	result, err := s.query(query, args)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return result
}

func (s *Server) query(query string, args []any) (result [][]string, err error) {
	rows, err := s.db.QueryContext(context.Background(), query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		cells := make([]sql.NullString, len(columns))
		targets := make([]any, len(columns))
		for i := range cells {
			targets[i] = &cells[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		row := make([]string, len(columns))
		for i, cell := range cells {
			row[i] = "NULL"
			if cell.Valid {
				row[i] = cell.String
			}
		}
		result = append(result, row)
	}
	return result, rows.Err()
}

// Value returns the one cell of a query that gives one row of one column.
func (s *Server) Value(t testing.TB, query string, args ...any) string {
	t.Helper()
	rows := s.Query(t, query, args...)
	if len(rows) != 1 || len(rows[0]) != 1 {
		t.Fatalf("%s: got %v, want one row of one column", query, rows)
	}
	return rows[0][0]
}

// shortTemp makes a folder directly below the system's temporary folder: a test's own TempDir bears
// the test's name and soon exceeds the 107 bytes that a socket's path may have.
func shortTemp(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "my-")
	if err != nil {
		t.Fatal(err)
	}
	if folder, err = filepath.EvalSymlinks(folder); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	return folder
}
