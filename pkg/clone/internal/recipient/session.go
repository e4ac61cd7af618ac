package recipient

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"runner/pkg/clone/internal/wire"
)

// session is one Run: what outlives the connections.
type session struct {
	o     Options
	sink  Sink
	queue *queue
	limit *rate.Limiter // of FILE_COPY; nil: none
	pause time.Duration // between two attempts at something that the donor refuses for now

	mu      sync.Mutex
	changed chan struct{} // closed, and made anew, when anything below changes
	version string        // of the donor's greeting
	release uint32        // the same, 80036 for "8.0.36-28.1"
	donor   Donor
	locator wire.EngineLocator // from INIT
	base    wire.Locator       // the same, taken apart
	state   wire.StateKind     // that main has entered
	acking  bool               // its end is being acknowledged
	acked   wire.StateKind     // whose end was acknowledged last, by main alone
	toTell  uint32             // files that the donor tells of in this state
	files   *files
	chunks  chunks
	workers map[*worker]bool // attached → has seen the end of the state
	stages  []Stage
	bytes   int64 // of this state
	moved   int   // data and states that have come
	pages   Pages
	resumed int
	most    int // connections at once
	network int64
	bareLog int64 // blocks of the redo log that have no checksum
	crypt   bool
}

func newSession(o Options, sink Sink) (*session, error) {
	s := &session{
		o: o, sink: sink, queue: newQueue(sink, o.Spill), changed: make(chan struct{}),
		pause: reconnectPause, state: wire.StateInit, workers: map[*worker]bool{},
	}
	if o.Bandwidth > 0 {
		// They share the bandwidth, and a donor cuts a connection off over which it can't write for a minute.
		s.o.Threads = max(1, min(o.Threads, int(o.Bandwidth*int64(longestPause/time.Second)/maxBlock)))
		s.limit = rate.NewLimiter(rate.Limit(o.Bandwidth), maxBlock)
	}
	seal, err := newSeal()
	if err != nil {
		return nil, err
	}
	seal.refuse = o.RefuseEncrypted
	s.files = newFiles(s.queue, seal)
	return s, nil
}

// longestPause is how long a connection may wait for its share of the bandwidth.
const longestPause = 20 * time.Second

// maxBlock is the most data of one DATA response that a bandwidth is kept for: 64 pages of 64 KiB (CLONE-PROTOCOL,
// section 4).
const maxBlock = 4<<20 + 1

func (s *session) run(ctx context.Context) (*Result, error) {
	ctx, fail := context.WithCancelCause(ctx) // a sink that fails ends all of it: the donor may have nothing to say for long
	defer fail(nil)
	applied := make(chan error, 1)
	go func() {
		err := s.queue.run()
		if err != nil {
			fail(err)
		}
		applied <- err
	}()
	err := s.pull(ctx)
	if err == nil {
		s.mu.Lock()
		err = s.files.finish()
		s.mu.Unlock()
	}
	if err == nil {
		err = s.queue.drain(ctx)
	}
	if err != nil {
		s.queue.abandon()
	} else {
		s.queue.close()
	}
	if sinkErr := <-applied; err == nil {
		err = sinkErr
	}
	if err != nil {
		return nil, err
	}
	return s.result(), nil
}

// pull makes connections, and makes them again where they are lost, until everything is in the queue.
func (s *session) pull(ctx context.Context) error {
	err := s.attempt(ctx, false)
	for wire.Lost(err) && s.resumable() && ctx.Err() == nil {
		// What was read is in the queue; up to where it was read must be in the sink before the donor is told.
		if drained := s.queue.drain(ctx); drained != nil {
			return drained
		}
		s.chunks.interrupt()
		s.o.Note(fmt.Sprintf("a connection to the donor was lost in the state %s and is made again: %v", s.state, err))
		var gone bool
		if gone, err = s.again(ctx, err); gone {
			break
		}
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// resumable says whether there is a snapshot that the donor may have kept.
func (s *session) resumable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.locator.Raw != nil
}

// again tries to go on until something comes, as long as the donor keeps a snapshot; gone says that it is given up. A
// donor that goes on and is lost before anything has come has not got anywhere.
func (s *session) again(ctx context.Context, first error) (gone bool, err error) {
	deadline := time.Now().Add(s.donor.ReconnectWithin)
	for {
		resumed, moved := s.resumed, s.moved
		err := s.attempt(ctx, true)
		switch {
		case err == nil, ctx.Err() != nil, s.moved != moved, s.resumed != resumed && !wire.Lost(err):
			return false, err
		case !wire.Lost(err) && !unnoticed(err):
			return true, &LostError{First: first, Err: err}
		case time.Now().After(deadline):
			return true, &LostError{First: first, Err: err, Within: s.donor.ReconnectWithin}
		}
		if err := pause(ctx, s.pause); err != nil {
			return true, err
		}
	}
}

// reconnectPause is between two attempts to go on.
const reconnectPause = 2 * time.Second

func pause(ctx context.Context, d time.Duration) error {
	never := make(chan struct{})
	return waitFor(ctx, never, d)
}

// attempt pulls over one set of connections; resume goes on with a snapshot that the donor has kept.
func (s *session) attempt(ctx context.Context, resume bool) error {
	group, inner := errgroup.WithContext(ctx)
	m := &master{session: s, group: group, resume: resume}
	defer m.close()
	if err := m.connect(inner); err != nil {
		return err
	}
	if err := m.begin(inner); err != nil {
		return err
	}
	group.Go(func() error { return m.pull(inner) })
	err := group.Wait()
	s.mu.Lock()
	done := s.state == wire.StateDone
	clear(s.workers)
	s.mu.Unlock()
	switch {
	case err == nil:
		return nil
	case done && wire.Lost(err):
		return nil // all of it is here, only the farewell is missing
	case !wire.Lost(err):
		m.cancel()
	}
	return err
}

// signal tells those who wait that something has changed; s.mu is held.
func (s *session) signal() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// await waits until a condition holds that is looked at with s.mu held. The error is the context's.
func (s *session) await(ctx context.Context, holds func() bool) error {
	for {
		s.mu.Lock()
		held, changed := holds(), s.changed
		s.mu.Unlock()
		if held {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// enter begins a state, once all of the one before has been acknowledged, or begins it again.
func (s *session) enter(d *wire.State) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.State == s.state {
		return nil // told again over another connection
	}
	switch {
	case d.State != s.state+1:
		return broken("state %s begins in state %s", d.State, s.state)
	case s.acked != s.state:
		return broken("state %s begins before the end of state %s", d.State, s.state)
	case d.Chunks > maxChunks:
		return broken("state %s has %d chunks", d.State, d.Chunks)
	}
	if err := s.files.finishRenames(); err != nil {
		return err
	}
	now := time.Now().UTC()
	if n := len(s.stages); n > 0 {
		s.stages[n-1].End, s.stages[n-1].Bytes = now, s.bytes
	}
	s.state, s.toTell, s.bytes = d.State, d.Files, 0
	if d.State == wire.StateFileCopy {
		s.files.toTell = d.Files
	}
	if d.State != wire.StateDone {
		s.stages = append(s.stages, Stage{State: d.State, Begin: now, Estimate: int64(min(d.Estimate, maxEstimate))})
	}
	s.moved++
	s.chunks = newChunks(d.Chunks)
	for w := range s.workers {
		s.workers[w] = false
	}
	s.signal()
	return nil
}

const (
	maxEstimate = 1 << 62
	// maxChunks bounds what is kept in memory about chunks: with pages of 16 KiB, so many are a petabyte (4096 pages are one:
	// CLONE-PROTOCOL, section 1).
	maxChunks = 1 << 24
)

// told takes a description of a file, and says whether all that this state begins with have been told of.
func (s *session) told(d *wire.File) (all bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.Encrypted() || d.Key != nil {
		if s.o.RefuseEncrypted {
			return false, fmt.Errorf("%s: %w", d.Name, ErrEncrypted)
		}
		s.crypt = true
	}
	if s.o.RefuseOutside && !d.Redo() && !d.Deleted() && external(d.Name) {
		return false, fmt.Errorf("%s: %w", d.Name, ErrOutside)
	}
	if err := s.files.announced(d, s.state); err != nil {
		return false, err
	}
	if f := s.files; d.State == s.state && d.Deleted() && s.state == wire.StateFileCopy && !d.Redo() {
		s.chunks.complete(f.data[d.Index].first, f.data[d.Index].last)
	}
	return s.state == wire.StateFileCopy && s.filesToldOf(), nil
}

// filesToldOf says whether all files are known that the state begins with; s.mu is held.
func (s *session) filesToldOf() bool {
	switch s.state {
	case wire.StateFileCopy:
		return len(s.files.data) >= int(s.toTell)
	case wire.StateRedoCopy:
		return len(s.files.redo) >= int(s.toTell)
	}
	return s.state > wire.StateFileCopy
}

func (s *session) result() *Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.stages); n > 0 && s.stages[n-1].End.IsZero() {
		s.stages[n-1].End, s.stages[n-1].Bytes = time.Now().UTC(), s.bytes
	}
	r := &Result{
		Donor: s.donor, Files: s.files.count(), Stages: s.stages, Resumed: s.resumed, Network: s.network, Pages: s.pages,
		External: s.files.externals(), UncheckedRedo: s.bareLog, Encrypted: s.crypt, Connection: s.most,
	}
	r.Pages.conclude(s.files)
	r.Spilled, r.Stalled = s.queue.spilled()
	return r
}
