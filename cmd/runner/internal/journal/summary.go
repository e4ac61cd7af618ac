package journal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/plan/graph"
)

// State is how a run stands.
type State string

// The states.
const (
	StateRunning     State = "running"     // a process works on it
	StateComplete    State = "complete"    // everything was done
	StateFailed      State = "failed"      // a step failed; can be resumed
	StateInterrupted State = "interrupted" // it was stopped or killed; can be resumed
	StateDiscarded   State = "discarded"   // given up
	StateDamaged     State = "damaged"     // its record can't be read; see Summary.Damage
)

// Unfinished reports whether a run in this state can be resumed or discarded.
func (s State) Unfinished() bool { return s == StateFailed || s == StateInterrupted }

// Step is how one step of a run stands.
type Step struct {
	ID      graph.ID
	Outcome engine.Outcome // of its last end; empty: it has begun and not ended
	Attempt int            // that it belongs to
	Began   time.Time      // zero: never, it was skipped
	Ended   time.Time      // zero: not yet
	Error   string
}

// Summary is a run in short.
type Summary struct {
	Header
	State       State
	Attempts    int
	Last        time.Time // of the newest entry; zero: none
	Ended       time.Time // of the last attempt; zero: it has not ended, or was killed
	LastError   string    // of the last attempt
	OpenActions int       // something of the run may be left
	Steps       []Step    // in the order in which they first came up
	Backups     []engine.Backup
	Damage      error // why the state is damaged

	open []engine.OpenAction
}

// Runs returns all runs, newest first. A run whose record can't be read is
// among them, in state damaged.
func (d *Dir) Runs() ([]Summary, error) {
	names, err := d.names()
	if err != nil {
		return nil, err
	}
	list := make([]Summary, 0, len(names))
	for _, name := range names {
		list = append(list, d.summary(name))
	}
	// Ids tell the second alone, and a run that is discarded and begun anew may be of the same one.
	slices.SortStableFunc(list, func(a, b Summary) int {
		if second := strings.Compare(b.second(), a.second()); second != 0 {
			return second
		}
		return b.Started.Compare(a.Started)
	})
	return list, nil
}

// second is the part of the id that is the time.
func (s Summary) second() string {
	second, _, _ := strings.Cut(s.Run, "-")
	return second
}

// Unfinished returns the runs of any of the jobs, newest first, that can be
// resumed or discarded and have left something of that job somewhere. A
// damaged one is among them: nobody can say what it left.
func (d *Dir) Unfinished(jobs []JobKey) ([]Summary, error) {
	runs, err := d.Runs()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(runs, func(s Summary) bool {
		return !slices.ContainsFunc(jobs, s.left)
	}), nil
}

// left tells whether an unfinished run has left something of a job.
func (s Summary) left(job JobKey) bool {
	if !s.has(job) {
		return false
	}
	if s.State == StateDamaged {
		return true
	}
	return s.State.Unfinished() && slices.ContainsFunc(s.open, func(a engine.OpenAction) bool { return a.Job == job.Address })
}

// Find returns the run with an id, or the only one whose id begins so. The
// errors: one that wraps ErrNotFound, *AmbiguousError.
func (d *Dir) Find(runOrPrefix string) (Summary, error) {
	names, err := d.names()
	if err != nil {
		return Summary{}, err
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		return runOrPrefix == "" || !strings.HasPrefix(name, runOrPrefix)
	})
	switch len(names) {
	case 0:
		return Summary{}, fmt.Errorf("find run %q: %w", runOrPrefix, ErrNotFound)
	case 1:
		return d.summary(names[0]), nil
	}
	return Summary{}, &AmbiguousError{Prefix: runOrPrefix, Runs: names}
}

// NewestUnfinished returns the run to be resumed when none is named: the newest
// that has left something; else the newest that no complete run of its jobs has
// come after. The error wraps ErrNotFound if there is none.
func (d *Dir) NewestUnfinished() (Summary, error) {
	runs, err := d.Runs()
	if err != nil {
		return Summary{}, err
	}
	for _, s := range runs {
		if s.State.Unfinished() && s.OpenActions > 0 {
			return s, nil
		}
	}
	made := make(map[JobKey]bool) // by a later run
	for _, s := range runs {
		switch {
		case s.State == StateComplete:
			for _, job := range s.Jobs {
				made[job] = true
			}
		case s.State.Unfinished() && slices.ContainsFunc(s.Jobs, func(job JobKey) bool { return !made[job] }):
			return s, nil
		}
	}
	return Summary{}, fmt.Errorf("find an unfinished run: %w", ErrNotFound)
}

// summary reads one run.
func (d *Dir) summary(run string) Summary {
	folder := d.folder(run)
	h, err := readHeader(folder)
	if err != nil {
		return Summary{Header: Header{Run: run}, State: StateDamaged, Damage: err}
	}
	s := Summary{Header: h}
	running, lockErr := held(folder)
	entries, _, err := readJournal(folder)
	s.read(entries)
	switch {
	case running:
		s.State = StateRunning
	case err != nil || lockErr != nil:
		s.State, s.Damage = StateDamaged, errors.Join(err, lockErr)
	}
	return s
}

// read draws the conclusions from the entries.
func (s *Summary) read(entries []engine.Entry) {
	s.State = StateInterrupted
	for _, e := range entries {
		s.Last = e.Time
		s.Attempts = max(s.Attempts, e.Attempt)
		switch e.Type {
		case engine.EntryAttemptStarted:
			s.State, s.Ended, s.LastError = StateInterrupted, time.Time{}, ""
		case engine.EntryAttemptFinished:
			s.State, s.Ended, s.LastError = ended(e.Outcome), e.Time, e.Error
		case entryDiscarded:
			s.State, s.Ended = StateDiscarded, e.Time
		case engine.EntryStepStarted, engine.EntryStepFinished:
			s.step(e)
		}
	}
	s.open = engine.OpenActions(entries, "")
	s.OpenActions = len(s.open)
}

// ended is the state of a run whose attempt ended so.
func ended(o engine.Outcome) State {
	switch o {
	case engine.OutcomeDone:
		return StateComplete
	case engine.OutcomeFailed:
		return StateFailed
	default:
		return StateInterrupted
	}
}

// step takes an entry about a step in.
func (s *Summary) step(e engine.Entry) {
	i := slices.IndexFunc(s.Steps, func(x Step) bool { return x.ID == e.ID })
	if i < 0 {
		i = len(s.Steps)
		s.Steps = append(s.Steps, Step{ID: e.ID})
	}
	step := &s.Steps[i]
	if e.Type == engine.EntryStepStarted || step.Attempt != e.Attempt {
		*step = Step{ID: e.ID, Attempt: e.Attempt}
	}
	if e.Type == engine.EntryStepStarted {
		step.Began = e.Time
		return
	}
	step.Outcome, step.Ended, step.Error = e.Outcome, e.Time, e.Error
	for _, b := range e.Backups {
		s.Backups = slices.DeleteFunc(s.Backups, func(x engine.Backup) bool { return x.Path == b.Path })
		s.Backups = append(s.Backups, b)
	}
}
