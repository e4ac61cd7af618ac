package wire

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// socket is a connection whose reads and writes end when a context does, or when the other side has been silent for too
// long; and which counts.
//
// The context is watched from one call to the next for as long as it stays the same, since to begin and to end watching
// costs more than to read a page.
type socket struct {
	net.Conn
	bytes atomic.Int64
	idle  time.Duration // longest wait of one read; 0: none
	slow  time.Duration // longest wait of one write; 0: none

	mu     sync.Mutex
	ctx    context.Context // what is being watched; nil: nothing yet
	stop   func() bool     // ends watching; nil: the context never ends
	cut    bool            // the context that is being watched has ended, and all deadlines are past
	timed  bool            // a deadline of reading is set
	closed bool
}

// past is a deadline that has passed.
var past = time.Unix(1, 0)

// watch has ctx end the reads and writes from now on; it gives the error of one that has ended already.
func (s *socket) watch(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// Two contexts of one channel end at once.
	if s.ctx != nil && s.ctx.Done() == ctx.Done() || s.closed {
		return nil
	}
	s.forget()
	if s.cut {
		s.cut = false
		if err := s.SetDeadline(time.Time{}); err != nil {
			return err
		}
	}
	s.ctx = ctx
	if ctx.Done() != nil {
		s.stop = context.AfterFunc(ctx, func() { s.interrupt(ctx) })
	}
	return nil
}

// release ends watching between calls, so that the end of the last call's context means nothing.
func (s *socket) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
}

// forget ends watching. The caller holds the lock.
func (s *socket) forget() {
	if s.stop != nil {
		s.stop()
	}
	s.ctx, s.stop = nil, nil
}

func (s *socket) interrupt(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil || s.ctx.Done() != ctx.Done() {
		return // another call's
	}
	s.cut = true
	_ = s.SetDeadline(past) // fails on a closed connection alone
}

// arm sets the deadline of the next read.
func (s *socket) arm() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.cut:
		return nil
	case s.idle > 0:
		s.timed = true
		return s.SetReadDeadline(time.Now().Add(s.idle))
	case s.timed:
		s.timed = false
		return s.SetReadDeadline(time.Time{})
	}
	return nil
}

func (s *socket) Read(p []byte) (int, error) {
	if err := s.arm(); err != nil {
		return 0, err
	}
	n, err := s.Conn.Read(p)
	s.bytes.Add(int64(n))
	return n, err
}

func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	var err error
	if !s.cut && s.slow > 0 {
		err = s.SetWriteDeadline(time.Now().Add(s.slow))
	}
	s.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return s.Conn.Write(p)
}

// Close may be called from any goroutine. A second call gives net.ErrClosed.
func (s *socket) Close() error {
	s.mu.Lock()
	s.closed = true
	s.forget()
	s.mu.Unlock()
	return s.Conn.Close()
}
