package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"runner/pkg/files"
)

type localWriter struct {
	f                        *os.File
	dir, name, path, partial string
	written                  int64 // bytes
	asked                    int64 // of them, the kernel was asked to write out
	named                    bool  // the temporary name is durable

	mu     sync.Mutex // Sync may be called while another goroutine writes
	failed error      // the first error of a Write or a Sync
	ended  bool
}

// state gives [ErrEnded] or the error that has spoilt the file.
func (w *localWriter) state() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return ErrEnded
	}
	return w.failed
}

// fail remembers an error: a kernel tells one that it has met while writing out only once, and
// takes what it could not write for written.
func (w *localWriter) fail(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil {
		w.failed = err
	}
	return err
}

func (w *localWriter) Write(p []byte) (int, error) {
	if err := w.state(); err != nil {
		return 0, err
	}
	n, err := w.f.Write(p)
	w.written += int64(n)
	if err != nil {
		return n, w.fail(fmt.Errorf("write %s: %w", w.name, err))
	}
	w.startWriteback()
	return n, nil
}

func (w *localWriter) Sync() error {
	if err := w.state(); err != nil {
		return err
	}
	err := w.f.Sync()
	if err == nil && !w.named {
		err = files.SyncFolder(w.dir)
		w.named = err == nil
	}
	if err != nil {
		return w.fail(fmt.Errorf("sync %s: %w", w.name, err))
	}
	return nil
}

// end gives [ErrEnded] to all but its first caller.
func (w *localWriter) end() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return ErrEnded
	}
	w.ended = true
	return nil
}

// Commit refuses a file that has lost bytes on the way: one whose Write or Sync failed, or whose
// size is not what was written.
func (w *localWriter) Commit() error {
	if err := w.end(); err != nil {
		return err
	}
	err := w.failed
	if err == nil {
		err = w.f.Sync()
	}
	if err == nil {
		err = w.checkSize()
	}
	err = errors.Join(err, w.f.Close())
	if err == nil {
		err = os.Rename(w.partial, w.path)
	}
	if err != nil {
		return fmt.Errorf("commit %s: %w", w.name, errors.Join(err, removeIfThere(w.partial)))
	}
	if err := files.SyncFolder(w.dir); err != nil {
		return fmt.Errorf("commit %s: %w", w.name, err)
	}
	return nil
}

func (w *localWriter) checkSize() error {
	info, err := w.f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != w.written {
		return fmt.Errorf("%d bytes were written, the file has %d", w.written, info.Size())
	}
	return nil
}

func (w *localWriter) Abort() error {
	if err := w.end(); err != nil {
		return err
	}
	if err := errors.Join(w.f.Close(), removeIfThere(w.partial)); err != nil {
		return fmt.Errorf("abort %s: %w", w.name, err)
	}
	return nil
}

func (w *localWriter) Keep() error {
	if err := w.end(); err != nil {
		return err
	}
	if err := w.f.Close(); err != nil {
		return fmt.Errorf("keep remainder of %s: %w", w.name, err)
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
