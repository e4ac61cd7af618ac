package steps

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/clone"
)

// PrerequisiteError says that a job may not begin. Nothing was changed.
type PrerequisiteError struct {
	Job      string
	Findings []clone.Finding // the errors among what was found
	Busy     bool            // the only thing in the way is another clone
}

// Error names the findings.
func (e *PrerequisiteError) Error() string {
	said := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		said[i] = f.Code + " " + f.Summary
	}
	return fmt.Sprintf("%s: %s", plural(len(e.Findings), "prerequisite is not met", "prerequisites are not met"), strings.Join(said, "; "))
}

// Hint is the first finding's.
func (e *PrerequisiteError) Hint() string {
	for _, f := range e.Findings {
		if f.Hint != "" {
			return f.Hint
		}
	}
	return ""
}

// DamagedError says that the copy holds pages whose checksums do not hold, and the plan does not tolerate it.
type DamagedError struct {
	Pages      int64
	First      string   // file, page number and table
	Look       []string // statements to look further into it with
	Staging    string   // directory that the copy is kept in; empty: it went right into the archive, which is kept without a manifest
	Repository string
}

// Error says how many, and where the first is.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s: the first is %s", plural(int(e.Pages), "page of the copy is damaged", "pages of the copy are damaged"), e.First)
}

// Hint says how to tell a damaged source from a damaged copy.
func (e *DamagedError) Hint() string {
	kept := "the copy is kept in " + e.Staging
	if e.Staging == "" {
		kept = "the archive is kept, as a run that is unfinished"
	}
	return damageHint(e.Look, e.Repository) + "\n" + kept +
		"; to back up a server that is damaged, set pages = \"warn\" in the block checksum"
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// noRoomError says that the repository's file system is full; the copy is kept, so that it can be packed later.
type noRoomError struct {
	error
	path     string
	streamed bool
}

// Unwrap returns the system's error.
func (e *noRoomError) Unwrap() error { return e.error }

// Hint says how to go on.
func (e *noRoomError) Hint() string {
	if e.streamed {
		return "make room where the repository is, then resume: the copy is pulled anew. df -h " + e.path
	}
	return "make room where the repository is, then resume: the copy is kept and need not be made again. df -h " + e.path
}

// roomless adds the way on to an error of a full repository.
func (j *job) roomless(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &noRoomError{error: err, path: j.Repository.Path, streamed: j.streams()}
	}
	return err
}

// leftError says that a staging directory could not be removed.
type leftError struct {
	error
	path string
}

// Unwrap returns the system's error.
func (e *leftError) Unwrap() error { return e.error }

// Hint says how it is removed by hand; a resume finds it gone then.
func (e *leftError) Hint() string {
	remove := "remove it, then resume: rm -rf " + shellWord(e.path)
	switch hint := engine.FileHint(e.error); {
	case errors.Is(e.error, syscall.EACCES), errors.Is(e.error, syscall.EPERM):
		return "remove it as root or as mysqld's user, who owns it, then resume: rm -rf " + shellWord(e.path)
	case hint != "":
		return hint + "\n" + remove
	}
	return remove
}

// shellWord quotes a path for a POSIX shell.
func shellWord(path string) string { return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'" }
