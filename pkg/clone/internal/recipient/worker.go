package recipient

import (
	"context"
	"errors"

	"runner/pkg/clone/internal/wire"
)

// worker is a further connection that carries data.
type worker struct {
	*session
	link link
}

// hire starts the workers, once for a set of connections.
func (m *master) hire(ctx context.Context) {
	if m.hired {
		return
	}
	m.hired = true
	m.mu.Lock()
	m.most = max(m.most, 1)
	m.mu.Unlock()
	for range m.o.Threads - 1 {
		m.group.Go(func() error {
			err := m.work(ctx)
			m.mu.Lock()
			done := m.state == wire.StateDone
			m.mu.Unlock()
			if done || errors.Is(context.Cause(ctx), errDismissed) {
				return nil // all that it could have brought is here, or main says why it is not
			}
			return err
		})
	}
}

// work attaches a connection to the session and reads it to its end.
func (s *session) work(ctx context.Context) error {
	c, err := s.dialWorker(ctx)
	if refused := new(wire.ServerError); errors.As(err, &refused) { // there may be as many connections as it lets in
		s.refusedWorker(refused)
		return nil
	}
	if err != nil {
		return err
	}
	defer s.leave(c)
	w := &worker{session: s, link: link{session: s, conn: c}}
	w.link.worker = w
	attached, err := w.attach(ctx)
	if err != nil || !attached {
		return err
	}
	if err = c.Send(ctx, wire.CommandExecute, nil); err == nil {
		err = w.link.read(ctx, w)
	}
	w.detach(err)
	return err
}

// dialWorker makes a connection, again and again where it is lost before anything was asked of it: main does without it
// meanwhile, and says itself whether the donor is gone.
func (s *session) dialWorker(ctx context.Context) (*wire.Conn, error) {
	for said := false; ; said = true {
		c, err := s.dial(ctx)
		if err == nil || !wire.Lost(err) || ctx.Err() != nil {
			return c, err
		}
		if !said {
			s.o.Note("another connection to the donor could not be made, and is tried again: " + err.Error())
		}
		if err := pause(ctx, s.pause); err != nil {
			return nil, err
		}
	}
}

// attach asks to be let in. The donor answers outside of a change of state alone, so a worker must not be waited for before it has
// answered, and must be from then on: what it is sent after EXECUTE could be overtaken by an acknowledgement. While one is
// under way it waits, since main has already looked who is there. A donor that has come to the end does not let anybody in.
func (w *worker) attach(ctx context.Context) (bool, error) {
	w.mu.Lock()
	body := wire.Init{Version: w.donor.Protocol, DDLTimeout: w.ddlWord(), Locators: []wire.EngineLocator{w.locator}}
	w.mu.Unlock()
	if err := w.link.conn.Send(ctx, wire.CommandAttach, body.Append(nil)); err != nil {
		return false, err
	}
	err := completed(ctx, w.link.conn, w.o.Idle+w.o.DDLTimeout)
	var refused *wire.DonorError
	if errors.As(err, &refused) {
		w.refusedWorker(refused)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, w.await(ctx, func() bool {
		if w.acking {
			return false
		}
		w.workers[w] = false
		w.most = max(w.most, len(w.workers)+1)
		w.signal()
		return true
	})
}

func (s *session) refusedWorker(err error) {
	s.o.Note("the donor did not take another connection: " + err.Error())
}

// detach has main wait for the worker no longer. One that was lost before the end stays: main must never acknowledge a
// state in which something was on its way to it.
func (w *worker) detach(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && w.state != wire.StateDone {
		return
	}
	delete(w.workers, w)
	w.signal()
}

// complete is when the donor has no more for the worker.
func (w *worker) complete(ctx context.Context) error {
	w.mu.Lock()
	inside := w.inside()
	w.mu.Unlock()
	if inside {
		return broken("the answer ends inside of a chunk")
	}
	w.sayGoodbye(ctx, w.link.conn)
	return nil
}

// inside says whether data has come in this state, and not its end; w.mu is held.
func (w *worker) inside() bool {
	_, is := w.chunks.at[&w.link]
	return is
}

// file takes what any connection may be told: of a file of the redo log, or of one that was dropped in this state.
func (w *worker) file(ctx context.Context, d *wire.File) error {
	if err := w.reach(ctx, d.State); err != nil {
		return err
	}
	_, err := w.told(d)
	return err
}

func (w *worker) stateChange(ctx context.Context, d *wire.State) error {
	switch {
	case d.Ack:
		return nil
	case d.Start:
		return w.reach(ctx, d.State)
	}
	if err := w.reach(ctx, d.State); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.chunks.ended(&w.link)
	if d.State == w.state { // the end that a late one is told of may be of a state that is over
		w.workers[w] = true
		w.signal()
	}
	return nil
}

// reach waits until main is in a state, since main alone is told what DDL has changed: until it has done that, files of
// the next state don't exist yet. Somebody who is let in during a change of state may be ahead of main by one; with
// what it could have brought before, it is through.
func (w *worker) reach(ctx context.Context, state wire.StateKind) error {
	w.mu.Lock()
	now, inside := w.state, w.inside()
	if state > now && !inside {
		w.workers[w] = true
		w.signal()
	}
	w.mu.Unlock()
	if state > now+1 || state > now && inside {
		return broken("a worker is told of state %s in state %s", state, now)
	}
	return w.await(ctx, func() bool { return w.state >= state })
}
