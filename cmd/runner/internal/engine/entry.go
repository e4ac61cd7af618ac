package engine

import (
	"encoding/json"
	"sync"
	"time"

	"runner/pkg/plan/graph"
)

// EntryType says what an Entry records.
type EntryType string

// The types of entries that the engine writes. A recorder may keep others
// beside them; the engine passes over what it does not know.
const (
	EntryAttemptStarted  EntryType = "attempt_started"
	EntryStepStarted     EntryType = "step_started"
	EntryIntended        EntryType = "intended"
	EntrySettled         EntryType = "settled"
	EntryInvalidated     EntryType = "invalidated" // the step's earlier result counts no more
	EntryStepFinished    EntryType = "step_finished"
	EntryAttemptFinished EntryType = "attempt_finished"
)

// ActionID names an intended action: the Seq of the entry that announced it.
type ActionID int64

// ActionKind says what an action touches, and so how it is undone.
type ActionKind string

// The kinds of actions.
const (
	ActionSetGlobal ActionKind = "set_global" // a global variable of the server is changed
	ActionStatement ActionKind = "statement"  // a statement that outlives its sender is sent
	ActionDirectory ActionKind = "directory"  // a directory comes to be
	ActionFile      ActionKind = "file"       // a file comes to be
	ActionPlugin    ActionKind = "plugin"     // a plugin is installed
)

// Action is a side effect that is about to happen.
type Action struct {
	Kind    ActionKind      `json:"kind"`
	Summary string          `json:"summary"` // one line, imperative, for people; no secrets
	Data    json.RawMessage `json:"data,omitempty"`
}

// OpenAction is an action that was announced and not settled: something of it
// may be left.
type OpenAction struct {
	ID      ActionID
	Job     string
	Step    string
	Attempt int
	Action
}

// Entry is one line of the record.
type Entry struct {
	Seq      int64 // from 1, without gaps; filled by the Recorder
	Time     time.Time
	Attempt  int // 1 for the first
	Type     EntryType
	ID       graph.ID        // zero for the entries about an attempt
	Outcome  Outcome         // of *_finished
	Result   json.RawMessage // of step_finished; nil: none
	Action   *Action         // of intended
	ActionID ActionID        // of settled
	Backups  []Backup        // of step_finished: the backups that the step announced
	Error    string          // of *_finished; empty: none
}

// Recorder keeps the record of a run. The engine calls it from one goroutine
// at a time.
type Recorder interface {
	// Record makes the entry durable before it returns and gives it back with
	// its Seq. After an error the engine records nothing more.
	Record(e Entry) (Entry, error)
	// History is everything recorded so far, by all attempts, oldest first.
	History() []Entry
}

// Memory is a Recorder that keeps the record in memory only: for a dry run,
// which must not write anything. The zero value is ready for use.
type Memory struct {
	mu      sync.Mutex
	entries []Entry
}

// Record appends the entry; it never fails.
func (m *Memory) Record(e Entry) (Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e.Seq = int64(len(m.entries)) + 1
	m.entries = append(m.entries, e)
	return e, nil
}

// History returns a copy of everything recorded so far.
func (m *Memory) History() []Entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Entry(nil), m.entries...)
}

// OpenActions returns the actions in a history that are not settled, oldest
// first: what may be left of a run. With a job's address only that job's,
// with an empty one all.
func OpenActions(history []Entry, job string) []OpenAction {
	settled := make(map[ActionID]bool)
	for _, e := range history {
		if e.Type == EntrySettled {
			settled[e.ActionID] = true
		}
	}
	var open []OpenAction
	for _, e := range history {
		if e.Type != EntryIntended || e.Action == nil || settled[ActionID(e.Seq)] {
			continue
		}
		if job == "" || job == e.ID.Job {
			open = append(open, openAction(e))
		}
	}
	return open
}

// openAction is the action that an entry of type intended announces.
func openAction(e Entry) OpenAction {
	return OpenAction{ID: ActionID(e.Seq), Job: e.ID.Job, Step: e.ID.Step, Attempt: e.Attempt, Action: *e.Action}
}

// validResults maps each step that a history proves done to the entry that
// proves it.
func validResults(history []Entry) map[graph.ID]Entry {
	valid := make(map[graph.ID]Entry)
	for _, e := range history {
		switch {
		case e.Type == EntryInvalidated:
			delete(valid, e.ID)
		case e.Type == EntryStepFinished && e.Outcome.OK():
			valid[e.ID] = e
		}
	}
	return valid
}

// attempts is how many attempts a history holds.
func attempts(history []Entry) int {
	n := 0
	for _, e := range history {
		n = max(n, e.Attempt)
	}
	return n
}
