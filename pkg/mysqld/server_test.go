package mysqld_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"runner/pkg/mysqld"
	"runner/pkg/mysqld/mysqldtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServerIsInitialisedStartedOnSocketAndPortAndStopped(t *testing.T) {
	ctx := t.Context()
	folder := t.TempDir() // its path is too long for a socket's on some machines, which Start must cope with
	deep := filepath.Join(folder, strings.Repeat("deep-", 20))
	s, err := mysqld.Start(ctx, mysqld.Options{
		Program: mysqldtest.Program(t), Folder: deep, TCP: true, DieWithParent: true,
		Args: []string{"--innodb-page-size=4K", "--innodb-buffer-pool-size=32M"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Socket()) > 107 || s.Port() == 0 || s.DataDir() != filepath.Join(deep, "data") {
		t.Errorf("socket %s, port %d, data directory %s", s.Socket(), s.Port(), s.DataDir())
	}
	db, err := s.DB(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var pageSize, port int
	if err := db.QueryRowContext(ctx, "SELECT @@innodb_page_size, @@port").Scan(&pageSize, &port); err != nil {
		t.Fatal(err)
	}
	if pageSize != 4096 || port != s.Port() {
		t.Errorf("page size %d, port %d", pageSize, port)
	}
	if err := errors.Join(s.InstallClone(ctx), s.InstallClone(ctx), db.Close()); err != nil {
		t.Errorf("install twice: %v", err)
	}
	if err := errors.Join(s.Stop(ctx), s.Stop(ctx), s.Kill()); err != nil {
		t.Errorf("stop twice: %v", err)
	}
	if _, err := os.Stat(s.Socket()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestQuietServerBootsAnExistingDataDirectoryWithoutNetworkBinlogOrEvents(t *testing.T) {
	first := mysqldtest.Start(t)
	first.Exec(t, "CREATE DATABASE kept")
	if err := first.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := mysqldtest.Start(t, mysqldtest.WithDataDir(first.DataDir()), mysqldtest.WithQuiet())
	got := s.Query(t, "SELECT @@skip_networking, @@log_bin, @@event_scheduler, (SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = 'kept')")
	if want := []string{"1", "0", "OFF", "1"}; !slices.Equal(got[0], want) {
		t.Errorf("got %v, want %v", got[0], want)
	}
	if s.Port() != 0 {
		t.Errorf("port %d", s.Port())
	}
}

func TestAnAbsentNamedDataDirectoryIsAnErrorNotAFreshServer(t *testing.T) {
	folder := t.TempDir()
	missing := filepath.Join(folder, "restored")
	_, err := mysqld.Start(t.Context(), mysqld.Options{Program: mysqldtest.Program(t), Folder: folder, DataDir: missing})
	if err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it was created: %v", err)
	}
}

func TestAServerThatDiesReportsItsLogsLastLines(t *testing.T) {
	first := mysqldtest.Start(t)
	if err := first.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := mysqld.Start(t.Context(), mysqld.Options{
		Program: mysqldtest.Program(t), Folder: first.Folder(), Args: []string{"--no-such-option=1"},
	})
	var start *mysqld.StartError
	if !errors.As(err, &start) {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(err.Error(), "no-such-option") || start.ErrorLog != first.ErrorLog() {
		t.Errorf("got %v", err)
	}
}

func TestAnInterruptedStartLeavesNoProcess(t *testing.T) {
	folder := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := mysqld.Start(ctx, mysqld.Options{Program: mysqldtest.Program(t), Folder: folder})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if pids := processes(t, folder); len(pids) > 0 {
		t.Errorf("still running: %v", pids)
	}
}

// processes returns the pids of those whose command line names the folder.
func processes(t *testing.T, folder string) []string {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var pids []string
	for _, path := range found {
		line, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(line), folder) { // a process may end meanwhile
			pids = append(pids, path)
		}
	}
	return pids
}

func TestKillEndsTheServerAndADeadServerCanBeStopped(t *testing.T) {
	s := mysqldtest.Start(t)
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTailGivesTheLastLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if lines, err := mysqld.Tail(path, 3); err != nil || lines != nil {
		t.Errorf("absent: %v, %v", lines, err)
	}
	text := strings.Repeat("filler\n", 20_000) + "a\nb\nc\nd\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if lines, err := mysqld.Tail(path, 3); err != nil || !slices.Equal(lines, []string{"b", "c", "d"}) {
		t.Errorf("got %v, %v", lines, err)
	}
}
