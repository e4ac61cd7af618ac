package donor

import (
	"errors"

	"runner/pkg/clone/internal/wire"
)

func (p *Playing) execute(c *Conn) error {
	r := p.current()
	if r == nil {
		c.Problem("EXECUTE before INIT")
		return c.Cut()
	}
	if !r.join(c) {
		return c.Cut() // of connections that others have taken over from
	}
	defer r.leave(c)
	if err := c.Descriptor(&wire.Task{Index: c.task}); err != nil {
		return err
	}
	if c.lane != Main {
		return r.work(c)
	}
	return r.conduct(c)
}

// join counts a connection among those of data.
func (r *run) join(c *Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.master != c.master {
		return false
	}
	r.tasks[c.task] = false
	r.notify()
	return true
}

// leave forgets a connection whose EXECUTE has ended.
func (r *run) leave(c *Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.master != c.master {
		return
	}
	delete(r.tasks, c.task)
	if c.lane == Main {
		r.alive = false
	}
	r.notify()
}

// conduct is EXECUTE on the first connection, from the state that the clone is in.
func (r *run) conduct(c *Conn) error {
	resumed := c.resumed
	for {
		r.mu.Lock()
		state, acked := r.state, r.acked
		r.mu.Unlock()
		if state == wire.StateDone {
			break
		}
		// What was acknowledged already needs no second end; the clone goes on to the next state.
		if acked < state {
			if err := r.conductState(c, state, resumed); err != nil {
				return err
			}
		}
		resumed = false
		// Nobody may be left behind: the chunks of another connection are of the state that ends.
		if err := r.await(c, func() bool { return r.acked >= state && r.allEnded() || acked >= state }); err != nil {
			return err
		}
		if !r.advance(c, state+1) {
			return errStale
		}
	}
	if err := r.start(c, wire.StateDone); err != nil {
		return err
	}
	return c.Complete()
}

// advance begins a state, unless another connection has taken over.
func (r *run) advance(c *Conn, state wire.StateKind) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.master != c.master {
		return false
	}
	r.enter(state)
	return true
}

// conductState is one state on the first connection. resumed: the recipient knows already that it has begun, and its files.
func (r *run) conductState(c *Conn, state wire.StateKind, resumed bool) error {
	if state != wire.StateInit && !resumed {
		if err := r.announce(c, state); err != nil {
			return err
		}
	}
	if state == wire.StateFileCopy {
		if err := r.await(c, func() bool { return len(r.tasks) > r.session.Workers }); err != nil {
			return err
		}
	}
	if err := r.copy(c, state); err != nil {
		return err
	}
	return r.end(c, state)
}

// announce tells what DDL did in the state before, that the state begins, and its files.
func (r *run) announce(c *Conn, state wire.StateKind) error {
	changes := map[wire.StateKind][]File{wire.StatePageCopy: r.session.PageChanges, wire.StateRedoCopy: r.session.RedoChanges}
	for _, f := range changes[state] {
		f.State = state
		if err := c.Descriptor(&f.File); err != nil {
			return err
		}
	}
	if err := r.start(c, state); err != nil {
		return err
	}
	files := map[wire.StateKind][]wire.File{wire.StateFileCopy: r.layout.files, wire.StateRedoCopy: r.layout.redo}
	for _, f := range files[state] {
		if err := c.Descriptor(&f); err != nil {
			return err
		}
	}
	return nil
}

// work is EXECUTE on a further connection.
func (r *run) work(c *Conn) error {
	r.mu.Lock()
	state := r.state
	r.mu.Unlock()
	for state != wire.StateDone {
		if state == wire.StateRedoCopy {
			// A server lets whoever sends redo tell its files once more.
			for _, f := range r.layout.redo {
				if err := c.Descriptor(&f); err != nil {
					return err
				}
			}
		}
		if err := r.copy(c, state); err != nil {
			return err
		}
		if err := r.end(c, state); err != nil {
			return err
		}
		if err := r.await(c, func() bool { return r.state > state }); err != nil {
			return err
		}
		state++
		if err := r.start(c, state); err != nil {
			return err
		}
	}
	return c.Complete()
}

// reinit goes on with a clone whose connections were lost.
func (p *Playing) reinit(c *Conn, body []byte) error {
	in, err := wire.ParseInit(body)
	if err != nil || len(in.Locators) != 1 {
		c.Problem("REINIT: %v", err)
		return c.Cut()
	}
	at, incomplete, done, err := wire.ParseRestart(in.Locators[0].Raw)
	if err != nil {
		c.Problem("REINIT: %v", err)
		return c.Cut()
	}
	r := p.current()
	if r == nil || p.session.NoSnapshot || p.Aborted() != 0 || at.CloneID != CloneID || at.SnapshotID != SnapshotID {
		return errors.Join(c.Fail(errnoInternal, "Clone: could not find existing clone"), errFailed)
	}
	c.master = r.lead(c.thread)
	c.resumed = r.resume(c, at, incomplete, done)
	if err := c.Send(wire.ResponseLocators, wire.AppendLocators(nil, in.Version, r.engineLocator())); err != nil {
		return err
	}
	return c.Complete()
}

// resume takes over what the recipient has. It reports whether the recipient knows all that is told of the state.
func (r *run) resume(c *Conn, at wire.Locator, incomplete []wire.Progress, done wire.Bitmap) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at.State != r.state {
		if at.State > r.state || at.State+1 < r.state {
			c.Problem("REINIT in %s, the clone is in %s", at.State, r.state)
		}
		r.enter(r.state)
		return false
	}
	r.enter(r.state)
	r.left = nil
	for _, p := range incomplete {
		r.from[int(p.Chunk)-1] = int(p.Blocks)
		if !done.Has(p.Chunk) {
			c.Problem("REINIT: chunk %d is in part there, and not in the set", p.Chunk)
		}
		if sent := r.blocks[[2]int{int(r.state), int(p.Chunk) - 1}]; int(p.Blocks) > sent {
			c.Problem("REINIT: %d blocks of chunk %d, of which %d were sent", p.Blocks, p.Chunk, sent)
		}
	}
	for chunk := range r.layout.states[r.state] {
		_, part := r.from[chunk]
		switch has := done.Has(uint32(chunk) + 1); {
		case !has || part:
			r.left = append(r.left, chunk)
		case r.layout.states[r.state][chunk][0].gone != nil: // one deletion is of all chunks of the file
		case r.blocks[[2]int{int(r.state), chunk}] < len(r.layout.states[r.state][chunk]):
			c.Problem("REINIT: chunk %d of %s is said to be there, and was not sent", chunk+1, r.state)
		}
	}
	return at.AllFiles
}
