package report

import (
	"errors"
	"slices"
	"time"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/plan/graph"
)

// tally is what the views know about a run: it is made of the events alone.
type tally struct {
	run      string
	attempt  int
	begun    bool // an action was announced in this attempt
	total    int  // steps
	finished int  // steps, however they ended
	jobs     []*jobTally
}

// jobTally is one job's part.
type jobTally struct {
	address  string
	steps    []graph.ID
	ends     map[string]engine.StepFinished
	began    time.Time // of the first step
	ended    time.Time // of the newest end of a step
	backups  []engine.Backup
	failures []engine.StepFinished
}

func (t *tally) observe(e engine.Event) {
	switch e := e.(type) {
	case engine.RunStarted:
		t.run, t.attempt, t.total = e.Run, e.Attempt, len(e.Steps)
		for _, id := range e.Steps {
			j := t.job(id.Job)
			j.steps = append(j.steps, id)
		}
	case engine.StepStarted:
		if j := t.job(e.ID.Job); j.began.IsZero() {
			j.began = e.Time
		}
	case engine.StepFinished:
		t.finished++
		j := t.job(e.ID.Job)
		j.ends[e.ID.Step] = e
		j.ended = e.Time
		if e.Outcome == engine.OutcomeFailed {
			j.failures = append(j.failures, e)
		}
	case engine.Intended:
		t.begun = true
	case engine.Backup:
		j := t.job(e.Job)
		j.backups = slices.DeleteFunc(j.backups, func(b engine.Backup) bool { return b.Path == e.Path })
		j.backups = append(j.backups, e)
	}
}

// job returns the part of a job; one that RunStarted did not name comes last.
func (t *tally) job(address string) *jobTally {
	for _, j := range t.jobs {
		if j.address == address {
			return j
		}
	}
	j := &jobTally{address: address, ends: make(map[string]engine.StepFinished)}
	t.jobs = append(t.jobs, j)
	return j
}

// outcome is failed if any step failed, interrupted if any was cut off or
// never came up, skipped if nothing but that happened, else done.
func (j *jobTally) outcome() engine.Outcome {
	count := make(map[engine.Outcome]int)
	for _, e := range j.ends {
		count[e.Outcome]++
	}
	switch {
	case count[engine.OutcomeFailed] > 0:
		return engine.OutcomeFailed
	case count[engine.OutcomeInterrupted] > 0 || len(j.ends) < len(j.steps):
		return engine.OutcomeInterrupted
	case count[engine.OutcomeSkipped] > 0:
		return engine.OutcomeSkipped
	default:
		return engine.OutcomeDone
	}
}

// result prints how every job ended: the answer, on standard output.
func (t *tally) result(w *writer, e engine.RunFinished) {
	word := map[engine.Outcome]string{engine.OutcomeDone: "complete"}[e.Outcome]
	if word == "" {
		word = string(e.Outcome)
	}
	w.printf("run %s %s after %s\n", clean(t.run), word, took(e.Duration))
	if len(t.jobs) == 0 {
		return
	}
	w.printf("\n")
	rows := [][]string{{"JOB", "OUTCOME", "TOOK", "DATA", "STORED", "RATIO", "BACKUP"}}
	for _, j := range t.jobs {
		spent := "-"
		if !j.began.IsZero() {
			spent = took(j.ended.Sub(j.began))
		}
		b := engine.Backup{Path: "-"}
		if n := len(j.backups); n > 0 {
			b = j.backups[n-1]
		}
		rows = append(rows, []string{
			clean(j.address), string(j.outcome()), spent,
			size(b.RawBytes), size(b.Bytes), ratio(b.Bytes, b.RawBytes), clean(b.Path),
		})
	}
	columns(w, "", rows)
}

// failures prints what failed and what can be done about it.
func (t *tally) failures(w *writer, e engine.RunFinished) {
	for _, j := range t.jobs {
		for _, f := range j.failures {
			failure(w, f.ID.String()+" failed", f.Err)
		}
	}
	if record := recordError(e.Err); record != nil {
		failure(w, "the run was stopped", record)
	}
}

func failure(w *writer, what string, err error) {
	w.printf("\n%s: %s\n", clean(what), clean(text(err)))
	if hint := hintOf(err); hint != "" {
		w.printf("  hint: %s\n", clean(hint))
	}
}

// recordError is the failure of the record, which is no step's.
func recordError(err error) error {
	if record := (*engine.RecordError)(nil); errors.As(err, &record) {
		return record
	}
	return nil
}

// resumable tells whether there is something to go on with: a run that has
// failed before it began anything may as well be applied again.
func (t *tally) resumable(e engine.RunFinished) bool {
	return e.Outcome == engine.OutcomeInterrupted || e.Outcome == engine.OutcomeFailed && (t.begun || t.attempt > 1)
}
