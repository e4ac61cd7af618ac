// Package clone is the MySQL half of a physical backup: it says what a server is (Facts), what stands
// in the way of a copy (Check), how much room is needed (EstimateSpace), and makes the server write a copy of
// itself with its own CLONE. Error numbers, and what they mean for a backup, are in one table (ClassOf).
//
// Opening a server and reading from it change nothing on it. Whatever does is said to Hooks before it is done.
package clone

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// How long reaching a server may take: the network's part, and the whole of a session's start.
const (
	dialTimeout    = 10 * time.Second
	connectTimeout = 30 * time.Second
)

// maxConnections bounds what one Server takes of max_connections: a clone, a killer, a poller, and one to spare.
const maxConnections = 4

// programName is what the server's session_connect_attrs say of our connections.
const programName = "runner"

// Server is an open server. It is safe for concurrent use; every connection that it gives has the
// session variables that pins says, and all roles of the account active.
type Server struct {
	db       *sql.DB
	config   Config // resolved; holds the password
	identity *identity
}

// ConnectError says that a server could not be reached or did not let us in. Its text holds no secret.
type ConnectError struct {
	Name    string // as in Config
	Address string // host:port or the socket's path; "" when it was not known yet
	User    string
	Err     error

	certified bool // a client certificate was sent
}

// Error names the server, the address and the cause.
func (e *ConnectError) Error() string {
	if e.Address == "" {
		return fmt.Sprintf("connect to %s: %v", e.Name, e.Err)
	}
	return fmt.Sprintf("connect to %s at %s as %s: %v", e.Name, e.Address, e.User, e.Err)
}

// Unwrap gives the cause.
func (e *ConnectError) Unwrap() error { return e.Err }

// Open reaches the server and proves it by a first connection; the error is a *ConnectError. Cancelling ctx ends the
// attempt; it is not kept. No read timeout is set: a clone answers when it is done, and dead peers are found by TCP's keep-alive.
func Open(ctx context.Context, c Config) (*Server, error) {
	name := c.describe()
	resolved, err := c.resolve()
	if err != nil {
		return nil, &ConnectError{Name: name, Err: err}
	}
	fail := func(err error) (*Server, error) {
		return nil, &ConnectError{Name: name, Address: resolved.address(), User: resolved.User, Err: err, certified: resolved.CertFile != ""}
	}
	if resolved, err = resolved.readPassword(); err != nil {
		return fail(err)
	}
	who := &identity{address: resolved.address()}
	connector, err := resolved.connector(who)
	if err != nil {
		return fail(err)
	}
	s := &Server{db: sql.OpenDB(connector), config: resolved, identity: who}
	s.db.SetMaxOpenConns(maxConnections)
	s.db.SetMaxIdleConns(maxConnections)
	// A connection that was idle longer than a firewall remembers it is of no use.
	s.db.SetConnMaxIdleTime(time.Minute)
	if err := s.db.PingContext(ctx); err != nil {
		return fail(errors.Join(err, s.db.Close()))
	}
	return s, nil
}

// Close closes every connection; statements that still run go on in the server.
func (s *Server) Close() error {
	err := s.db.Close()
	if err == nil || ClassOf(err) == Uncertain {
		return nil // a connection that was lost is closed
	}
	return fmt.Errorf("close connections to %s: %w", s.config.describe(), err)
}

// Name is the server's name in messages; Address is where it was reached.
func (s *Server) Name() string { return s.config.describe() }

// Address is the socket's path, or host:port.
func (s *Server) Address() string { return s.config.address() }

// conn gives a connection that stays the same until it is closed, which the caller must do.
func (s *Server) conn(ctx context.Context) (*sql.Conn, error) {
	c, err := s.db.Conn(ctx)
	if err != nil {
		return nil, wrap("connect to "+s.config.describe(), err)
	}
	return c, nil
}
