package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"runner/pkg/plan/graph"
)

// defaultParallelism is how many steps run at once when Options doesn't say:
// one job may clone while another packs; more would share the same disks.
const defaultParallelism = 2

// Options are how a graph is walked.
type Options struct {
	Parallelism int                            // steps at once; 0 = 2
	Recorder    Recorder                       // nil: a Memory
	Observer    Observer                       // nil: nobody listens
	Timeout     func(job string) time.Duration // of a job, from its first step's start; nil or 0: none
	Run         string                         // the run's id
	Now         func() time.Time               // nil: time.Now
}

// Run walks the graph and returns when every step that was started has ended.
// steps holds one Step for each vertex. The error is nil or a *RunError, unless
// steps and graph don't match: then nothing was done or recorded.
func Run(ctx context.Context, g *graph.Graph, steps map[graph.ID]Step, o Options) error {
	order := g.Order()
	if err := match(order, steps); err != nil {
		return err
	}
	r := newRun(o)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.stop = cancel
	began := r.now()
	_, _ = r.record(Entry{Type: EntryAttemptStarted}) // a failure stops the walk before its first step
	r.emit(RunStarted{Run: r.name, Attempt: r.attempt, Jobs: jobs(order), Steps: order})

	err := newWalk(ctx, r, g, steps, o).all()
	outcome := err.outcome()
	end := Entry{Type: EntryAttemptFinished, Outcome: outcome}
	if err != nil {
		end.Error = err.Error()
	}
	_, _ = r.record(end)
	if broken := r.broken(); broken != nil && (err == nil || err.Record == nil) {
		err = err.withRecord(broken)
		outcome = OutcomeFailed
	}
	var result error
	if err != nil { // a nil *RunError must not become an error that is not nil
		result = err
	}
	r.finish(RunFinished{Run: r.name, Outcome: outcome, Duration: r.now().Sub(began), Err: result})
	return result
}

// match says whether the graph's vertices and the steps are the same set.
func match(order []graph.ID, steps map[graph.ID]Step) error {
	for _, id := range order {
		if steps[id] == nil {
			return fmt.Errorf("walk graph: no step for %s", id)
		}
	}
	if len(steps) > len(order) {
		return errors.New("walk graph: steps that the graph does not have")
	}
	return nil
}

// jobs are the addresses of the jobs in the order of their first step.
func jobs(order []graph.ID) []string {
	var list []string
	seen := make(map[string]bool)
	for _, id := range order {
		if !seen[id.Job] {
			seen[id.Job] = true
			list = append(list, id.Job)
		}
	}
	return list
}

// run is what the walk and the steps' Runtimes share: the way to the Recorder
// and to the Observer.
type run struct {
	name    string
	attempt int
	now     func() time.Time
	stop    context.CancelCauseFunc // cancels the whole walk

	recording sync.Mutex // held while an entry is written; guards what follows
	recorder  Recorder
	failed    *RecordError
	intended  []OpenAction
	settled   map[ActionID]bool
	valid     map[graph.ID]Entry

	observing sync.Mutex // held while the observer is called; guards what follows
	observer  Observer
	over      bool
}

func newRun(o Options) *run {
	r := &run{
		name: o.Run, now: o.Now, recorder: o.Recorder, observer: o.Observer,
		settled: make(map[ActionID]bool),
	}
	if r.now == nil {
		r.now = time.Now
	}
	if r.recorder == nil {
		r.recorder = new(Memory)
	}
	history := r.recorder.History()
	r.attempt = attempts(history) + 1
	r.valid = validResults(history)
	for _, e := range history {
		r.remember(e)
	}
	return r
}

// remember takes an entry about an action in; r.recording is held, or nobody
// else knows r yet.
func (r *run) remember(e Entry) {
	switch {
	case e.Type == EntryIntended && e.Action != nil:
		r.intended = append(r.intended, openAction(e))
	case e.Type == EntrySettled:
		r.settled[e.ActionID] = true
	}
}

// record writes an entry. The first failure is kept, stops the walk, and is
// what every later call returns.
func (r *run) record(e Entry) (Entry, error) {
	r.recording.Lock()
	defer r.recording.Unlock()
	if r.failed != nil {
		return e, r.failed
	}
	e.Time, e.Attempt = r.now().UTC(), r.attempt
	written, err := r.recorder.Record(e)
	if err != nil {
		r.failed = &RecordError{Err: err}
		r.stop(r.failed)
		return e, r.failed
	}
	r.remember(written)
	if e.Type == EntryInvalidated {
		delete(r.valid, e.ID)
	}
	return written, nil
}

// broken returns what kept an entry from being written, nil if nothing did.
func (r *run) broken() *RecordError {
	r.recording.Lock()
	defer r.recording.Unlock()
	return r.failed
}

// result returns the entry that proves an earlier attempt's step done.
func (r *run) result(id graph.ID) (Entry, bool) {
	r.recording.Lock()
	defer r.recording.Unlock()
	e, ok := r.valid[id]
	return e, ok
}

// action tells whether a job has an action, and whether it is still open.
func (r *run) action(job string, id ActionID) (known, open bool) {
	r.recording.Lock()
	defer r.recording.Unlock()
	for _, a := range r.intended {
		if a.ID == id && a.Job == job {
			return true, !r.settled[id]
		}
	}
	return false, false
}

// open returns a job's actions that are not settled.
func (r *run) open(job string) []OpenAction {
	r.recording.Lock()
	defer r.recording.Unlock()
	var list []OpenAction
	for _, a := range r.intended {
		if a.Job == job && !r.settled[a.ID] {
			list = append(list, a)
		}
	}
	return list
}

// emit tells the observer an event, unless the run is over.
func (r *run) emit(e Event) {
	r.observing.Lock()
	defer r.observing.Unlock()
	if r.over || r.observer == nil {
		return
	}
	r.observer.Observe(stamped(e, r.now()))
}

// finish emits the last event.
func (r *run) finish(e RunFinished) {
	r.emit(e)
	r.observing.Lock()
	defer r.observing.Unlock()
	r.over = true
}
