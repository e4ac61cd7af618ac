package archive

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/zeebo/blake3"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// How often a restore makes durable what it has written, and records that: whichever comes first.
// That is what a restore that is killed has to do again.
const (
	recordBytes    = 1 << 30
	recordInterval = 10 * time.Second
)

// recordWorth is the least time of work that a restore which fails makes durable before it ends.
const recordWorth = time.Second

// progress is how far a restore is, and how far it is recorded.
type progress struct {
	marks chan recordMark // to the goroutine that records them; it has room for one
	every time.Duration
	start int // frames that were recorded before

	mu   sync.Mutex
	next recordMark // what could be recorded; without its time

	// What follows belongs to the frame whose turn it is.
	marked   int64 // bytes of content at the last mark
	markedAt time.Time
}

// reached notes that all content in frames before this one is written and verified. unfinished is the
// digest so far of the file that goes on in that frame; nil if none does.
func (r *restorer) reached(frame int, done int64, unfinished *blake3.Hasher) {
	p := &r.progress
	if frame <= p.start || r.backup.placed != nil {
		return // it was lost, and is restored again; or nothing could be continued from it
	}
	mark := recordMark{Frames: frame}
	if unfinished != nil {
		unfinished.Sum(mark.Prefix[:0])
	}
	p.mu.Lock()
	p.next = mark
	p.mu.Unlock()
	if done-p.marked < recordBytes && time.Since(p.markedAt) < p.every {
		return
	}
	select {
	case p.marks <- mark:
		p.marked, p.markedAt = done, time.Now()
	default: // the one before is still being recorded
	}
}

// recording runs work, and makes durable and records beside it how far it is; at the end too if that
// is an error, so that as little as possible is done again. A call to sync that has failed is never
// repeated: the second one would tell nothing of what the first one has lost.
func (r *restorer) recording(ctx context.Context, work func(context.Context) error) error {
	p := &r.progress
	p.marks = make(chan recordMark, 1)
	p.start, p.marked, p.markedAt = r.record.last.Frames, r.done, time.Now()
	if p.every = r.options.recordEvery; p.every == 0 {
		p.every = recordInterval
	}
	failed := false
	g, inner := errgroup.WithContext(ctx)
	g.Go(func() error {
		for mark := range p.marks {
			if err := r.mark(mark); err != nil {
				failed = true
				return err
			}
		}
		return nil
	})
	g.Go(func() error {
		defer close(p.marks)
		return work(inner)
	})
	err := g.Wait()
	if err == nil || failed || p.next.Frames <= r.record.last.Frames || time.Since(p.markedAt) < min(p.every, recordWorth) {
		return err
	}
	return errors.Join(err, r.mark(p.next))
}

// mark makes durable what was written, and records it.
func (r *restorer) mark(m recordMark) (err error) {
	if m.Time, err = r.record.now(); err != nil {
		return fmt.Errorf("record progress of the restore: %w", err)
	}
	if err := r.sync(); err != nil {
		return err
	}
	return r.record.advance(m)
}

// sync makes all of the target durable with one call: thousands of small files synced one by
// one would take minutes. Errors of writing come back from it since Linux 5.8, those of before the
// target was opened left out.
func (r *restorer) sync() error {
	if err := uninterrupted(func() error { return unix.Syncfs(r.folders.root.fd) }); err != nil {
		return fmt.Errorf("sync target: %w", err)
	}
	return nil
}
