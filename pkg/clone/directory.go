package clone

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// DirState says what a directory is that a clone was, or was to be, written to.
type DirState string

// The states of a directory.
const (
	DirAbsent   DirState = "absent"   // nothing is there
	DirPartial  DirState = "partial"  // a clone is being written, or was given up on
	DirFinished DirState = "finished" // a whole clone, as the server left it
	DirBooted   DirState = "booted"   // a server was started on it since: no longer what was cloned
	DirUnknown  DirState = "unknown"  // something else, or a clone that had not begun to write
)

// InspectDirectory tells the state from the marker files that the server keeps in the clone: it has
// #clone/#status_in_progress while it is written, #clone/#status_fix once it is whole, and a first
// start of a server takes the latter away and makes auto.cnf. The error is that of a directory that
// may not be read; a path that is not a directory is DirUnknown.
func InspectDirectory(path string) (DirState, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return DirAbsent, nil
	case err != nil:
		return DirUnknown, fmt.Errorf("inspect clone directory: %w", err)
	case !info.IsDir():
		return DirUnknown, nil
	}
	for _, marker := range []struct {
		name  string
		state DirState
	}{
		{"#clone/#status_in_progress", DirPartial},
		{"auto.cnf", DirBooted}, // before the next: a start that died half-way leaves both
		{"#clone/#status_fix", DirFinished},
	} {
		switch _, err := os.Lstat(filepath.Join(path, marker.name)); {
		case err == nil:
			return marker.state, nil
		case !errors.Is(err, fs.ErrNotExist):
			return DirUnknown, fmt.Errorf("inspect clone directory: %w", err)
		}
	}
	return DirUnknown, nil
}
