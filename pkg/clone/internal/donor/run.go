package donor

import (
	"errors"
	"sync"
	"time"

	"runner/pkg/clone/internal/wire"
)

// MySQL's numbers of the errors that a session gives.
const (
	errnoTooMany  = 3634 // ER_CLONE_TOO_MANY_CONCURRENT_CLONES
	errnoInternal = 3862 // ER_INTERNAL_ERROR
)

// run is one clone of a session.
type run struct {
	session *Session
	layout  *layout
	locator wire.Locator

	mu       sync.Mutex
	changed  chan struct{} // closed, and replaced, whenever something of what follows changes
	master   int           // counts the connections that have been the first; an older one has no say any more
	thread   uint32        // of the first connection
	alive    bool          // the first connection is there
	state    wire.StateKind
	acked    wire.StateKind
	left     []int          // chunks of the state that nobody has taken, from 0
	from     map[int]int    // block to begin a chunk with, where it is not the first
	blocks   map[[2]int]int // state and chunk: blocks that were sent
	attached int
	tasks    map[uint32]bool // connections of data; true: told the end of the state
	aborted  uint32          // with which error the recipient gave up
}

func newRun(s *Session) *run {
	return &run{
		session: s, layout: s.layout(), changed: make(chan struct{}), state: wire.StateInit,
		locator: wire.Locator{CloneID: CloneID, SnapshotID: SnapshotID, State: wire.StateInit},
		blocks:  map[[2]int]int{}, tasks: map[uint32]bool{}, from: map[int]int{},
	}
}

func (r *run) engineLocator() wire.EngineLocator {
	return wire.EngineLocator{Engine: wire.EngineInnoDB, Raw: r.locator.Append(nil)}
}

// notify wakes those who await something. The caller holds the lock.
func (r *run) notify() {
	close(r.changed)
	r.changed = make(chan struct{})
}

var errStale = errors.New("another connection has taken over")

// await waits until something is so. The connections of data are kept alive meanwhile.
func (r *run) await(c *Conn, so func() bool) error {
	every := orElse(r.session.KeepAlives, 5*time.Second)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		r.mu.Lock()
		done, changed, stale, aborted, state := so(), r.changed, r.master != c.master, r.aborted, r.state
		r.mu.Unlock()
		switch {
		case stale:
			return errStale
		case aborted != 0:
			return errors.Join(c.Fail(aborted, "interrupted"), errFailed)
		case done:
			return nil
		}
		select {
		case <-changed:
		case <-c.Stopped():
			return errCut
		case <-tick.C:
			if err := c.Descriptor(&wire.State{State: state, Task: c.task, Ack: true}); err != nil {
				return err
			}
		}
	}
}

// enter begins a state. The caller holds the lock.
func (r *run) enter(state wire.StateKind) {
	r.state = state
	r.left, r.from = nil, map[int]int{}
	for i := range r.layout.states[state] {
		r.left = append(r.left, i)
	}
	for task := range r.tasks {
		r.tasks[task] = false
	}
	r.notify()
}

// take gives a chunk that is left, and the block to begin with; ok: there is one.
func (r *run) take(master int, state wire.StateKind) (chunk, from int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.master != master || r.state != state || len(r.left) == 0 {
		return 0, 0, false
	}
	chunk = r.left[0]
	r.left = r.left[1:]
	return chunk, r.from[chunk], true
}

// counted remembers that blocks of a chunk are on their way.
func (r *run) counted(state wire.StateKind, chunk, blocks int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.blocks[[2]int{int(state), chunk}] = max(blocks, r.blocks[[2]int{int(state), chunk}])
}

// copy sends chunks of a state as long as there are any.
func (r *run) copy(c *Conn, state wire.StateKind) error {
	for {
		chunk, from, ok := r.take(c.master, state)
		if !ok {
			return nil
		}
		for i, p := range r.layout.states[state][chunk] {
			if i < from {
				continue
			}
			if err := r.await(c, func() bool { return true }); err != nil {
				return err
			}
			r.counted(state, chunk, i+1)
			if err := p.send(c); err != nil {
				return err
			}
		}
	}
}

func (p piece) send(c *Conn) error {
	if p.gone != nil {
		return c.Descriptor(p.gone)
	}
	d := p.data
	d.Task = c.task
	return c.Data(&d, p.bytes)
}

// end tells a connection that there is nothing more of a state.
func (r *run) end(c *Conn, state wire.StateKind) error {
	s := r.describe(state, c.task)
	r.mu.Lock()
	// Before it is told: the answer may be quicker than this goroutine. A late one may tell the end of a state that the
	// others have left.
	if r.state == state && r.master == c.master {
		r.tasks[c.task] = true
		r.notify()
	}
	r.mu.Unlock()
	return c.Descriptor(s)
}

// describe is the descriptor of the end of a state.
func (r *run) describe(state wire.StateKind, task uint32) *wire.State {
	s := &wire.State{State: state, Task: task, Chunks: uint32(len(r.layout.states[state]))}
	switch state {
	case wire.StateFileCopy:
		s.Files = uint32(len(r.layout.files))
	case wire.StatePageCopy:
		s.Files = r.layout.pages
	case wire.StateRedoCopy:
		s.Files = uint32(len(r.layout.redo))
	}
	return s
}

// start tells a connection that a state begins; only the first gets the estimates.
func (r *run) start(c *Conn, state wire.StateKind) error {
	s := r.describe(state, c.task)
	s.Start = true
	if c.task == 0 {
		s.Estimate, s.EstimateDisk = r.layout.estimates[state], r.layout.estimates[wire.StateFileCopy]
	}
	return c.Descriptor(s)
}

// allEnded reports whether every connection of data has been told the end of the state. The caller holds the lock.
func (r *run) allEnded() bool {
	for _, ended := range r.tasks {
		if !ended {
			return false
		}
	}
	return true
}
