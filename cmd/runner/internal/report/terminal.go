package report

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/plan/graph"
)

// terminalView paints a line for each running step. A finished step's line
// stays above, where findings and log lines go too. mpb is the one painter:
// it writes a whole frame at once.
type terminalView struct {
	options Options
	stdout  writer
	stderr  *screen
	logger  *slog.Logger
	tally   tally
	names   int // columns for the names of steps
	rows    map[graph.ID]*row
}

func newTerminalView(o Options) *terminalView {
	v := &terminalView{options: o, stdout: writer{w: o.Stdout}, stderr: &screen{out: o.Stderr}, rows: make(map[graph.ID]*row)}
	v.logger = slog.New(handler(o, v.stderr))
	return v
}

func (v *terminalView) Logger() *slog.Logger { return v.logger }

// Close ends the painting.
func (v *terminalView) Close() error {
	v.stderr.stop()
	return v.stdout.err
}

func (v *terminalView) Observe(e engine.Event) {
	v.tally.observe(e)
	switch e := e.(type) {
	case engine.RunStarted:
		for _, id := range e.Steps {
			v.widen(id)
		}
	case engine.StepStarted:
		v.begin(e.ID)
	case engine.StepProgress:
		if r := v.rows[e.ID]; r != nil {
			r.update(e)
		}
	case engine.StepFinished:
		v.finished(e)
	case engine.FindingFound:
		v.finding(e.Finding)
	case engine.RunFinished:
		v.stderr.stop()
		v.end(e)
	case engine.Note:
		logNote(v.logger, e)
	case engine.Intended:
		logEvent(v.logger, e)
	}
}

// end prints the answer and what failed. A terminal that is gone by now is no
// reason to call the run a failure, so what it says to writes is dropped.
func (v *terminalView) end(e engine.RunFinished) {
	stderr := &writer{w: v.stderr}
	stderr.printf("\n")
	v.tally.result(&v.stdout, e)
	v.tally.failures(stderr, e)
	if v.tally.resumable(e) {
		run := clean(v.tally.run)
		flags := clean(v.options.Flags)
		stderr.printf("\nto go on: runner resume %s%s\nto give up: runner discard %s%s\n", run, flags, run, flags)
	}
}

// widen makes room for a step's name, up to half of the width.
func (v *terminalView) widen(id graph.ID) {
	v.names = min(max(v.names, runewidth.StringWidth(clean(id.String()))), v.options.Width/2)
}

// begin adds a step's line. The first one starts the painter: not every work
// that is shown is a run.
func (v *terminalView) begin(id graph.ID) *row {
	v.widen(id)
	v.stderr.start(v.options.Width)
	r := &row{view: v, id: id, names: v.names}
	v.rows[id] = r
	r.bar = v.stderr.add(r)
	return r
}

// finished turns a step's line into its last form. A skipped step gets a line
// only now; it is one of the painter's too, so that lines keep their order.
func (v *terminalView) finished(e engine.StepFinished) {
	r := v.rows[e.ID]
	if r == nil {
		r = v.begin(e.ID)
	}
	delete(v.rows, e.ID)
	r.finish(e)
	if r.bar != nil {
		r.bar.SetTotal(-1, true)
	}
}

// finding prints what a person should know before the run has ended.
func (v *terminalView) finding(f engine.Finding) {
	if level(f.Severity) < slog.LevelWarn {
		return
	}
	code := yellow
	if f.Severity == engine.SeverityError {
		code = red
	}
	var b strings.Builder
	fmt.Fprintf(&b, "  %s %s  %s: %s\n", v.paint(code, string(f.Severity)), clean(f.Code), clean(f.Job), clean(f.Summary))
	for _, line := range wrap(f.Detail, v.options.Width-6) {
		fmt.Fprintf(&b, "      %s\n", line)
	}
	if f.Hint != "" {
		fmt.Fprintf(&b, "      hint: %s\n", clean(f.Hint))
	}
	_, _ = io.WriteString(v.stderr, b.String()) // a terminal that is gone is no reason to stop a backup
}

// The colours, as numbers of SGR (ECMA-48, 8.3.117).
const (
	red    = 31
	green  = 32
	yellow = 33
	cyan   = 36
	faint  = 2
)

func (v *terminalView) paint(sgr int, s string) string {
	if !v.options.Color || s == "" {
		return s
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", sgr, s)
}

// row is a step's line. Its painter reads it from another goroutine.
type row struct {
	view  *terminalView
	id    graph.ID
	names int // columns for the name: the painter must not read the view's
	bar   *mpb.Bar

	mu    sync.Mutex
	meter meter
	end   *engine.StepFinished
}

func (r *row) update(e engine.StepProgress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.meter.add(e.Time, e.Progress)
}

func (r *row) finish(e engine.StepFinished) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end = &e
}

// Fill paints the row; mpb calls it.
func (r *row) Fill(w io.Writer, s decor.Statistics) error {
	_, err := io.WriteString(w, r.line(s.AvailableWidth, time.Now()))
	return err
}

// line is the row in at most width columns.
func (r *row) line(width int, now time.Time) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.view
	name := runewidth.FillRight(runewidth.Truncate(clean(r.id.String()), r.names, "…"), r.names)
	if r.end != nil {
		sgr, mark, words := ending(*r.end)
		room := max(width-r.names-6, 0)
		return "  " + v.paint(sgr, mark) + " " + name + "  " + runewidth.Truncate(words, room, "…")
	}
	numbers := strings.Join(r.meter.numbers(now), "  ")
	if words := r.words(); words != "" && numbers != "" {
		numbers += "  " + words
	} else {
		numbers += words
	}
	room := width - r.names - 6
	const widest, narrowest = 24, 8
	columns := min(widest, room-runewidth.StringWidth(numbers)-2)
	if columns < narrowest {
		return "    " + name + "  " + runewidth.Truncate(numbers, max(room, 0), "…")
	}
	return "    " + name + "  " + r.gauge(columns) + "  " + numbers
}

// words are the stage, unless it is called like the step, and the note.
func (r *row) words() string {
	p := r.meter.progress
	if p.Stage == r.id.Step {
		p.Stage = ""
	}
	return clean(strings.TrimSpace(p.Stage + " " + p.Note))
}

// gauge is the bar itself; without a known total nothing of it is full.
func (r *row) gauge(columns int) string {
	f, _ := r.meter.fraction()
	full := int(f * float64(columns))
	v := r.view
	return v.paint(cyan, strings.Repeat("━", full)) + v.paint(faint, strings.Repeat("─", columns-full))
}

// ending is how a finished step is shown.
func ending(e engine.StepFinished) (sgr int, mark, words string) {
	switch e.Outcome {
	case engine.OutcomeFailed:
		return red, "✗", "failed after " + took(e.Duration)
	case engine.OutcomeSkipped:
		return yellow, "-", "skipped: " + clean(text(e.Err))
	case engine.OutcomeInterrupted:
		return yellow, "■", "interrupted after " + took(e.Duration)
	case engine.OutcomeResumed:
		return green, "✓", "done by an earlier attempt"
	case engine.OutcomeAdopted:
		return green, "✓", took(e.Duration) + ", found done"
	default:
		return green, "✓", took(e.Duration)
	}
}

// screen is standard error while bars may be painted on it. What is written to
// it appears above them.
type screen struct {
	out io.Writer

	mu       sync.Mutex
	progress *mpb.Progress // nil: nothing is painted
	stopped  bool
}

// start starts the painter, unless it was started already.
func (s *screen) start(width int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.progress != nil || s.stopped {
		return
	}
	options := []mpb.ContainerOption{mpb.WithOutput(s.out), mpb.PopCompletedMode()}
	if _, ok := s.out.(*os.File); !ok { // mpb asks a file for its width itself, at every frame
		options = append(options, mpb.WithAutoRefresh(), mpb.WithWidth(width))
	}
	s.progress = mpb.New(options...)
}

// add adds a line; nil if nothing is painted.
func (s *screen) add(filler mpb.BarFiller) *mpb.Bar {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.progress == nil {
		return nil
	}
	bar, err := s.progress.Add(0, filler, mpb.BarFillerTrim())
	if err != nil { // the terminal is gone
		return nil
	}
	return bar
}

// stop paints the last frame and awaits the painter, which doesn't start again.
func (s *screen) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	if s.progress != nil {
		s.progress.Shutdown()
		s.progress = nil
	}
}

// Write writes above the bars.
func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.progress != nil {
		if n, err := s.progress.Write(b); err == nil {
			return n, nil
		}
	}
	return s.out.Write(b)
}
