package journal_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"runner/cmd/runner/internal/engine"
	"runner/cmd/runner/internal/journal"
	"runner/pkg/plan/graph"
)

// work is a step that leaves something, announces a backup and ends as told.
type work struct {
	err    error
	leaves bool
}

func (w work) Run(ctx context.Context, r *engine.Runtime) (any, error) {
	id, err := r.Intend(ctx, engine.Action{Kind: engine.ActionDirectory, Summary: "create a directory"})
	if err != nil {
		return nil, err
	}
	if !w.leaves {
		if err := r.Settle(ctx, id); err != nil {
			return nil, err
		}
	}
	if w.err == nil {
		r.Emit(engine.Backup{Path: "/b/" + r.ID().Job, Bytes: 1, RawBytes: 2})
	}
	return nil, w.err
}

func (w work) Adopt(context.Context, *engine.Runtime, json.RawMessage) error { return nil }

// walk runs a step of job.orders and one of job.other with a journal.
func walk(t testing.TB, ctx context.Context, j *journal.Journal, first, second engine.Step) error {
	t.Helper()
	a, b := graph.ID{Job: "job.orders", Step: "clone"}, graph.ID{Job: "job.other", Step: "clone"}
	g, err := graph.New([]graph.Node{{ID: a}, {ID: b, After: []graph.ID{a}}})
	if err != nil {
		t.Fatal(err)
	}
	return engine.Run(ctx, g, map[graph.ID]engine.Step{a: first, b: second}, engine.Options{Recorder: j, Run: j.Header().Run})
}

func TestTheStateOfARunFollowsFromItsRecord(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	boom := errors.New("boom")
	for name, tc := range map[string]struct {
		do         func(t *testing.T, j *journal.Journal)
		state      journal.State
		lastError  string
		open       int
		unfinished bool
	}{
		"nothing happened": {do: func(*testing.T, *journal.Journal) {}, state: journal.StateInterrupted},
		"complete": {do: func(t *testing.T, j *journal.Journal) {
			if err := walk(t, t.Context(), j, work{}, work{leaves: true}); err != nil {
				t.Error(err)
			}
		}, state: journal.StateComplete, open: 1},
		"failed and left something": {do: func(t *testing.T, j *journal.Journal) {
			if err := walk(t, t.Context(), j, work{err: boom, leaves: true}, work{}); err == nil {
				t.Error("no error")
			}
		}, state: journal.StateFailed, lastError: "job.orders/clone: boom", open: 1, unfinished: true},
		"failed and left something of another job": {do: func(t *testing.T, j *journal.Journal) {
			if err := walk(t, t.Context(), j, work{}, work{err: boom, leaves: true}); err == nil {
				t.Error("no error")
			}
		}, state: journal.StateFailed, lastError: "job.other/clone: boom", open: 1},
		"failed and left nothing": {do: func(t *testing.T, j *journal.Journal) {
			if err := walk(t, t.Context(), j, work{err: boom}, work{}); err == nil {
				t.Error("no error")
			}
		}, state: journal.StateFailed, lastError: "job.orders/clone: boom"},
		"interrupted": {do: func(t *testing.T, j *journal.Journal) {
			if err := walk(t, cancelled, j, work{}, work{}); err == nil {
				t.Error("no error")
			}
		}, state: journal.StateInterrupted, lastError: "interrupted: context canceled"},
		"killed in its second attempt": {do: func(t *testing.T, j *journal.Journal) {
			if err := walk(t, t.Context(), j, work{err: boom, leaves: true}, work{}); err == nil {
				t.Error("no error")
			}
			record(t, j, engine.Entry{Type: engine.EntryAttemptStarted, Attempt: 2})
		}, state: journal.StateInterrupted, open: 1, unfinished: true},
		"resumed": {do: func(t *testing.T, j *journal.Journal) {
			if err := walk(t, t.Context(), j, work{err: boom}, work{}); err == nil {
				t.Error("no error")
			}
			if err := walk(t, t.Context(), j, work{}, work{}); err != nil {
				t.Error(err)
			}
		}, state: journal.StateComplete},
		"discarded": {do: func(t *testing.T, j *journal.Journal) {
			if err := walk(t, t.Context(), j, work{err: boom, leaves: true}, work{}); err == nil {
				t.Error("no error")
			}
			if err := j.MarkDiscarded(noon); err != nil {
				t.Error(err)
			}
		}, state: journal.StateDiscarded, lastError: "job.orders/clone: boom", open: 1},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, t.TempDir())
			j := start(t, d, run1)
			tc.do(t, j)
			if s, err := d.Find(run1); err != nil || s.State != journal.StateRunning {
				t.Errorf("before Close: %s, %v", s.State, err)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			s, err := d.Find(run1)
			if err != nil {
				t.Fatal(err)
			}
			if s.State != tc.state || s.LastError != tc.lastError || s.OpenActions != tc.open {
				t.Errorf("state %s, last error %q, %d open actions", s.State, s.LastError, s.OpenActions)
			}
			left, err := d.Unfinished([]journal.JobKey{orders})
			if err != nil || (len(left) == 1) != tc.unfinished {
				t.Errorf("unfinished: %v, %v", left, err)
			}
			newest, err := d.NewestUnfinished()
			if found := err == nil && newest.Run == run1; found != tc.state.Unfinished() {
				t.Errorf("newest unfinished: %v, %v", newest.Run, err)
			}
		})
	}
}

func TestASummaryTellsStepsAndBackups(t *testing.T) {
	d := open(t, t.TempDir())
	j := start(t, d, run1)
	boom := errors.New("boom")
	if err := walk(t, t.Context(), j, work{}, work{err: boom}); err == nil {
		t.Fatal("no error")
	}
	if err := walk(t, t.Context(), j, work{}, work{err: boom}); err == nil {
		t.Fatal("no error")
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := d.Find("20261122")
	if err != nil {
		t.Fatal(err)
	}
	if s.Attempts != 2 || s.Ended.IsZero() || s.Last.Before(s.Ended) || s.PlanDigest != "sha256:00" {
		t.Errorf("summary: %+v", s)
	}
	if len(s.Steps) != 2 || s.Steps[0].Outcome != engine.OutcomeResumed || s.Steps[1].Outcome != engine.OutcomeFailed ||
		s.Steps[1].Error != "boom" || s.Steps[1].Attempt != 2 || s.Steps[1].Ended.Before(s.Steps[1].Began) {
		t.Errorf("steps: %+v", s.Steps)
	}
	want := []engine.Backup{{Job: "job.orders", Run: run1, Path: "/b/job.orders", Bytes: 1, RawBytes: 2}}
	if diff := cmp.Diff(want, s.Backups); diff != "" {
		t.Error(diff)
	}
}

func TestRunsAreListedNewestFirstAndFoundByPrefix(t *testing.T) {
	d := open(t, t.TempDir())
	if _, err := d.NewestUnfinished(); !errors.Is(err, journal.ErrNotFound) {
		t.Errorf("newest unfinished of none: %v", err)
	}
	names := []string{"20261122T100329Z-aaaa", "20261122T100329Z-bbbb", "20261121T100329Z-cccc"}
	for _, n := range names {
		if err := start(t, d, n).Close(); err != nil {
			t.Fatal(err)
		}
	}
	runs, err := d.Runs()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range runs {
		got = append(got, s.Run)
	}
	if diff := cmp.Diff([]string{names[1], names[0], names[2]}, got); diff != "" {
		t.Error(diff)
	}
	if s, err := d.Find("20261121"); err != nil || s.Run != names[2] {
		t.Errorf("find: %s, %v", s.Run, err)
	}
	var ambiguous *journal.AmbiguousError
	if _, err := d.Find("20261122T100329Z-"); !errors.As(err, &ambiguous) || len(ambiguous.Runs) != 2 {
		t.Errorf("find an ambiguous prefix: %v", err)
	}
	for _, s := range []string{"", "2025", "../runs"} {
		if _, err := d.Find(s); !errors.Is(err, journal.ErrNotFound) {
			t.Errorf("find %q: %v", s, err)
		}
	}
	if s, err := d.NewestUnfinished(); err != nil || s.Run != names[1] {
		t.Errorf("newest unfinished: %s, %v", s.Run, err)
	}
}

func TestOfRunsOfOneSecondTheOneThatBeganLastIsTheNewest(t *testing.T) {
	d := open(t, t.TempDir())
	for i, name := range []string{"20261122T100329Z-zzzz", "20261122T100329Z-mmmm", "20261122T100329Z-aaaa"} {
		h := header(name)
		h.Started = h.Started.Add(time.Duration(i) * time.Millisecond)
		j, err := d.Create(h, []byte(`{"plan":1}`))
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	runs, err := d.Runs()
	if err != nil || len(runs) != 3 || runs[0].Run != "20261122T100329Z-aaaa" || runs[2].Run != "20261122T100329Z-zzzz" {
		t.Errorf("runs: %v, %v", runs, err)
	}
	if s, err := d.NewestUnfinished(); err != nil || s.Run != "20261122T100329Z-aaaa" {
		t.Errorf("newest unfinished: %s, %v", s.Run, err)
	}
}

func TestTheRunToBeResumedIsTheOneThatHasLeftSomethingAndNotOneThatALaterRunMadeUpFor(t *testing.T) {
	d := open(t, t.TempDir())
	run := func(name string, first engine.Step) {
		j, err := d.Create(header(name), []byte(`{"plan":1}`))
		if err != nil {
			t.Fatal(err)
		}
		_ = walk(t, t.Context(), j, first, work{})
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	want := func(name string) {
		t.Helper()
		switch s, err := d.NewestUnfinished(); {
		case name == "" && !errors.Is(err, journal.ErrNotFound):
			t.Errorf("there is one: %s, %v", s.Run, err)
		case name != "" && (err != nil || s.Run != name):
			t.Errorf("it is %s, want %s (%v)", s.Run, name, err)
		}
	}
	boom := errors.New("boom")
	run("20261120T100000Z-aaaa", work{err: boom})
	want("20261120T100000Z-aaaa")
	run("20261121T100000Z-bbbb", work{})
	want("")
	run("20261122T100000Z-cccc", work{err: boom, leaves: true})
	run("20261123T100000Z-dddd", work{err: boom})
	want("20261122T100000Z-cccc")
}
