package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"runner/pkg/plan/graph"
)

// StepFailure is the failure of one step.
type StepFailure struct {
	ID  graph.ID
	Err error
}

func (f StepFailure) Error() string { return fmt.Sprintf("%s: %v", f.ID, f.Err) }

// Unwrap returns the step's error.
func (f StepFailure) Unwrap() error { return f.Err }

// RunError is the error of Run once the walk has begun. errors.Is and errors.As see every failure, the
// record's error and, where Interrupted is set, the cause of the cancellation.
type RunError struct {
	Failures    []StepFailure // in the order in which the steps ended; skipped ones are left out
	Interrupted bool          // the context was cancelled before everything was done
	Cause       error         // of the cancellation, where Interrupted is set
	Record      *RecordError  // nil unless the Recorder failed
}

func (e *RunError) Error() string {
	var parts []string
	if e.Record != nil {
		parts = append(parts, e.Record.Error())
	}
	for _, f := range e.Failures {
		parts = append(parts, f.Error())
	}
	if e.Interrupted {
		parts = append(parts, "interrupted: "+e.Cause.Error())
	}
	return strings.Join(parts, "; ")
}

// Unwrap returns all that went wrong.
func (e *RunError) Unwrap() []error {
	var errs []error
	if e.Record != nil {
		errs = append(errs, e.Record)
	}
	for _, f := range e.Failures {
		errs = append(errs, f)
	}
	if e.Interrupted {
		errs = append(errs, e.Cause)
	}
	return errs
}

// RecordError says that the record of the run could not be written. Nothing
// happens after it.
type RecordError struct {
	Err error
}

func (e *RecordError) Error() string { return fmt.Sprintf("write record of the run: %v", e.Err) }

// Unwrap returns the Recorder's error.
func (e *RecordError) Unwrap() error { return e.Err }

// TimeoutError says that a job ran longer than its plan allows. It is a
// context.DeadlineExceeded.
type TimeoutError struct {
	Job   string
	Limit time.Duration
	Err   error // what the step said when it was cut off; may be nil
}

func (e *TimeoutError) Error() string {
	msg := fmt.Sprintf("%s took longer than the %s that the setting timeout of this job allows", e.Job, e.Limit)
	if e.Err != nil {
		msg += ": " + e.Err.Error()
	}
	return msg
}

// Unwrap returns the step's error and context.DeadlineExceeded.
func (e *TimeoutError) Unwrap() []error {
	if e.Err == nil {
		return []error{context.DeadlineExceeded}
	}
	return []error{context.DeadlineExceeded, e.Err}
}

// Hint says what can be done about it.
func (e *TimeoutError) Hint() string {
	return fmt.Sprintf("resume the run: its clock starts anew. Or discard it, raise timeout in the block of %s, and apply the plan again", e.Job)
}

// PanicError says that a step panicked. The stack is in a Note event.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the value of the panic if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Hint says what can be done about it.
func (e *PanicError) Hint() string {
	return "this is a defect of runner: report it with the stack from the log (--log-level debug)"
}

// SkippedError says why a step did not run.
type SkippedError struct {
	Below graph.ID // the failed step
}

func (e *SkippedError) Error() string { return fmt.Sprintf("%s failed", e.Below) }
