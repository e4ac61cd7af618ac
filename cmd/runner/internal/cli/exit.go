package cli

import (
	"context"
	"errors"
	"fmt"

	"runner/cmd/runner/internal/engine"
	"runner/cmd/runner/internal/journal"
	"runner/cmd/runner/internal/steps"
	"runner/pkg/archive"
	"runner/pkg/archive/manifest"
	"runner/pkg/clone"
)

// The exit codes. A code that is not among them must be treated as failure.
const (
	ExitDone         = 0
	ExitFailed       = 1
	ExitUsage        = 2
	ExitPrerequisite = 3
	ExitVerification = 4
	ExitBusy         = 5
	ExitUnfinished   = 6
	ExitInterrupted  = 130
)

// The lines about exit codes at the end of a command's help.
const (
	helpFailed       = "   1  it failed"
	helpUsage        = "   2  usage, or the plan is invalid"
	helpPrerequisite = "   3  a prerequisite is not met; nothing was changed"
	helpVerification = "   4  verification failed: corrupt, truncated or tampered"
	helpBusy         = "   5  another run holds the lock, or another clone is running on the server"
	helpUnfinished   = "   6  an unfinished run of this job exists: resume it or discard it"
	helpInterrupted  = " 130  interrupted; resumable"
)

// exits is the end of a command's help.
func exits(done string, lines ...string) string {
	text := "\n\nExit codes:\n   0  " + done
	for _, line := range lines {
		text += "\n" + line
	}
	return text + "\nTreat any other code as failure."
}

// usageError is a command that was called wrongly.
type usageError struct {
	command string
	err     error
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }
func (e *usageError) Hint() string  { return e.command + " --help" }

func usagef(command, format string, args ...any) error {
	return &usageError{command: command, err: fmt.Errorf(format, args...)}
}

// planError is an invalid plan; its diagnostics were shown already.
type planError struct{ problems int }

func (e *planError) Error() string {
	if e.problems == 1 {
		return "the plan has 1 problem"
	}
	return fmt.Sprintf("the plan has %d problems", e.problems)
}

// unfinishedError is a job whose last run left something behind.
type unfinishedError struct {
	run, job string
	left     int
	flags    string // that the next command needs
}

func (e *unfinishedError) Error() string {
	things := "1 thing"
	if e.left != 1 {
		things = fmt.Sprintf("%d things", e.left)
	}
	return fmt.Sprintf("run %s of %s is unfinished, and what it made is still there (%s)", e.run, e.job, things)
}

func (e *unfinishedError) Hint() string {
	return "to go on: runner resume " + e.run + e.flags + "\nto give it up: runner discard " + e.run + e.flags
}

// hinted is an error with a next command.
type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }
func (h *hinted) Hint() string  { return h.hint }

func withHint(err error, hint string) error { return &hinted{err, hint} }

// hintOf returns the first hint in the error's tree, else what is known of an error of a file.
func hintOf(err error) string {
	var h interface {
		error
		Hint() string
	}
	if errors.As(err, &h) && h.Hint() != "" {
		return h.Hint()
	}
	return engine.FileHint(err)
}

// exitCode is the one place where an error becomes a code.
func exitCode(err error) int {
	var run *engine.RunError
	if errors.As(err, &run) && !run.Interrupted && run.Record == nil {
		return failuresCode(run.Failures)
	}
	return errorCode(err)
}

// failuresCode is the code that all failures share; different ones make a plain failure.
func failuresCode(failures []engine.StepFailure) int {
	code := ExitFailed
	for i, f := range failures {
		c := errorCode(f.Err)
		if i > 0 && c != code {
			return ExitFailed
		}
		code = c
	}
	return code
}

func errorCode(err error) int {
	var (
		usage        *usageError
		invalid      *planError
		prerequisite *steps.PrerequisiteError
		damaged      *steps.DamagedError
		locked       *journal.LockedError
		unfinished   *unfinishedError
		mysql        *clone.Error
		run          *engine.RunError
	)
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &run) && run.Interrupted:
		return ExitInterrupted
	case errors.As(err, &usage), errors.As(err, &invalid), errors.Is(err, archive.ErrNoIdentity), errors.Is(err, archive.ErrWrongIdentity):
		return ExitUsage
	case errors.As(err, &prerequisite):
		if prerequisite.Busy {
			return ExitBusy
		}
		return ExitPrerequisite
	case errors.As(err, &damaged), errors.Is(err, archive.ErrCorrupt), errors.Is(err, archive.ErrBadPages), errors.Is(err, archive.ErrUnsafe),
		errors.Is(err, manifest.ErrCorrupt):
		return ExitVerification
	case errors.Is(err, archive.ErrNoSpace):
		return ExitPrerequisite
	case errors.As(err, &locked), errors.Is(err, archive.ErrBusy):
		return ExitBusy
	case errors.As(err, &unfinished):
		return ExitUnfinished
	case errors.As(err, &mysql) && mysql.Class == clone.Busy:
		return ExitBusy
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	}
	return ExitFailed
}
