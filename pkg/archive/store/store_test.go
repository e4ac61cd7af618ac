package store_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"runner/pkg/archive/store"
	"runner/pkg/archive/store/storetest"
)

func TestStores(t *testing.T) {
	t.Run("local", func(t *testing.T) {
		storetest.Suite(t, func(t *testing.T) store.Store { return local(t, t.TempDir()) })
	})
	t.Run("memory", func(t *testing.T) {
		storetest.Suite(t, func(*testing.T) store.Store { return storetest.NewMemory() })
	})
}

func local(t *testing.T, dir string) store.Store {
	t.Helper()
	s, err := store.Local(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLocalMakesItsFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if _, err := store.OpenLocal(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opening an absent folder gives %v", err)
	}
	local(t, dir)
	if _, err := store.OpenLocal(dir); err != nil {
		t.Error(err)
	}
}

func TestLocalRefusesAFileInPlaceOfItsFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Local(path); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("error is %v", err)
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	inner := storetest.NewMemory()
	if err := store.WriteAll(t.Context(), inner, "a", []byte("one")); err != nil {
		t.Fatal(err)
	}
	dry := store.DryRun(inner)
	if err := store.WriteAll(t.Context(), dry, "a", []byte("two")); err != nil {
		t.Fatal(err)
	}
	if err := dry.Remove(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := dry.Remove(t.Context(), "b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removing what is not there gives %v", err)
	}
	got, err := store.ReadAll(t.Context(), dry, "a", 10)
	if err != nil || string(got) != "one" {
		t.Errorf("reads %q, %v", got, err)
	}
}

func TestDryRunGoesOnWithNothing(t *testing.T) {
	inner := storetest.NewMemory()
	w, err := inner.Create(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Sync(), w.Keep()); err != nil {
		t.Fatal(err)
	}
	dry := store.DryRun(inner)
	w, err = dry.Resume(t.Context(), "a", 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("two")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Sync(), w.Commit()); err != nil {
		t.Fatal(err)
	}
	if got := inner.Bytes("a" + store.PartialSuffix); string(got) != "one" {
		t.Errorf("the remainder is %q", got)
	}
	var short *store.ShortError
	if _, err := dry.Resume(t.Context(), "a", 4); !errors.As(err, &short) {
		t.Errorf("going on after the end gives %v", err)
	}
	if _, err := dry.Resume(t.Context(), "b", 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("going on with nothing gives %v", err)
	}
}

// limitVariable makes this test binary a program that writes to a full disk.
const limitVariable = "STORE_TEST_FILE_LIMIT"

func TestMain(m *testing.M) {
	if dir := os.Getenv(limitVariable); dir != "" {
		os.Exit(writeToAFullDisk(dir))
	}
	os.Exit(m.Run())
}

// A limit on the size of files makes write fail with EFBIG as a full disk does with ENOSPC, and
// needs neither a file system of its own nor to be root.
func TestAWriteThatFailsLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), limitVariable+"="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func writeToAFullDisk(dir string) int {
	signal.Ignore(unix.SIGXFSZ)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1000, Max: 1000}); err != nil {
		println(err.Error())
		return 2
	}
	s, err := store.Local(dir)
	if err != nil {
		println(err.Error())
		return 2
	}
	w, err := s.Create(context.Background(), "a")
	if err != nil {
		println(err.Error())
		return 2
	}
	if _, err := w.Write(make([]byte, 800)); err != nil {
		println(err.Error())
		return 2
	}
	if _, err := w.Write(make([]byte, 800)); !errors.Is(err, unix.EFBIG) {
		println("a write over the limit gives no error")
		return 3
	}
	// What failed once cannot be committed, even by a caller that does not look at errors.
	if err := w.Commit(); !errors.Is(err, unix.EFBIG) {
		println("commit gives no error")
		return 4
	}
	return 0
}
