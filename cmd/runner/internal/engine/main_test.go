package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/plan/graph"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// step is a Step made of functions.
type step struct {
	run   func(ctx context.Context, r *engine.Runtime) (any, error)
	adopt func(ctx context.Context, r *engine.Runtime, result json.RawMessage) error
	keys  []string
}

func (s *step) Run(ctx context.Context, r *engine.Runtime) (any, error) {
	if s.run == nil {
		return nil, nil
	}
	return s.run(ctx, r)
}

func (s *step) Adopt(ctx context.Context, r *engine.Runtime, result json.RawMessage) error {
	if s.adopt == nil {
		return nil
	}
	return s.adopt(ctx, r, result)
}

func (s *step) Exclusive() []string { return s.keys }

// takes makes a step that runs for a while, or until it is cancelled.
func takes(d time.Duration) *step {
	return &step{run: func(ctx context.Context, _ *engine.Runtime) (any, error) {
		select {
		case <-time.After(d):
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
}

func fails(err error) *step {
	return &step{run: func(context.Context, *engine.Runtime) (any, error) { return nil, err }}
}

func id(s string) graph.ID {
	for i := range s {
		if s[i] == '/' {
			return graph.ID{Job: s[:i], Step: s[i+1:]}
		}
	}
	return graph.ID{Job: s, Step: s}
}

// build makes a graph and its steps of "step: after after" lines in order.
func build(t testing.TB, names []string, after map[string][]string, steps map[string]*step) (*graph.Graph, map[graph.ID]engine.Step) {
	t.Helper()
	var nodes []graph.Node
	all := make(map[graph.ID]engine.Step)
	for _, name := range names {
		n := graph.Node{ID: id(name)}
		for _, a := range after[name] {
			n.After = append(n.After, id(a))
		}
		nodes = append(nodes, n)
		if steps[name] == nil {
			steps[name] = &step{}
		}
		all[n.ID] = steps[name]
	}
	g, err := graph.New(nodes)
	if err != nil {
		t.Fatal(err)
	}
	return g, all
}

// log is an Observer that keeps what it is told, and notices two tellers.
type log struct {
	busy   sync.Mutex
	events []engine.Event
	t      testing.TB
}

func (l *log) Observe(e engine.Event) {
	if !l.busy.TryLock() {
		l.t.Error("the observer was called by two goroutines at a time")
		return
	}
	defer l.busy.Unlock()
	l.events = append(l.events, e)
}

// lines are the events in short.
func (l *log) lines() []string {
	var lines []string
	for _, e := range l.events {
		switch e := e.(type) {
		case engine.RunStarted:
			lines = append(lines, fmt.Sprintf("run started %d", e.Attempt))
		case engine.StepStarted:
			lines = append(lines, "started "+e.ID.String())
		case engine.StepFinished:
			lines = append(lines, fmt.Sprintf("%s %s", e.Outcome, e.ID))
		case engine.RunFinished:
			lines = append(lines, "run "+string(e.Outcome))
		}
	}
	return lines
}

// outcomes maps each step to how it ended.
func (l *log) outcomes() map[string]engine.Outcome {
	m := make(map[string]engine.Outcome)
	for _, e := range l.events {
		if e, ok := e.(engine.StepFinished); ok {
			m[e.ID.String()] = e.Outcome
		}
	}
	return m
}

// recorded is the record in short.
func recorded(entries []engine.Entry) []string {
	var lines []string
	for _, e := range entries {
		line := string(e.Type)
		if e.ID != (graph.ID{}) {
			line += " " + e.ID.String()
		}
		if e.Outcome != "" {
			line += " " + string(e.Outcome)
		}
		lines = append(lines, line)
	}
	return lines
}

// failing is a recorder that fails at one entry, and at all after it.
type failing struct {
	engine.Memory
	at    func(e engine.Entry) bool
	err   error
	calls int // after the failure
	hit   bool
}

func (f *failing) Record(e engine.Entry) (engine.Entry, error) {
	if f.hit {
		f.calls++
		return e, f.err
	}
	if f.at(e) {
		f.hit = true
		return e, f.err
	}
	return f.Memory.Record(e)
}

func mustContain(t testing.TB, lines []string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(lines, w) {
			t.Errorf("%q is missing in %q", w, lines)
		}
	}
}

func mustNotContain(t testing.TB, lines []string, unwanted ...string) {
	t.Helper()
	for _, w := range unwanted {
		if slices.Contains(lines, w) {
			t.Errorf("%q must not be in %q", w, lines)
		}
	}
}

func runError(t testing.TB, err error) *engine.RunError {
	t.Helper()
	var e *engine.RunError
	if !errors.As(err, &e) {
		t.Fatalf("error is %T %v, not a *RunError", err, err)
	}
	return e
}
