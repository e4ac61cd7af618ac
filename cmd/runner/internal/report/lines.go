package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// schema is the version of the JSON lines. It changes when a line or a member
// that was there goes away or means something else, not when one is added.
const schema = 1

// The types of JSON lines. type and time stand before the members of these
// types in every line.
type (
	// VersionLine is the first line.
	VersionLine struct {
		Schema int    `json:"schema"` // version of the JSON lines
		Runner string `json:"runner"` // version of runner
	}
	// RunStartedLine: type run_started.
	RunStartedLine struct {
		Run     string    `json:"run"`
		Attempt int       `json:"attempt"`
		Jobs    []string  `json:"jobs"`
		Steps   []StepKey `json:"steps"` // in graph order
	}
	// StepKey names a step.
	StepKey struct {
		Job  string `json:"job"`  // address
		Step string `json:"step"` // name
	}
	// StepStartedLine: type step_started.
	StepStartedLine struct {
		StepKey
	}
	// StepProgressLine: type step_progress.
	StepProgressLine struct {
		StepKey
		Stage string `json:"stage,omitempty"`
		Done  int64  `json:"done"`            // bytes
		Total int64  `json:"total,omitempty"` // bytes; absent: unknown
		Note  string `json:"note,omitempty"`
	}
	// StepFinishedLine: type step_finished.
	StepFinishedLine struct {
		StepKey
		Outcome string  `json:"outcome"` // done, adopted, resumed, failed, skipped or interrupted
		Seconds float64 `json:"seconds"`
		Error   string  `json:"error,omitempty"`
		Hint    string  `json:"hint,omitempty"`
	}
	// FindingLine: type finding.
	FindingLine struct {
		StepKey
		Code     string `json:"code"`     // RUN…; keeps its meaning across versions
		Severity string `json:"severity"` // ok, info, warning, error, or unknown where the fact could not be read
		Summary  string `json:"summary"`
		Detail   string `json:"detail,omitempty"`
		Hint     string `json:"hint,omitempty"`
		// Pages that are damaged, where the finding is about such; the first of them where there are many.
		Pages []PageLine `json:"pages,omitempty"`
	}
	// PageLine is a damaged InnoDB page.
	PageLine struct {
		Path         string `json:"path"` // of the tablespace file, in the data directory
		Page         uint32 `json:"page"` // number in the file
		SpaceID      uint32 `json:"space_id"`
		Of           string `json:"of"`                     // what the file is, in words
		Schema       string `json:"schema,omitempty"`       // absent: not of one table
		Table        string `json:"table,omitempty"`        // absent: not of one table
		Partition    string `json:"partition,omitempty"`    // absent: not partitioned
		Subpartition string `json:"subpartition,omitempty"` // absent: not subpartitioned
		Reason       string `json:"reason"`
	}
	// IntendedLine: type intended.
	IntendedLine struct {
		StepKey
		Kind    string `json:"kind"` // set_global, statement, directory, file or plugin
		Summary string `json:"summary"`
	}
	// BackupLine: type backup.
	BackupLine struct {
		Job      string `json:"job"`
		Run      string `json:"run"`
		Path     string `json:"path"`      // the backup's folder
		Bytes    int64  `json:"bytes"`     // stored
		RawBytes int64  `json:"raw_bytes"` // before compression
	}
	// FactsLine: type facts.
	FactsLine struct {
		Job  string     `json:"job"`
		Rows []FactLine `json:"rows"`
	}
	// FactLine is one fact.
	FactLine struct {
		Name  string `json:"name"`
		Value string `json:"value"`
		From  string `json:"from,omitempty"` // where it was read
	}
	// LostLine: type lost.
	LostLine struct {
		Job    string   `json:"job"`
		Tables []string `json:"tables"` // schema.table (engine)
		Other  []string `json:"other"`  // sentences
	}
	// SpaceLine: type space.
	SpaceLine struct {
		Job     string `json:"job"`
		Purpose string `json:"purpose"` // staging or archive
		Path    string `json:"path"`
		Need    *int64 `json:"need"` // bytes; null: unknown
		Free    *int64 `json:"free"` // bytes; null: unknown
		Basis   string `json:"basis,omitempty"`
	}
	// ForecastLine: type forecast.
	ForecastLine struct {
		Job     string   `json:"job"`
		Seconds *float64 `json:"seconds"` // null: unknown
		Basis   string   `json:"basis,omitempty"`
	}
	// NoteLine: type note.
	NoteLine struct {
		StepKey
		Text   string `json:"text"`
		Detail string `json:"detail,omitempty"`
	}
	// RunFinishedLine: type run_finished.
	RunFinishedLine struct {
		Run     string  `json:"run"`
		Outcome string  `json:"outcome"` // done, failed or interrupted
		Seconds float64 `json:"seconds"`
		Error   string  `json:"error,omitempty"`
	}
	// SummaryLine is the last line.
	SummaryLine struct {
		ExitCode int    `json:"exit_code"` // of the program
		Run      string `json:"run,omitempty"`
		Error    string `json:"error,omitempty"`
		Hint     string `json:"hint,omitempty"`
	}
)

// LineTypes maps each type that this package writes to the Go type of its
// members, for the schema.
func LineTypes() map[string]any {
	return map[string]any{
		"version": VersionLine{}, "run_started": RunStartedLine{}, "step_started": StepStartedLine{},
		"step_progress": StepProgressLine{}, "step_finished": StepFinishedLine{}, "finding": FindingLine{},
		"intended": IntendedLine{}, "backup": BackupLine{}, "facts": FactsLine{}, "lost": LostLine{},
		"space": SpaceLine{}, "forecast": ForecastLine{}, "note": NoteLine{}, "run_finished": RunFinishedLine{},
		"summary": SummaryLine{},
	}
}

// JSONVersion writes the first line of a JSON stream. Views leave it to their
// caller, who may have something to say before there is a run.
func JSONVersion(w io.Writer, runner string) error {
	return JSONLine(w, "version", VersionLine{Schema: schema, Runner: runner})
}

// JSONSummary writes the last line of a JSON stream.
func JSONSummary(w io.Writer, s SummaryLine) error { return JSONLine(w, "summary", s) }

// JSONLine writes one line: type, the present time in UTC, and the members of
// fields, which must encode to a JSON object (or be nil). The line goes out in
// one Write.
func JSONLine(w io.Writer, typ string, fields any) error {
	return jsonLine(w, time.Now(), typ, fields)
}

func jsonLine(w io.Writer, at time.Time, typ string, fields any) error {
	head, err := json.Marshal(struct {
		Type string    `json:"type"`
		Time time.Time `json:"time"`
	}{typ, at.UTC()})
	if err != nil {
		return fmt.Errorf("encode line %s: %w", typ, err)
	}
	members := []byte("{}")
	if fields != nil {
		if members, err = encode(fields); err != nil {
			return fmt.Errorf("encode line %s: %w", typ, err)
		}
	}
	if len(members) < 2 || members[0] != '{' {
		return fmt.Errorf("encode line %s: its fields are not an object", typ)
	}
	line := head[:len(head)-1]
	if members[1] != '}' {
		line = append(line, ',')
	}
	line = append(line, members[1:]...)
	if _, err := w.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write line %s: %w", typ, err)
	}
	return nil
}

// encode is json.Marshal that leaves <, > and & readable.
func encode(v any) ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}
