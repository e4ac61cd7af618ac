package engine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"runner/cmd/runner/internal/engine"
)

func TestEveryStepRunsAfterWhatItDependsOn(t *testing.T) {
	// Two jobs of three steps; the second waits for the first one's last.
	names := []string{"a/check", "a/clone", "a/pack", "b/check", "b/clone", "b/pack"}
	after := map[string][]string{
		"a/clone": {"a/check"}, "a/pack": {"a/clone"},
		"b/check": {"a/pack"}, "b/clone": {"b/check"}, "b/pack": {"b/clone"},
	}
	for range 200 {
		synctest.Test(t, func(t *testing.T) {
			steps := make(map[string]*step)
			for _, n := range names {
				steps[n] = takes(rand.N(time.Second))
			}
			g, all := build(t, names, after, steps)
			l := &log{t: t}
			if err := engine.Run(t.Context(), g, all, engine.Options{Observer: l, Parallelism: 4}); err != nil {
				t.Fatal(err)
			}
			want := []string{
				"run started 1",
				"started a/check", "done a/check", "started a/clone", "done a/clone", "started a/pack", "done a/pack",
				"started b/check", "done b/check", "started b/clone", "done b/clone", "started b/pack", "done b/pack",
				"run done",
			}
			if diff := cmp.Diff(want, l.lines()); diff != "" {
				t.Fatalf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRandomGraphsKeepOrderAndLimit(t *testing.T) {
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			limit := 1 + rng.IntN(4)
			var names []string
			after := make(map[string][]string)
			steps := make(map[string]*step)
			var running, most atomic.Int64
			for i := range 5 + rng.IntN(20) {
				name := string(rune('a'+i%3)) + "/" + string(rune('a'+i))
				for _, earlier := range names {
					if rng.IntN(4) == 0 {
						after[name] = append(after[name], earlier)
					}
				}
				names = append(names, name)
				d := time.Duration(rng.IntN(1000)) * time.Millisecond
				steps[name] = &step{run: func(context.Context, *engine.Runtime) (any, error) {
					now := running.Add(1)
					for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
					}
					time.Sleep(d)
					running.Add(-1)
					return nil, nil
				}}
			}
			g, all := build(t, names, after, steps)
			l := &log{t: t}
			if err := engine.Run(t.Context(), g, all, engine.Options{Observer: l, Parallelism: limit}); err != nil {
				t.Fatal(err)
			}
			if most.Load() > int64(limit) {
				t.Errorf("%d steps ran at once, the limit is %d", most.Load(), limit)
			}
			lines := l.lines()
			for name, before := range after {
				for _, b := range before {
					if slices.Index(lines, "done "+b) > slices.Index(lines, "started "+name) {
						t.Errorf("%s started before %s was done", name, b)
					}
				}
			}
		})
	}
}

func TestReadyStepsStartInGraphOrder(t *testing.T) {
	names := []string{"a/1", "a/2", "a/3", "a/4", "a/5", "b/1", "b/2"}
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			g, all := build(t, names, nil, make(map[string]*step))
			l := &log{t: t}
			if err := engine.Run(t.Context(), g, all, engine.Options{Observer: l, Parallelism: 1}); err != nil {
				t.Fatal(err)
			}
			var started []string
			for _, e := range l.events {
				if e, ok := e.(engine.StepStarted); ok {
					started = append(started, e.ID.String())
				}
			}
			if diff := cmp.Diff(names, started); diff != "" {
				t.Fatal(diff)
			}
		})
	}
}

func TestWithoutALimitTwoStepsRunAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := []string{"a/1", "a/2", "a/3", "a/4"}
		steps := make(map[string]*step)
		for _, n := range names {
			steps[n] = takes(time.Minute)
		}
		g, all := build(t, names, nil, steps)
		began := time.Now()
		if err := engine.Run(t.Context(), g, all, engine.Options{}); err != nil {
			t.Fatal(err)
		}
		if spent := time.Since(began); spent != 2*time.Minute {
			t.Errorf("four steps of a minute took %s", spent)
		}
	})
}

func TestWhatIsBelowAFailureIsSkippedAndTheRestGoesOn(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			boom := errors.New("boom")
			names := []string{"a/check", "a/clone", "a/pack", "b/check", "b/clone"}
			after := map[string][]string{"a/clone": {"a/check"}, "a/pack": {"a/clone", "a/check"}, "b/clone": {"b/check"}}
			g, all := build(t, names, after, map[string]*step{
				"a/check": fails(boom), "b/check": takes(time.Second), "b/clone": takes(time.Second),
			})
			l, rec := &log{t: t}, &engine.Memory{}
			err := engine.Run(t.Context(), g, all, engine.Options{Observer: l, Recorder: rec})
			e := runError(t, err)
			if !errors.Is(err, boom) || len(e.Failures) != 1 || e.Failures[0].ID != id("a/check") || e.Interrupted {
				t.Fatalf("error: %#v", e)
			}
			if got, want := err.Error(), "a/check: boom"; got != want {
				t.Errorf("error text %q, want %q", got, want)
			}
			want := map[string]engine.Outcome{
				"a/check": engine.OutcomeFailed, "a/clone": engine.OutcomeSkipped, "a/pack": engine.OutcomeSkipped,
				"b/check": engine.OutcomeDone, "b/clone": engine.OutcomeDone,
			}
			if diff := cmp.Diff(want, l.outcomes()); diff != "" {
				t.Error(diff)
			}
			lines := recorded(rec.History())
			mustContain(t, lines, "step_finished a/clone skipped", "step_finished a/pack skipped", "attempt_finished failed")
			mustNotContain(t, lines, "step_started a/clone")
		})
	}
}

func TestAStepBelowTwoFailuresIsSkippedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := []string{"a/1", "b/1", "c/1"}
		g, all := build(t, names, map[string][]string{"c/1": {"a/1", "b/1"}}, map[string]*step{
			"a/1": fails(errors.New("one")), "b/1": fails(errors.New("two")),
		})
		rec := &engine.Memory{}
		e := runError(t, engine.Run(t.Context(), g, all, engine.Options{Recorder: rec}))
		if len(e.Failures) != 2 {
			t.Errorf("failures: %v", e.Failures)
		}
		n := 0
		for _, line := range recorded(rec.History()) {
			if line == "step_finished c/1 skipped" {
				n++
			}
		}
		if n != 1 {
			t.Errorf("skipped %d times", n)
		}
	})
}

func TestStepsWithTheSameKeyNeverRunTogetherAndTakeNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		clones := 0
		clone := func() *step {
			return &step{keys: []string{"server"}, run: func(context.Context, *engine.Runtime) (any, error) {
				mu.Lock()
				if clones++; clones > 1 {
					t.Error("two clones at once")
				}
				mu.Unlock()
				time.Sleep(time.Minute)
				mu.Lock()
				clones--
				mu.Unlock()
				return nil, nil
			}}
		}
		names := []string{"a/clone", "b/clone", "c/other"}
		g, all := build(t, names, nil, map[string]*step{"a/clone": clone(), "b/clone": clone(), "c/other": takes(time.Minute)})
		l := &log{t: t}
		began := time.Now()
		if err := engine.Run(t.Context(), g, all, engine.Options{Parallelism: 2, Observer: l}); err != nil {
			t.Fatal(err)
		}
		if spent := time.Since(began); spent != 2*time.Minute {
			t.Errorf("took %s: c/other did not get the place that b/clone can't use", spent)
		}
	})
}

func TestAStepWaitsForAllOfItsKeysAndHoldsNoneMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var mu sync.Mutex
		starts := map[string]time.Duration{}
		clone := func(name string, takes time.Duration, keys ...string) *step {
			return &step{keys: keys, run: func(context.Context, *engine.Runtime) (any, error) {
				mu.Lock()
				starts[name] = time.Since(began)
				mu.Unlock()
				time.Sleep(takes)
				return nil, nil
			}}
		}
		names := []string{"donor/clone", "both/clone", "recipient/clone", "again/clone", "none/clone"}
		g, all := build(t, names, nil, map[string]*step{
			"donor/clone":     clone("donor", 3*time.Minute, "donor"),
			"both/clone":      clone("both", time.Minute, "donor", "", "recipient"),
			"recipient/clone": clone("recipient", time.Minute, "recipient"), // not kept waiting by what waits itself
			"again/clone":     clone("again", time.Minute, "recipient", "recipient"),
			"none/clone":      clone("none", time.Minute, "", ""),
		})
		if err := engine.Run(t.Context(), g, all, engine.Options{Parallelism: 5}); err != nil {
			t.Fatal(err)
		}
		want := map[string]time.Duration{"donor": 0, "recipient": 0, "none": 0, "again": time.Minute, "both": 3 * time.Minute}
		if diff := cmp.Diff(want, starts); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTheKeysThatAStepBeganWithAreReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := &step{keys: []string{"server"}}
		first.run = func(context.Context, *engine.Runtime) (any, error) {
			first.keys = []string{"another"}
			return nil, nil
		}
		names := []string{"a/clone", "b/clone"}
		g, all := build(t, names, nil, map[string]*step{"a/clone": first, "b/clone": {keys: []string{"server"}}})
		l := &log{t: t}
		if err := engine.Run(t.Context(), g, all, engine.Options{Observer: l}); err != nil {
			t.Fatal(err)
		}
		mustContain(t, l.lines(), "done b/clone")
	})
}

func TestCancelAwaitsRunningStepsAndStartsNoOther(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			var cleaned atomic.Bool
			slow := &step{run: func(ctx context.Context, _ *engine.Runtime) (any, error) {
				<-ctx.Done()
				time.Sleep(time.Minute) // the clean-up
				cleaned.Store(true)
				return nil, ctx.Err()
			}}
			names := []string{"a/clone", "a/pack", "b/check", "c/check"}
			g, all := build(t, names, map[string][]string{"a/pack": {"a/clone"}}, map[string]*step{
				"a/clone": slow, "b/check": takes(time.Hour),
			})
			time.AfterFunc(time.Second, cancel)
			l, rec := &log{t: t}, &engine.Memory{}
			err := engine.Run(ctx, g, all, engine.Options{Observer: l, Recorder: rec})
			e := runError(t, err)
			if !e.Interrupted || len(e.Failures) != 0 || !errors.Is(err, context.Canceled) {
				t.Fatalf("error: %#v", e)
			}
			if !cleaned.Load() {
				t.Error("Run returned before the step had cleaned up")
			}
			want := map[string]engine.Outcome{"a/clone": engine.OutcomeInterrupted, "b/check": engine.OutcomeInterrupted}
			if diff := cmp.Diff(want, l.outcomes()); diff != "" {
				t.Error(diff)
			}
			mustContain(t, recorded(rec.History()), "step_finished a/clone interrupted", "attempt_finished interrupted")
		})
	}
}

func TestAFailureAfterACancelIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		worse := errors.New("settings could not be restored")
		g, all := build(t, []string{"a/1", "b/1"}, nil, map[string]*step{
			"a/1": {run: func(ctx context.Context, _ *engine.Runtime) (any, error) {
				<-ctx.Done()
				return nil, worse
			}},
			"b/1": takes(time.Hour),
		})
		time.AfterFunc(time.Second, cancel)
		err := engine.Run(ctx, g, all, engine.Options{})
		e := runError(t, err)
		if !e.Interrupted || len(e.Failures) != 1 || !errors.Is(err, worse) {
			t.Fatalf("error: %#v", e)
		}
	})
}

func TestACancelThatComesTooLateIsNoInterruption(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	g, all := build(t, []string{"a/1"}, nil, map[string]*step{
		"a/1": {run: func(context.Context, *engine.Runtime) (any, error) {
			cancel()
			return nil, nil
		}},
	})
	if err := engine.Run(ctx, g, all, engine.Options{}); err != nil {
		t.Errorf("everything was done, error: %v", err)
	}
}

func TestACancelledContextStartsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g, all := build(t, []string{"a/1"}, nil, make(map[string]*step))
	l := &log{t: t}
	e := runError(t, engine.Run(ctx, g, all, engine.Options{Observer: l}))
	if !e.Interrupted {
		t.Errorf("error: %#v", e)
	}
	if diff := cmp.Diff([]string{"run started 1", "run interrupted"}, l.lines()); diff != "" {
		t.Error(diff)
	}
}

func TestStepsAndGraphMustMatch(t *testing.T) {
	g, all := build(t, []string{"a/1", "a/2"}, nil, make(map[string]*step))
	rec := &engine.Memory{}
	delete(all, id("a/2"))
	if err := engine.Run(t.Context(), g, all, engine.Options{Recorder: rec}); err == nil {
		t.Error("a vertex without a step: no error")
	}
	all[id("a/2")], all[id("a/3")] = &step{}, &step{}
	if err := engine.Run(t.Context(), g, all, engine.Options{Recorder: rec}); err == nil {
		t.Error("a step without a vertex: no error")
	}
	if n := len(rec.History()); n != 0 {
		t.Errorf("%d entries were recorded", n)
	}
}

func TestAnEmptyGraphIsDone(t *testing.T) {
	g, all := build(t, nil, nil, nil)
	if err := engine.Run(t.Context(), g, all, engine.Options{}); err != nil {
		t.Error(err)
	}
}
