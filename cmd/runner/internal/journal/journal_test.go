package journal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"runner/cmd/runner/internal/engine"
	"runner/cmd/runner/internal/journal"
	"runner/pkg/plan/graph"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		child(dir)
	}
	goleak.VerifyTestMain(m)
}

var noon = time.Date(2026, 11, 22, 10, 3, 29, 0, time.UTC)

var orders = journal.JobKey{Address: "job.orders", Repository: "/srv/backups", Folder: "orders"}

func open(t testing.TB, path string) *journal.Dir {
	t.Helper()
	d, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func header(run string) journal.Header {
	return journal.Header{
		Run: run, Host: "db1", Version: "v1", Started: noon, PlanPaths: []string{"/etc/plan.hcl"},
		Inputs: map[string]string{"root": "/srv"}, PlanDigest: "sha256:00", Jobs: []journal.JobKey{orders}, PID: 7,
	}
}

// start makes a run that is closed when the test ends.
func start(t testing.TB, d *journal.Dir, run string) *journal.Journal {
	t.Helper()
	j, err := d.Create(header(run), []byte(`{"plan":1}`))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func record(t testing.TB, j *journal.Journal, entries ...engine.Entry) {
	t.Helper()
	for _, e := range entries {
		if _, err := j.Record(e); err != nil {
			t.Fatal(err)
		}
	}
}

// sample has an entry of each type, with every field in use.
func sample() []engine.Entry {
	clone := graph.ID{Job: `job.each["eu"]`, Step: "clone"}
	return []engine.Entry{
		{Time: noon, Attempt: 1, Type: engine.EntryAttemptStarted},
		{Time: noon, Attempt: 1, Type: engine.EntryStepStarted, ID: clone},
		{Time: noon, Attempt: 1, Type: engine.EntryIntended, ID: clone, Action: &engine.Action{
			Kind: engine.ActionDirectory, Summary: "create directory /srv/staging/<x>", Data: json.RawMessage(`{"path":"/srv/staging"}`),
		}},
		{Time: noon, Attempt: 1, Type: engine.EntrySettled, ID: clone, ActionID: 3},
		{Time: noon, Attempt: 1, Type: engine.EntryInvalidated, ID: clone},
		{
			Time: noon.Add(time.Nanosecond), Attempt: 1, Type: engine.EntryStepFinished, ID: clone, Outcome: engine.OutcomeDone,
			Result: json.RawMessage(`{"bytes":9007199254740993}`), Backups: []engine.Backup{{Job: clone.Job, Run: "r", Path: "/b", Bytes: 1, RawBytes: 2}},
		},
		{Time: noon, Attempt: 1, Type: engine.EntryAttemptFinished, Outcome: engine.OutcomeFailed, Error: "müde\n\x00 — ünd \u2028 kaputt"},
	}
}

func numbered(entries []engine.Entry) []engine.Entry {
	for i := range entries {
		entries[i].Seq = int64(i) + 1
	}
	return entries
}

const run1 = "20261122T100329Z-aaaa"

func TestARunIsReadBackAsItWasRecorded(t *testing.T) {
	d := open(t, t.TempDir())
	j := start(t, d, run1)
	record(t, j, sample()...)
	want := numbered(sample())
	if diff := cmp.Diff(want, j.History()); diff != "" {
		t.Error(diff)
	}
	if err := errors.Join(j.Close(), j.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Record(engine.Entry{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("record after Close: %v", err)
	}
	again, err := d.Resume(run1)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, again.History()); diff != "" {
		t.Error(diff)
	}
	wantHeader := header(run1)
	wantHeader.Format = 1
	if diff := cmp.Diff(wantHeader, again.Header()); diff != "" {
		t.Error(diff)
	}
	if string(again.Plan()) != `{"plan":1}` {
		t.Errorf("plan: %s", again.Plan())
	}
	record(t, again, engine.Entry{Type: engine.EntryAttemptStarted, Attempt: 2})
	if h := again.History(); h[len(h)-1].Seq != int64(len(want))+1 {
		t.Errorf("seq: %d", h[len(h)-1].Seq)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestLinesAreJSONAndOnlyTheOwnerMayReadThem(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "state")
	j := start(t, open(t, dir), run1)
	record(t, j, sample()...)
	data, err := os.ReadFile(filepath.Join(j.Folder(), "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if len(lines) != len(sample()) {
		t.Fatalf("%d lines", len(lines))
	}
	for _, line := range lines {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if want := map[bool]fs.FileMode{true: 0o700, false: 0o600}[e.IsDir()]; info.Mode().Perm() != want {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// damage makes a closed run whose journal holds data.
func damage(t testing.TB, d *journal.Dir, run string, change func([]byte) []byte) {
	t.Helper()
	j := start(t, d, run)
	record(t, j, sample()...)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(j.Folder(), "journal.jsonl")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, change(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestATornLastLineIsCutOffWhereverItIsTorn(t *testing.T) {
	d := open(t, t.TempDir())
	damage(t, d, run1, func(b []byte) []byte { return b })
	name := filepath.Join(d.Path(), "runs", run1, "journal.jsonl")
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	last := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	n := len(sample())
	tails := map[string][]byte{"": nil, "zeros": make([]byte, 40), "zeros and a newline": append(make([]byte, 40), '\n')}
	for cut := last; cut < len(whole); cut++ {
		for what, tail := range tails {
			if len(tail) > 0 && cut%20 > 0 { // each takes two fsyncs
				continue
			}
			if err := os.WriteFile(name, append(bytes.Clone(whole[:cut]), tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			j, err := d.Resume(run1)
			if err != nil {
				t.Fatalf("cut at %d, then %q: %v", cut, what, err)
			}
			if got := len(j.History()); got != n-1 {
				t.Fatalf("cut at %d: %d entries", cut, got)
			}
			record(t, j, engine.Entry{Type: engine.EntrySettled, ActionID: 3})
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			s, err := d.Find(run1)
			if err != nil || s.State != journal.StateInterrupted {
				t.Fatalf("cut at %d, then written: %s, %v, %v", cut, s.State, s.Damage, err)
			}
		}
	}
}

func TestAFlippedBitIsReportedWithFileAndLine(t *testing.T) {
	d := open(t, t.TempDir())
	damage(t, d, run1, func(b []byte) []byte {
		b[len(b)-30] ^= 4 // in the last line, which is whole
		return b
	})
	j, err := d.Resume(run1)
	var damaged *journal.DamagedError
	name := filepath.Join(d.Path(), "runs", run1, "journal.jsonl")
	if j != nil || !errors.As(err, &damaged) || damaged.Line != len(sample()) || damaged.Path != name || damaged.Hint() == "" {
		t.Errorf("error: %v", err)
	}
}

func TestADamagedRecordSaysWhereAndDoesNotHideOtherRuns(t *testing.T) {
	const run2 = "20261122T100330Z-bbbb"
	d := open(t, t.TempDir())
	start(t, d, run2)
	damage(t, d, run1, func(b []byte) []byte {
		lines := bytes.SplitAfter(b, []byte("\n"))
		lines[2], lines[3] = lines[3], lines[2] // whole lines in the wrong order
		return bytes.Join(lines, nil)
	})
	_, err := d.Resume(run1)
	var damaged *journal.DamagedError
	if !errors.As(err, &damaged) || damaged.Line != 3 || !strings.Contains(err.Error(), "entry 4 stands where entry 3 belongs") {
		t.Errorf("error: %v", err)
	}
	runs, err := d.Runs()
	if err != nil || len(runs) != 2 || runs[0].State != journal.StateRunning || runs[1].State != journal.StateDamaged || runs[1].Damage == nil {
		t.Errorf("runs: %+v, %v", runs, err)
	}
	left, err := d.Unfinished([]journal.JobKey{orders})
	if err != nil || len(left) != 1 || left[0].Run != run1 {
		t.Errorf("unfinished: %+v, %v", left, err)
	}
}

func TestARunOfALaterFormatIsRefused(t *testing.T) {
	d := open(t, t.TempDir())
	j := start(t, d, run1)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(j.Folder(), "header.json")
	for content, target := range map[string]any{
		`{"format":2,"run":"` + run1 + `"}`:          new(*journal.VersionError),
		`{"format":1,"run":"20261122T100329Z-zzzz"}`: new(*journal.DamagedError),
		`{"format":1,`: new(*journal.DamagedError),
		``:             new(*journal.DamagedError),
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Resume(run1); !errors.As(err, target) {
			t.Errorf("%s: %v", content, err)
		}
		if s, err := d.Find(run1); err != nil || s.State != journal.StateDamaged || s.Run != run1 {
			t.Errorf("%s: %+v, %v", content, s, err)
		}
	}
}

func TestNamesThatAreNoRunsAreRefused(t *testing.T) {
	dir := t.TempDir()
	d := open(t, filepath.Join(dir, "state"))
	start(t, d, run1)
	for _, name := range []string{"", ".", "..", "../runs/" + run1, run1 + "/", run1 + "\x00", "/etc", "20261122T100329Z-AAAA", "x"} {
		if _, err := d.Resume(name); !errors.Is(err, journal.ErrNotFound) {
			t.Errorf("resume %q: %v", name, err)
		}
		h := header(name)
		if _, err := d.Create(h, nil); err == nil {
			t.Errorf("create %q: no error", name)
		}
	}
	if _, err := d.Resume("20261122T100329Z-aaab"); !errors.Is(err, journal.ErrNotFound) {
		t.Errorf("resume of a run that is not there: %v", err)
	}
	if _, err := d.Create(header(run1), nil); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create a run that is there: %v", err)
	}
}

func TestRunIDsSortByTimeAndDiffer(t *testing.T) {
	seen := make(map[string]bool)
	for range 100 {
		id := journal.NewRunID(noon.In(time.FixedZone("x", 7200)))
		if !strings.HasPrefix(id, "20261122T100329Z-") || len(id) != 21 {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
	}
	if len(seen) < 90 {
		t.Errorf("only %d of 100 ids differ", len(seen))
	}
	if a, b := journal.NewRunID(noon), journal.NewRunID(noon.Add(time.Second)); a >= b {
		t.Errorf("%s is not before %s", a, b)
	}
}

func TestAStateDirectoryThatCannotBeWrittenSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	readOnly := mount(t, syscall.MS_RDONLY, "size=64k")
	check := func(what string, err error) {
		t.Helper()
		var e *journal.WriteError
		if !errors.As(err, &e) || !strings.Contains(e.Hint(), "--state-dir") {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := journal.Open(file)
	check("a file", err)
	d := open(t, filepath.Join(readOnly, "state"))
	_, err = d.Create(header(run1), nil)
	check("read-only: create", err)
	_, err = d.Lock([]journal.JobKey{orders})
	check("read-only: lock", err)
	if runs, err := d.Runs(); err != nil || len(runs) > 0 {
		t.Errorf("read-only: runs: %v, %v", runs, err)
	}
	if _, err := journal.Open(""); err == nil {
		t.Error("no path: no error")
	}
}

// mount mounts a tmpfs; the tests run as root.
func mount(t testing.TB, flags uintptr, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		t.Fatalf("mount a tmpfs (the tests must run as root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestAFullDiskLosesNothingThatWasRecorded(t *testing.T) {
	dir := mount(t, 0, "size=64k")
	d := open(t, dir)
	j := start(t, d, run1)
	var last int64
	var failure error
	for i := range 10000 {
		e, err := j.Record(engine.Entry{Type: engine.EntryIntended, Action: &engine.Action{Summary: fmt.Sprint(i)}})
		if err != nil {
			failure = err
			break
		}
		last = e.Seq
	}
	var e *journal.WriteError
	if !errors.As(failure, &e) || !errors.Is(failure, syscall.ENOSPC) || !strings.Contains(e.Hint(), "make room") {
		t.Fatalf("error: %v", failure)
	}
	if _, err := j.Record(engine.Entry{}); !errors.Is(err, failure) {
		t.Errorf("the next entry: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Create(header("20261122T100330Z-bbbb"), make([]byte, 1<<16)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("create: %v", err)
	}
	again, err := d.Resume(run1)
	if err != nil {
		t.Fatal(err)
	}
	if h := again.History(); int64(len(h)) != last {
		t.Errorf("%d entries, %d were recorded", len(h), last)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	if runs, err := d.Runs(); err != nil || len(runs) != 1 {
		t.Errorf("the run that could not be created is listed: %v, %v", runs, err)
	}
}
