package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/plan/graph"
)

// chain is check → clone → pack → end; each step's run returns its try.
type chain struct {
	runs   map[string]int
	steps  map[string]*step
	graph  *graph.Graph
	all    map[graph.ID]engine.Step
	record engine.Recorder
}

func newChain(t testing.TB, rec engine.Recorder) *chain {
	c := &chain{runs: make(map[string]int), steps: make(map[string]*step), record: rec}
	names := []string{"a/check", "a/clone", "a/pack", "a/end"}
	for _, n := range names {
		c.steps[n] = &step{run: func(context.Context, *engine.Runtime) (any, error) {
			c.runs[n]++
			return fmt.Sprintf("%s %d", n, c.runs[n]), nil
		}}
	}
	after := map[string][]string{"a/clone": {"a/check"}, "a/pack": {"a/clone"}, "a/end": {"a/pack"}}
	c.graph, c.all = build(t, names, after, c.steps)
	return c
}

// attempt walks once and returns what the steps' ends were, in order.
func (c *chain) attempt(t testing.TB) (string, error) {
	l := &log{t: t}
	err := engine.Run(t.Context(), c.graph, c.all, engine.Options{Recorder: c.record, Observer: l})
	var ends []string
	for _, e := range collect[engine.StepFinished](l) {
		ends = append(ends, e.ID.Step+" "+string(e.Outcome))
	}
	return strings.Join(ends, ", "), err
}

// answers makes Adopt of a step give an error.
func (c *chain) answers(name string, err error) {
	c.steps[name].adopt = func(context.Context, *engine.Runtime, jsonResult) error { return err }
}

// breaks makes a step fail until the function returned is called.
func (c *chain) breaks(name string) (mend func()) {
	run := c.steps[name].run
	c.steps[name].run = func(context.Context, *engine.Runtime) (any, error) { return nil, errors.New("broken") }
	return func() { c.steps[name].run = run }
}

func expect(t testing.TB, got, want string) {
	t.Helper()
	if diff := cmp.Diff(strings.Split(want, ", "), strings.Split(got, ", ")); diff != "" {
		t.Errorf("ends (-want +got):\n%s", diff)
	}
}

func TestAResumedRunDoesNotDoAgainWhatIsDone(t *testing.T) {
	c := newChain(t, &engine.Memory{})
	mend := c.breaks("a/pack")
	got, err := c.attempt(t)
	expect(t, got, "check done, clone done, pack failed, end skipped")
	if err == nil {
		t.Fatal("no error")
	}
	mend()
	var offered string
	var attempt int
	c.steps["a/clone"].adopt = func(_ context.Context, r *engine.Runtime, result jsonResult) error {
		offered = string(result)
		attempt = r.Attempt()
		return nil
	}
	got, err = c.attempt(t)
	expect(t, got, "check resumed, clone resumed, pack done, end done")
	if err != nil {
		t.Error(err)
	}
	if offered != `"a/clone 1"` || attempt != 2 {
		t.Errorf("offered result: %s in attempt %d", offered, attempt)
	}
	got, _ = c.attempt(t) // a third one is offered the results that the second has taken over
	expect(t, got, "check resumed, clone resumed, pack resumed, end resumed")
	if offered != `"a/clone 1"` || c.runs["a/clone"] != 1 {
		t.Errorf("offered result: %s; runs: %v", offered, c.runs)
	}
}

func TestAStaleResultMakesEverythingBelowRunAgain(t *testing.T) {
	c := newChain(t, &engine.Memory{})
	if _, err := c.attempt(t); err != nil {
		t.Fatal(err)
	}
	c.answers("a/clone", fmt.Errorf("staging directory: %w", engine.ErrStale))
	got, err := c.attempt(t)
	expect(t, got, "check resumed, clone done, pack done, end done")
	if err != nil {
		t.Error(err)
	}
}

func TestAStepThatRunsAgainByChoiceLeavesWhatIsBelowValid(t *testing.T) {
	c := newChain(t, &engine.Memory{})
	if _, err := c.attempt(t); err != nil {
		t.Fatal(err)
	}
	c.answers("a/check", engine.ErrRerun)
	got, err := c.attempt(t)
	expect(t, got, "check done, clone resumed, pack resumed, end resumed")
	if err != nil {
		t.Error(err)
	}
	mend := c.breaks("a/check") // a check that fails once does not cost the clone
	got, _ = c.attempt(t)
	expect(t, got, "check failed, clone skipped, pack skipped, end skipped")
	mend()
	got, err = c.attempt(t)
	expect(t, got, "check done, clone resumed, pack resumed, end resumed")
	if err != nil {
		t.Error(err)
	}
}

func TestAStaleStepThatFailsKeepsWhatIsBelowInvalid(t *testing.T) {
	c := newChain(t, &engine.Memory{})
	if _, err := c.attempt(t); err != nil {
		t.Fatal(err)
	}
	c.answers("a/clone", engine.ErrStale)
	mend := c.breaks("a/clone")
	got, _ := c.attempt(t)
	expect(t, got, "check resumed, clone failed, pack skipped, end skipped")
	mend()
	got, _ = c.attempt(t) // the clone has no result that could be offered, nor has what is below
	expect(t, got, "check resumed, clone done, pack done, end done")
	if c.runs["a/end"] != 2 {
		t.Errorf("runs: %v", c.runs)
	}
}

func TestAnyOtherErrorOfAdoptFailsTheStep(t *testing.T) {
	c := newChain(t, &engine.Memory{})
	if _, err := c.attempt(t); err != nil {
		t.Fatal(err)
	}
	unknown := errors.New("server can't be reached")
	c.answers("a/clone", unknown)
	got, err := c.attempt(t)
	expect(t, got, "check resumed, clone failed, pack skipped, end skipped")
	if !errors.Is(err, unknown) {
		t.Errorf("error: %v", err)
	}
	c.answers("a/clone", nil)
	got, _ = c.attempt(t)
	expect(t, got, "check resumed, clone resumed, pack resumed, end resumed")
}

// TestACrashAtAnyEntryNeverMakesAnOldResultCount cuts the record of a second
// attempt, in which the clone was stale, at every length: whatever a third
// attempt does, what is below a new clone must be newer than it.
func TestACrashAtAnyEntryNeverMakesAnOldResultCount(t *testing.T) {
	full := &engine.Memory{}
	c := newChain(t, full)
	if _, err := c.attempt(t); err != nil {
		t.Fatal(err)
	}
	first := len(full.History())
	c.answers("a/clone", engine.ErrStale)
	if _, err := c.attempt(t); err != nil {
		t.Fatal(err)
	}
	entries := full.History()
	for cut := first; cut <= len(entries); cut++ {
		rec := &engine.Memory{}
		for _, e := range entries[:cut] {
			if _, err := rec.Record(e); err != nil {
				t.Fatal(err)
			}
		}
		third := newChain(t, rec)
		third.steps["a/clone"].adopt = func(_ context.Context, _ *engine.Runtime, result jsonResult) error {
			if string(result) == `"a/clone 1"` {
				return engine.ErrStale // the first clone is gone, the second is there
			}
			return nil
		}
		third.runs["a/clone"] = 1
		if _, err := third.attempt(t); err != nil {
			t.Fatal(err)
		}
		last := make(map[string]int64) // seq of the newest real run
		for _, e := range rec.History() {
			if e.Type == engine.EntryStepFinished && e.Outcome == engine.OutcomeDone {
				last[e.ID.Step] = e.Seq
			}
		}
		if last["clone"] > last["pack"] || last["pack"] > last["end"] {
			t.Errorf("cut after entry %d: a result older than its clone was taken: %v", cut, last)
		}
	}
}

func TestWhatIsBelowAStaleStepIsInvalidatedFromTheBottom(t *testing.T) {
	rec := &engine.Memory{}
	c := newChain(t, rec)
	if _, err := c.attempt(t); err != nil {
		t.Fatal(err)
	}
	c.answers("a/clone", engine.ErrStale)
	if _, err := c.attempt(t); err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, e := range rec.History() {
		if e.Type == engine.EntryInvalidated {
			order = append(order, e.ID.Step)
		}
	}
	if diff := cmp.Diff([]string{"end", "pack", "clone"}, order); diff != "" {
		t.Error(diff)
	}
}

func TestBackupsAreRecordedWithTheirStepAndAnnouncedAgainOnResume(t *testing.T) {
	rec := &engine.Memory{}
	c := newChain(t, rec)
	c.steps["a/end"].run = func(_ context.Context, r *engine.Runtime) (any, error) {
		r.Emit(engine.Backup{Path: "/backups/a", Bytes: 1, RawBytes: 2})
		return nil, nil
	}
	for attempt := range 3 {
		l := &log{t: t}
		if err := engine.Run(t.Context(), c.graph, c.all, engine.Options{Recorder: rec, Observer: l}); err != nil {
			t.Fatal(err)
		}
		if got := collect[engine.Backup](l); len(got) != 1 || got[0].Path != "/backups/a" || got[0].Job != "a" {
			t.Errorf("attempt %d announces %v", attempt+1, got)
		}
	}
	h := rec.History()
	if last := h[len(h)-2]; len(last.Backups) != 1 || last.ID.Step != "end" {
		t.Errorf("entry: %+v", last)
	}
}
