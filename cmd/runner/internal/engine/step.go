package engine

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Step is one vertex of the graph: a piece of work that can be done, and whose
// recorded result can be taken as done by a later attempt.
type Step interface {
	// Run does the work. The result is what a later attempt needs in order to
	// take the step as done: JSON-encodable, without secrets, nil if nothing.
	Run(ctx context.Context, r *Runtime) (result any, err error)

	// Adopt is offered the result that an earlier attempt recorded (nil if Run
	// returned nil). A nil error means that the step counts as done: its outcome
	// is resumed and Run is not called. An error that wraps ErrStale or ErrRerun
	// makes Run be called; any other one fails the step.
	Adopt(ctx context.Context, r *Runtime, result json.RawMessage) error
}

var (
	// ErrStale is returned by Adopt when what the result describes is no longer
	// there. The step runs again and so does everything below it.
	ErrStale = errors.New("result of the earlier attempt is stale")

	// ErrRerun is returned by Adopt when the step wants to run again although
	// its result still holds. What depends on it stays valid.
	ErrRerun = errors.New("step runs in every attempt")
)

// Exclusive may be implemented by a Step. Two steps that have a key in common
// never run at the same time: the second one stays in the ready queue, without
// taking a place or any of its keys, until the first has finished. Two clones on
// one server are the reason for it; a clone that one server pulls from another
// has both as its keys. Empty keys don't count.
type Exclusive interface {
	Exclusive() []string
}

// Retryable is an error that says that the same step may succeed when it is
// run again. It may be wrapped.
type Retryable interface {
	error
	// RetryAfter is how long to wait before the next try; 0 or less: at once.
	RetryAfter() time.Duration
	// MaxRetries is how many further tries there are in all; 0: none.
	MaxRetries() int
}

// Progress is how far a step is. A zero Total is an unknown one.
type Progress struct {
	Stage string // of the step, in the words of what does the work; may be empty
	Done  int64  // bytes
	Total int64  // bytes; 0 unknown
	Note  string // a word beside the bar; may be empty
}

// Severity says what a finding means for the run.
type Severity string

// The severities. Unknown is a fact that could not be read.
const (
	SeverityOK      Severity = "ok"
	SeverityInfo    Severity = "info"
	SeverityWarning Severity = "warning"
	SeverityError   Severity = "error"
	SeverityUnknown Severity = "unknown"
)

// Finding is one examined fact, with a code that stays the same across
// versions. Job and Step are filled by the Runtime when they are empty.
type Finding struct {
	Job      string
	Step     string
	Code     string
	Severity Severity
	Summary  string
	Detail   string
	Hint     string
	Pages    []DamagedPage // that it is about; the first of them where there are many
}

// DamagedPage is an InnoDB page whose checksum or structure is wrong.
type DamagedPage struct {
	Path    string // of the tablespace file, in the data directory
	Page    uint32 // number in the file
	SpaceID uint32
	Of      string // what the file is, in words
	Reason  string
	// The table that it is of, as in SQL; empty for what is not of one table.
	Schema, Table, Partition, Subpartition string
}

// Outcome says how a step or an attempt ended.
type Outcome string

// The outcomes. An attempt is done, failed or interrupted.
const (
	OutcomeDone        Outcome = "done"        // ran and succeeded
	OutcomeFailed      Outcome = "failed"      // ran and failed
	OutcomeSkipped     Outcome = "skipped"     // a step above failed
	OutcomeResumed     Outcome = "resumed"     // an earlier attempt's result was taken
	OutcomeAdopted     Outcome = "adopted"     // ran and found its work already there
	OutcomeInterrupted Outcome = "interrupted" // cut off by a cancellation
)

// OK reports whether steps below may start.
func (o Outcome) OK() bool {
	return o == OutcomeDone || o == OutcomeResumed || o == OutcomeAdopted
}
