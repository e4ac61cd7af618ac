package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"runner/cmd/runner/internal/engine"
)

// ErrNotFound is wrapped by errors that say that there is no such run.
var ErrNotFound = errors.New("no such run")

// DamagedError says that a file of a run can't be trusted.
type DamagedError struct {
	Path string
	Line int // from 1; 0: the file as a whole
	Err  error
}

func (e *DamagedError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s is damaged: %v", e.Path, e.Err)
	}
	return fmt.Sprintf("%s is damaged at line %d: %v", e.Path, e.Line, e.Err)
}

// Unwrap returns what is wrong.
func (e *DamagedError) Unwrap() error { return e.Err }

// Hint says what can be done about it.
func (e *DamagedError) Hint() string {
	return "look at the file for what the run had begun, clean up by hand, then move the run's folder away"
}

// VersionError says that a run was recorded in a format that this version
// can't read.
type VersionError struct {
	Path   string
	Format int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s has format %d, this version reads format %d", e.Path, e.Format, format)
}

// Hint says what can be done about it.
func (e *VersionError) Hint() string { return "use the version of runner that wrote it" }

// LockedError says that another process works on the job or run.
type LockedError struct {
	Run string // empty if it could not be told
	PID int    // 0 if it could not be told
	Job string // address; empty if it is the run that is locked
}

func (e *LockedError) Error() string {
	var b strings.Builder
	if e.Job != "" {
		fmt.Fprintf(&b, "%s is being backed up by another process", e.Job)
		if e.Run != "" {
			fmt.Fprintf(&b, ", run %s", e.Run)
		}
	} else {
		fmt.Fprintf(&b, "run %s is in the hands of another process", e.Run)
	}
	if e.PID > 0 {
		fmt.Fprintf(&b, " (process %d)", e.PID)
	}
	return b.String()
}

// Hint says what can be done about it.
func (e *LockedError) Hint() string { return "wait until it has ended; see: runner runs" }

// WriteError says that the record or the state directory can't be written.
type WriteError struct {
	Path string
	Err  error
}

func (e *WriteError) Error() string { return fmt.Sprintf("write %s: %v", e.Path, cause(e.Err)) }

// Unwrap returns the system's error.
func (e *WriteError) Unwrap() error { return e.Err }

// Hint says what can be done about it.
func (e *WriteError) Hint() string {
	const other = "name another state directory with --state-dir DIR or RUNNER_STATE_DIR"
	switch {
	case errors.Is(e.Err, syscall.ENOSPC):
		return fmt.Sprintf("make room on the file system of %s (df -h, df -i), then: runner resume", e.Path)
	case errors.Is(e.Err, syscall.EDQUOT):
		return fmt.Sprintf("this user's quota is used up where %s is (quota -s); make room, then: runner resume", e.Path)
	}
	hint := engine.FileHint(&fs.PathError{Op: "write", Path: e.Path, Err: cause(e.Err)})
	if hint == "" {
		return other
	}
	return hint + "; or " + other
}

// cause strips the path from an error of package os, since ours names it.
func cause(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}

// AmbiguousError says that a prefix fits several runs.
type AmbiguousError struct {
	Prefix string
	Runs   []string // newest first
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%q fits %d runs: %s", e.Prefix, len(e.Runs), strings.Join(e.Runs, ", "))
}

// Hint says what can be done about it.
func (e *AmbiguousError) Hint() string { return "give more of the run's id; see: runner runs" }
