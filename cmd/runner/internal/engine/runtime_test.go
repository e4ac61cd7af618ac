package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"runner/cmd/runner/internal/engine"
)

type jsonResult = json.RawMessage

// one runs a graph of one step of job a.
func one(t testing.TB, rec engine.Recorder, run func(ctx context.Context, r *engine.Runtime) (any, error)) *log {
	t.Helper()
	l := &log{t: t}
	g, all := build(t, []string{"a/1"}, nil, map[string]*step{"a/1": {
		run:   run,
		adopt: func(context.Context, *engine.Runtime, jsonResult) error { return engine.ErrRerun },
	}})
	if err := engine.Run(t.Context(), g, all, engine.Options{Observer: l, Recorder: rec, Run: "r1"}); err != nil {
		t.Error(err)
	}
	return l
}

func TestProgressIsThrottledAndTheLastIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := one(t, nil, func(_ context.Context, r *engine.Runtime) (any, error) {
			for i := range int64(1000) {
				r.Progress(engine.Progress{Stage: "copy", Done: i})
				time.Sleep(time.Millisecond)
			}
			r.Progress(engine.Progress{Stage: "sync", Done: 5}) // a new stage is shown at once
			r.Progress(engine.Progress{Stage: "sync", Done: 6})
			r.Progress(engine.Progress{Stage: "sync", Done: 7})
			return nil, nil
		})
		var got []int64
		for _, p := range collect[engine.StepProgress](l) {
			got = append(got, p.Progress.Done)
		}
		want := []int64{0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 5, 7}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if lines := l.lines(); lines[len(lines)-2] != "done a/1" {
			t.Errorf("events: %q", lines)
		}
	})
}

func TestARuntimeMayBeUsedByManyGoroutines(t *testing.T) {
	rec := &engine.Memory{}
	l := one(t, rec, func(ctx context.Context, r *engine.Runtime) (any, error) {
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				r.Progress(engine.Progress{Done: int64(i)})
				r.Finding(engine.Finding{Code: "RUN001"})
				id, err := r.Intend(ctx, engine.Action{Kind: engine.ActionFile, Summary: "write"})
				if err == nil {
					err = r.Settle(ctx, id)
				}
				if err != nil {
					t.Error(err)
				}
				r.Adopted()
			})
		}
		wg.Wait()
		return nil, nil
	})
	if open := engine.OpenActions(rec.History(), ""); len(open) > 0 {
		t.Errorf("open: %v", open)
	}
	if l.outcomes()["a/1"] != engine.OutcomeAdopted {
		t.Errorf("outcomes: %v", l.outcomes())
	}
}

func TestEventsAreCompletedWithWhatTheyAreAbout(t *testing.T) {
	l := one(t, nil, func(_ context.Context, r *engine.Runtime) (any, error) {
		r.Finding(engine.Finding{Code: "RUN001", Severity: engine.SeverityOK})
		r.Emit(engine.Backup{Path: "p"})
		r.Emit(engine.Facts{})
		r.Emit(engine.Lost{})
		r.Emit(engine.Space{})
		r.Emit(engine.Forecast{})
		r.Emit(engine.Note{Text: "x"})
		return nil, nil
	})
	for _, e := range l.events {
		if e.EventTime().IsZero() {
			t.Errorf("%T has no time", e)
		}
		job := "a"
		switch e := e.(type) {
		case engine.FindingFound:
			job = e.Finding.Job + e.Finding.Step[1:]
		case engine.Backup:
			job = e.Job
			if e.Run != "r1" {
				t.Errorf("run of backup: %q", e.Run)
			}
		case engine.Facts:
			job = e.Job
		case engine.Lost:
			job = e.Job
		case engine.Space:
			job = e.Job
		case engine.Forecast:
			job = e.Job
		case engine.Note:
			job = e.ID.Job
		}
		if job != "a" {
			t.Errorf("%T is about job %q", e, job)
		}
	}
}

func TestNothingIsObservedAfterTheRunsEnd(t *testing.T) {
	var kept *engine.Runtime
	l := one(t, nil, func(_ context.Context, r *engine.Runtime) (any, error) {
		kept = r
		return nil, nil
	})
	n := len(l.events)
	kept.Progress(engine.Progress{Done: 1})
	kept.Emit(engine.Note{Text: "late"})
	if len(l.events) != n {
		t.Errorf("%v came after the end", l.events[n:])
	}
}

func TestOpenActionsAreThoseOfTheJobThatNothingSettled(t *testing.T) {
	rec := &engine.Memory{}
	act := func(s string) engine.Action { return engine.Action{Kind: engine.ActionFile, Summary: s} }
	g, all := build(t, []string{"a/1", "a/2", "b/1"}, map[string][]string{"a/2": {"a/1"}, "b/1": {"a/2"}}, map[string]*step{
		"a/1": {run: func(ctx context.Context, r *engine.Runtime) (any, error) {
			first, err := r.Intend(ctx, act("one"))
			if err != nil {
				return nil, err
			}
			if _, err = r.Intend(ctx, act("two")); err != nil {
				return nil, err
			}
			return nil, r.Settle(ctx, first)
		}},
		"a/2": {run: func(ctx context.Context, r *engine.Runtime) (any, error) {
			if _, err := r.Intend(ctx, act("three")); err != nil {
				return nil, err
			}
			return nil, errors.New("left behind")
		}},
		"b/1": {},
	})
	if err := engine.Run(t.Context(), g, all, engine.Options{Recorder: rec}); err == nil {
		t.Fatal("no error")
	}
	summaries := func(open []engine.OpenAction) (s []string) {
		for _, a := range open {
			s = append(s, a.Job+"/"+a.Step+" "+a.Summary)
		}
		return s
	}
	var first, later []string
	var settled []engine.ActionID
	all[id("a/1")] = &step{adopt: func(ctx context.Context, r *engine.Runtime, _ jsonResult) error {
		first = summaries(r.Open())
		for _, a := range r.Open() { // of either step
			settled = append(settled, a.ID)
			if err := errors.Join(r.Settle(ctx, a.ID), r.Settle(ctx, a.ID)); err != nil {
				return err
			}
		}
		later = summaries(r.Open())
		return nil
	}}
	all[id("a/2")] = &step{}
	all[id("b/1")] = &step{run: func(ctx context.Context, r *engine.Runtime) (any, error) {
		if err := r.Settle(ctx, 1); err == nil {
			t.Error("an action that this job does not have was settled")
		}
		return nil, nil
	}}
	if err := engine.Run(t.Context(), g, all, engine.Options{Recorder: rec}); err != nil {
		t.Fatal(err)
	}
	all[id("a/1")] = &step{}
	all[id("a/2")] = &step{adopt: func(ctx context.Context, r *engine.Runtime, _ jsonResult) error {
		return r.Settle(ctx, settled[0]) // an earlier attempt has done it
	}}
	if err := engine.Run(t.Context(), g, all, engine.Options{Recorder: rec}); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"a/1 two", "a/2 three"}, first); diff != "" {
		t.Error(diff)
	}
	if len(later) > 0 || len(engine.OpenActions(rec.History(), "a")) > 0 {
		t.Errorf("open after settling: %v", later)
	}
}

func TestAfterACancelNothingBeginsAndThingsCanStillBeSettled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	rec := &engine.Memory{}
	g, all := build(t, []string{"a/1"}, nil, map[string]*step{
		"a/1": {run: func(ctx context.Context, r *engine.Runtime) (any, error) {
			made, err := r.Intend(ctx, engine.Action{Summary: "create a directory"})
			if err != nil {
				return nil, err
			}
			cancel()
			if _, err := r.Intend(ctx, engine.Action{Summary: "more"}); !errors.Is(err, context.Canceled) {
				t.Errorf("intended after the cancel: %v", err)
			}
			if err := r.Settle(ctx, made); err != nil {
				t.Errorf("settle after the cancel: %v", err)
			}
			return nil, ctx.Err()
		}},
	})
	if e := runError(t, engine.Run(ctx, g, all, engine.Options{Recorder: rec})); !e.Interrupted {
		t.Errorf("error: %v", e)
	}
	if open := engine.OpenActions(rec.History(), ""); len(open) > 0 {
		t.Errorf("open: %v", open)
	}
}

func TestAnIntentionIsRecordedBeforeItIsShown(t *testing.T) {
	rec := &engine.Memory{}
	l := one(t, rec, func(ctx context.Context, r *engine.Runtime) (any, error) {
		_, err := r.Intend(ctx, engine.Action{Kind: engine.ActionSetGlobal, Summary: "set global x"})
		if n := len(engine.OpenActions(rec.History(), "a")); n != 1 {
			t.Errorf("%d open actions are recorded", n)
		}
		return nil, err
	})
	if got := collect[engine.Intended](l); len(got) != 1 || got[0].Action.Summary != "set global x" {
		t.Errorf("events: %v", got)
	}
}
