package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"runner/pkg/mysqld/mysqldtest"
)

// TestTorture stops runs at random moments, with every signal, again and again, and then has each resumed or
// discarded. Whatever the moment was, the server must be as before, the staging folder empty, and the repository must
// hold whole backups only.
//
// RUNNER_TORTURE_ROUNDS is how many runs are tortured (12), RUNNER_TORTURE_SEED repeats what was chosen in an earlier
// test; the moments still depend on the machine.
func TestTorture(t *testing.T) {
	rounds := number(t, "RUNNER_TORTURE_ROUNDS", 12)
	seed := uint64(number(t, "RUNNER_TORTURE_SEED", int(time.Now().UnixNano()&0xffffffff)))
	t.Logf("RUNNER_TORTURE_ROUNDS=%d RUNNER_TORTURE_SEED=%d", rounds, seed)
	server := mysqldtest.Start(t)
	server.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.t (id INT PRIMARY KEY, v MEDIUMBLOB)",
		"INSERT INTO shop.t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 400) SELECT i, REPEAT(RANDOM_BYTES(1024), 64) FROM n")
	for i := range rounds {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			r := newRound(t, server, rand.New(rand.NewPCG(seed, uint64(i)))) //nolint:gosec // choices, not secrets
			r.torture()
		})
	}
}

func number(t *testing.T, name string, absent int) int {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		return absent
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// round is one run that is tortured, with folders of its own.
type round struct {
	t      *testing.T
	server *mysqldtest.Server
	rand   *rand.Rand
	folder string
	jobs   int
	before string // what the server was set to
}

const torturePlan = `
source "mysql" "here" {
  socket = env("SOCKET")
  user   = "root"
}
repository "local" "disk" { path = "REPO" }
defaults {
  check {
    min_free = "1M"
    plugin   = "install"
  }
  clone {
    mode        = "local"
    directory   = "STAGING"
    bandwidth   = "30M"
    threads     = 3
    ddl         = "block"
    ddl_timeout = "2m"
  }
  compress { bandwidth = "60M" }
}
job "each" {
  for_each   = { JOBS }
  source     = source.mysql.here
  repository = repository.local.disk
}
`

func newRound(t *testing.T, server *mysqldtest.Server, r *rand.Rand) *round {
	t.Helper()
	x := &round{t: t, server: server, rand: r, folder: t.TempDir(), jobs: 1 + r.IntN(6)/5}
	for _, name := range []string{"staging", "repo"} {
		if err := os.Mkdir(filepath.Join(x.folder, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	jobs := `a = "1"`
	if x.jobs == 2 {
		jobs += `, b = "2"`
	}
	plan := strings.NewReplacer("STAGING", filepath.Join(x.folder, "staging"), "REPO", filepath.Join(x.folder, "repo"), "JOBS", jobs).Replace(torturePlan)
	if err := os.WriteFile(x.path("plan.hcl"), []byte(plan), 0o600); err != nil {
		t.Fatal(err)
	}
	x.setServer()
	x.before = x.settings()
	t.Logf("%d jobs; the server:\n%s", x.jobs, x.before)
	return x
}

// setServer chooses what the run has to put back: other settings each time, and sometimes no plugin at all.
func (x *round) setServer() {
	const there = "SELECT COUNT(*) FROM information_schema.plugins WHERE plugin_name = 'clone'"
	installed := x.server.Value(x.t, there) == "1"
	if x.rand.IntN(4) == 0 {
		if installed {
			x.server.Exec(x.t, "UNINSTALL PLUGIN clone")
		}
		return
	}
	if !installed {
		x.server.Exec(x.t, "INSTALL PLUGIN clone SONAME 'mysql_clone.so'")
	}
	x.server.Exec(x.t,
		fmt.Sprintf("SET GLOBAL clone_max_data_bandwidth = %d", 100+x.rand.IntN(100)),
		fmt.Sprintf("SET GLOBAL clone_max_concurrency = %d", 4+x.rand.IntN(20)),
		fmt.Sprintf("SET GLOBAL clone_ddl_timeout = %d", 200+x.rand.IntN(100)),
		fmt.Sprintf("SET GLOBAL clone_block_ddl = %d", x.rand.IntN(2)))
}

func (x *round) path(name string) string { return filepath.Join(x.folder, name) }

// settings are the server's variables and plugins.
func (x *round) settings() string {
	var b strings.Builder
	for _, query := range []string{
		"SELECT variable_name, variable_value FROM performance_schema.global_variables WHERE variable_name LIKE 'clone%' ORDER BY 1",
		"SELECT plugin_name, plugin_status FROM information_schema.plugins WHERE plugin_name = 'clone'",
	} {
		for _, row := range x.server.Query(x.t, query) {
			fmt.Fprintln(&b, strings.Join(row, " "))
		}
	}
	return b.String()
}

// torture applies, stops, resumes and stops again, as often as it falls, and then ends the run in one of the ways there are.
func (x *round) torture() {
	code := x.stopped("apply", x.path("plan.hcl"))
	for code != 0 && x.rand.IntN(5) < 2 {
		if runs := x.runs(); len(runs) == 0 || runs[0].State == "complete" { // stopped before there was one, or when all was done
			break
		}
		code = x.stopped("resume")
	}
	x.end(code)
	x.inspect()
}

// end brings an unfinished run to an end, whichever one is chosen.
func (x *round) end(code int) {
	runs := x.runs()
	if len(runs) == 0 { // stopped before there was one
		return
	}
	if code == 0 {
		if runs[0].State != "complete" {
			x.t.Fatalf("runner exited with 0, and its run is %s", runs[0].State)
		}
		return
	}
	if runs[0].State == "complete" { // killed when all was done
		return
	}
	switch x.rand.IntN(4) {
	case 0:
		x.finish(0, "complete", "resume", runs[0].Run)
	case 1:
		x.finish(0, "complete", "apply", x.path("plan.hcl"), "--resume")
	case 2:
		for code != 0 && x.rand.IntN(2) == 0 {
			code = x.stopped("discard", runs[0].Run)
		}
		if code != 0 || x.runs()[0].State != "discarded" {
			x.finish(0, "discarded", "discard", runs[0].Run)
		}
	case 3:
		x.finish(0, "complete", "apply", x.path("plan.hcl"), "--restart")
	}
}

// finish runs a command that nobody stops, and wants its code and the newest run's state.
func (x *round) finish(want int, state string, args ...string) {
	x.t.Logf("runner %s", strings.Join(args, " "))
	out, err := x.command(args...).CombinedOutput()
	if code := x.code(err); code != want {
		x.t.Fatalf("runner %s exited with %d, want %d:\n%s", args[0], code, want, out)
	}
	if runs := x.runs(); runs[0].State != state || runs[0].Left != 0 {
		x.t.Errorf("after %s the newest run is %s with %d things left, want %s with none\n%s", args[0], runs[0].State, runs[0].Left, state, out)
	}
}

func (x *round) command(args ...string) *exec.Cmd {
	c := exec.Command("runner", append(args, "--json")...)
	c.Env = append(os.Environ(), "SOCKET="+x.server.Socket(), "RUNNER_STATE_DIR="+x.path("state"))
	return c
}

// code is the exit code, which must be one of DESIGN's; -1 is a death by signal.
func (x *round) code(err error) int {
	x.t.Helper()
	if err == nil {
		return 0
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		x.t.Fatal(err)
	}
	code := exit.ExitCode()
	if !slices.Contains([]int{-1, 0, 1, 2, 3, 4, 5, 6, 130}, code) {
		x.t.Fatalf("exit code %d: %s", code, exit.Stderr)
	}
	return code
}

// stopped runs a command and stops it at a moment and in a way that are chosen; it gives the exit code.
func (x *round) stopped(args ...string) int {
	c := x.command(args...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		x.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	signal := []syscall.Signal{syscall.SIGKILL, syscall.SIGKILL, syscall.SIGINT, syscall.SIGTERM}[x.rand.IntN(4)]
	twice := signal != syscall.SIGKILL && x.rand.IntN(4) == 0
	moment := x.moment()
	x.t.Logf("runner %s: %v (twice: %v) %s", strings.Join(args, " "), signal, twice, moment)
	var err error
	select {
	case err = <-ended:
	case <-moment.come(ctx, x.path("state")):
		// It may have ended meanwhile; then there is nobody to be stopped.
		_ = c.Process.Signal(signal)
		if twice {
			time.Sleep(time.Duration(x.rand.IntN(100)) * time.Millisecond)
			_ = c.Process.Signal(signal)
		}
		err = <-ended
	}
	code := x.code(err)
	switch {
	case code == 0, code == -1 && signal == syscall.SIGKILL:
	case code == 130 && signal != syscall.SIGKILL:
		if !twice {
			x.settled(args[0], out.Bytes())
		}
	case code == -1 && out.Len() == 0: // before runner had taken charge of its signals, and so before it did anything
	default:
		x.t.Fatalf("runner %s, stopped by %v, exited with %d:\n%s", args[0], signal, code, out.String())
	}
	return code
}

// settled wants a server that was left as it was by a run that was allowed to stop in its own time. A resume or a discard
// that was stopped before it came to the clone leaves what the attempt before it left, and then the run must still know of it.
func (x *round) settled(command string, out []byte) {
	after := x.settings()
	cloning := x.server.Value(x.t, "SELECT COUNT(*) FROM performance_schema.threads WHERE PROCESSLIST_INFO LIKE 'CLONE LOCAL%'")
	if after == x.before && cloning == "0" {
		return
	}
	if command != "apply" && !x.cloned(out) && x.runs()[0].Left > 0 {
		return
	}
	x.t.Errorf("after a clean stop %s clones run on the server, and it has:\n%s\nbefore, it had:\n%s\n%s", cloning, after, x.before, out)
}

// cloned says whether every job of an attempt began a clone of its own, before which each undoes what was there.
func (x *round) cloned(out []byte) bool {
	begun := map[string]bool{}
	for line := range bytes.Lines(out) {
		var l struct{ Type, Job, Step string }
		if json.Unmarshal(line, &l) == nil && l.Type == "intended" && l.Step == "clone" {
			begun[l.Job] = true
		}
	}
	return len(begun) == x.jobs
}

// moment is when a run is stopped: some time after the journal has a number of lines.
type moment struct {
	lines int
	after time.Duration
}

func (m moment) String() string {
	return fmt.Sprintf("%v after line %d of the journal", m.after, m.lines)
}

func (x *round) moment() moment {
	m := moment{lines: journalLines(x.path("state")) + x.rand.IntN(16*x.jobs)}
	switch x.rand.IntN(3) {
	case 0:
		m.after = time.Duration(x.rand.IntN(2000)) * time.Microsecond
	case 1:
		m.after = time.Duration(x.rand.IntN(200)) * time.Millisecond
	case 2:
		m.after = time.Duration(x.rand.IntN(2500)) * time.Millisecond
	}
	return m
}

// come is closed at the moment, or when ctx ends.
func (m moment) come(ctx context.Context, state string) <-chan struct{} {
	come := make(chan struct{})
	go func() {
		defer close(come)
		for ctx.Err() == nil && journalLines(state) < m.lines {
			time.Sleep(200 * time.Microsecond)
		}
		time.Sleep(m.after)
	}()
	return come
}

// journalLines is the length of the newest run's journal.
func journalLines(state string) int {
	paths, err := filepath.Glob(filepath.Join(state, "runs", "*", "journal.jsonl"))
	if err != nil || len(paths) == 0 {
		return 0
	}
	data, err := os.ReadFile(slices.Max(paths))
	if err != nil {
		return 0
	}
	return bytes.Count(data, []byte("\n"))
}

type tortured struct {
	Run, State string
	Left       int
	Jobs       []string
}

// runs are all runs, newest first.
func (x *round) runs() []tortured {
	out, err := x.command("runs").Output()
	if code := x.code(err); code != 0 {
		x.t.Fatalf("runner runs exited with %d:\n%s", code, out)
	}
	var all []tortured
	for line := range bytes.Lines(out) {
		var l struct {
			Type string
			tortured
		}
		if err := json.Unmarshal(line, &l); err != nil {
			x.t.Fatalf("%s: %v", line, err)
		}
		if l.Type == "run" {
			all = append(all, l.tortured)
		}
	}
	return all
}

// inspect looks at all that a run may leave.
func (x *round) inspect() {
	if after := x.settings(); after != x.before {
		x.t.Errorf("the server has:\n%s\nbefore, it had:\n%s", after, x.before)
	}
	if left, err := os.ReadDir(x.path("staging")); err != nil || len(left) > 0 {
		x.t.Errorf("left in the staging folder: %v (%v)", left, err)
	}
	backups, err := filepath.Glob(x.path("repo/*/*"))
	if err != nil {
		x.t.Fatal(err)
	}
	complete := 0
	for _, run := range x.runs() {
		if run.State == "complete" {
			complete++
		}
		// One that was stopped before it began anything is not in the way of another.
		if run.Left != 0 {
			x.t.Errorf("run %s is %s with %d things left", run.Run, run.State, run.Left)
		}
	}
	if least := complete * x.jobs; len(backups) < least {
		x.t.Errorf("%d runs of %d jobs are complete, and there are %d backups", complete, x.jobs, len(backups))
	}
	for _, backup := range backups {
		x.whole(backup)
	}
}

// whole wants a backup of exactly its four files that verifies.
func (x *round) whole(backup string) {
	entries, err := os.ReadDir(backup)
	if err != nil {
		x.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"SHA256SUMS", "data.tar.zst", "index.json.zst", "manifest.json"}; !slices.Equal(names, want) {
		x.t.Errorf("%s holds %q, want %q", backup, names, want)
		return
	}
	if out, err := x.command("verify", backup).CombinedOutput(); err != nil {
		x.t.Errorf("verify %s: %v\n%s", backup, err, out)
	}
}
