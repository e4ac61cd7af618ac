package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/plan/graph"
)

// entryDiscarded marks a run that was given up. The engine doesn't know it.
const entryDiscarded engine.EntryType = "discarded"

// Line is an entry as it stands in journal.jsonl, without its crc.
type Line struct {
	Seq      int64            `json:"seq"` // from 1, without gaps
	Time     time.Time        `json:"time"`
	Attempt  int              `json:"attempt"`       // 1 for the first
	Type     engine.EntryType `json:"type"`          // attempt_started, step_started, intended, settled, invalidated, step_finished, attempt_finished or discarded
	Job      string           `json:"job,omitempty"` // address
	Step     string           `json:"step,omitempty"`
	Outcome  engine.Outcome   `json:"outcome,omitempty"`   // of step_finished and attempt_finished
	Result   json.RawMessage  `json:"result,omitempty"`    // of step_finished: what a later attempt needs to take it as done
	Action   *engine.Action   `json:"action,omitempty"`    // of intended
	ActionID engine.ActionID  `json:"action_id,omitempty"` // of settled: seq of the line that announced the action
	Backups  []Backup         `json:"backups,omitempty"`   // of step_finished
	Error    string           `json:"error,omitempty"`
}

// Backup is a finished backup as the record keeps it.
type Backup struct {
	Job      string `json:"job"`
	Run      string `json:"run"`
	Path     string `json:"path"`
	Bytes    int64  `json:"bytes"`
	RawBytes int64  `json:"raw_bytes"`
}

// The crc member: `,"crc":"` and eight hex digits and `"}`.
const (
	crcBefore = `,"crc":"`
	crcAfter  = `"}`
	crcLen    = len(crcBefore) + 8 + len(crcAfter)
)

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// encode makes the line of an entry, with its newline.
func encode(e engine.Entry) ([]byte, error) {
	l := Line{
		Seq: e.Seq, Time: e.Time, Attempt: e.Attempt, Type: e.Type, Job: e.ID.Job, Step: e.ID.Step,
		Outcome: e.Outcome, Result: e.Result, Action: e.Action, ActionID: e.ActionID, Error: e.Error,
	}
	for _, b := range e.Backups {
		l.Backups = append(l.Backups, Backup{Job: b.Job, Run: b.Run, Path: b.Path, Bytes: b.Bytes, RawBytes: b.RawBytes})
	}
	data, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("encode entry: %w", err)
	}
	data = data[:len(data)-1] // the closing brace comes back with the crc
	return fmt.Appendf(data, "%s%08x%s\n", crcBefore, checksum(data), crcAfter), nil
}

// decode reads a line without its newline.
func decode(line []byte) (engine.Entry, error) {
	var none engine.Entry
	if len(line) < crcLen {
		return none, errors.New("too short to be an entry")
	}
	body, tail := line[:len(line)-crcLen], line[len(line)-crcLen:]
	digits := tail[len(crcBefore) : len(crcBefore)+8]
	if !bytes.HasPrefix(tail, []byte(crcBefore)) || !bytes.HasSuffix(tail, []byte(crcAfter)) {
		return none, errors.New("no crc at its end")
	}
	// As text: a digit that changed to its capital letter is a change too.
	if got := fmt.Sprintf("%08x", checksum(body)); got != string(digits) {
		return none, fmt.Errorf("crc is %s, the line says %q", got, digits)
	}
	var l Line
	if err := json.Unmarshal(append(bytes.Clone(body), '}'), &l); err != nil {
		return none, fmt.Errorf("not an entry: %w", err)
	}
	e := engine.Entry{
		Seq: l.Seq, Time: l.Time, Attempt: l.Attempt, Type: l.Type, ID: graph.ID{Job: l.Job, Step: l.Step},
		Outcome: l.Outcome, Result: l.Result, Action: l.Action, ActionID: l.ActionID, Error: l.Error,
	}
	for _, b := range l.Backups {
		e.Backups = append(e.Backups, engine.Backup{Job: b.Job, Run: b.Run, Path: b.Path, Bytes: b.Bytes, RawBytes: b.RawBytes})
	}
	return e, nil
}

// parse reads a whole journal. good is how many bytes of it hold whole entries;
// what comes after is a tail that a crash has torn. The error is a
// *DamagedError without a path.
func parse(data []byte) (entries []engine.Entry, good int64, err error) {
	for n := 1; len(data) > 0; n++ {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			return entries, good, nil // the newline is written last
		}
		line := data[:end]
		last := end+1 == len(data)
		e, err := decode(line)
		// A block that never reached the disk reads as zeros. One zero alone is a flipped bit.
		if err != nil && last && bytes.Contains(line, []byte{0, 0}) {
			return entries, good, nil
		}
		if err == nil && e.Seq != int64(n) {
			err = fmt.Errorf("entry %d stands where entry %d belongs", e.Seq, n)
		}
		if err != nil {
			return entries, good, &DamagedError{Line: n, Err: err}
		}
		entries = append(entries, e)
		good += int64(end) + 1
		data = data[end+1:]
	}
	return entries, good, nil
}
