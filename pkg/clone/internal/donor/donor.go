// Package donor is a donor for tests: a server that greets, lets anybody in and speaks the clone protocol, by a
// [Script] that says every packet, or as a [Session] that behaves as a server with a few small files would, with as
// many connections as come, and goes on with what was cut. Faults are put into either at any response.
//
// What a recipient does wrong fails the test at its end, and so does a fault that nothing has met: a test of an accident
// that did not happen proves nothing.
package donor

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"runner/pkg/clone/internal/wire"
)

// Options say what server it is.
type Options struct {
	Version string // in the greeting; "": "9.7.4"
	Unix    bool   // listen on a unix socket and not on a port of the loopback
	TLS     *tls.Config
	NoZstd  bool // do not offer compression. It is offered by default, and refused to whoever takes it

	Plugin string                                           // of the greeting; "": caching_sha2_password
	Switch string                                           // the plugin that every login is asked to use instead; "": none
	Dialog func(c *Conn, plugin string, proof []byte) error // goes on after the proof; nil: the proof is taken for right

	Greeting []byte              // sent instead of one, as a payload; nil: one is made
	Refuse   *wire.ServerError   // answer to every login; nil: let in
	AtClone  func(c *Conn) error // answers COM_CLONE, and does not let the connection speak clone; nil: OK, and it does

	Play   Play
	Faults []*Fault
}

// Play answers the commands of a connection that speaks clone.
type Play interface {
	// Serve answers the first command and what follows, up to EXIT. Its error is told to nobody: what a
	// recipient does wrong is for Conn.Problem.
	Serve(c *Conn, first Request) error
}

// Lane is what a connection is for, which its first command tells.
type Lane string

// The lanes.
const (
	Main   Lane = "main"   // INIT, REINIT
	Aux    Lane = "aux"    // ACK, EXIT
	Worker Lane = "worker" // ATTACH
)

func laneOf(command wire.Command) Lane {
	switch command {
	case wire.CommandInit, wire.CommandReinit:
		return Main
	case wire.CommandAttach:
		return Worker
	}
	return Aux
}

// Request is a command that came.
type Request struct {
	Lane    Lane
	Nth     int // of the connections of the lane, from 0
	Command wire.Command
	Body    []byte
}

// Login is how somebody logged in.
type Login struct {
	Capabilities uint32
	User, Plugin string
	Proof        []byte
	Attributes   []byte
	Encrypted    bool
}

// Server is a running donor.
type Server struct {
	options  Options
	listener net.Listener
	work     sync.WaitGroup
	ctx      context.Context // ends with the test
	end      context.CancelFunc

	mu       sync.Mutex
	open     map[net.Conn]struct{}
	closed   bool
	lanes    map[Lane]int
	requests []Request
	logins   []Login
	problems []string
	thread   uint32
}

// Start listens until the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	listener, err := listen(t, o.Unix)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{options: o, listener: listener, open: map[net.Conn]struct{}{}, lanes: map[Lane]int{}}
	s.ctx, s.end = context.WithCancel(context.Background())
	s.work.Go(s.accept)
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		for _, problem := range s.problems {
			t.Error("donor: " + problem)
		}
		for _, f := range o.Faults {
			if !f.Met() && !f.Optional {
				t.Errorf("donor: nothing met the fault %s", f)
			}
		}
	})
	return s
}

func listen(t testing.TB, unix bool) (net.Listener, error) {
	if !unix {
		return new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	}
	// A socket's path may have 107 bytes, which those of a test's own folder exceed.
	folder, err := os.MkdirTemp("", "donor-")
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	return new(net.ListenConfig).Listen(t.Context(), "unix", filepath.Join(folder, "s"))
}

// Config reaches the server, without TLS, as a user whose name and password mean nothing.
func (s *Server) Config() wire.Config {
	return wire.Config{
		Network: s.listener.Addr().Network(), Address: s.listener.Addr().String(),
		User: "donor", Password: "a password", Timeout: 30 * time.Second,
	}
}

// Logins gives all logins so far.
func (s *Server) Logins() []Login {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Login{}, s.logins...)
}

// Requests gives all commands of the clone protocol so far, in the order of their arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request{}, s.requests...)
}

// CutAll cuts all connections, as a network does; new ones are let in.
func (s *Server) CutAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		_ = c.Close() // whoever serves it sees the end of it
	}
}

// Problem has the test fail at its end.
func (s *Server) Problem(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = append(s.problems, fmt.Sprintf(format, args...))
}

func (s *Server) stop() error {
	err := s.listener.Close()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end()
	s.CutAll()
	s.work.Wait()
	return err
}

func (s *Server) accept() {
	for {
		raw, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			_ = raw.Close()
			return
		}
		s.open[raw] = struct{}{}
		s.thread++
		c := &Conn{server: s, raw: raw, conn: raw, thread: s.thread}
		s.mu.Unlock()
		s.work.Go(func() {
			_ = c.serve() // a connection ends as the recipient likes; what it did wrong is among the problems
			s.mu.Lock()
			delete(s.open, raw)
			s.mu.Unlock()
			_ = raw.Close()
		})
	}
}

// enlist gives a connection its lane, by its first command.
func (s *Server) enlist(c *Conn, command wire.Command) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.lane = laneOf(command)
	c.nth = s.lanes[c.lane]
	s.lanes[c.lane]++
}

func (s *Server) remember(r Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
}
