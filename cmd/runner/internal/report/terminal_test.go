package report_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"

	"runner/cmd/runner/internal/engine"
	"runner/cmd/runner/internal/report"
)

// vt is a terminal: it understands text, line ends, cursor up, erase below and
// colours, fails the test on anything else, and keeps what it showed.
type vt struct {
	t     *testing.T
	width int

	mu     sync.Mutex
	lines  []string
	row    int
	writes int
	frames []string // what was there after each write that changed it
	bytes  bytes.Buffer
}

var escape = regexp.MustCompile(`^\x1b\[([0-9;]*)([A-Za-z])`)

func (v *vt) Write(b []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.writes++
	v.bytes.Write(b)
	for s := string(b); s != ""; {
		switch s[0] {
		case '\x1b':
			m := escape.FindStringSubmatch(s)
			if m == nil {
				v.t.Fatalf("odd escape sequence: %q", s[:min(len(s), 20)])
			}
			s = s[len(m[0]):]
			v.control(m[1], m[2])
		case '\n':
			s = s[1:]
			v.line()
			if w := runewidth.StringWidth(v.lines[v.row]); w > v.width {
				v.t.Errorf("a line of %d columns on a terminal of %d: %q", w, v.width, v.lines[v.row])
			}
			v.row++
		default:
			n := strings.IndexAny(s, "\x1b\n")
			if n < 0 {
				n = len(s)
			}
			v.line()
			v.lines[v.row] += s[:n]
			s = s[n:]
		}
	}
	if now := strings.Join(v.lines, "\n"); len(v.frames) == 0 || v.frames[len(v.frames)-1] != now {
		v.frames = append(v.frames, now)
	}
	return len(b), nil
}

// line makes the line under the cursor be there.
func (v *vt) line() {
	for len(v.lines) <= v.row {
		v.lines = append(v.lines, "")
	}
}

func (v *vt) control(args, command string) {
	switch command {
	case "m":
	case "A":
		n, err := strconv.Atoi(args)
		if err != nil || n > v.row {
			v.t.Errorf("cursor up by %q from row %d", args, v.row)
			return
		}
		v.row -= n
	case "J":
		v.lines = v.lines[:min(v.row, len(v.lines))]
	default:
		v.t.Errorf("control sequence %s%s", args, command)
	}
}

func (v *vt) screen() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return strings.Join(v.lines, "\n")
}

// watch plays to a terminal view and gives the terminal back.
func watch(t *testing.T, o report.Options, play func(p player, v report.View, tty *vt)) (tty *vt, stdout string) {
	t.Helper()
	if o.Width == 0 {
		o.Width = 80
	}
	var out bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		tty = &vt{t: t, width: o.Width}
		o.Stdout, o.Stderr, o.Terminal = &out, tty, true
		v := report.New(o)
		play(player{v}, v, tty)
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	return tty, out.String()
}

func TestTheTerminalEndsWithALineForEveryStep(t *testing.T) {
	tty, stdout := watch(t, report.Options{Width: 100}, func(p player, _ report.View, _ *vt) { p.apply() })
	golden(t, "terminal.txt", both(stdout, tty.screen()))
}

func TestARunningStepShowsBarBytesRateAndTimeLeft(t *testing.T) {
	id := step("job.orders", "clone")
	watch(t, report.Options{Width: 100}, func(p player, _ report.View, tty *vt) {
		p.started([]string{"job.orders"}, "clone")
		p.begin(id)
		for i := range int64(21) {
			p.progress(id, "", i*gib/20, 4*gib)
			time.Sleep(500 * time.Millisecond)
		}
		// The newest frame may be 150 ms old, so the last digits are not for a test.
		line := strings.TrimRight(tty.screen(), "\n")
		for _, part := range []string{"━━━━━━──────────────────", "25%  1.0 GiB of 4.0 GiB  ", "MiB/s  ", "s left"} {
			if !strings.Contains(line, part) {
				t.Errorf("%q is missing in %q", part, line)
			}
		}
		p.end(id, engine.OutcomeDone, time.Second, nil)
	})
}

func TestAStalledStepSlowsDown(t *testing.T) {
	id := step("job.orders", "clone")
	watch(t, report.Options{Width: 120}, func(p player, _ report.View, tty *vt) {
		p.started([]string{"job.orders"}, "clone")
		p.begin(id)
		for i := range int64(5) {
			p.progress(id, "", i<<20, 100<<20)
			time.Sleep(time.Second)
		}
		first := tty.screen()
		time.Sleep(10 * time.Minute)
		later := tty.screen()
		if !strings.Contains(first, "1.0 MiB/s") || !strings.Contains(later, "6.8 KiB/s") {
			t.Errorf("screens:\n%s\n%s", first, later)
		}
	})
}

func TestNoLineIsWiderThanTheTerminal(t *testing.T) {
	for _, width := range []int{20, 40, 60, 80, 200} {
		id := step(`job.each["Überlandwerk-Süd und noch viel mehr"]`, "compress")
		watch(t, report.Options{Width: width, Color: true}, func(p player, _ report.View, _ *vt) {
			p.started([]string{id.Job}, id.Step)
			p.begin(id)
			for i := range int64(30) {
				p.progress(id, "FILE COPY", i*gib, 40*gib)
				time.Sleep(100 * time.Millisecond)
			}
			p.end(id, engine.OutcomeInterrupted, time.Hour, nil)
			p.view.Observe(engine.StepFinished{Stamp: now(), ID: step("a", "b"), Outcome: engine.OutcomeSkipped, Err: &engine.SkippedError{Below: id}})
			time.Sleep(time.Second)
		})
	}
}

func TestThePaintIsOneWriteAFrameAndNoMoreThanTenASecond(t *testing.T) {
	id := step("job.orders", "clone")
	tty, _ := watch(t, report.Options{}, func(p player, _ report.View, _ *vt) {
		p.started([]string{"job.orders"}, "clone")
		p.begin(id)
		for i := range int64(1000) {
			p.progress(id, "", i<<20, 1<<40)
			time.Sleep(10 * time.Millisecond)
		}
	})
	if tty.writes > 110 {
		t.Errorf("%d writes in ten seconds", tty.writes)
	}
	for i, f := range tty.frames { // no frame without the line: that would be the flicker
		if !strings.Contains(f, "job.orders/clone") {
			t.Errorf("frame %d of %d: %q", i, len(tty.frames), f)
		}
	}
}

func TestFindingsNotesAndLogLinesStandAboveTheBars(t *testing.T) {
	id := step("job.orders", "clone")
	watch(t, report.Options{}, func(p player, v report.View, tty *vt) {
		p.started([]string{"job.orders"}, "clone")
		p.begin(id)
		p.progress(id, "", 1, 2)
		time.Sleep(time.Second)
		p.finding("job.orders", "RUN008", engine.SeverityWarning, "2 tables will be empty", "", "")
		v.Logger().Info("staging directory kept")
		p.view.Observe(engine.Note{Stamp: now(), ID: id, Text: "tries again"})
		time.Sleep(time.Second)
		want := []string{
			"  warning RUN008  job.orders: 2 tables will be empty",
			"00:00:01 INF staging directory kept",
			"00:00:01 INF tries again step=job.orders/clone",
			"    job.orders/clone  ━━━━━━━━━━━━────────────   50%  1 B of 2 B",
		}
		if diff := cmp.Diff(want, strings.Split(strings.TrimRight(tty.screen(), "\n"), "\n")); diff != "" {
			t.Error(diff)
		}
		p.end(id, engine.OutcomeDone, time.Second, nil)
	})
}

func TestAfterCloseTheLoggerStillWrites(t *testing.T) {
	tty, _ := watch(t, report.Options{LogFormat: "text"}, func(p player, v report.View, _ *vt) {
		p.started([]string{"job.orders"}, "clone")
		if err := v.Close(); err != nil {
			t.Error(err)
		}
		v.Logger().Log(t.Context(), slog.LevelInfo, "goodbye")
		p.begin(step("job.orders", "clone")) // nobody paints it
		p.end(step("job.orders", "clone"), engine.OutcomeDone, 0, nil)
	})
	if !strings.Contains(tty.screen(), "goodbye") {
		t.Errorf("screen: %q", tty.screen())
	}
}

func TestColoursOnlyWhereTheyAreWanted(t *testing.T) {
	for _, color := range []bool{true, false} {
		tty, stdout := watch(t, report.Options{Color: color, Width: 100}, func(p player, _ report.View, _ *vt) { p.apply() })
		if got := bytes.Contains(tty.bytes.Bytes(), []byte("\x1b[32m")); got != color {
			t.Errorf("colours wanted: %v, there: %v", color, got)
		}
		if strings.Contains(stdout, "\x1b") {
			t.Error("the answer on standard output has escape sequences")
		}
	}
}

func TestManyStepsAtOnceKeepTheirLines(t *testing.T) {
	var jobs []string
	for i := range 12 {
		jobs = append(jobs, fmt.Sprintf("job.n%02d", i))
	}
	tty, _ := watch(t, report.Options{}, func(p player, _ report.View, _ *vt) {
		p.started(jobs, "clone")
		for _, j := range jobs {
			p.begin(step(j, "clone"))
		}
		time.Sleep(time.Second)
		for i, j := range jobs {
			var err error
			o := engine.OutcomeDone
			if i%5 == 4 {
				o, err = engine.OutcomeFailed, errors.New("boom")
			}
			p.end(step(j, "clone"), o, time.Second, err)
			if i%3 == 0 {
				time.Sleep(time.Second)
			}
		}
		p.finished(engine.OutcomeFailed, time.Second, errors.New("boom"))
	})
	for _, j := range jobs {
		if n := strings.Count(tty.screen(), j+"/clone"); n != 1 && n != 2 { // a failure is told again at the end
			t.Errorf("%s is there %d times:\n%s", j, n, tty.screen())
		}
	}
}
