package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"runner/pkg/plan/graph"
)

// execution is one step's time in the walk, in a goroutine of its own.
type execution struct {
	run     *run
	step    Step
	walk    context.Context // of the whole walk
	job     context.Context // of the job; carries its time limit
	runtime *Runtime
	below   []graph.ID // what depends on the step, in graph order
}

// do runs or resumes the step, records and reports its end.
func (x *execution) do() ending {
	id := x.runtime.id
	if _, err := x.run.record(Entry{Type: EntryStepStarted, ID: id}); err != nil {
		return ending{id: id, outcome: OutcomeInterrupted, err: err}
	}
	x.run.emit(StepStarted{ID: id})
	began := x.run.now()
	ctx, cancel := context.WithCancel(x.job) // so that nothing of the step outlives it
	outcome, result, err := x.perform(ctx)
	cancel()
	x.runtime.flush()
	outcome, err = x.judge(outcome, err)
	end := Entry{Type: EntryStepFinished, ID: id, Outcome: outcome, Result: result, Backups: x.runtime.kept()}
	if err != nil {
		end.Error, end.Result = err.Error(), nil
	}
	if _, recErr := x.run.record(end); recErr != nil && err == nil {
		outcome, err = OutcomeInterrupted, recErr
	}
	x.run.emit(StepFinished{ID: id, Outcome: outcome, Err: err, Duration: x.run.now().Sub(began)})
	return ending{id: id, outcome: outcome, err: err}
}

// judge turns an error into an outcome.
func (x *execution) judge(outcome Outcome, err error) (Outcome, error) {
	if err == nil {
		return outcome, nil
	}
	if x.walk.Err() != nil {
		if broken := x.run.broken(); broken != nil {
			return OutcomeInterrupted, err
		}
		if cancelled(x.walk, err) {
			return OutcomeInterrupted, err
		}
		return OutcomeFailed, err
	}
	// Whatever a step says after its time is up, the limit is the reason: a
	// driver whose connection was cut tells of a bad connection.
	var limit *TimeoutError
	if x.job.Err() != nil && errors.As(context.Cause(x.job), &limit) {
		if errors.As(err, new(*TimeoutError)) {
			return OutcomeFailed, err
		}
		return OutcomeFailed, &TimeoutError{Job: limit.Job, Limit: limit.Limit, Err: err}
	}
	return OutcomeFailed, err
}

// perform takes the result of an earlier attempt or runs the step.
func (x *execution) perform(ctx context.Context) (Outcome, json.RawMessage, error) {
	if ctx.Err() != nil {
		return OutcomeFailed, nil, context.Cause(ctx)
	}
	earlier, ok := x.run.result(x.runtime.id)
	if ok {
		err := x.guard(func() error { return x.step.Adopt(ctx, x.runtime, earlier.Result) })
		switch {
		case err == nil:
			x.takeOver(earlier.Backups)
			return OutcomeResumed, earlier.Result, nil
		case errors.Is(err, ErrRerun):
			return x.runStep(ctx)
		case !errors.Is(err, ErrStale):
			return OutcomeFailed, nil, err
		}
		x.run.emit(Note{ID: x.runtime.id, Text: "runs again: " + err.Error()})
	}
	if err := x.invalidate(); err != nil {
		return OutcomeFailed, nil, err
	}
	return x.runStep(ctx)
}

// takeOver makes the backups that an earlier attempt announced part of this
// one's record and report, unless Adopt has announced some itself.
func (x *execution) takeOver(earlier []Backup) {
	if len(x.runtime.kept()) > 0 {
		return
	}
	for _, b := range earlier {
		x.runtime.Emit(b)
	}
}

// invalidate records that what is below the step, and then the step itself,
// must be done again. The step comes last: after a crash on the way it is
// stale once more and the rest follows.
func (x *execution) invalidate() error {
	ids := append([]graph.ID{x.runtime.id}, x.below...)
	for _, id := range slices.Backward(ids) {
		if _, ok := x.run.result(id); !ok {
			continue
		}
		if _, err := x.run.record(Entry{Type: EntryInvalidated, ID: id}); err != nil {
			return err
		}
	}
	return nil
}

// runStep runs the step as often as its errors ask for it.
func (x *execution) runStep(ctx context.Context) (Outcome, json.RawMessage, error) {
	for try := 1; ; try++ {
		var result any
		err := x.guard(func() (err error) {
			result, err = x.step.Run(ctx, x.runtime)
			return err
		})
		if err == nil {
			return x.success(result)
		}
		var again Retryable
		if ctx.Err() != nil || !errors.As(err, &again) || try > again.MaxRetries() {
			return OutcomeFailed, nil, err
		}
		wait := max(again.RetryAfter(), 0)
		x.run.emit(Note{ID: x.runtime.id, Text: fmt.Sprintf("failed, tries again in %s (%d of %d): %v", wait, try, again.MaxRetries(), err)})
		if !sleep(ctx, wait) {
			return OutcomeFailed, nil, fmt.Errorf("%w; last error: %w", context.Cause(ctx), err)
		}
	}
}

// success encodes what Run returned.
func (x *execution) success(result any) (Outcome, json.RawMessage, error) {
	outcome := OutcomeDone
	if x.runtime.isAdopted() {
		outcome = OutcomeAdopted
	}
	if result == nil {
		return outcome, nil, nil
	}
	data, err := json.Marshal(result)
	if err != nil {
		return OutcomeFailed, nil, fmt.Errorf("encode result of step: %w", err)
	}
	return outcome, data, nil
}

// guard calls f and turns a panic, or an exit of the goroutine, into an error.
func (x *execution) guard(f func() error) error {
	result := make(chan error, 1)
	go func() {
		returned := false
		var err error
		defer func() {
			if !returned {
				value := recover()
				if value == nil {
					value = "the step ended its goroutine"
				}
				err = x.panicked(value)
			}
			result <- err
		}()
		err = f()
		returned = true
	}()
	return <-result
}

// panicked reports a panic with its stack.
func (x *execution) panicked(value any) error {
	err := &PanicError{Value: value, Stack: debug.Stack()}
	x.run.emit(Note{ID: x.runtime.id, Text: err.Error(), Detail: string(err.Stack)})
	return err
}

// sleep waits for d; false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
