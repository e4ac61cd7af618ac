// Package engine executes a graph of steps: bounded, cancellable, recorded,
// resumable. It never prints; it emits typed events to an [Observer] and
// writes a record of what happens to a [Recorder].
//
// # The walk
//
// One goroutine, the caller of [Run], owns the state of the walk. It keeps the
// steps whose predecessors are finished in a ready queue ordered as the graph
// orders them, and starts a goroutine for a step only when a place is free
// ([Options].Parallelism) and no running step excludes it ([Exclusive]). Every
// goroutine is awaited before Run returns, whatever happens.
//
//   - A step that fails fails alone: the steps below it are skipped (recorded,
//     not counted as failures), everything else goes on.
//   - A panic in a step is a failure of that step (*[PanicError]); the
//     clean-up of other steps is not cut short by it.
//   - When the context is cancelled no further step starts, the running ones
//     see the cancellation and are awaited; their outcome is interrupted. Steps
//     that were never started get no outcome at all. An error that is not the
//     cancellation is a failure even when it comes after it.
//   - A job's time limit ([Options].Timeout) runs from the moment its first
//     step starts in this attempt. What it cuts off fails with *[TimeoutError].
//   - An error that wraps a [Retryable] is run again, as often and as late as
//     it says.
//
// # The record
//
// What is recorded is on disk before the thing it announces happens: the
// start of a step before the step, an intended action before [Runtime.Intend]
// returns, a step's result before anything below it starts. When the Recorder
// fails nothing may happen any more: the walk stops, running steps are
// cancelled and awaited, and Run's error wraps *[RecordError].
//
// # Resuming
//
// The Recorder's history tells which steps have a valid result: the last
// step_finished with outcome done, adopted or resumed, if no invalidated entry
// follows it. Such a step is offered its result ([Step].Adopt), in graph order
// like everything else:
//
//   - nil: it counts as done, outcome resumed; the result is recorded again.
//   - [ErrRerun]: it runs again by its own choice, and what depends on it
//     stays valid. A check is the example: it always looks again, but a clone
//     that is there need not be made again because of that. Should this run
//     fail, its older result stays valid too.
//   - [ErrStale]: what the result describes is gone. The results of all steps
//     below are recorded as invalidated, the deepest first and the step's own
//     last, so that a crash half way leaves the step stale and the next attempt
//     does the same again. Then it runs.
//   - anything else fails the step.
//
// A step without a valid result that runs invalidates what is below it in the
// same way.
package engine
