package report

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/mattn/go-runewidth"

	"runner/cmd/runner/internal/engine"
)

// planView shows what a run would do: it collects, and prints everything at
// the end, job by job, on standard output.
type planView struct {
	out    writer
	stderr writer
	logger *slog.Logger
	width  int
	tally  tally
	jobs   map[string]*jobPlan
}

// jobPlan is what is known about one job.
type jobPlan struct {
	facts     []engine.Row
	findings  []engine.Finding
	lost      engine.Lost
	intended  map[string][]string // by step
	notes     map[string][]string // by step
	spaces    []engine.Space
	forecasts []engine.Forecast
}

func newPlanView(o Options) *planView {
	return &planView{
		out: writer{w: o.Stdout}, stderr: writer{w: o.Stderr}, logger: NewLogger(o), width: o.Width,
		jobs: make(map[string]*jobPlan),
	}
}

func (v *planView) Logger() *slog.Logger { return v.logger }

func (v *planView) Close() error { return v.out.err }

func (v *planView) job(address string) *jobPlan {
	j := v.jobs[address]
	if j == nil {
		j = &jobPlan{intended: make(map[string][]string), notes: make(map[string][]string)}
		v.jobs[address] = j
	}
	return j
}

func (v *planView) Observe(e engine.Event) {
	v.tally.observe(e)
	switch e := e.(type) {
	case engine.Facts:
		j := v.job(e.Job)
		j.facts = append(j.facts, e.Rows...)
	case engine.FindingFound:
		j := v.job(e.Finding.Job)
		j.findings = append(j.findings, e.Finding)
	case engine.Lost:
		j := v.job(e.Job)
		j.lost.Tables = append(j.lost.Tables, e.Tables...)
		j.lost.Other = append(j.lost.Other, e.Other...)
	case engine.Intended:
		j := v.job(e.ID.Job)
		j.intended[e.ID.Step] = append(j.intended[e.ID.Step], e.Action.Summary)
	case engine.Note:
		j := v.job(e.ID.Job)
		j.notes[e.ID.Step] = append(j.notes[e.ID.Step], e.Text)
		if e.Detail != "" {
			v.logger.Debug(clean(e.Text), "step", e.ID.String(), "detail", e.Detail)
		}
	case engine.Space:
		j := v.job(e.Job)
		j.spaces = append(j.spaces, e)
	case engine.Forecast:
		j := v.job(e.Job)
		j.forecasts = append(j.forecasts, e)
	case engine.RunFinished:
		for i, j := range v.tally.jobs {
			if i > 0 {
				v.out.printf("\n")
			}
			v.print(j, v.job(j.address))
		}
		v.tally.failures(&v.stderr, e)
	}
}

// print prints one job.
func (v *planView) print(t *jobTally, j *jobPlan) {
	v.out.printf("%s\n", clean(t.address))
	v.facts(j)
	v.findings(j)
	v.lost(j)
	v.steps(t, j)
	v.space(j)
	v.forecast(j)
}

// section prints a heading.
func (v *planView) section(title string) { v.out.printf("\n  %s\n", title) }

func (v *planView) facts(j *jobPlan) {
	if len(j.facts) == 0 {
		return
	}
	v.section("server")
	rows := make([][]string, 0, len(j.facts))
	for _, f := range j.facts {
		row := []string{clean(f.Name), clean(f.Value)}
		if f.From != "" {
			row = append(row, "("+clean(f.From)+")")
		}
		rows = append(rows, row)
	}
	columns(&v.out, "    ", rows)
}

// findings prints what is well in one line of codes, and all else in full.
func (v *planView) findings(j *jobPlan) {
	if len(j.findings) == 0 {
		return
	}
	v.section("findings")
	var ok []string
	for _, f := range j.findings {
		if f.Severity == engine.SeverityOK {
			ok = append(ok, f.Code)
		}
	}
	const column = 9 // the longest severity and two spaces
	const indent = 4 + column
	if len(ok) > 0 {
		for i, line := range wrap(strings.Join(ok, " "), v.width-indent) {
			word := ""
			if i == 0 {
				word = "ok"
			}
			v.out.printf("    %-*s%s\n", column, word, line)
		}
	}
	for _, f := range j.findings {
		if f.Severity == engine.SeverityOK {
			continue
		}
		v.out.printf("    %-*s%s  %s\n", column, f.Severity, clean(f.Code), clean(f.Summary))
		for _, line := range wrap(f.Detail, v.width-indent) {
			v.out.printf("%*s%s\n", indent, "", line)
		}
		if f.Hint != "" {
			v.out.printf("%*shint: %s\n", indent, "", clean(f.Hint))
		}
	}
}

func (v *planView) lost(j *jobPlan) {
	if len(j.lost.Tables)+len(j.lost.Other) == 0 {
		return
	}
	v.section("not in the backup")
	for _, t := range j.lost.Tables {
		v.out.printf("    table %s\n", clean(t))
	}
	for _, o := range j.lost.Other {
		for i, line := range wrap(o, v.width-6) {
			v.out.printf("    %*s%s\n", min(i, 1)*2, "", line)
		}
	}
}

// steps prints the steps in order, each with what it would do.
func (v *planView) steps(t *jobTally, j *jobPlan) {
	if len(t.steps) == 0 {
		return
	}
	v.section("steps")
	name := 0
	for _, id := range t.steps {
		name = max(name, runewidth.StringWidth(clean(id.Step)))
	}
	for i, id := range t.steps {
		head := fmt.Sprintf("    %d. %s  ", i+1, runewidth.FillRight(clean(id.Step), name))
		for k, line := range stepLines(t, j, id.Step) {
			if k > 0 {
				head = strings.Repeat(" ", runewidth.StringWidth(head))
			}
			v.out.printf("%s\n", strings.TrimRight(head+line, " "))
		}
	}
}

// stepLines say what a step would do; never none.
func stepLines(t *jobTally, j *jobPlan, step string) []string {
	var lines []string
	for _, s := range j.intended[step] {
		lines = append(lines, "would "+clean(s))
	}
	for _, s := range j.notes[step] {
		lines = append(lines, clean(s))
	}
	end, ended := t.ends[step]
	switch {
	case !ended:
		lines = append(lines, "not reached")
	case end.Outcome == engine.OutcomeFailed:
		lines = append(lines, "failed: "+clean(text(end.Err)))
	case end.Outcome == engine.OutcomeSkipped:
		lines = append(lines, "skipped: "+clean(text(end.Err)))
	case end.Outcome == engine.OutcomeInterrupted:
		lines = append(lines, "interrupted")
	case len(lines) == 0:
		lines = append(lines, "changes nothing")
	}
	return lines
}

func (v *planView) space(j *jobPlan) {
	if len(j.spaces) == 0 {
		return
	}
	v.section("space")
	rows := make([][]string, 0, len(j.spaces))
	for _, s := range j.spaces {
		need, free := "unknown", "unknown"
		if s.Need > 0 {
			need = bytes(s.Need)
		}
		if s.Free >= 0 {
			free = bytes(s.Free)
		}
		row := []string{clean(s.Purpose), clean(s.Path), "needs " + need, "free " + free}
		if s.Basis != "" {
			row = append(row, "("+clean(s.Basis)+")")
		}
		rows = append(rows, row)
	}
	columns(&v.out, "    ", rows)
}

func (v *planView) forecast(j *jobPlan) {
	if len(j.forecasts) == 0 {
		return
	}
	v.section("forecast")
	for _, f := range j.forecasts {
		spent := "unknown"
		if f.Duration > 0 {
			spent = "about " + took(f.Duration)
		}
		if f.Basis != "" {
			spent += " (" + clean(f.Basis) + ")"
		}
		v.out.printf("    %s\n", spent)
	}
}
