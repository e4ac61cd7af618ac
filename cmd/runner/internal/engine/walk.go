package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"runner/pkg/plan/graph"
)

// walk is the state of one walk. Only the goroutine that calls all touches it.
type walk struct {
	ctx     context.Context
	run     *run
	graph   *graph.Graph
	steps   map[graph.ID]Step
	limit   int
	timeout func(job string) time.Duration

	order   map[graph.ID]int // place in the graph's order
	waiting map[graph.ID]int // predecessors that are not finished
	ready   []graph.ID       // in graph order
	skipped map[graph.ID]bool
	running int
	held    map[string]bool            // keys of running Exclusive steps
	keys    map[graph.ID][]string      // of each running step: a step may name others later
	jobs    map[string]context.Context // of the jobs that have begun
	cancels []context.CancelFunc       // of jobs
	done    chan ending
	err     RunError
}

// ending is what a step's goroutine tells the walk.
type ending struct {
	id      graph.ID
	outcome Outcome
	err     error
}

func newWalk(ctx context.Context, r *run, g *graph.Graph, steps map[graph.ID]Step, o Options) *walk {
	w := &walk{
		ctx: ctx, run: r, graph: g, steps: steps, limit: o.Parallelism, timeout: o.Timeout,
		order: make(map[graph.ID]int), waiting: make(map[graph.ID]int), skipped: make(map[graph.ID]bool),
		held: make(map[string]bool), keys: make(map[graph.ID][]string), jobs: make(map[string]context.Context), done: make(chan ending),
	}
	if w.limit <= 0 {
		w.limit = defaultParallelism
	}
	for i, id := range g.Order() {
		w.order[id] = i
		if n := len(g.After(id)); n > 0 {
			w.waiting[id] = n
		} else {
			w.ready = append(w.ready, id)
		}
	}
	return w
}

// all walks the whole graph. It returns nil if every step ended well.
func (w *walk) all() *RunError {
	defer func() {
		for _, cancel := range w.cancels {
			cancel()
		}
	}()
	for {
		w.startReady()
		if w.running == 0 {
			return w.sum()
		}
		e := <-w.done
		w.running--
		w.release(e.id)
		w.ended(e)
	}
}

// startReady starts what may start: the first in graph order of whose keys no
// running step holds any, as long as there is a place.
func (w *walk) startReady() {
	if w.ctx.Err() != nil {
		return
	}
	for i := 0; i < len(w.ready) && w.running < w.limit; {
		id := w.ready[i]
		if !w.hold(id) {
			i++
			continue
		}
		w.ready = slices.Delete(w.ready, i, i+1)
		w.running++
		x := &execution{
			run: w.run, step: w.steps[id], walk: w.ctx, job: w.jobContext(id.Job),
			runtime: &Runtime{run: w.run, id: id}, below: w.graph.Descendants(id),
		}
		go func() { w.done <- x.do() }()
	}
}

// hold takes all keys of a step, or none and reports false.
func (w *walk) hold(id graph.ID) bool {
	e, ok := w.steps[id].(Exclusive)
	if !ok {
		return true
	}
	keys := slices.DeleteFunc(slices.Clone(e.Exclusive()), func(key string) bool { return key == "" })
	if slices.ContainsFunc(keys, func(key string) bool { return w.held[key] }) {
		return false
	}
	for _, key := range keys {
		w.held[key] = true
	}
	w.keys[id] = keys
	return true
}

func (w *walk) release(id graph.ID) {
	for _, key := range w.keys[id] {
		delete(w.held, key)
	}
	delete(w.keys, id)
}

// jobContext returns the context of a job, which starts its clock when it is
// asked for the first time.
func (w *walk) jobContext(job string) context.Context {
	if ctx, ok := w.jobs[job]; ok {
		return ctx
	}
	ctx := w.ctx
	if w.timeout != nil {
		if limit := w.timeout(job); limit > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(ctx, limit, &TimeoutError{Job: job, Limit: limit})
			w.cancels = append(w.cancels, cancel)
		}
	}
	w.jobs[job] = ctx
	return ctx
}

// ended draws the conclusions of a step's end.
func (w *walk) ended(e ending) {
	switch {
	case e.outcome.OK():
		for _, next := range w.graph.Before(e.id) {
			if w.waiting[next]--; w.waiting[next] == 0 && !w.skipped[next] {
				w.makeReady(next)
			}
		}
	case e.outcome == OutcomeFailed:
		w.err.Failures = append(w.err.Failures, StepFailure{ID: e.id, Err: e.err})
		w.skip(e.id)
	default:
		w.err.Interrupted = true
	}
}

// makeReady puts a step into the ready queue at its place.
func (w *walk) makeReady(id graph.ID) {
	at, _ := slices.BinarySearchFunc(w.ready, id, func(a, b graph.ID) int { return w.order[a] - w.order[b] })
	w.ready = slices.Insert(w.ready, at, id)
}

// skip records that nothing below a failed step will run.
func (w *walk) skip(failed graph.ID) {
	for _, id := range w.graph.Descendants(failed) {
		if w.skipped[id] {
			continue
		}
		w.skipped[id] = true
		why := &SkippedError{Below: failed}
		if _, err := w.run.record(Entry{Type: EntryStepFinished, ID: id, Outcome: OutcomeSkipped, Error: why.Error()}); err != nil {
			return
		}
		w.run.emit(StepFinished{ID: id, Outcome: OutcomeSkipped, Err: why})
	}
}

// sum makes the walk's error: nil if all is well.
func (w *walk) sum() *RunError {
	if broken := w.run.broken(); broken != nil {
		w.err.Record, w.err.Interrupted = broken, false
		return &w.err
	}
	if len(w.ready) > 0 { // the only reason not to have started them
		w.err.Interrupted = true
	}
	if w.err.Interrupted {
		w.err.Cause = context.Cause(w.ctx)
	}
	if !w.err.Interrupted && len(w.err.Failures) == 0 {
		return nil
	}
	return &w.err
}

// outcome is the attempt's.
func (e *RunError) outcome() Outcome {
	switch {
	case e == nil:
		return OutcomeDone
	case e.Interrupted:
		return OutcomeInterrupted
	default:
		return OutcomeFailed
	}
}

// withRecord adds the record's failure; e may be nil.
func (e *RunError) withRecord(broken *RecordError) *RunError {
	if e == nil {
		return &RunError{Record: broken}
	}
	e.Record = broken
	return e
}

// cancelled reports whether err is what a step says when ctx has been
// cancelled. An error of another kind is a failure of its own.
func cancelled(ctx context.Context, err error) bool {
	if ctx.Err() == nil {
		return false
	}
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Cause(ctx))
}
