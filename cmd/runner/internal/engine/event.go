package engine

import (
	"time"

	"runner/pkg/plan/graph"
)

// Event is something that happened in a run. The types below are all there
// are.
type Event interface {
	event()
	// EventTime is when it happened. The engine sets it.
	EventTime() time.Time
}

// Observer is told every event, in order, from one goroutine at a time. A slow
// observer holds the steps up. It must not call a Runtime. Nothing follows
// RunFinished.
type Observer interface {
	Observe(e Event)
}

// Stamp holds the time of an event. Whoever emits an event leaves it zero.
type Stamp struct {
	Time time.Time
}

// EventTime returns the time of the event.
func (s Stamp) EventTime() time.Time { return s.Time }

func (Stamp) event() {}

// RunStarted is the first event.
type RunStarted struct {
	Stamp
	Run     string
	Attempt int
	Jobs    []string   // addresses in graph order
	Steps   []graph.ID // in graph order
}

// StepStarted tells that a step has begun, be it to run or to be resumed.
type StepStarted struct {
	Stamp
	ID graph.ID
}

// StepProgress tells how far a step is; at most ten times a second.
type StepProgress struct {
	Stamp
	ID       graph.ID
	Progress Progress
}

// StepFinished tells how a step ended. A skipped step has no StepStarted
// before it, a zero Duration, and a *SkippedError that names the step above.
type StepFinished struct {
	Stamp
	ID       graph.ID
	Outcome  Outcome
	Err      error
	Duration time.Duration
}

// FindingFound tells what was found about one fact.
type FindingFound struct {
	Stamp
	Finding Finding
}

// Intended tells that an action is recorded and is about to happen; in a dry
// run, that it would happen.
type Intended struct {
	Stamp
	ID     graph.ID
	Action Action
}

// Backup tells that a backup is complete and durable. It is recorded with the
// end of the step that emits it.
type Backup struct {
	Stamp
	Job      string
	Run      string
	Path     string // the backup's folder
	Bytes    int64  // stored
	RawBytes int64  // before compression
}

// Row is one fact: its name, its value, and where it was read.
type Row struct {
	Name  string
	Value string
	From  string // may be empty
}

// Facts are what is known about a job's server, for reading.
type Facts struct {
	Stamp
	Job  string
	Rows []Row
}

// Lost is what a backup will not contain.
type Lost struct {
	Stamp
	Job    string
	Tables []string // schema.table (engine)
	Other  []string // sentences: keyring, binary logs …
}

// The purposes of Space.
const (
	SpaceStaging = "staging"
	SpaceArchive = "archive"
)

// Space is what a job needs on one file system, against what is free.
type Space struct {
	Stamp
	Job     string
	Purpose string // staging or archive
	Path    string
	Need    int64  // bytes; 0 unknown
	Free    int64  // bytes; negative: unknown
	Basis   string // where Need comes from
}

// Forecast is how long a job is expected to take.
type Forecast struct {
	Stamp
	Job      string
	Duration time.Duration // 0 unknown
	Basis    string
}

// Note is a remark for the log. Detail may have many lines (a stack).
type Note struct {
	Stamp
	ID     graph.ID
	Text   string
	Detail string
}

// RunFinished is the last event.
type RunFinished struct {
	Stamp
	Run      string
	Outcome  Outcome // done, failed or interrupted
	Duration time.Duration
	Err      error // what Run returns
}

// stamped returns the event with its time set.
func stamped(e Event, now time.Time) Event {
	at := Stamp{Time: now}
	switch e := e.(type) {
	case RunStarted:
		e.Stamp = at
		return e
	case StepStarted:
		e.Stamp = at
		return e
	case StepProgress:
		e.Stamp = at
		return e
	case StepFinished:
		e.Stamp = at
		return e
	case FindingFound:
		e.Stamp = at
		return e
	case Intended:
		e.Stamp = at
		return e
	case Backup:
		e.Stamp = at
		return e
	case Facts:
		e.Stamp = at
		return e
	case Lost:
		e.Stamp = at
		return e
	case Space:
		e.Stamp = at
		return e
	case Forecast:
		e.Stamp = at
		return e
	case Note:
		e.Stamp = at
		return e
	case RunFinished:
		e.Stamp = at
		return e
	}
	return e
}
