package report_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"runner/cmd/runner/internal/engine"
	"runner/cmd/runner/internal/report"
	"runner/pkg/plan/graph"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) {
	time.Local = time.UTC // golden files of the terminal show the time of day
	goleak.VerifyTestMain(m)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got); go test -update writes it anew:\n%s", name, diff)
	}
}

// player gives events to a view, at the time of the bubble.
type player struct{ view engine.Observer }

func now() engine.Stamp { return engine.Stamp{Time: time.Now()} }

func step(job, name string) graph.ID { return graph.ID{Job: job, Step: name} }

func (p player) started(jobs []string, names ...string) {
	e := engine.RunStarted{Stamp: now(), Run: "20261122T100329Z-k3f9", Attempt: 1, Jobs: jobs}
	for _, j := range jobs {
		for _, n := range names {
			e.Steps = append(e.Steps, step(j, n))
		}
	}
	p.view.Observe(e)
}

func (p player) begin(id graph.ID) { p.view.Observe(engine.StepStarted{Stamp: now(), ID: id}) }

func (p player) end(id graph.ID, o engine.Outcome, d time.Duration, err error) {
	p.view.Observe(engine.StepFinished{Stamp: now(), ID: id, Outcome: o, Duration: d, Err: err})
}

func (p player) progress(id graph.ID, stage string, done, total int64) {
	p.view.Observe(engine.StepProgress{Stamp: now(), ID: id, Progress: engine.Progress{Stage: stage, Done: done, Total: total}})
}

func (p player) finding(job, code string, s engine.Severity, summary, detail, hint string) {
	p.view.Observe(engine.FindingFound{Stamp: now(), Finding: engine.Finding{
		Job: job, Step: "check", Code: code, Severity: s, Summary: summary, Detail: detail, Hint: hint,
	}})
}

func (p player) intend(id graph.ID, kind engine.ActionKind, summary string) {
	p.view.Observe(engine.Intended{Stamp: now(), ID: id, Action: engine.Action{Kind: kind, Summary: summary}})
}

func (p player) finished(o engine.Outcome, d time.Duration, err error) {
	p.view.Observe(engine.RunFinished{Stamp: now(), Run: "20261122T100329Z-k3f9", Outcome: o, Duration: d, Err: err})
}

// hinted is an error with a hint.
type hinted struct{ error }

func (hinted) Hint() string { return "make room, then: runner resume" }

const gib = 1 << 30

// apply plays a run of two jobs, of which one is backed up and one fails.
func (p player) apply() {
	orders, each := "job.orders", `job.each["eu"]`
	p.started([]string{orders, each}, "check", "clone", "compress", "metadata")
	p.begin(step(orders, "check"))
	p.finding(orders, "RUN001", engine.SeverityOK, "the server is MySQL 9.7.4", "", "")
	p.finding(orders, "RUN008", engine.SeverityWarning, "2 tables will be empty in the backup",
		"CLONE copies InnoDB only: shop.log (MyISAM) and shop.old (ARCHIVE) come back without rows.", "ALTER TABLE shop.log ENGINE=InnoDB")
	time.Sleep(120 * time.Millisecond)
	p.end(step(orders, "check"), engine.OutcomeDone, 120*time.Millisecond, nil)
	p.begin(step(orders, "clone"))
	p.begin(step(each, "check"))
	p.intend(step(orders, "clone"), engine.ActionDirectory, "create directory /srv/staging/x")
	for i := range int64(15) {
		p.progress(step(orders, "clone"), "FILE COPY", i*gib/5, 3*gib)
		time.Sleep(5 * time.Second)
	}
	p.end(step(each, "check"), engine.OutcomeResumed, 75*time.Second, nil)
	p.end(step(orders, "clone"), engine.OutcomeDone, 75*time.Second, nil)
	p.begin(step(each, "clone"))
	p.view.Observe(engine.Note{Stamp: now(), ID: step(each, "clone"), Text: "failed, tries again in 5s (1 of 3): busy", Detail: "stack\nof it"})
	p.begin(step(orders, "compress"))
	p.progress(step(orders, "compress"), "", 0, 0)
	time.Sleep(40 * time.Second)
	p.end(step(each, "clone"), engine.OutcomeFailed, 40*time.Second, hinted{errors.New("write /srv/staging: no space left on device")})
	p.end(step(each, "compress"), engine.OutcomeSkipped, 0, &engine.SkippedError{Below: step(each, "clone")})
	p.end(step(each, "metadata"), engine.OutcomeSkipped, 0, &engine.SkippedError{Below: step(each, "clone")})
	p.end(step(orders, "compress"), engine.OutcomeAdopted, 40*time.Second, nil)
	p.begin(step(orders, "metadata"))
	p.view.Observe(engine.Backup{Stamp: now(), Job: orders, Run: "20261122T100329Z-k3f9", Path: "/srv/backups/mysql/orders/20261122T100329Z-k3f9", Bytes: gib, RawBytes: 3 * gib})
	p.end(step(orders, "metadata"), engine.OutcomeDone, 3*time.Millisecond, nil)
	p.finished(engine.OutcomeFailed, 115*time.Second, errors.New("job.each[\"eu\"]/clone: write /srv/staging: no space left on device"))
}

// shown plays to a view and returns what it wrote.
func shown(t *testing.T, o report.Options, play func(p player)) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		o.Stdout, o.Stderr = &out, &errs
		v := report.New(o)
		play(player{v})
		if err := errors.Join(v.Close(), v.Close()); err != nil {
			t.Error(err)
		}
	})
	return out.String(), errs.String()
}

func both(stdout, stderr string) string {
	return "--- stdout ---\n" + stdout + "--- stderr ---\n" + stderr
}

func TestTheLogViewTellsStartsEndsAndAStatusLineAnInterval(t *testing.T) {
	golden(t, "log.txt", both(shown(t, report.Options{}, player.apply)))
}

func TestWorkThatIsNoRunIsShownToo(t *testing.T) {
	id := step("/srv/backups/orders/20261122T100329Z-k3f9", "verify")
	play := func(p player) {
		p.begin(id)
		time.Sleep(time.Second / 2) // no event at the very moment of a status line
		for i := range int64(70) {
			p.progress(id, "verify", i*gib/20, 7*gib/2)
			time.Sleep(time.Second)
		}
		p.end(id, engine.OutcomeDone, 70*time.Second, nil)
	}
	golden(t, "verify.txt", both(shown(t, report.Options{}, play)))
	_, stderr := shown(t, report.Options{Terminal: true, Width: 160}, play)
	for _, part := range []string{"━   50%  1.8 GiB of 3.5 GiB  51 MiB/s  35s left\n", "✓ " + id.String() + "  1m10s"} {
		if !strings.Contains(strings.ReplaceAll(stderr, "─", ""), part) {
			t.Errorf("%q is not on the terminal: %q", part, stderr[:400])
		}
	}
}

func TestARunThatIsNotCompleteSaysHowToGoOn(t *testing.T) {
	const next = "runner resume 20261122T100329Z-k3f9"
	failed := &engine.RunError{Record: &engine.RecordError{Err: hinted{errors.New("write journal: full")}}}
	for name, tc := range map[string]struct {
		play func(p player)
		want bool
	}{
		"interrupted": {play: func(p player) { p.finished(engine.OutcomeInterrupted, 0, errors.New("interrupted")) }, want: true},
		"failed after it had begun": {play: func(p player) {
			p.intend(step("job.a", "clone"), engine.ActionDirectory, "create a directory")
			p.finished(engine.OutcomeFailed, 0, failed)
		}, want: true},
		"failed before it had begun anything": {play: func(p player) { p.finished(engine.OutcomeFailed, 0, failed) }},
		"complete":                            {play: func(p player) { p.finished(engine.OutcomeDone, 0, nil) }},
	} {
		for _, terminal := range []bool{true, false} {
			_, stderr := shown(t, report.Options{Terminal: terminal}, func(p player) {
				p.started([]string{"job.a"}, "clone")
				tc.play(p)
			})
			if got := strings.Contains(stderr, next); got != tc.want {
				t.Errorf("%s, terminal %v: %q", name, terminal, stderr)
			}
			if strings.HasPrefix(name, "failed") && !strings.Contains(stderr, "make room") {
				t.Errorf("%s, terminal %v: no hint of the record's error: %q", name, terminal, stderr)
			}
		}
	}
}

func TestTheLogCanBeJSON(t *testing.T) {
	golden(t, "log.json.txt", both(shown(t, report.Options{LogFormat: "json", LogLevel: -4, Interval: time.Minute}, player.apply)))
}

func TestJSONLines(t *testing.T) {
	golden(t, "lines.txt", both(shown(t, report.Options{JSON: true}, func(p player) {
		p.apply()
		p.discoveries("job.orders")
	})))
}

// discoveries plays what only a dry run tells.
func (p player) discoveries(job string) {
	p.view.Observe(engine.Facts{Stamp: now(), Job: job, Rows: []engine.Row{
		{Name: "version", Value: "9.7.4", From: "@@version"}, {Name: "data directory", Value: "/var/lib/mysql/"},
	}})
	p.view.Observe(engine.Lost{Stamp: now(), Job: job, Tables: []string{"shop.log (MyISAM)"}, Other: []string{
		"The keyring is not part of a clone: keep /var/lib/mysql-keyring, or the encrypted tablespaces can't be opened after a restore.",
	}})
	p.view.Observe(engine.Space{Stamp: now(), Job: job, Purpose: engine.SpaceStaging, Path: "/srv/staging", Need: 3 * gib, Free: 10 * gib, Basis: "sum of all tablespaces"})
	p.view.Observe(engine.Space{Stamp: now(), Job: job, Purpose: engine.SpaceArchive, Path: "/srv/backups/mysql", Free: -1})
	p.view.Observe(engine.Forecast{Stamp: now(), Job: job, Duration: 72 * time.Second, Basis: "bandwidth 100 MiB/s and the last 3 runs"})
	p.view.Observe(engine.Forecast{Stamp: now(), Job: job})
}

// plan plays a dry run of two jobs.
func (p player) plan() {
	orders, bad := "job.orders", "job.bad"
	p.started([]string{orders, bad}, "check", "clone", "compress", "checksum", "metadata")
	p.begin(step(orders, "check"))
	p.discoveries(orders)
	for i := range 24 {
		p.finding(orders, fmt.Sprintf("RUN%03d", i+1), engine.SeverityOK, "fine", "", "")
	}
	p.finding(orders, "RUN030", engine.SeverityWarning, "1 table will be empty in the backup",
		"CLONE copies InnoDB only: shop.log (MyISAM) comes back without rows. The plan tolerates this with lost_tables.", "ALTER TABLE shop.log ENGINE=InnoDB")
	p.finding(orders, "RUN031", engine.SeverityUnknown, "the keyring could not be looked at", "", "")
	p.end(step(orders, "check"), engine.OutcomeDone, time.Second, nil)
	p.begin(step(orders, "clone"))
	p.intend(step(orders, "clone"), engine.ActionSetGlobal, "set global clone_max_data_bandwidth = 100, and restore it afterwards")
	p.intend(step(orders, "clone"), engine.ActionDirectory, "create directory /srv/staging/20261122T100329Z-k3f9")
	p.end(step(orders, "clone"), engine.OutcomeDone, time.Second, nil)
	for _, s := range []string{"compress", "checksum", "metadata"} {
		p.begin(step(orders, s))
		if s != "checksum" {
			p.intend(step(orders, s), engine.ActionFile, "write "+s)
		}
		p.end(step(orders, s), engine.OutcomeDone, 0, nil)
	}
	p.begin(step(bad, "check"))
	p.finding(bad, "RUN002", engine.SeverityError, "the server is MariaDB", "MariaDB has no CLONE.", "name a MySQL server of 8.0.17 or later")
	err := hinted{errors.New("1 prerequisite is not met")}
	p.end(step(bad, "check"), engine.OutcomeFailed, time.Second, err)
	for _, s := range []string{"clone", "compress", "checksum"} {
		p.end(step(bad, s), engine.OutcomeSkipped, 0, &engine.SkippedError{Below: step(bad, "check")})
	}
	p.finished(engine.OutcomeFailed, 2*time.Second, err)
}

func TestThePlanViewShowsEachJobInFull(t *testing.T) {
	golden(t, "plan.txt", both(shown(t, report.Options{Plan: true, Width: 80}, player.plan)))
}

func TestTextFromOutsideCannotMoveTheCursor(t *testing.T) {
	evil := "a\x1b[2Jb\rc\x00d\u202ee\nf"
	play := func(p player) {
		p.started([]string{evil}, evil)
		p.begin(step(evil, evil))
		p.view.Observe(engine.Facts{Stamp: now(), Job: evil, Rows: []engine.Row{{Name: evil, Value: evil, From: evil}}})
		p.view.Observe(engine.Lost{Stamp: now(), Job: evil, Tables: []string{evil}, Other: []string{evil}})
		p.view.Observe(engine.Space{Stamp: now(), Job: evil, Purpose: evil, Path: evil, Basis: evil})
		p.view.Observe(engine.Forecast{Stamp: now(), Job: evil, Basis: evil})
		p.view.Observe(engine.Backup{Stamp: now(), Job: evil, Run: evil, Path: evil, Bytes: 1, RawBytes: 1})
		p.finding(evil, evil, engine.SeverityError, evil, evil, evil)
		p.intend(step(evil, evil), engine.ActionFile, evil)
		p.view.Observe(engine.Note{Stamp: now(), ID: step(evil, evil), Text: evil, Detail: evil})
		p.progress(step(evil, evil), evil, 1, 2)
		time.Sleep(time.Second)
		p.end(step(evil, evil), engine.OutcomeFailed, time.Second, errors.New(evil))
		p.finished(engine.OutcomeFailed, time.Second, errors.New(evil))
	}
	for name, o := range map[string]report.Options{
		"plan": {Plan: true, LogLevel: -4}, "log": {LogLevel: -4}, "terminal": {Terminal: true, Width: 120, LogLevel: -4},
	} {
		stdout, stderr := shown(t, o, play)
		text := strings.ReplaceAll(stdout+stderr, "\x1b[2A", "") // mpb's own
		text = strings.NewReplacer("\x1b[1A\x1b[J", "", "\x1b[J", "").Replace(text)
		if i := strings.IndexAny(text, "\x1b\r\x00\u202e"); i >= 0 {
			t.Errorf("%s: %q", name, text[max(0, i-40):min(len(text), i+40)])
		}
	}
}

func TestOddEventsDoNotHurtAnyView(t *testing.T) {
	id := step("job.a", "clone")
	play := func(p player) {
		p.progress(id, "", 1, 0) // before anything
		p.end(id, engine.OutcomeDone, 0, nil)
		p.started(nil)
		p.started([]string{"job.a"}, "clone")
		p.begin(id)
		p.progress(id, "x", -5, -7)
		p.progress(id, "x", 0, 0)
		p.progress(id, "x", 9, 3)
		time.Sleep(2 * time.Second)
		p.progress(id, "x", 1<<62, 1)
		p.progress(id, "y", 1, 1<<62)
		time.Sleep(time.Minute)
		p.end(id, engine.OutcomeInterrupted, -time.Second, nil)
		p.progress(id, "late", 1, 2)
		p.end(id, engine.OutcomeDone, 0, nil) // twice
		p.view.Observe(engine.Backup{})
		p.finished(engine.OutcomeInterrupted, 0, nil)
		p.finished(engine.OutcomeFailed, 0, hinted{errors.New("write record: full")})
		p.begin(id)
	}
	for _, o := range []report.Options{{}, {JSON: true}, {Plan: true}, {Terminal: true}, {Terminal: true, Width: 1}, {Plan: true, Width: 1}} {
		shown(t, o, play)
	}
}

func TestAViewThatIsClosedEarlyLeavesNoGoroutine(t *testing.T) {
	for _, o := range []report.Options{{}, {JSON: true}, {Plan: true}, {Terminal: true}} {
		shown(t, o, func(p player) {})
		shown(t, o, func(p player) {
			p.started([]string{"job.a"}, "clone")
			p.begin(step("job.a", "clone"))
		})
	}
}

func TestJSONProgressIsAtMostOneLineASecondAndTheLastIsThere(t *testing.T) {
	id := step("job.a", "clone")
	stdout, _ := shown(t, report.Options{JSON: true}, func(p player) {
		p.begin(id)
		for i := range int64(300) {
			p.progress(id, "FILE COPY", i, 299)
			time.Sleep(10 * time.Millisecond)
		}
		p.end(id, engine.OutcomeDone, 0, nil)
	})
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if len(lines) != 6 || !strings.Contains(lines[4], `"done":299`) {
		t.Errorf("%d lines:\n%s", len(lines), stdout)
	}
}

// full is a Writer of a full disk.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestAnOutputThatCannotBeWrittenIsReportedByClose(t *testing.T) {
	for _, o := range []report.Options{{}, {JSON: true}, {Plan: true}, {Terminal: true}} {
		synctest.Test(t, func(t *testing.T) {
			o.Stdout, o.Stderr = full{}, &bytes.Buffer{}
			v := report.New(o)
			player{v}.apply()
			if err := v.Close(); err == nil {
				t.Errorf("%+v: no error", o)
			}
		})
	}
}

func TestJSONLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		err := errors.Join(
			report.JSONVersion(&b, "v1"), report.JSONLine(&b, "x", nil), report.JSONLine(&b, "x", struct{}{}),
			report.JSONLine(&b, "x", map[string]any{"a": "<b>&"}), report.JSONSummary(&b, report.SummaryLine{ExitCode: 3}),
		)
		if err != nil {
			t.Fatal(err)
		}
		const at = `"time":"2000-01-01T00:00:00Z"`
		want := `{"type":"version",` + at + `,"schema":1,"runner":"v1"}
{"type":"x",` + at + `}
{"type":"x",` + at + `}
{"type":"x",` + at + `,"a":"<b>&"}
{"type":"summary",` + at + `,"exit_code":3}
`
		if diff := cmp.Diff(want, b.String()); diff != "" {
			t.Error(diff)
		}
		for _, bad := range []any{1, []int{1}, make(chan int), "x"} {
			if err := report.JSONLine(&b, "x", bad); err == nil {
				t.Errorf("%T: no error", bad)
			}
		}
		if err := report.JSONLine(full{}, "x", nil); err == nil {
			t.Error("a full disk: no error")
		}
	})
}

func TestLogFormats(t *testing.T) {
	for name, tc := range map[string]struct {
		o    report.Options
		want string
	}{
		"auto off a terminal":   {o: report.Options{LogFormat: "auto"}, want: "time=2000-01-01T00:00:00.000Z level=INFO msg=hello n=1\n"},
		"auto on a terminal":    {o: report.Options{LogFormat: "auto", Terminal: true, Color: true}, want: "\x1b[2m00:00:00\x1b[0m \x1b[92mINF\x1b[0m hello \x1b[2mn=\x1b[0m1\n"},
		"without colours":       {o: report.Options{Terminal: true}, want: "00:00:00 INF hello n=1\n"},
		"text on a terminal":    {o: report.Options{LogFormat: "text", Terminal: true}, want: "time=2000-01-01T00:00:00.000Z level=INFO msg=hello n=1\n"},
		"json on a terminal":    {o: report.Options{LogFormat: "json", Terminal: true}, want: `{"time":"2000-01-01T00:00:00Z","level":"INFO","msg":"hello","n":1}` + "\n"},
		"too low for the level": {o: report.Options{LogLevel: 4}, want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b bytes.Buffer
				tc.o.Stderr = &b
				report.NewLogger(tc.o).Info("hello", "n", 1)
				if diff := cmp.Diff(tc.want, b.String()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}
