// Package fake is a scripted server for tests: it speaks enough of MySQL's protocol for a driver to connect and to
// send text queries, and answers them by rules. It stands for versions and flavours that cannot be had as programs,
// and for answers that a real server gives only in the middle of an accident.
package fake

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// Error is an error of MySQL's.
type Error struct {
	Number  uint16
	State   string // SQLSTATE; "": HY000
	Message string
}

// Result answers a query: Err, else Drop, else rows, else (no columns) an OK.
type Result struct {
	Columns []string
	Rows    [][]any // nil is NULL, time.Time a timestamp, anything else is text
	Err     *Error
	Drop    bool // the connection is closed without an answer
}

// Rule answers every query that contains Match, without regard to case and to runs of white space.
type Rule struct {
	Match  string
	Result Result
}

// Script is what a server says. The first rule that matches wins. A query that none
// matches gets error 1064, and fails the test at its end: a script must not be silently incomplete.
type Script struct {
	Version string // in the handshake
	Login   *Error // answer to every login; nil: let in
	Rules   []Rule
}

// UUID is the server_uuid of a fake whose script says nothing of it.
const UUID = "00000000-0000-0000-0000-0000000000fa"

// Server is a running fake.
type Server struct {
	script   Script
	listener net.Listener
	work     sync.WaitGroup

	mu          sync.Mutex
	connections map[net.Conn]struct{}
	queries     []string
	unmatched   []string
	closed      bool
}

// Start listens on a free port of the loopback, until the test ends.
func Start(t testing.TB, script Script) *Server {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{script: script, listener: listener, connections: map[net.Conn]struct{}{}}
	s.work.Go(s.accept)
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
		for _, query := range s.unmatched {
			t.Errorf("the script has no answer to: %s", query)
		}
	})
	return s
}

// Port is the port that the server listens on, at 127.0.0.1.
func (s *Server) Port() int {
	address, ok := s.listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0
	}
	return address.Port
}

// Queries gives every query so far, in the order of their arrival.
func (s *Server) Queries() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.queries...)
}

func (s *Server) stop() error {
	err := s.listener.Close()
	s.mu.Lock()
	s.closed = true
	for c := range s.connections {
		// Whoever serves it sees the end of it and forgets it.
		_ = c.Close()
	}
	s.mu.Unlock()
	s.work.Wait()
	return err
}

func (s *Server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		if !s.remember(c) {
			return
		}
		s.work.Go(func() {
			s.serve(c)
			s.mu.Lock()
			delete(s.connections, c)
			s.mu.Unlock()
			_ = c.Close()
		})
	}
}

func (s *Server) remember(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = c.Close()
		return false
	}
	s.connections[c] = struct{}{}
	return true
}

// The commands that are understood: "Command Phase" in the protocol's documentation.
const (
	comQuit  = 0x01
	comQuery = 0x03
	comPing  = 0x0e
)

func (s *Server) serve(c net.Conn) {
	w := &wire{conn: c}
	if err := s.handshake(w); err != nil {
		return
	}
	for {
		w.sequence = 0
		packet, err := w.read()
		if err != nil || len(packet) == 0 || packet[0] == comQuit {
			return
		}
		switch packet[0] {
		case comPing:
			err = w.ok()
		case comQuery:
			err = w.answer(s.result(string(packet[1:])))
		default:
			err = w.fail(Error{Number: 1047, State: "08S01", Message: fmt.Sprintf("fake: unknown command %d", packet[0])})
		}
		if err != nil {
			return
		}
	}
}

func (s *Server) handshake(w *wire) error {
	if err := w.greet(s.script.Version); err != nil {
		return err
	}
	if _, err := w.read(); err != nil {
		return err
	}
	if s.script.Login != nil {
		return errors.Join(w.fail(*s.script.Login), errors.New("login refused"))
	}
	return w.ok()
}

func (s *Server) result(query string) Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries = append(s.queries, query)
	plain := normal(query)
	for _, rule := range s.script.Rules {
		if strings.Contains(plain, normal(rule.Match)) {
			return rule.Result
		}
	}
	switch plain {
	case "select @@server_uuid": // which every connection begins with
		return Row(UUID)
	case "show global status like 'threads_connected'":
		return Pairs(map[string]string{"Threads_connected": "1"})
	case "select @@session.max_user_connections":
		return Row("0")
	}
	s.unmatched = append(s.unmatched, query)
	return Result{Err: &Error{Number: 1064, State: "42000", Message: "fake: no rule for: " + query}}
}

func normal(query string) string { return strings.ToLower(strings.Join(strings.Fields(query), " ")) }

// Pairs is a result of names and values, as SHOW VARIABLES gives.
func Pairs(values map[string]string) Result {
	r := Result{Columns: []string{"Variable_name", "Value"}}
	for name, value := range values {
		r.Rows = append(r.Rows, []any{name, value})
	}
	return r
}

// Row is a result of one row; the columns have no names.
func Row(values ...any) Result { return Table([][]any{values}, len(values)) }

// Table is a result of any number of rows.
func Table(rows [][]any, columns int) Result {
	return Result{Columns: make([]string, columns), Rows: rows}
}

// timestampLayout is how a timestamp goes over the wire as text.
const timestampLayout = time.DateTime + ".000000"
