package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"runner/pkg/plan/graph"
)

// progressInterval is the shortest time between two progress events of a step.
const progressInterval = 100 * time.Millisecond

// Runtime is what the engine gives to a step while it runs. It is safe for
// concurrent use.
type Runtime struct {
	run *run
	id  graph.ID

	mu       sync.Mutex
	adopted  bool
	backups  []Backup
	shown    time.Time // of the last progress event
	stage    string    // of the last progress event
	withheld *Progress // the newest one, where it was too early to emit it
}

// ID is the step's.
func (r *Runtime) ID() graph.ID { return r.id }

// Attempt is 1 for the run's first attempt.
func (r *Runtime) Attempt() int { return r.run.attempt }

// Adopted makes the step's outcome adopted instead of done.
func (r *Runtime) Adopted() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.adopted = true
}

// Progress tells how far the step is. It is cheap: what comes within 100 ms
// of the last event and is of the same stage is held back, and the newest of
// it is emitted before the step's end.
func (r *Runtime) Progress(p Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.run.now()
	if !r.shown.IsZero() && p.Stage == r.stage && now.Sub(r.shown) < progressInterval {
		r.withheld = &p
		return
	}
	r.show(p, now)
}

// show emits a progress event; r.mu is held, so that events keep their order.
func (r *Runtime) show(p Progress, now time.Time) {
	r.shown, r.stage, r.withheld = now, p.Stage, nil
	r.run.emit(StepProgress{ID: r.id, Progress: p})
}

// flush emits the progress that was held back.
func (r *Runtime) flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.withheld != nil {
		r.show(*r.withheld, r.run.now())
	}
}

// Finding emits a finding of this step.
func (r *Runtime) Finding(f Finding) { r.Emit(FindingFound{Finding: f}) }

// Emit emits an event. The job, step and run that it is about are filled in
// where they are empty.
func (r *Runtime) Emit(e Event) {
	switch v := e.(type) {
	case FindingFound:
		fill(&v.Finding.Job, r.id.Job)
		fill(&v.Finding.Step, r.id.Step)
		e = v
	case Backup:
		fill(&v.Job, r.id.Job)
		fill(&v.Run, r.run.name)
		r.keep(v)
		e = v
	case Facts:
		fill(&v.Job, r.id.Job)
		e = v
	case Lost:
		fill(&v.Job, r.id.Job)
		e = v
	case Space:
		fill(&v.Job, r.id.Job)
		e = v
	case Forecast:
		fill(&v.Job, r.id.Job)
		e = v
	case Note:
		if v.ID == (graph.ID{}) {
			v.ID = r.id
		}
		e = v
	}
	r.run.emit(e)
}

// keep remembers a backup for the step's last entry.
func (r *Runtime) keep(b Backup) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.backups = append(r.backups, b)
}

// kept returns what keep remembered.
func (r *Runtime) kept() []Backup {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.backups
}

func (r *Runtime) isAdopted() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.adopted
}

func fill(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

// Intend announces an action: it is durable in the record when Intend returns
// and may only happen then. Intend fails when ctx is done, since nothing is to
// begin any more, and when the record can't be written (*RecordError).
func (r *Runtime) Intend(ctx context.Context, a Action) (ActionID, error) {
	if ctx.Err() != nil {
		return 0, fmt.Errorf("announce %q: %w", a.Summary, context.Cause(ctx))
	}
	e, err := r.run.record(Entry{Type: EntryIntended, ID: r.id, Action: &a})
	if err != nil {
		return 0, err
	}
	r.run.emit(Intended{ID: r.id, Action: a})
	return ActionID(e.Seq), nil
}

// Settle records that nothing of an action is left to clean up: it was undone,
// or its effect is meant to stay. Settling once more is no error. It works
// after a cancellation too, since that is when things are undone; ctx is only
// there for what it carries.
func (r *Runtime) Settle(_ context.Context, id ActionID) error {
	known, open := r.run.action(r.id.Job, id)
	if !known {
		return fmt.Errorf("settle action %d: %s has no such action", id, r.id.Job)
	}
	if !open {
		return nil
	}
	_, err := r.run.record(Entry{Type: EntrySettled, ID: r.id, ActionID: id})
	return err
}

// Open returns the actions of this job that are not settled, of any step and
// any attempt, this one included, oldest first.
func (r *Runtime) Open() []OpenAction { return r.run.open(r.id.Job) }
