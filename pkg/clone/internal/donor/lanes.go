package donor

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"runner/pkg/clone/internal/wire"
)

// Playing is a session that is being played.
type Playing struct {
	session *Session
	mu      sync.Mutex
	run     *run
}

// Play makes a session one that can be played, once.
func (s *Session) Play() *Playing { return &Playing{session: s} }

// State says how far it is; 0: not begun.
func (p *Playing) State() wire.StateKind {
	r := p.current()
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state
}

// Aborted is the error with which the recipient gave up; 0: it did not.
func (p *Playing) Aborted() uint32 {
	r := p.current()
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.aborted
}

func (p *Playing) current() *run {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.run
}

// Serve is for [Options.Play].
func (p *Playing) Serve(c *Conn, first Request) error {
	for r := first; ; {
		err := p.answer(c, r)
		if r.Command == wire.CommandExit || err != nil && !errors.Is(err, errFailed) {
			return err
		}
		if r, err = c.Request(); err != nil {
			return err
		}
	}
}

func (p *Playing) answer(c *Conn, r Request) error {
	switch r.Command {
	case wire.CommandInit:
		return p.init(c, r.Body)
	case wire.CommandReinit:
		return p.reinit(c, r.Body)
	case wire.CommandAttach:
		return p.attach(c, r.Body)
	case wire.CommandExecute:
		return p.execute(c)
	case wire.CommandAck:
		return p.ack(c, r.Body)
	case wire.CommandExit:
		return c.Complete()
	}
	c.Problem("%s is no command", r.Command)
	return c.Cut()
}

func (p *Playing) init(c *Conn, body []byte) error {
	in, err := wire.ParseInit(body)
	if err != nil {
		c.Problem("INIT: %v", err)
		return c.Cut()
	}
	p.mu.Lock()
	if p.run != nil && p.run.busy() {
		p.mu.Unlock()
		return errors.Join(c.Fail(errnoTooMany, "Too many concurrent clone operations. Maximum allowed - 1."), errFailed)
	}
	p.run = newRun(p.session)
	r := p.run
	p.mu.Unlock()
	c.master = r.lead(c.thread)
	protocol := min(in.Version, orElse(p.session.Protocol, wire.Version4))
	locators := wire.AppendLocators(nil, protocol, r.engineLocator())
	if p.session.Late {
		if err := c.Send(wire.ResponseLocators, locators); err != nil {
			return err
		}
	}
	if err := p.session.parameters(c, protocol); err != nil {
		return err
	}
	if !p.session.Late {
		if err := c.Send(wire.ResponseLocators, locators); err != nil {
			return err
		}
	}
	return c.Complete()
}

// busy reports whether the first connection is there.
func (r *run) busy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.alive && r.state != wire.StateDone && r.aborted == 0
}

// lead makes a connection the first.
func (r *run) lead(thread uint32) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.master++
	r.thread = thread
	r.alive = true
	r.tasks = map[uint32]bool{}
	r.attached = 0
	r.notify()
	return r.master
}

func (p *Playing) attach(c *Conn, body []byte) error {
	r := p.current()
	in, err := wire.ParseInit(body)
	if err != nil || r == nil || len(in.Locators) != 1 || !bytes.Equal(in.Locators[0].Raw, r.engineLocator().Raw) {
		c.Problem("ATTACH with %v: %v", in.Locators, err)
		return c.Cut()
	}
	r.mu.Lock()
	over := r.state == wire.StateDone || r.aborted != 0
	if c.thread < r.thread { // what a connection has asked for that was lost meanwhile: chunks must not go to it
		r.mu.Unlock()
		return c.Cut()
	}
	if !over {
		r.attached++
		c.task, c.master = uint32(r.attached), r.master
		r.notify()
	}
	r.mu.Unlock()
	if over {
		return errors.Join(c.Fail(errnoInternal, "Clone: attach to a non-existing clone"), errFailed)
	}
	if err := c.Send(wire.ResponseLocators, wire.AppendLocators(nil, in.Version, r.engineLocator())); err != nil {
		return err
	}
	return c.Complete()
}

func (p *Playing) ack(c *Conn, body []byte) error {
	r := p.current()
	a, err := wire.ParseAck(body)
	if err != nil || r == nil {
		c.Problem("ACK: %v", err)
		return c.Cut()
	}
	if problem := r.acknowledge(a); problem != "" {
		c.Problem("ACK: %s", problem)
		return c.Cut()
	}
	return c.Complete()
}

// acknowledge gives what is wrong about it.
func (r *run) acknowledge(a wire.Ack) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.notify()
	if !bytes.Equal(a.Locator.Raw, r.engineLocator().Raw) {
		return "another locator than that of INIT"
	}
	if a.Errno != 0 {
		r.aborted = a.Errno
		return ""
	}
	_, _, d, err := wire.ParseDescriptor(append([]byte{wire.EngineInnoDB, 0}, a.Descriptor...))
	s, is := d.(*wire.State)
	switch {
	case err != nil || !is:
		return fmt.Sprintf("no state in it: %v", err)
	case s.State != r.state:
		return fmt.Sprintf("%s in %s", s.State, r.state)
	case r.acked == r.state:
		return fmt.Sprintf("%s a second time", s.State)
	case !bytes.Equal(a.Descriptor, r.describe(r.state, 0).AckDescriptor()):
		return fmt.Sprintf("not the end of %s: %+v", s.State, s)
	case !r.allEnded() || len(r.left) > 0:
		return fmt.Sprintf("%s before it has ended everywhere", s.State)
	}
	r.acked = r.state
	return ""
}
