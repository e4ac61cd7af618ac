package donor

import (
	"errors"
	"sync"

	"runner/pkg/clone/internal/wire"
)

// errFailed says that a command's answer ended with an error of the donor's; the connection goes on.
var errFailed = errors.New("failed")

// Step is one thing that a connection does.
type Step func(c *Conn, s *Script) error

// Script says what each connection does, step by step: the first of a lane the first list, and so on. A connection for
// which there is no list is a problem. After its steps, a connection answers EXIT.
type Script struct {
	Main, Aux, Worker [][]Step

	mu      sync.Mutex
	signals map[string]chan struct{}
}

// Serve is for [Options.Play].
func (s *Script) Serve(c *Conn, first Request) error {
	lists := map[Lane][][]Step{Main: s.Main, Aux: s.Aux, Worker: s.Worker}[c.lane]
	if c.nth >= len(lists) {
		c.Problem("the script has only %d connections of this lane; %s came", len(lists), first.Command)
		return errors.New("not in the script")
	}
	c.peeked = &first
	for _, step := range lists[c.nth] {
		if err := step(c, s); err != nil && !errors.Is(err, errFailed) {
			return err
		}
	}
	if _, err := c.Expect(wire.CommandExit); err != nil {
		return err
	}
	return c.Complete()
}

// Expect awaits a command; check, which may be nil, looks at its body.
func Expect(command wire.Command, check func(body []byte) error) Step {
	return func(c *Conn, _ *Script) error {
		body, err := c.Expect(command)
		if err != nil || check == nil {
			return err
		}
		if err := check(body); err != nil {
			c.Problem("%s: %v", command, err)
			return err
		}
		return nil
	}
}

// Send sends a response.
func Send(kind wire.ResponseKind, body []byte) Step {
	return func(c *Conn, _ *Script) error { return c.Send(kind, body) }
}

// Describe sends a descriptor.
func Describe(d wire.Descriptor) Step {
	return func(c *Conn, _ *Script) error { return c.Descriptor(d) }
}

// Do does anything.
func Do(do func(c *Conn) error) Step {
	return func(c *Conn, _ *Script) error { return do(c) }
}

// Signal lets those go on who await it.
func Signal(name string) Step {
	return func(_ *Conn, s *Script) error {
		close(s.signal(name))
		return nil
	}
}

// Await waits for a signal.
func Await(name string) Step {
	return func(c *Conn, s *Script) error {
		select {
		case <-s.signal(name):
			return nil
		case <-c.Stopped():
			return errCut
		}
	}
}

func (s *Script) signal(name string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.signals == nil {
		s.signals = map[string]chan struct{}{}
	}
	if s.signals[name] == nil {
		s.signals[name] = make(chan struct{})
	}
	return s.signals[name]
}
