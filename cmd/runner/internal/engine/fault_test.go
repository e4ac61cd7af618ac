package engine_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"runner/cmd/runner/internal/engine"
)

func hours(h time.Duration) func(string) time.Duration {
	return func(string) time.Duration { return h * time.Hour }
}

func TestTheTimeLimitOfAJobNamesItsSetting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := []string{"job.a/clone", "job.a/pack", "job.a/end", "job.b/clone"}
		after := map[string][]string{"job.a/pack": {"job.a/clone"}, "job.a/end": {"job.a/pack"}}
		g, all := build(t, names, after, map[string]*step{
			"job.a/clone": takes(90 * time.Minute), "job.a/pack": takes(90 * time.Minute), "job.b/clone": takes(3 * time.Hour),
		})
		limit := func(job string) time.Duration {
			if job == "job.a" {
				return 2 * time.Hour
			}
			return 0
		}
		l := &log{t: t}
		began := time.Now()
		err := engine.Run(t.Context(), g, all, engine.Options{Observer: l, Timeout: limit})
		var e *engine.TimeoutError
		if !errors.As(err, &e) || e.Job != "job.a" || e.Limit != 2*time.Hour || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error: %v", err)
		}
		if !strings.Contains(err.Error(), "setting timeout") || !strings.Contains(e.Hint(), "timeout in the block of job.a") {
			t.Errorf("error %q, hint %q", err, e.Hint())
		}
		if runError(t, err).Interrupted {
			t.Error("a job that is too slow is a failure, not an interruption")
		}
		out := l.outcomes()
		if out["job.a/pack"] != engine.OutcomeFailed || out["job.a/end"] != engine.OutcomeSkipped || out["job.b/clone"] != engine.OutcomeDone {
			t.Errorf("outcomes: %v", out)
		}
		if spent := time.Since(began); spent != 3*time.Hour {
			t.Errorf("took %s", spent)
		}
	})
}

func TestAStepThatWouldStartAfterItsJobsTimeFailsWithoutRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stubborn := &step{run: func(context.Context, *engine.Runtime) (any, error) {
			time.Sleep(2 * time.Hour)
			return nil, nil
		}}
		ran := false
		g, all := build(t, []string{"a/1", "a/2"}, map[string][]string{"a/2": {"a/1"}}, map[string]*step{
			"a/1": stubborn, "a/2": {run: func(context.Context, *engine.Runtime) (any, error) { ran = true; return nil, nil }},
		})
		err := engine.Run(t.Context(), g, all, engine.Options{Timeout: hours(1)})
		var e *engine.TimeoutError
		if !errors.As(err, &e) || e.Err != nil || ran {
			t.Fatalf("error: %v, ran: %v", err, ran)
		}
	})
}

func TestWhatAStepSaysWhenItsTimeIsUpIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := errors.New("bad connection")
		g, all := build(t, []string{"a/1"}, nil, map[string]*step{
			"a/1": {run: func(ctx context.Context, _ *engine.Runtime) (any, error) { <-ctx.Done(); return nil, bad }},
		})
		err := engine.Run(t.Context(), g, all, engine.Options{Timeout: hours(1)})
		if !errors.Is(err, bad) || !errors.As(err, new(*engine.TimeoutError)) {
			t.Errorf("error: %v", err)
		}
	})
}

// busy is an error that asks for another try.
type busy struct {
	after time.Duration
	most  int
}

func (busy) Error() string               { return "busy" }
func (b busy) RetryAfter() time.Duration { return b.after }
func (b busy) MaxRetries() int           { return b.most }
func wrapped(err error) error            { return errors.Join(errors.New("clone"), err) }
func notes(l *log) (texts []engine.Note) { return collect[engine.Note](l) }
func collect[E engine.Event](l *log) (s []E) {
	for _, e := range l.events {
		if e, ok := e.(E); ok {
			s = append(s, e)
		}
	}
	return s
}

func TestARetryableErrorIsTriedAgainAsOftenAsItSays(t *testing.T) {
	for name, tc := range map[string]struct {
		failures, tries int
		ok              bool
	}{
		"succeeds in time": {failures: 2, tries: 3, ok: true},
		"gives up":         {failures: 9, tries: 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				g, all := build(t, []string{"a/1"}, nil, map[string]*step{
					"a/1": {run: func(context.Context, *engine.Runtime) (any, error) {
						if tries++; tries <= tc.failures {
							return nil, wrapped(busy{after: time.Minute, most: 3})
						}
						return nil, nil
					}},
				})
				l := &log{t: t}
				began := time.Now()
				err := engine.Run(t.Context(), g, all, engine.Options{Observer: l})
				if (err == nil) != tc.ok || tries != tc.tries {
					t.Errorf("%d tries, error %v", tries, err)
				}
				if spent := time.Since(began); spent != time.Duration(tc.tries-1)*time.Minute {
					t.Errorf("waited %s", spent)
				}
				if len(notes(l)) != tc.tries-1 {
					t.Errorf("notes: %v", notes(l))
				}
			})
		})
	}
}

func TestACancelEndsTheWaitForARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		g, all := build(t, []string{"a/1"}, nil, map[string]*step{"a/1": fails(busy{after: time.Hour, most: 3})})
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		e := runError(t, engine.Run(ctx, g, all, engine.Options{}))
		if !e.Interrupted || len(e.Failures) > 0 || time.Since(began) != time.Second {
			t.Errorf("after %s: %#v", time.Since(began), e)
		}
	})
}

func TestAPanicFailsItsStepAndNoOther(t *testing.T) {
	cause := errors.New("nil map")
	for name, tc := range map[string]struct {
		run  func(context.Context, *engine.Runtime) (any, error)
		text string
	}{
		"panic":  {run: func(context.Context, *engine.Runtime) (any, error) { panic(cause) }, text: "panic: nil map"},
		"nil":    {run: func(context.Context, *engine.Runtime) (any, error) { panic(nil) }, text: "panic: panic called with nil argument"},
		"goexit": {run: func(context.Context, *engine.Runtime) (any, error) { runtime.Goexit(); return nil, nil }, text: "panic: the step ended its goroutine"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var cleaned atomic.Bool
				g, all := build(t, []string{"a/1", "a/2", "b/1"}, map[string][]string{"a/2": {"a/1"}}, map[string]*step{
					"a/1": {run: tc.run},
					"b/1": {run: func(context.Context, *engine.Runtime) (any, error) {
						time.Sleep(time.Minute)
						cleaned.Store(true)
						return nil, nil
					}},
				})
				l := &log{t: t}
				err := engine.Run(t.Context(), g, all, engine.Options{Observer: l})
				var p *engine.PanicError
				if !errors.As(err, &p) || p.Error() != tc.text || len(p.Stack) == 0 {
					t.Fatalf("error: %v", err)
				}
				if name == "panic" && !errors.Is(err, cause) {
					t.Error("the value of the panic is lost")
				}
				if !cleaned.Load() || l.outcomes()["b/1"] != engine.OutcomeDone {
					t.Error("the other job did not go on")
				}
				if n := notes(l); len(n) != 1 || !strings.Contains(n[0].Detail, "fault_test.go") && name != "goexit" {
					t.Errorf("no note with the stack: %v", n)
				}
			})
		})
	}
}

func TestAPanicInAdoptFailsTheStep(t *testing.T) {
	rec := &engine.Memory{}
	s := &step{}
	g, all := build(t, []string{"a/1"}, nil, map[string]*step{"a/1": s})
	if err := engine.Run(t.Context(), g, all, engine.Options{Recorder: rec}); err != nil {
		t.Fatal(err)
	}
	s.adopt = func(context.Context, *engine.Runtime, jsonResult) error { panic("adopt") }
	if err := engine.Run(t.Context(), g, all, engine.Options{Recorder: rec}); !errors.As(err, new(*engine.PanicError)) {
		t.Errorf("error: %v", err)
	}
}

func TestAResultThatIsNotJSONFailsTheStep(t *testing.T) {
	g, all := build(t, []string{"a/1"}, nil, map[string]*step{
		"a/1": {run: func(context.Context, *engine.Runtime) (any, error) { return make(chan int), nil }},
	})
	if err := engine.Run(t.Context(), g, all, engine.Options{}); err == nil || !strings.Contains(err.Error(), "encode result") {
		t.Errorf("error: %v", err)
	}
}

func TestARecordThatCannotBeWrittenStopsEverything(t *testing.T) {
	full := errors.New("no space left on device")
	at := func(typ engine.EntryType, step string) func(engine.Entry) bool {
		return func(e engine.Entry) bool { return e.Type == typ && (step == "" || e.ID == id(step)) }
	}
	for name, tc := range map[string]struct {
		at       func(engine.Entry) bool
		mustRun  []string
		mustNot  []string
		effect   bool // whether the intended action may happen
		allEnded bool
	}{
		"at the attempt's start": {at: at(engine.EntryAttemptStarted, ""), mustNot: []string{"a/1", "b/1"}},
		"at a step's start":      {at: at(engine.EntryStepStarted, "a/1"), mustNot: []string{"a/1", "a/2"}},
		"at an intention":        {at: at(engine.EntryIntended, "a/1"), mustRun: []string{"a/1"}, mustNot: []string{"a/2"}},
		"at a step's end":        {at: at(engine.EntryStepFinished, "a/1"), mustRun: []string{"a/1"}, mustNot: []string{"a/2"}, effect: true},
		"at the attempt's end":   {at: at(engine.EntryAttemptFinished, ""), mustRun: []string{"a/1", "a/2", "b/1"}, effect: true, allEnded: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var effect, cancelled atomic.Bool
				ran := make(map[string]*atomic.Bool)
				for _, n := range []string{"a/1", "a/2", "b/1"} {
					ran[n] = new(atomic.Bool)
				}
				g, all := build(t, []string{"a/1", "a/2", "b/1"}, map[string][]string{"a/2": {"a/1"}}, map[string]*step{
					"a/1": {run: func(ctx context.Context, r *engine.Runtime) (any, error) {
						ran["a/1"].Store(true)
						if _, err := r.Intend(ctx, engine.Action{Kind: engine.ActionFile, Summary: "write a file"}); err != nil {
							return nil, err
						}
						effect.Store(true)
						return nil, nil
					}},
					"a/2": {run: func(context.Context, *engine.Runtime) (any, error) { ran["a/2"].Store(true); return nil, nil }},
					"b/1": {run: func(ctx context.Context, _ *engine.Runtime) (any, error) {
						ran["b/1"].Store(true)
						select {
						case <-ctx.Done():
							cancelled.Store(true)
							return nil, ctx.Err()
						case <-time.After(time.Hour):
							return nil, nil
						}
					}},
				})
				rec := &failing{at: tc.at, err: full}
				err := engine.Run(t.Context(), g, all, engine.Options{Recorder: rec})
				e := runError(t, err)
				if e.Record == nil || !errors.As(err, new(*engine.RecordError)) || !errors.Is(err, full) || e.Interrupted {
					t.Fatalf("error: %#v", e)
				}
				if !rec.hit || rec.calls > 0 {
					t.Errorf("fault hit: %v; %d entries were written after it", rec.hit, rec.calls)
				}
				if effect.Load() != tc.effect {
					t.Errorf("effect happened: %v", effect.Load())
				}
				for _, n := range tc.mustRun {
					if !ran[n].Load() {
						t.Errorf("%s did not run", n)
					}
				}
				for _, n := range tc.mustNot {
					if ran[n].Load() {
						t.Errorf("%s ran", n)
					}
				}
				if ran["b/1"].Load() && !tc.allEnded && !cancelled.Load() {
					t.Error("the other job was not cancelled")
				}
			})
		})
	}
}
