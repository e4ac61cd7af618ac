package report

import (
	"errors"
	"log/slog"
	"time"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/plan/graph"
)

// jsonProgressInterval is the shortest time between two step_progress lines of
// a step and stage: enough for a program, and a run of hours stays readable.
const jsonProgressInterval = time.Second

// jsonView writes a line for every event.
type jsonView struct {
	out    writer
	logger *slog.Logger
	shown  map[graph.ID]engine.StepProgress // last one written
	held   map[graph.ID]engine.StepProgress // newer one that came too early
}

func newJSONView(o Options) *jsonView {
	return &jsonView{
		out: writer{w: o.Stdout}, logger: NewLogger(o),
		shown: make(map[graph.ID]engine.StepProgress), held: make(map[graph.ID]engine.StepProgress),
	}
}

func (v *jsonView) Logger() *slog.Logger { return v.logger }

func (v *jsonView) Close() error { return v.out.err }

func (v *jsonView) Observe(e engine.Event) {
	switch e := e.(type) {
	case engine.StepProgress:
		last, ok := v.shown[e.ID]
		if ok && last.Progress.Stage == e.Progress.Stage && e.Time.Sub(last.Time) < jsonProgressInterval {
			v.held[e.ID] = e
			return
		}
		v.progress(e)
	case engine.StepFinished:
		if held, ok := v.held[e.ID]; ok {
			v.progress(held)
		}
		v.write(e)
	default:
		v.write(e)
	}
}

func (v *jsonView) progress(e engine.StepProgress) {
	delete(v.held, e.ID)
	v.shown[e.ID] = e
	v.write(e)
}

func (v *jsonView) write(e engine.Event) {
	typ, fields := line(e)
	if err := jsonLine(&v.out, e.EventTime(), typ, fields); err != nil && v.out.err == nil {
		v.out.err = err
	}
}

// line makes the members of an event's line.
func line(e engine.Event) (typ string, fields any) {
	switch e := e.(type) {
	case engine.RunStarted:
		return "run_started", RunStartedLine{Run: e.Run, Attempt: e.Attempt, Jobs: list(e.Jobs), Steps: keys(e.Steps)}
	case engine.StepStarted:
		return "step_started", StepStartedLine{StepKey: key(e.ID)}
	case engine.StepProgress:
		p := e.Progress
		return "step_progress", StepProgressLine{StepKey: key(e.ID), Stage: p.Stage, Done: p.Done, Total: p.Total, Note: p.Note}
	case engine.StepFinished:
		return "step_finished", StepFinishedLine{
			StepKey: key(e.ID), Outcome: string(e.Outcome), Seconds: e.Duration.Seconds(),
			Error: text(e.Err), Hint: hintOf(e.Err),
		}
	case engine.FindingFound:
		f := e.Finding
		return "finding", FindingLine{
			StepKey: StepKey{Job: f.Job, Step: f.Step}, Code: f.Code, Severity: string(f.Severity),
			Summary: f.Summary, Detail: f.Detail, Hint: f.Hint, Pages: pageLines(f.Pages),
		}
	case engine.Intended:
		return "intended", IntendedLine{StepKey: key(e.ID), Kind: string(e.Action.Kind), Summary: e.Action.Summary}
	case engine.Backup:
		return "backup", BackupLine{Job: e.Job, Run: e.Run, Path: e.Path, Bytes: e.Bytes, RawBytes: e.RawBytes}
	case engine.Note:
		return "note", NoteLine{StepKey: key(e.ID), Text: e.Text, Detail: e.Detail}
	case engine.RunFinished:
		return "run_finished", RunFinishedLine{Run: e.Run, Outcome: string(e.Outcome), Seconds: e.Duration.Seconds(), Error: text(e.Err)}
	default:
		return jobLine(e)
	}
}

// jobLine makes the members of the line of what a dry run finds out.
func jobLine(e engine.Event) (typ string, fields any) {
	switch e := e.(type) {
	case engine.Facts:
		rows := make([]FactLine, 0, len(e.Rows))
		for _, r := range e.Rows {
			rows = append(rows, FactLine(r))
		}
		return "facts", FactsLine{Job: e.Job, Rows: rows}
	case engine.Lost:
		return "lost", LostLine{Job: e.Job, Tables: list(e.Tables), Other: list(e.Other)}
	case engine.Space:
		s := SpaceLine{Job: e.Job, Purpose: e.Purpose, Path: e.Path, Basis: e.Basis}
		if e.Need > 0 {
			s.Need = &e.Need
		}
		if e.Free >= 0 {
			s.Free = &e.Free
		}
		return "space", s
	case engine.Forecast:
		f := ForecastLine{Job: e.Job, Basis: e.Basis}
		if e.Duration > 0 {
			seconds := e.Duration.Seconds()
			f.Seconds = &seconds
		}
		return "forecast", f
	}
	return "unknown", nil
}

func pageLines(pages []engine.DamagedPage) []PageLine {
	var lines []PageLine
	for _, p := range pages {
		lines = append(lines, PageLine{
			Path: p.Path, Page: p.Page, SpaceID: p.SpaceID, Of: p.Of, Reason: p.Reason,
			Schema: p.Schema, Table: p.Table, Partition: p.Partition, Subpartition: p.Subpartition,
		})
	}
	return lines
}

func key(id graph.ID) StepKey { return StepKey{Job: id.Job, Step: id.Step} }

func keys(ids []graph.ID) []StepKey {
	list := make([]StepKey, 0, len(ids))
	for _, id := range ids {
		list = append(list, key(id))
	}
	return list
}

// list makes an empty list of none: a program reads [] more easily than null.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// hintOf returns the hint that an error carries, empty if none does.
func hintOf(err error) string {
	var h interface {
		error
		Hint() string
	}
	if errors.As(err, &h) && h.Hint() != "" {
		return h.Hint()
	}
	return engine.FileHint(err)
}
