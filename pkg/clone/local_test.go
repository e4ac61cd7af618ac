package clone_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"runner/pkg/clone"
	"runner/pkg/mysqld/mysqldtest"
)

func TestAClone(t *testing.T) {
	runAll(t, mysqldtest.Start(t), []behaviour{
		{"is refused before anything is intended where its target cannot be", refused},
		{"into the data directory is refused by the server and leaves nothing", insideDataDirectory},
		{"by an account with only BACKUP_ADMIN succeeds, and what it may not read is unknown", leastPrivileged},
		{"that finished and does not appear here is another host's", finishedElsewhere},
		{"does not touch a setting that has its value already", settingIsThere},
		{"does not do what cannot be recorded", unrecorded},
		{"by an account that may not set the bandwidth gets a typed error", mayNotSet},
		{"in a dry run sends nothing that changes anything", dryRun},
		{"in a dry run is refused where it would be", dryRunRefuses},
		{"has its settings undone after a crash, but not those of others", undoesGlobals},
		{"has nothing undone that it never does", undoRefuses},
		{"has its plugin undone after a crash", undoesPlugin},
	})
}

func TestASlowClone(t *testing.T) {
	runAll(t, startBig(t), []behaviour{
		{"reports its own progress, in order, never falling, with the default interval", reportsItsOwnProgress},
		{"has its settings recorded before they are set, and restored", settingsHold},
		{"that still runs after a crash is killed by undoing its statement", undoesStatement},
		{"makes a second one busy, which touches nothing", busy},
		{"makes a second one busy by the server's own word too", busyByTheServersWord},
	})
}

func TestCloneAtAPathWithQuotesHasExactCoordinatesAndBoots(t *testing.T) {
	my := mysqldtest.Start(t, mysqldtest.WithArgs("--gtid-mode=ON", "--enforce-gtid-consistency=ON"))
	my.Exec(t, "CREATE DATABASE a", "CREATE TABLE a.t (n INT PRIMARY KEY)", "INSERT INTO a.t VALUES (1), (2), (3)")
	s := connect(t, my)
	directory := filepath.Join(my.Folder(), `it's "a" copy; -- é`)
	var r recorder
	result, err := s.CloneLocal(t.Context(), clone.LocalOptions{Directory: directory + "/"}, r.hooks())
	if err != nil {
		t.Fatal(err)
	}
	wantDirectory(t, directory, clone.DirFinished)
	wantKinds(t, "all", r.kinds(), clone.EffectDirectory, clone.EffectStatement)
	wantKinds(t, "open", r.left(), clone.EffectDirectory)
	if got := decode[clone.DirectoryEffect](t, r.effects[0]); got.Directory != directory || got.Observe != directory {
		t.Errorf("the directory's effect is %+v", got)
	}
	if result.Directory != directory || result.Observe != directory || result.Mode != "local" || len(result.Settings) != 0 {
		t.Errorf("got %+v", result)
	}
	state, err := s.State(t.Context(), directory)
	if err != nil || state.State != clone.CloneCompleted {
		t.Errorf("the server says %+v, %v", state, err)
	}
	checkStages(t, result)
	checkRoundTrip(t, result)

	booted := mysqldtest.Start(t, mysqldtest.WithDataDir(directory), mysqldtest.WithQuiet())
	wantDirectory(t, directory, clone.DirBooted)
	c := result.Coordinates
	if c.From != clone.FromQuietWindow || c.BinlogFile == nil || c.BinlogPosition == nil || c.GTIDExecuted == nil {
		t.Fatalf("coordinates are %+v", c)
	}
	got := []string{*c.BinlogFile, fmt.Sprint(*c.BinlogPosition), *c.GTIDExecuted}
	want := booted.Query(t, "SELECT BINLOG_FILE, BINLOG_POSITION, GTID_EXECUTED FROM performance_schema.clone_status")[0]
	if !slices.Equal(got, want) || *c.GTIDExecuted == "" {
		t.Errorf("coordinates are %v, the booted copy has %v", got, want)
	}
	if n := booted.Value(t, "SELECT COUNT(*) FROM a.t"); n != "3" {
		t.Errorf("the copy has %s rows", n)
	}
}

func checkStages(t *testing.T, result *clone.Result) {
	t.Helper()
	var names []string
	for _, stage := range result.Stages {
		names = append(names, stage.Name)
		if started := stage.State != "Not Started"; started != (stage.Begin != nil) || started != (stage.End != nil) {
			t.Errorf("%s is %s from %v to %v", stage.Name, stage.State, stage.Begin, stage.End)
		}
	}
	want := []string{"DROP DATA", "FILE COPY", "PAGE COPY", "REDO COPY", "FILE SYNC", "RESTART", "RECOVERY"}
	if !slices.Equal(names, want) {
		t.Fatalf("stages are %v, want %v", names, want)
	}
	if file := result.Stages[1]; file.Data < 50<<20 || file.Data != file.Estimate || file.Threads < 1 {
		t.Errorf("FILE COPY is %+v", file)
	}
	if result.Bytes < result.Stages[1].Data || result.End.Before(result.Begin) {
		t.Errorf("%d bytes from %v to %v", result.Bytes, result.Begin, result.End)
	}
	if begin := *result.Stages[1].Begin; begin.Before(result.Begin.Add(-time.Second)) || begin.After(result.End.Add(time.Second)) {
		t.Errorf("FILE COPY began at %v, the clone at %v", begin, result.Begin)
	}
}

func checkRoundTrip(t *testing.T, result *clone.Result) {
	t.Helper()
	first, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	var again clone.Result
	if err := json.Unmarshal(first, &again); err != nil {
		t.Fatal(err)
	}
	second, err := json.Marshal(&again)
	if err != nil || string(first) != string(second) {
		t.Errorf("JSON does not survive: %v\n%s\n%s", err, first, second)
	}
	if !strings.Contains(string(first), `"begin":null`) {
		t.Errorf("stages that never began have no null: %s", first)
	}
}

func TestCloneUnderAWriterIsAWindowAndTheBootedCopyLiesInIt(t *testing.T) {
	my := mysqldtest.Start(t)
	my.Exec(t, "CREATE DATABASE a", "CREATE TABLE a.t (n INT PRIMARY KEY AUTO_INCREMENT, x VARBINARY(500))")
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if _, err := my.Pool().Exec("INSERT INTO a.t (x) VALUES (RANDOM_BYTES(500))"); err != nil {
				done <- err
				return
			}
		}
	}()
	directory := filepath.Join(my.Folder(), "copy")
	result, err := connect(t, my).CloneLocal(t.Context(), clone.LocalOptions{Directory: directory, Bandwidth: 40 << 20}, clone.Hooks{})
	close(stop)
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	c := result.Coordinates
	if c.From != clone.FromWindow || c.BinlogFile != nil || c.BinlogPosition != nil || c.GTIDExecuted != nil || c.LSN != nil {
		t.Errorf("coordinates are %+v, want a window and nothing else", c)
	}
	booted := mysqldtest.Start(t, mysqldtest.WithDataDir(directory), mysqldtest.WithQuiet())
	in := booted.Value(t, "SELECT BINLOG_FILE = ? AND BINLOG_POSITION BETWEEN ? AND ? FROM performance_schema.clone_status",
		*result.Before.BinlogFile, *result.Before.BinlogPosition, *result.After.BinlogPosition)
	if in != "1" || *result.Before.LSN >= *result.After.LSN {
		t.Errorf("before %+v, after %+v, booted %v", result.Before, result.After, booted.Query(t, "SELECT * FROM performance_schema.clone_status"))
	}
	if check := booted.Query(t, "CHECK TABLE a.t"); check[0][3] != "OK" {
		t.Errorf("CHECK TABLE: %v", check)
	}
}

func TestCloneOfAServerWithoutBinaryLogHasNoCoordinatesAndSucceeds(t *testing.T) {
	my := mysqldtest.Start(t, mysqldtest.WithArgs("--disable-log-bin"))
	result, err := connect(t, my).CloneLocal(t.Context(), clone.LocalOptions{Directory: filepath.Join(my.Folder(), "copy")}, clone.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	if c := result.Coordinates; c != (clone.Coordinates{From: clone.FromNone}) {
		t.Errorf("coordinates are %+v", c)
	}
	if result.Before == nil || result.Before.BinlogFile != nil || result.Before.LSN == nil {
		t.Errorf("before is %+v", result.Before)
	}
}

// The published engine read whichever of seven rows came last, rows of the clone before included, and
// panicked in its ticker when no interval was given.
func reportsItsOwnProgress(t *testing.T, my *mysqldtest.Server) {
	s, earlier := connect(t, my), target(t)
	if _, err := s.CloneLocal(t.Context(), clone.LocalOptions{Directory: earlier}, clone.Hooks{}); err != nil {
		t.Fatal(err)
	}
	var r recorder
	result, err := s.CloneLocal(t.Context(), clone.LocalOptions{Directory: target(t), Bandwidth: 150 << 20, Interval: 0}, r.hooks())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.progress) < 5 {
		t.Fatalf("only %d reports; notes %q", len(r.progress), r.notes)
	}
	order := []string{"FILE COPY", "PAGE COPY", "REDO COPY", "FILE SYNC"}
	first, rated := r.progress[0], false
	if first.Stage != "FILE COPY" || first.Done > result.Bytes*9/10 {
		t.Errorf("the first report is %+v of %d bytes: the earlier clone's", first, result.Bytes)
	}
	for i, p := range r.progress {
		rated = rated || p.Rate > 0
		if p.Done > p.Total || p.Total > result.Bytes+64<<20 || slices.Index(order, p.Stage) < 0 {
			t.Errorf("report %d is %+v", i, p)
		}
		if i == 0 {
			continue
		}
		if q := r.progress[i-1]; p.Done < q.Done || p.Total < q.Total || slices.Index(order, p.Stage) < slices.Index(order, q.Stage) {
			t.Errorf("%+v follows %+v", p, q)
		}
	}
	if !rated {
		t.Error("no report has a rate")
	}
	if state, err := s.State(t.Context(), earlier); err != nil || state.State != clone.CloneNone {
		t.Errorf("the earlier clone is %+v, %v", state, err)
	}
}

func refused(t *testing.T, my *mysqldtest.Server) {
	s := connect(t, my)
	existing := filepath.Join(t.TempDir(), "mine")
	if err := os.MkdirAll(filepath.Join(existing, "precious"), 0o750); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		o      clone.LocalOptions
		number uint16
	}{
		"relative":       {clone.LocalOptions{Directory: "copy"}, 1525},
		"empty":          {clone.LocalOptions{}, 1525},
		"backslash":      {clone.LocalOptions{Directory: my.Folder() + `/a\b`}, 1525},
		"not text":       {clone.LocalOptions{Directory: my.Folder() + "/\xff"}, 1525},
		"observe":        {clone.LocalOptions{Directory: my.Folder() + "/x", Observe: "x"}, 1525},
		"exists":         {clone.LocalOptions{Directory: existing}, 1007},
		"bandwidth":      {clone.LocalOptions{Directory: my.Folder() + "/x", Bandwidth: -1}, 0},
		"threads":        {clone.LocalOptions{Directory: my.Folder() + "/x", Threads: 129}, 0},
		"ddl":            {clone.LocalOptions{Directory: my.Folder() + "/x", DDL: "maybe"}, 0},
		"ddl timeout":    {clone.LocalOptions{Directory: my.Folder() + "/x", DDLTimeout: 31 * 24 * time.Hour}, 0},
		"two at a time ": {clone.LocalOptions{Directory: my.Folder() + "/x", Threads: -1, Bandwidth: 1 << 62}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var r recorder
			_, err := s.CloneLocal(t.Context(), c.o, r.hooks())
			wantClass(t, err, clone.UserMustFix, c.number)
			wantKinds(t, "all", r.kinds())
		})
	}
	if _, err := os.Stat(filepath.Join(existing, "precious")); err != nil {
		t.Errorf("what was there is gone: %v", err)
	}
}

// The published engine deleted the target after any error.
func insideDataDirectory(t *testing.T, my *mysqldtest.Server) {
	directory := filepath.Join(my.DataDir(), "copy")
	var r recorder
	_, err := connect(t, my).CloneLocal(t.Context(), clone.LocalOptions{Directory: directory, Bandwidth: slow, Threads: 2}, r.hooks())
	wantClass(t, err, clone.UserMustFix, 3632)
	wantKinds(t, "all", r.kinds(), clone.EffectGlobal, clone.EffectGlobal, clone.EffectDirectory, clone.EffectStatement)
	wantKinds(t, "open", r.left())
	if _, err := os.Lstat(directory); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory is there: %v", err)
	}
}

func TestAFailureInTheMiddleLeavesThePartialDirectoryToTheCaller(t *testing.T) {
	outside := t.TempDir()
	my := mysqldtest.Start(t, mysqldtest.WithArgs("--innodb-directories="+outside))
	my.Exec(t, "CREATE DATABASE a", "CREATE TABLE a.t (n INT PRIMARY KEY) DATA DIRECTORY = '"+outside+"'")
	directory := filepath.Join(my.Folder(), "copy")
	var r recorder
	_, err := connect(t, my).CloneLocal(t.Context(), clone.LocalOptions{Directory: directory}, r.hooks())
	wantClass(t, err, clone.UserMustFix, 1086)
	wantKinds(t, "open", r.left(), clone.EffectDirectory)
	wantDirectory(t, directory, clone.DirPartial)
}

func busy(t *testing.T, my *mysqldtest.Server) {
	first := startSlow(t.Context(), connect(t, my), clone.LocalOptions{Directory: target(t)})
	first.awaitStart(t)
	during := settings(t, my)
	var r recorder
	_, err := connect(t, my).CloneLocal(t.Context(), clone.LocalOptions{Directory: target(t), Bandwidth: 2 << 20}, r.hooks())
	wantClass(t, err, clone.Busy, 3634)
	wantKinds(t, "all", r.kinds())
	if after := settings(t, my); !maps.Equal(during, after) {
		t.Errorf("settings of the running clone were %v, are %v", during, after)
	}

	my.Exec(t, "SET GLOBAL clone_max_data_bandwidth = 4096") // which lets the first finish at once
	<-first.done
	if first.err != nil {
		t.Fatal(first.err)
	}
	// What somebody else set meanwhile is not ours to undo.
	if len(first.notes) != 1 || !strings.Contains(first.notes[0], "changed to 4096 by somebody else") {
		t.Errorf("notes are %q", first.notes)
	}
	if got := settings(t, my)["clone_max_data_bandwidth"]; got != "4096" {
		t.Errorf("the bandwidth is %s", got)
	}
	my.Exec(t, "SET GLOBAL clone_max_data_bandwidth = 0")
}

func busyByTheServersWord(t *testing.T, my *mysqldtest.Server) {
	my.Exec(t, "CREATE USER IF NOT EXISTS b@localhost IDENTIFIED BY 'b'", "GRANT BACKUP_ADMIN ON *.* TO b@localhost", "SET GLOBAL clone_max_data_bandwidth = 1")
	done := make(chan error, 1)
	first := target(t)
	go func() {
		_, err := my.Pool().Exec("CLONE LOCAL DATA DIRECTORY = '" + first + "'")
		done <- err
	}()
	for {
		if state, err := clone.InspectDirectory(first); err == nil && state == clone.DirPartial {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	second := target(t)
	var r recorder
	_, err := open(t, clone.Config{Socket: my.Socket(), User: "b", Password: "b"}).
		CloneLocal(t.Context(), clone.LocalOptions{Directory: second}, r.hooks())
	wantClass(t, err, clone.Busy, 3634)
	wantKinds(t, "open", r.left())
	wantDirectory(t, second, clone.DirAbsent)
	my.Exec(t, "SET GLOBAL clone_max_data_bandwidth = 0")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// The published engine printed binlog ":0" and invented times when it could not read.
func leastPrivileged(t *testing.T, my *mysqldtest.Server) {
	my.Exec(t, "CREATE USER IF NOT EXISTS b@localhost IDENTIFIED BY 'b'", "GRANT BACKUP_ADMIN ON *.* TO b@localhost")
	var r recorder
	result, err := open(t, clone.Config{Socket: my.Socket(), User: "b", Password: "b"}).
		CloneLocal(t.Context(), clone.LocalOptions{Directory: target(t)}, r.hooks())
	if err != nil {
		t.Fatal(err)
	}
	if result.Before != nil || result.After != nil || len(result.Stages) != 0 || result.Bytes != 0 {
		t.Errorf("got %+v", result)
	}
	if result.Coordinates != (clone.Coordinates{From: clone.FromUnknown}) || len(r.progress) != 0 {
		t.Errorf("coordinates are %+v, progress %v", result.Coordinates, r.progress)
	}
	if !slices.ContainsFunc(r.notes, func(n string) bool { return strings.Contains(n, "log positions are unknown") }) {
		t.Errorf("notes are %q", r.notes)
	}
}

func finishedElsewhere(t *testing.T, my *mysqldtest.Server) {
	directory := target(t)
	_, err := connect(t, my).CloneLocal(t.Context(), clone.LocalOptions{Directory: directory, Observe: directory + "-here"}, clone.Hooks{})
	if !errors.Is(err, clone.ErrNotSameHost) {
		t.Errorf("got %v", err)
	}
}
