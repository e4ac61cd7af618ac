package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"runner/pkg/archive/store"
)

// Frames are made durable after so many stored bytes or so much time, whichever comes first: what
// a kill costs is at most that, and a disk that writes 100 MB/s is not held up by it.
const (
	checkpointBytes    = 256 << 20
	checkpointInterval = 10 * time.Second
)

// checkpointer makes frames durable in the background, and records those that are. The writer of
// frames adds to it and never waits for a disk.
type checkpointer struct {
	data  store.Writer
	log   store.Writer
	bytes int64 // stored ones, after which frames are made durable
	wake  chan struct{}

	mu      sync.Mutex
	sum     lineSum
	lines   []byte // of frames that were written, and may not be durable
	stored  int64  // bytes of these
	waiting int    // frames

	// Of whoever flushes: the goroutine of run, and after its end the packer.
	spare   []byte
	durable int // frames
	failed  bool
}

// add records a frame that was written.
func (c *checkpointer) add(r *frameRecord) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	if c.lines, err = c.sum.appendLine(c.lines, r); err != nil {
		return err
	}
	c.waiting++
	if c.stored += r.Stored; c.stored >= c.bytes {
		select {
		case c.wake <- struct{}{}:
		default: // it is awake
		}
	}
	return nil
}

// run makes frames durable until done is closed or ctx ends; what was added last stays to flush.
func (c *checkpointer) run(ctx context.Context, done <-chan struct{}) error {
	ticker := time.NewTicker(checkpointInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-done:
			return nil
		case <-c.wake:
		case <-ticker.C:
		}
		if err := c.flush(); err != nil {
			return err
		}
	}
}

// flush makes durable what was added. The data comes first: a record says that its frame is.
func (c *checkpointer) flush() error {
	c.mu.Lock()
	lines, waiting := c.lines, c.waiting
	c.lines, c.stored, c.waiting = c.spare[:0], 0, 0
	c.mu.Unlock()
	c.spare = lines
	if waiting == 0 {
		return nil
	}
	err := c.data.Sync()
	if err == nil {
		err = writeAll(c.log, lines)
	}
	if err == nil {
		err = c.log.Sync()
	}
	if err != nil {
		c.failed = true
		return fmt.Errorf("make frames durable: %w", err)
	}
	c.durable += waiting
	return nil
}

// remove deletes the checkpoint, durably.
func (c *checkpointer) remove(ctx context.Context, dst store.Store) error {
	if err := c.log.Keep(); err != nil {
		return err
	}
	err := dst.Remove(ctx, checkpointName+store.PartialSuffix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a dry run has none
		return fmt.Errorf("remove checkpoint: %w", err)
	}
	return nil
}
