package archive

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/store"
)

// childTarget names the target in the environment of a child that restores, childBackup the backup.
const (
	childTarget = "ARCHIVE_TEST_TARGET"
	childBackup = "ARCHIVE_TEST_BACKUP"
)

// restoreInChild is what a child of this test does, which is to be killed.
func restoreInChild() error {
	s, err := store.OpenLocal(os.Getenv(childBackup))
	if err != nil {
		return err
	}
	b, err := Open(context.Background(), s)
	if err != nil {
		return err
	}
	_, err = b.Restore(context.Background(), os.Getenv(childTarget), RestoreOptions{recordEvery: time.Nanosecond})
	return err
}

// stopped restores until so many bytes of content are written, and is then cut off.
func stopped(t *testing.T, b *Backup, target string, at int64, o RestoreOptions) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o.recordEvery = time.Nanosecond
	o.Progress = func(done, _ int64) {
		if done >= at {
			cancel()
		}
	}
	if _, err := b.Restore(ctx, target, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v", err)
	}
	if !marked(t, target) {
		t.Fatal("the target of an unfinished restore looks complete")
	}
}

func continued(t *testing.T, b *Backup, target string, o RestoreOptions) *Restored {
	t.Helper()
	r, err := b.Restore(t.Context(), target, o)
	if err != nil {
		t.Fatal(err)
	}
	if marked(t, target) {
		t.Error("the mark is still there")
	}
	return r
}

// Wherever a restore is cut off, the next one ends with the same tree, and reads no more than it must.
func TestARestoreThatWasCutOffIsContinued(t *testing.T) {
	dir := largeFolder(t)
	want := describeTree(t, dir)
	_, b := packed(t, dir, codec.Zstd)
	whole := continued(t, b, filepath.Join(t.TempDir(), "whole"), RestoreOptions{})
	for i := range 12 {
		at := whole.Bytes * int64(i) / 12
		target := filepath.Join(t.TempDir(), "restored")
		stopped(t, b, target, at, RestoreOptions{Threads: 1 + i%3})
		r := continued(t, b, target, RestoreOptions{})
		if diff := cmp.Diff(want, describeTree(t, target)); diff != "" {
			t.Fatalf("cut off at %d: %s", at, diff)
		}
		if r.Continued < at || r.Frames >= whole.Frames || r.Bytes != whole.Bytes {
			t.Errorf("cut off at %d: %+v", at, r)
		}
	}
}

func TestARestoreOfPathsIsContinued(t *testing.T) {
	dir := largeFolder(t)
	_, b := packed(t, dir, codec.Zstd)
	target := filepath.Join(t.TempDir(), "restored")
	stopped(t, b, target, 6<<20, RestoreOptions{Paths: []string{"a", "holes"}})
	for _, paths := range [][]string{nil, {"a"}, {"a", "holes", "ibdata1"}} {
		for _, dry := range []bool{true, false} {
			_, err := b.Restore(t.Context(), target, RestoreOptions{Paths: paths, DryRun: dry})
			var other *OtherRestoreError
			if !errors.As(err, &other) || !errors.Is(err, ErrNotEmpty) || len(other.Paths) != 2 {
				t.Errorf("%q, dry run %v: %v", paths, dry, err)
			}
		}
	}
	dry, err := b.Restore(t.Context(), target, RestoreOptions{Paths: []string{"holes", "a/"}, DryRun: true})
	if err != nil || dry.Continued < 6<<20 {
		t.Errorf("dry run: %+v, %v", dry, err)
	}
	if r := continued(t, b, target, RestoreOptions{Paths: []string{"holes", "a/"}}); r.Continued < 6<<20 || r.Frames != dry.Frames {
		t.Errorf("continued as %+v, the dry run said %+v", r, dry)
	}
	var want []string
	for _, line := range describeTree(t, dir) {
		if name, _, _ := strings.Cut(line, " "); name == Root || name == "a" || name == "holes" || strings.HasPrefix(name, "a/") {
			want = append(want, line)
		}
	}
	if diff := cmp.Diff(want, describeTree(t, target)); diff != "" {
		t.Error(diff)
	}
}

func TestARestoreOfAnotherBackupIsNotContinued(t *testing.T) {
	_, b := packed(t, largeFolder(t), codec.Zstd)
	_, other := packed(t, smallFolder(t), codec.Zstd)
	target := filepath.Join(t.TempDir(), "restored")
	stopped(t, b, target, 6<<20, RestoreOptions{})
	before := describeTree(t, target)
	_, err := other.Restore(t.Context(), target, RestoreOptions{})
	var e *OtherRestoreError
	if !errors.As(err, &e) || !errors.Is(err, ErrNotEmpty) || e.Data != b.Manifest().Archive.Data.SHA256 {
		t.Errorf("error is %v", err)
	}
	if diff := cmp.Diff(before, describeTree(t, target)); diff != "" {
		t.Error(diff)
	}
}

// What somebody does to a target between two attempts ends in the right content, or in an error that
// leaves it all as it is.
func TestAChangedTargetIsRightOrRefused(t *testing.T) {
	dir := largeFolder(t)
	want := describeTree(t, dir)
	_, b := packed(t, dir, codec.Zstd)
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	write := func(name string, off int64) func(t *testing.T, target string) {
		return func(t *testing.T, target string) { overwrite(t, filepath.Join(target, name), off) }
	}
	in := func(fn func(path string) error, name string) func(t *testing.T, target string) {
		return func(t *testing.T, target string) {
			if err := fn(filepath.Join(target, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	replace := func(fn func(old, name string) error, with string) func(string) error {
		return func(path string) error { return errors.Join(os.RemoveAll(path), fn(with, path)) }
	}
	// The first 20 MB are of a/exact, a/four, a/large, a/three and a part of holes.
	for name, test := range map[string]struct {
		change  func(t *testing.T, target string)
		refused bool
	}{
		"complete file, a byte":              {change: write("a/exact", 12345)},
		"complete file, a byte and its time": {change: func(t *testing.T, target string) { write("a/exact", 12345)(t, target); touch(t, target, "a/exact") }},
		"complete file, shorter":             {change: in(func(p string) error { return os.Truncate(p, 100) }, "a/four")},
		"complete file, removed":             {change: in(os.Remove, "a/large")},
		"complete file, mode":                {change: in(func(p string) error { return os.Chmod(p, 0o777) }, "a/large")},
		"complete file, time":                {change: in(func(p string) error { return os.Chtimes(p, time.Now(), time.Now()) }, "a/large")},
		"complete file, linked":              {change: in(func(p string) error { return os.Link(p, outside+"2") }, "a/exact")},
		"partial file, durable part":         {change: write("holes", 4)},
		"partial file, the rest":             {change: write("holes", 9<<20)},
		"partial file, shorter":              {change: in(func(p string) error { return os.Truncate(p, 100) }, "holes")},
		"partial file, removed":              {change: in(os.Remove, "holes")},
		"file yet to come":                   {change: in(func(p string) error { return os.WriteFile(p, []byte("x"), 0o600) }, "zero.ibd")},
		"folder, removed":                    {change: in(os.RemoveAll, "a")},
		"folder, mode":                       {change: in(func(p string) error { return os.Chmod(p, 0) }, "a")},
		"stranger":                           {change: in(func(p string) error { return os.WriteFile(p, nil, 0o600) }, "a/stranger"), refused: true},
		"stranger beside the mark":           {change: in(func(p string) error { return os.WriteFile(p, nil, 0o600) }, "#clone/stranger"), refused: true},
		"link in place of a file":            {change: in(replace(os.Symlink, outside), "a/exact"), refused: true},
		"link in place of the partial file":  {change: in(replace(os.Symlink, outside), "holes"), refused: true},
		"link in place of a file to come":    {change: in(replace(os.Symlink, outside), "zero.ibd"), refused: true},
		"link in place of a folder":          {change: in(replace(os.Symlink, filepath.Dir(outside)), "many"), refused: true},
		"name of another for a file to come": {change: in(replace(os.Link, outside), "zero.ibd")},
		"name of another for the partial":    {change: in(replace(os.Link, outside), "holes")},
		"pipe in place of a file":            {change: in(replace(func(_, p string) error { return unix.Mkfifo(p, 0o600) }, ""), "holes"), refused: true},
		"link in place of the mark":          {change: in(replace(os.Symlink, outside), Marker), refused: true},
		"pipe in place of the mark":          {change: in(replace(func(_, p string) error { return unix.Mkfifo(p, 0o600) }, ""), Marker), refused: true},
		"record, empty":                      {change: in(func(p string) error { return os.Truncate(p, 0) }, Marker), refused: true},
		"record, cut off":                    {change: in(truncateEnd, Marker)},
		"record, zeros after it":             {change: in(func(p string) error { return appendTo(p, string(make([]byte, 5000))) }, Marker)},
		"record, too many frames":            {change: in(func(p string) error { return appendTo(p, `{"frames":100000,"time":"2030-01-01T00:00:00Z"}`+"\n") }, Marker), refused: true},
		"record, removed":                    {change: in(os.Remove, Marker), refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			target := filepath.Join(t.TempDir(), "restored")
			stopped(t, b, target, 20<<20, RestoreOptions{Threads: 1})
			time.Sleep(20 * time.Millisecond) // more than the step of the file system's clock
			test.change(t, target)
			_, err := b.Restore(t.Context(), target, RestoreOptions{})
			switch {
			case test.refused:
				if !errors.Is(err, ErrNotEmpty) {
					t.Errorf("error is %v", err)
				}
			case err != nil:
				t.Error(err)
			default:
				if diff := cmp.Diff(want, describeTree(t, target)); diff != "" {
					t.Error(diff)
				}
			}
			if content, err := os.ReadFile(outside); err != nil || string(content) != "precious" {
				t.Errorf("outside: %q, %v", content, err)
			}
			if err := os.Remove(outside + "2"); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
		})
	}
}

func overwrite(t *testing.T, path string, off int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt([]byte("somebody was here"), off)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func touch(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Chtimes(filepath.Join(target, name), written, written); err != nil {
		t.Fatal(err)
	}
}

// truncateEnd takes away the end of the last line.
func truncateEnd(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.Truncate(path, info.Size()-3)
}

func appendTo(path, more string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(more)
	return errors.Join(err, f.Close())
}

// What a restore makes before its record is written is taken over; what it might be mistaken for is not.
func TestATargetThatWasBarelyBegunIsTakenOver(t *testing.T) {
	dir := smallFolder(t)
	_, b := packed(t, dir, codec.Zstd)
	for name, test := range map[string]struct {
		files   map[string]string // name to content; a name with / at the end is a folder
		refused bool
	}{
		"folder of the mark":   {files: map[string]string{"#clone/": ""}},
		"empty mark":           {files: map[string]string{Marker: ""}},
		"half a line":          {files: map[string]string{Marker: `{"format":"runner-rest`}},
		"mark and file":        {files: map[string]string{Marker: "", "a": ""}, refused: true},
		"mark and other":       {files: map[string]string{Marker: "", "#clone/#status_fix": ""}, refused: true},
		"file called so":       {files: map[string]string{"#clone": ""}, refused: true},
		"folder called so":     {files: map[string]string{Marker + "/": ""}, refused: true},
		"record to come":       {files: map[string]string{Marker: `{"format":"runner-restore/2","data":"","paths":[]}` + "\n", "a": ""}, refused: true},
		"folder and something": {files: map[string]string{"#clone/": "", "a": ""}, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			target := t.TempDir()
			for file, content := range test.files {
				path := filepath.Join(target, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				var err error
				if strings.HasSuffix(file, "/") {
					err = os.Mkdir(path, 0o700)
				} else {
					err = os.WriteFile(path, []byte(content), 0o600)
				}
				if err != nil && !errors.Is(err, fs.ErrExist) {
					t.Fatal(err)
				}
			}
			_, err := b.Restore(t.Context(), target, RestoreOptions{})
			if test.refused {
				if !errors.Is(err, ErrNotEmpty) {
					t.Errorf("error is %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(describeTree(t, dir), describeTree(t, target)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTwoRestoresDoNotShareATarget(t *testing.T) {
	_, b := packed(t, largeFolder(t), codec.Zstd)
	target := filepath.Join(t.TempDir(), "restored")
	busy := false
	o := RestoreOptions{Progress: func(int64, int64) {
		if !busy {
			busy = true
			for _, dry := range []bool{true, false} {
				if _, err := b.Restore(t.Context(), target, RestoreOptions{DryRun: dry}); !errors.Is(err, ErrBusy) {
					t.Errorf("dry run %v: %v", dry, err)
				}
			}
		}
	}}
	continued(t, b, target, o)
	if !busy {
		t.Error("no progress was told")
	}
}

// A child is killed at random moments, again and again; then the restore is ended.
func TestAKilledRestoreIsContinued(t *testing.T) {
	dir := largeFolder(t)
	want := describeTree(t, dir)
	folder := filepath.Join(t.TempDir(), "backup")
	s, err := store.Local(folder)
	if err != nil {
		t.Fatal(err)
	}
	pack(t, Dir(dir), s, options(codec.Zstd))
	b := open(t, s)
	kills := 0
	for round := range 6 {
		target := filepath.Join(t.TempDir(), "restored")
		for range 3 {
			if killed(t, folder, target, time.Duration(rand.IntN(120))*time.Millisecond) { //nolint:gosec // a moment, not a secret
				kills++
			}
		}
		if _, err := b.Restore(t.Context(), target, RestoreOptions{}); err != nil && (!errors.Is(err, ErrNotEmpty) || marked(t, target)) {
			t.Fatalf("round %d: %v", round, err)
		}
		if diff := cmp.Diff(want, describeTree(t, target)); diff != "" {
			t.Fatalf("round %d: %s", round, diff)
		}
	}
	if kills == 0 {
		t.Error("no child was killed before it had ended")
	}
}

// killed starts a child that restores, and kills it after a while.
func killed(t *testing.T, folder, target string, after time.Duration) bool {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^$")
	c.Env = append(os.Environ(), childBackup+"="+folder, childTarget+"="+target)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(after)
	if err := c.Process.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	err := c.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && !exit.Sys().(syscall.WaitStatus).Signaled() && !strings.Contains(stderr.String(), ErrNotEmpty.Error()) && !strings.Contains(stderr.String(), "is not empty") {
		t.Fatalf("the child failed: %v: %s", err, &stderr)
	}
	return errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled()
}

// A line that is longer than a line of a record can be ends what is read, as one that is cut off does.
func TestALineOfARecordHasABound(t *testing.T) {
	head := `{"format":"runner-restore/1","data":"00","paths":[]}` + "\n"
	long := `{"frames":3,"later":"` + strings.Repeat("a", maxRecordLine) + `"}` + "\n"
	if _, _, end, err := readRecord(strings.NewReader(head + long)); err != nil || end != int64(len(head)) {
		t.Errorf("%d bytes, %v", end, err)
	}
	if _, _, _, err := readRecord(strings.NewReader(long)); !errors.Is(err, errNoRecord) {
		t.Errorf("error is %v", err)
	}
}

// FuzzRecord looks for a record that makes its reader panic, or that says more than its whole lines do.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"format":"runner-restore/1","data":"00","paths":[]}`+"\n"+`{"frames":3,"time":"2026-11-22T10:03:29Z"}`+"\n"), 60)
	f.Fuzz(func(t *testing.T, record []byte, n int) {
		head, last, end, err := readRecord(bytes.NewReader(record))
		if err != nil && !errors.Is(err, errNoRecord) {
			t.Fatalf("error is %v", err)
		}
		if end > int64(len(record)) || end > 0 && record[end-1] != '\n' || (err == nil) != (end > 0) {
			t.Fatalf("%d bytes of %d, %v", end, len(record), err)
		}
		if err != nil || n < 0 || n > len(record) {
			return
		}
		head2, last2, end2, err := readRecord(bytes.NewReader(record[:n])) // cut off
		if err == nil && (!head2.same(head) || last2.Frames > last.Frames || end2 > end) {
			t.Fatalf("cut off at %d it says more: %+v, %+v", n, last2, last)
		}
	})
}
