package report

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/plan/graph"
)

// logView is for where there is no terminal: log lines for what happens, one
// status line an interval, and the answer on standard output at the end.
type logView struct {
	out      writer
	logger   *slog.Logger
	interval time.Duration
	flags    string // of commands that are proposed

	mu      sync.Mutex // of what follows; the ticker reads it too
	tally   tally
	running []*runningStep // in the order in which they began

	stop   func() // ends the ticker and awaits it; nil while there is none
	closed bool
}

// runningStep is a step between its start and its end.
type runningStep struct {
	id    graph.ID
	began time.Time
	meter meter
}

func newLogView(o Options) *logView {
	return &logView{out: writer{w: o.Stdout}, logger: NewLogger(o), interval: o.Interval, flags: o.Flags}
}

func (v *logView) Logger() *slog.Logger { return v.logger }

func (v *logView) Close() error {
	v.closed = true
	v.halt()
	return v.out.err
}

// halt ends the ticker.
func (v *logView) halt() {
	if v.stop != nil {
		v.stop()
		v.stop = nil
	}
}

func (v *logView) Observe(e engine.Event) {
	v.mu.Lock()
	v.tally.observe(e)
	v.track(e)
	v.mu.Unlock()
	if e, ok := e.(engine.RunFinished); ok {
		v.closed = true
		v.halt()
		v.logEnd(e)
		v.tally.result(&v.out, e)
		return
	}
	if _, ok := e.(engine.StepStarted); ok {
		v.start()
	}
	logEvent(v.logger, e)
}

// track keeps the list of running steps.
func (v *logView) track(e engine.Event) {
	switch e := e.(type) {
	case engine.StepStarted:
		v.running = append(v.running, &runningStep{id: e.ID, began: e.Time})
	case engine.StepProgress:
		for _, s := range v.running {
			if s.id == e.ID {
				s.meter.add(e.Time, e.Progress)
			}
		}
	case engine.StepFinished:
		for i, s := range v.running {
			if s.id == e.ID {
				v.running = append(v.running[:i:i], v.running[i+1:]...)
				return
			}
		}
	}
}

// logEnd logs the end of a run, with what no step has said: that the record
// could not be written, and how to go on.
func (v *logView) logEnd(e engine.RunFinished) {
	attrs := []any{"run", e.Run, "outcome", string(e.Outcome), "took", took(e.Duration)}
	if e.Err != nil {
		attrs = append(attrs, "error", e.Err.Error())
	}
	if hint := hintOf(recordError(e.Err)); hint != "" {
		attrs = append(attrs, "hint", hint)
	}
	if v.tally.resumable(e) {
		attrs = append(attrs, "to_go_on", "runner resume "+e.Run+v.flags, "to_give_up", "runner discard "+e.Run+v.flags)
	}
	level := slog.LevelInfo
	switch e.Outcome {
	case engine.OutcomeFailed:
		level = slog.LevelError
	case engine.OutcomeInterrupted:
		level = slog.LevelWarn
	}
	v.logger.Log(context.Background(), level, "run finished", attrs...)
}

// start starts the ticker with the first step: not every work that is shown is
// a run.
func (v *logView) start() {
	if v.stop != nil || v.closed {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	v.stop = func() {
		cancel()
		<-done
	}
	go func() {
		defer close(done)
		ticker := time.NewTicker(v.interval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-ticker.C:
				v.status(now)
			}
		}
	}()
}

// status writes the status line: one, however many steps run.
func (v *logView) status(now time.Time) {
	v.mu.Lock()
	var parts []string
	for _, s := range v.running {
		part := fmt.Sprintf("%s for %s", clean(s.id.String()), took(now.Sub(s.began).Round(time.Second)))
		if status := s.meter.status(now); status != "" {
			part += " (" + status + ")"
		}
		parts = append(parts, part)
	}
	finished, total := v.tally.finished, v.tally.total
	v.mu.Unlock()
	attrs := []any{"steps", strings.Join(parts, "; ")}
	if total > 0 {
		attrs = append(attrs, "finished", finished, "of", total)
	}
	v.logger.Info("running", attrs...)
}

// logEvent writes an event as a log line, if it is one for the log.
func logEvent(l *slog.Logger, e engine.Event) {
	switch e := e.(type) {
	case engine.RunStarted:
		l.Info("run started", "run", e.Run, "attempt", e.Attempt, "jobs", len(e.Jobs), "steps", len(e.Steps))
	case engine.StepStarted:
		l.Info("step started", "step", e.ID.String())
	case engine.StepFinished:
		logStepFinished(l, e)
	case engine.FindingFound:
		logFinding(l, e.Finding)
	case engine.Intended:
		l.Debug("about to "+clean(e.Action.Summary), "step", e.ID.String())
	case engine.Backup:
		l.Info("backup complete", "job", e.Job, "path", e.Path, "bytes", e.Bytes, "raw_bytes", e.RawBytes)
	case engine.Note:
		logNote(l, e)
	}
}

func logStepFinished(l *slog.Logger, e engine.StepFinished) {
	attrs := []any{"step", e.ID.String(), "outcome", string(e.Outcome), "took", took(e.Duration)}
	switch e.Outcome {
	case engine.OutcomeFailed:
		attrs = append(attrs, "error", text(e.Err))
		if hint := hintOf(e.Err); hint != "" {
			attrs = append(attrs, "hint", hint)
		}
		l.Error("step finished", attrs...)
	case engine.OutcomeSkipped:
		l.Warn("step skipped", "step", e.ID.String(), "because", text(e.Err))
	case engine.OutcomeInterrupted:
		l.Warn("step finished", attrs...)
	default:
		l.Info("step finished", attrs...)
	}
}

func logFinding(l *slog.Logger, f engine.Finding) {
	attrs := []any{"code", f.Code, "job", f.Job}
	if f.Detail != "" {
		attrs = append(attrs, "detail", f.Detail)
	}
	if f.Hint != "" {
		attrs = append(attrs, "hint", f.Hint)
	}
	l.Log(context.Background(), level(f.Severity), clean(f.Summary), attrs...)
}

// level is the log level of a finding: what is as it should be is not news.
func level(s engine.Severity) slog.Level {
	switch s {
	case engine.SeverityError:
		return slog.LevelError
	case engine.SeverityWarning, engine.SeverityUnknown:
		return slog.LevelWarn
	case engine.SeverityInfo:
		return slog.LevelInfo
	default:
		return slog.LevelDebug
	}
}

// logNote writes a note; its detail (a stack) only where debugging is on.
func logNote(l *slog.Logger, e engine.Note) {
	attrs := []any{"step", e.ID.String()}
	if e.Detail != "" && l.Enabled(context.Background(), slog.LevelDebug) {
		attrs = append(attrs, "detail", e.Detail)
	}
	l.Info(clean(e.Text), attrs...) // tint quotes attributes, not messages
}
