package journal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"runner/pkg/files"

	"github.com/gofrs/flock"
)

// holder is what the owner of a lock writes into its file, for messages only:
// what counts is the lock of the kernel.
type holder struct {
	PID int    `json:"pid"`
	Job string `json:"job,omitempty"`
}

// Lock takes the locks of the jobs, all or none. A *LockedError says who has
// one of them. The locks of a process that ends in whatever way are released.
func (d *Dir) Lock(jobs []JobKey) (unlock func() error, err error) {
	folder := filepath.Join(d.path, "locks")
	if err := d.makeFolder(folder); err != nil {
		return nil, err
	}
	byID := make(map[string]JobKey)
	for _, job := range jobs {
		byID[job.id()] = job
	}
	ids := make([]string, 0, len(byID))
	for id := range byID {
		ids = append(ids, id)
	}
	slices.Sort(ids) // everyone in the same order: of two that want the same, one gets all
	var held []*flock.Flock
	unlock = func() error {
		var errs []error
		for _, lock := range held {
			errs = append(errs, lock.Unlock())
		}
		held = nil
		return errors.Join(errs...)
	}
	for _, id := range ids {
		path := filepath.Join(folder, id+".lock")
		lock, ok, err := acquire(path, holder{PID: os.Getpid(), Job: byID[id].Address}, 0)
		if err == nil && !ok {
			err = d.lockedBy(byID[id], path)
		}
		if err != nil {
			return nil, errors.Join(err, unlock())
		}
		held = append(held, lock)
	}
	return unlock, nil
}

// lockedBy says who holds the lock of a job: the process from the lock's
// file, the run from the runs that are running.
func (d *Dir) lockedBy(job JobKey, path string) error {
	locked := &LockedError{Job: job.Address, PID: readHolder(path).PID}
	runs, err := d.Runs()
	if err != nil {
		return errors.Join(locked, err)
	}
	for _, s := range runs {
		if s.State == StateRunning && s.has(job) {
			locked.Run = s.Run
		}
	}
	return locked
}

// id is the same for the same job in the same repository, by whatever way the
// repository is reached.
func (k JobKey) id() string {
	sum := sha256.Sum256([]byte(resolve(k.Repository) + "\x00" + k.Address))
	return hex.EncodeToString(sum[:12])
}

// resolve follows the symbolic links in the part of the path that exists.
func resolve(path string) string {
	path = filepath.Clean(path)
	rest := ""
	for dir := path; ; dir = filepath.Dir(dir) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			return filepath.Join(real, rest)
		}
		if dir == filepath.Dir(dir) {
			return path
		}
		rest = filepath.Join(filepath.Base(dir), rest)
	}
}

// probing is how long the lock of a run may be held by those who only look
// whether it is held.
const probing = 500 * time.Millisecond

// lockRun takes the lock of a run.
func lockRun(folder, run string) (*flock.Flock, error) {
	path := filepath.Join(folder, lockFile)
	lock, ok, err := acquire(path, holder{PID: os.Getpid()}, probing)
	if err == nil && !ok {
		err = &LockedError{Run: run, PID: readHolder(path).PID}
	}
	if err != nil {
		return nil, err
	}
	return lock, nil
}

// acquire takes a lock, trying for as long as wait says, and notes in its file
// who holds it.
func acquire(path string, h holder, wait time.Duration) (*flock.Flock, bool, error) {
	lock := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err == nil && !ok && wait > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		ok, err = lock.TryLockContext(ctx, wait/50)
		if errors.Is(err, context.DeadlineExceeded) {
			err = nil
		}
	}
	if err != nil {
		return nil, false, errors.Join(&WriteError{Path: path, Err: err}, lock.Close())
	}
	if !ok {
		return nil, false, lock.Close()
	}
	note, err := json.Marshal(h)
	if err == nil {
		err = os.WriteFile(path, append(note, '\n'), 0o600)
	}
	if err != nil {
		return nil, false, errors.Join(&WriteError{Path: path, Err: err}, lock.Unlock())
	}
	return lock, true, nil
}

// readHolder reads who holds a lock; zero if that can't be told.
func readHolder(path string) holder {
	var h holder
	data, err := files.Read(path, maxRecord)
	if err != nil || json.Unmarshal(data, &h) != nil {
		return holder{}
	}
	return h
}

// held tells whether a process holds the lock of a run.
func held(folder string) (bool, error) {
	path := filepath.Join(folder, lockFile)
	lock := flock.New(path, flock.SetFlag(os.O_RDONLY))
	free, err := lock.TryRLock()
	if err != nil {
		closeErr := lock.Close()
		if errors.Is(err, fs.ErrNotExist) {
			return false, closeErr
		}
		return false, fmt.Errorf("look at lock of run: %w", errors.Join(err, closeErr))
	}
	return !free, lock.Close()
}

// has tells whether the run works on a job.
func (s Summary) has(job JobKey) bool {
	return slices.ContainsFunc(s.Jobs, func(k JobKey) bool {
		return k.Address == job.Address && k.id() == job.id()
	})
}
