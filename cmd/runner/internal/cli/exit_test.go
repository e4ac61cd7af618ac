package cli

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"runner/cmd/runner/internal/engine"
	"runner/cmd/runner/internal/journal"
	"runner/cmd/runner/internal/steps"
	"runner/pkg/archive"
	"runner/pkg/archive/manifest"
	"runner/pkg/clone"
	"runner/pkg/plan/graph"
)

func failures(errs ...error) *engine.RunError {
	e := &engine.RunError{}
	for i, err := range errs {
		e.Failures = append(e.Failures, engine.StepFailure{ID: graph.ID{Job: fmt.Sprint("job.", i), Step: "check"}, Err: err})
	}
	return e
}

func TestEveryErrorHasItsExitCode(t *testing.T) {
	busy := &clone.Error{Class: clone.Busy, Number: 3634, Op: "clone", Err: errors.New("another clone")}
	refused, occupied := &steps.PrerequisiteError{}, &steps.PrerequisiteError{Busy: true}
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"nothing went wrong":                         {nil, 0},
		"an error that nobody knows":                 {errors.New("unknown"), 1},
		"usage":                                      {usagef("runner", "wrong"), 2},
		"an invalid plan":                            {fmt.Errorf("read again: %w", &planError{problems: 2}), 2},
		"an encrypted backup and no identity":        {fmt.Errorf("open: %w", archive.ErrNoIdentity), 2},
		"an identity of somebody else":               {withHint(fmt.Errorf("open: %w", archive.ErrWrongIdentity), "do"), 2},
		"a prerequisite":                             {failures(refused), 3},
		"damaged pages":                              {failures(&steps.DamagedError{}), 4},
		"a corrupt archive":                          {fmt.Errorf("verify: %w", &archive.CorruptError{}), 4},
		"pages that were good once":                  {fmt.Errorf("verify: %w", archive.ErrBadPages), 4},
		"a member that leaves the target":            {fmt.Errorf("restore: %w", &archive.UnsafeError{}), 4},
		"a corrupt manifest":                         {fmt.Errorf("show: %w", manifest.ErrCorrupt), 4},
		"the lock of a job":                          {&journal.LockedError{Job: "job.a"}, 5},
		"a clone that was found running":             {failures(occupied), 5},
		"a clone that came between check and clone":  {failures(fmt.Errorf("clone: %w", busy)), 5},
		"a restore that does not fit":                {fmt.Errorf("restore: %w", &archive.NoSpaceError{}), 3},
		"a target that is being restored to":         {fmt.Errorf("restore: %w", archive.ErrBusy), 5},
		"an unfinished run":                          {&unfinishedError{run: "r"}, 6},
		"an interrupt":                               {&engine.RunError{Interrupted: true, Cause: context.Canceled}, 130},
		"an interrupt beside a failure":              {&engine.RunError{Interrupted: true, Cause: context.Canceled, Failures: failures(refused).Failures}, 130},
		"an interrupt of a command that is no run":   {fmt.Errorf("verify: %w", context.Canceled), 130},
		"two failures of one kind":                   {failures(refused, refused), 3},
		"two failures of different kinds":            {failures(refused, errors.New("unknown")), 1},
		"a record that can't be written":             {&engine.RunError{Record: &engine.RecordError{Err: errors.New("disk full")}}, 1},
		"a job's time limit":                         {failures(&engine.TimeoutError{Job: "job.a"}), 1},
		"a failure, and a journal that can't close":  {errors.Join(failures(refused), errors.New("close")), 3},
		"a hint changes nothing about what happened": {withHint(failures(refused), "do"), 3},
	} {
		t.Run(name, func(t *testing.T) {
			if got := exitCode(c.err); got != c.want {
				t.Errorf("exit code %d, want %d", got, c.want)
			}
		})
	}
}

func TestWhatTheViewHasShownIsNotSaidTwice(t *testing.T) {
	other := errors.New("close the journal: disk full")
	if got := unshown(failures(errors.New("x"))); got != nil {
		t.Errorf("said twice: %v", got)
	}
	if got := unshown(errors.Join(failures(errors.New("x")), other)); got == nil || got.Error() != other.Error() {
		t.Errorf("what is left is %v, want %v", got, other)
	}
	if got := unshown(other); !errors.Is(got, other) {
		t.Errorf("what is left is %v, want %v", got, other)
	}
}
