package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/files"
)

// Journal is the record of one run, open for appending. It implements
// engine.Recorder. Its run is locked until Close.
type Journal struct {
	folder string
	header Header
	plan   []byte
	lock   *flock.Flock

	mu      sync.Mutex
	file    *os.File
	entries []engine.Entry
	size    int64 // of the whole entries in file
	broken  error // why nothing more may be written
}

// Resume opens the record of a run in order to go on with it or to give it up.
// A tail that a crash has torn is cut off. The errors: one that wraps
// ErrNotFound, *LockedError, *DamagedError, *VersionError, *WriteError.
func (d *Dir) Resume(run string) (*Journal, error) {
	if err := validRun(run); err != nil {
		return nil, fmt.Errorf("resume run: %w", err)
	}
	folder := d.folder(run)
	h, err := readHeader(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("resume run: %s: %w", run, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	plan, err := files.Read(filepath.Join(folder, planFile), maxRecord)
	if err != nil {
		return nil, fmt.Errorf("read plan of run: %w", err)
	}
	lock, err := lockRun(folder, run)
	if err != nil {
		return nil, err
	}
	j := &Journal{folder: folder, header: h, plan: plan, lock: lock}
	if err := j.reopen(); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return j, nil
}

// reopen reads the journal, cuts a torn tail off and opens it for appending.
func (j *Journal) reopen() error {
	entries, good, err := readJournal(j.folder)
	if err != nil {
		return err
	}
	name := filepath.Join(j.folder, journalFile)
	file, err := files.OpenFile(name, os.O_WRONLY, 0o600)
	if err != nil {
		return &WriteError{Path: name, Err: err}
	}
	if err := cut(file, good); err != nil {
		return errors.Join(&WriteError{Path: name, Err: err}, file.Close())
	}
	j.file, j.entries, j.size = file, entries, good
	return nil
}

// cut shortens the file, durably, if it is longer.
func cut(file *os.File, size int64) error {
	info, err := file.Stat()
	if err != nil || info.Size() == size {
		return err
	}
	if err := file.Truncate(size); err != nil {
		return err
	}
	return file.Sync()
}

// readJournal reads the entries of a run; good is how many bytes they take.
func readJournal(folder string) (entries []engine.Entry, good int64, err error) {
	name := filepath.Join(folder, journalFile)
	data, err := files.Read(name, maxRecord)
	if err != nil {
		return nil, 0, fmt.Errorf("read journal: %w", err)
	}
	entries, good, err = parse(data)
	if damaged := (*DamagedError)(nil); errors.As(err, &damaged) {
		damaged.Path = name
	}
	return entries, good, err
}

// Header says what the run is.
func (j *Journal) Header() Header { return j.header }

// Plan is the normalised plan that Create was given.
func (j *Journal) Plan() []byte { return slices.Clone(j.plan) }

// Folder is the run's folder in the state directory.
func (j *Journal) Folder() string { return j.folder }

// Record appends an entry; it is on disk when Record returns. After an error,
// which is a *WriteError, every later call returns the same: what can't be
// recorded must not happen. The entries before it are not touched by it.
func (j *Journal) Record(e engine.Entry) (engine.Entry, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return e, j.broken
	}
	e.Seq = int64(len(j.entries)) + 1
	line, err := encode(e)
	if err != nil {
		return e, err // nothing was written, the record is as it was
	}
	if err := j.write(line); err != nil {
		name := filepath.Join(j.folder, journalFile)
		j.broken = &WriteError{Path: name, Err: err}
		// Best effort: what was not acknowledged is better not there, but a
		// reader knows a torn line anyway.
		_ = j.file.Truncate(j.size)
		return e, j.broken
	}
	j.size += int64(len(line))
	j.entries = append(j.entries, e)
	return e, nil
}

// write appends a line and waits until it is on disk. A failed fsync is final:
// the kernel may have dropped what it could not write.
func (j *Journal) write(line []byte) error {
	if _, err := j.file.WriteAt(line, j.size); err != nil {
		return err
	}
	return j.file.Sync()
}

// History returns all entries, of all attempts, oldest first.
func (j *Journal) History() []engine.Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries)
}

// MarkDiscarded records that the run was given up: it is unfinished no more.
// Call it after everything that the run has left was removed.
func (j *Journal) MarkDiscarded(now time.Time) error {
	attempt := 0
	for _, e := range j.History() {
		attempt = max(attempt, e.Attempt)
	}
	_, err := j.Record(engine.Entry{Time: now.UTC(), Attempt: attempt, Type: entryDiscarded})
	return err
}

// Close closes the record and releases the run's lock. Closing once more is no
// error.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	err := errors.Join(j.file.Close(), j.lock.Unlock())
	j.file = nil
	if j.broken == nil {
		j.broken = fmt.Errorf("record entry of run %s: %w", j.header.Run, os.ErrClosed)
	}
	return err
}
