package recipient

import (
	"context"
	"sync"
	"time"
)

const (
	// onItsWay is how much may wait for the sink without anybody being held up: enough to keep it busy.
	onItsWay = 8 << 20
	// usualTrickle is how long a connection waits for room before it takes one more block all the same, so that the
	// donor never waits for a write longer than its net_write_timeout, which is 60 s or more.
	usualTrickle = 15 * time.Second
	// trickled is how much it then takes: pages are small, and a window that opens by one of them is not told to the sender.
	trickled = 1 << 20
	// keptBuffers is how many buffers are kept for further blocks.
	keptBuffers = 16
)

// operation is one call of the sink.
type operation struct {
	do   func(Sink) error // nil: a write
	path string
	data []byte
	off  int64
}

// queue puts what several connections bring into one order, and gives it to the sink from one goroutine.
type queue struct {
	sink    Sink
	spill   int64
	trickle time.Duration

	mu      sync.Mutex
	changed chan struct{} // closed, and made anew, when anything below changes
	waiting []operation
	head    int
	bytes   int64 // that wait or have a place, the write that the sink is at included
	busy    bool  // the sink is at an operation
	closed  bool
	err     error // of the sink

	credit  int64         // that may be taken although there is no room
	most    int64         // most bytes that ever waited
	stalled time.Duration // longest wait for room
	free    [][]byte
}

func newQueue(sink Sink, spill int64) *queue {
	return &queue{sink: sink, spill: spill, trickle: usualTrickle, changed: make(chan struct{})}
}

// signal tells those who wait that something has changed; q.mu is held.
func (q *queue) signal() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// run gives operations to the sink until the queue is closed and empty, or the sink fails.
func (q *queue) run() error {
	for {
		op, ok := q.next()
		if !ok {
			return q.err
		}
		var err error
		if op.do != nil {
			err = op.do(q.sink)
		} else {
			err = q.sink.WriteAt(op.path, op.data, op.off)
		}
		if !q.done(op, err) {
			return err
		}
	}
}

func (q *queue) next() (operation, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.head == len(q.waiting) {
		if q.closed || q.err != nil {
			return operation{}, false
		}
		changed := q.changed
		q.mu.Unlock()
		<-changed
		q.mu.Lock()
	}
	op := q.waiting[q.head]
	q.waiting[q.head] = operation{}
	q.head++
	if q.head == len(q.waiting) {
		q.waiting, q.head = q.waiting[:0], 0
	}
	q.busy = true
	return op, true
}

func (q *queue) done(op operation, err error) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy = false
	q.bytes -= int64(len(op.data))
	if op.data != nil && len(q.free) < keptBuffers {
		q.free = append(q.free, op.data)
	}
	q.err = err
	q.signal()
	return err == nil
}

// do puts an operation behind all others.
func (q *queue) do(what func(Sink) error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, operation{do: what})
	q.signal()
}

// write puts a copy of data behind all others, and holds the caller up while too much is waiting. The error is the sink's, or the context's.
func (q *queue) write(ctx context.Context, path string, data []byte, off int64) error {
	if err := q.reserve(ctx, int64(len(data))); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	b := append(q.buffer(len(data)), data...)
	q.waiting = append(q.waiting, operation{path: path, data: b, off: off})
	q.signal()
	return nil
}

// buffer gives an empty buffer of that capacity; q.mu is held.
func (q *queue) buffer(size int) []byte {
	for i := len(q.free) - 1; i >= 0; i-- {
		if b := q.free[i]; cap(b) >= size {
			q.free[i] = q.free[len(q.free)-1]
			q.free = q.free[:len(q.free)-1]
			return b[:0]
		}
	}
	return make([]byte, 0, size)
}

// reserve waits until n more bytes may wait for the sink, and has a place for them kept.
func (q *queue) reserve(ctx context.Context, n int64) error {
	var begin time.Time
	for {
		fits, changed, err := q.try(n, begin)
		if err != nil || fits {
			return err
		}
		if begin.IsZero() {
			begin = time.Now()
		}
		if err := waitFor(ctx, changed, q.trickle); err != nil {
			return err
		}
	}
}

// try reserves n bytes if they fit, for somebody who waits since begin; zero: not yet. changed is closed when it is worth
// another try.
func (q *queue) try(n int64, begin time.Time) (fits bool, changed chan struct{}, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return false, nil, q.err
	}
	waits := !begin.IsZero()
	if waits && time.Since(begin) >= q.trickle {
		q.credit = max(q.credit, n, trickled)
	}
	fits = q.bytes == 0 || q.bytes+n <= onItsWay
	if !fits && q.credit >= n && q.bytes+n <= onItsWay+q.spill {
		q.credit -= n
		fits = true
	}
	if !fits {
		return false, q.changed, nil
	}
	if waits {
		q.stalled = max(q.stalled, time.Since(begin))
	}
	q.bytes += n
	q.most = max(q.most, q.bytes)
	return true, nil, nil
}

// waitFor waits until changed is closed, or so long; the error is the context's.
func waitFor(ctx context.Context, changed <-chan struct{}, most time.Duration) error {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// drain waits until the sink has done all that was put into the queue.
func (q *queue) drain(ctx context.Context) error {
	for {
		q.mu.Lock()
		err, empty, changed := q.err, q.head == len(q.waiting) && !q.busy, q.changed
		q.mu.Unlock()
		if err != nil || empty {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// close lets run end once everything is done.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

// abandon lets run end after what the sink is at; the rest is of no use to anybody.
func (q *queue) abandon() {
	q.mu.Lock()
	q.waiting, q.head = nil, 0
	q.mu.Unlock()
	q.close()
}

// spilled is how much waited beyond what is on its way anyhow, at most, and how long a connection had to wait, at most.
func (q *queue) spilled() (int64, time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return max(0, q.most-onItsWay), q.stalled
}
