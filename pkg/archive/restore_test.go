package archive

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"runner/pkg/archive/codec"
)

func itoa(n int) string { return strconv.Itoa(n) }

// marked says whether mysqld would refuse to start on a target.
func marked(t *testing.T, target string) bool {
	t.Helper()
	_, err := os.Lstat(filepath.Join(target, Marker))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

func TestRestoreRefusesATargetThatIsNotEmpty(t *testing.T) {
	_, b := packed(t, smallFolder(t), codec.Zstd)
	target := t.TempDir()
	if err := os.WriteFile(filepath.Join(target, "precious"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dry := range []bool{true, false} {
		_, err := b.Restore(t.Context(), target, RestoreOptions{DryRun: dry})
		var e *NotEmptyError
		if !errors.As(err, &e) || !errors.Is(err, ErrNotEmpty) || e.Found != "precious" {
			t.Errorf("dry run %v: %v", dry, err)
		}
	}
	if names, err := os.ReadDir(target); err != nil || len(names) != 1 {
		t.Errorf("target has %v, %v", names, err)
	}
}

func TestRestoreRefusesATargetThatIsAFile(t *testing.T) {
	_, b := packed(t, smallFolder(t), codec.Zstd)
	target := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Restore(t.Context(), target, RestoreOptions{}); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("error is %v", err)
	}
}

func TestDryRunOfRestoreTouchesNothingAndTellsTheSame(t *testing.T) {
	_, b := packed(t, largeFolder(t), codec.Zstd)
	target := filepath.Join(t.TempDir(), "restored")
	dry, err := b.Restore(t.Context(), target, RestoreOptions{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("target: %v", err)
	}
	real, err := b.Restore(t.Context(), target, RestoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(dry, real, cmpopts.IgnoreFields(Restored{}, "Free")); diff != "" {
		t.Error(diff)
	}
	if dry.Free <= 0 || dry.Need <= 0 || dry.Need != dry.Allocated {
		t.Errorf("room: %+v", dry)
	}
}

func TestRestoreOfPathsTakesThemAndTheirFoldersOnly(t *testing.T) {
	dir := largeFolder(t)
	_, b := packed(t, dir, codec.Zstd)
	tests := []struct {
		patterns []string
		want     func(name string) bool
		frames   int64
	}{
		{[]string{"ibdata1"}, func(n string) bool { return n == "ibdata1" }, 3}, // one has the header
		{[]string{"many/00?.ibd"}, func(n string) bool { return n == "many" || strings.HasPrefix(n, "many/00") }, 1},
		{[]string{"many/"}, func(n string) bool { return n == "many" || strings.HasPrefix(n, "many/") }, 1},
		{[]string{"a/three", "#*"}, func(n string) bool {
			return n == "a" || n == "a/three" || strings.HasPrefix(n, "#innodb_redo")
		}, 2},
		{[]string{"."}, func(string) bool { return true }, int64(len(b.index.Frames))},
	}
	for _, test := range tests {
		t.Run(strings.Join(test.patterns, " "), func(t *testing.T) {
			target := filepath.Join(t.TempDir(), "restored")
			r, err := b.Restore(t.Context(), target, RestoreOptions{Paths: test.patterns})
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, line := range describeTree(t, dir) {
				if name, _, _ := strings.Cut(line, " "); name == Root || test.want(name) {
					want = append(want, line)
				}
			}
			if diff := cmp.Diff(want, describeTree(t, target)); diff != "" {
				t.Error(diff)
			}
			if r.Frames > test.frames {
				t.Errorf("%d frames were read, %d hold it", r.Frames, test.frames)
			}
		})
	}
}

func TestRestoreOfPathsThatAreNotThere(t *testing.T) {
	_, b := packed(t, smallFolder(t), codec.Zstd)
	target := filepath.Join(t.TempDir(), "restored")
	if _, err := b.Restore(t.Context(), target, RestoreOptions{Paths: []string{"shop/u*"}}); !errors.Is(err, ErrNoMatch) {
		t.Errorf("error is %v", err)
	}
	if _, err := b.Restore(t.Context(), target, RestoreOptions{Paths: []string{"[a"}}); !errors.Is(err, path.ErrBadPattern) {
		t.Errorf("error is %v", err)
	}
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("target: %v", err)
	}
}

// The mark goes when all is there, and a clone's own folder stays.
func TestRestoreMarksWhatIsNotComplete(t *testing.T) {
	f := newFolder(t)
	f.file("#clone/#status_fix", []byte("x"), 0o640)
	f.file("a", []byte("x"), 0o640)
	dir := f.done()
	_, b := packed(t, dir, codec.Zstd)
	target := filepath.Join(t.TempDir(), "restored")
	seen := false
	o := RestoreOptions{Progress: func(done, total int64) { seen = seen || marked(t, target) }}
	if _, err := b.Restore(t.Context(), target, o); err != nil {
		t.Fatal(err)
	}
	if !seen || marked(t, target) {
		t.Errorf("marked before the end %v, after it %v", seen, marked(t, target))
	}
	if diff := cmp.Diff(describeTree(t, dir), describeTree(t, target)); diff != "" {
		t.Error(diff)
	}
}

func TestRestoreEndsWhenItIsCancelled(t *testing.T) {
	_, b := packed(t, largeFolder(t), codec.Zstd)
	ctx, cancel := context.WithCancel(t.Context())
	target := filepath.Join(t.TempDir(), "restored")
	o := RestoreOptions{Threads: 1, Progress: func(int64, int64) { cancel() }}
	if _, err := b.Restore(ctx, target, o); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if !marked(t, target) {
		t.Error("the target of a cancelled restore looks complete")
	}
}

func TestRestoreKeepsOwners(t *testing.T) {
	f := newFolder(t)
	f.file("a", []byte("x"), 0o640)
	f.dir("d")
	f.link("l", "a")
	dir := f.done()
	tree := owned{Tree: Dir(dir), uid: 1234, gid: 4321}
	m, want := newMemoryOf(t, tree), 0
	if os.Geteuid() == 0 {
		want = 1234
	} else {
		want = os.Geteuid()
	}
	target := filepath.Join(t.TempDir(), "restored")
	result, err := open(t, m).Restore(t.Context(), target, RestoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if kept := result.KeptOwner; (kept == nil) != (want == 1234) {
		t.Errorf("the owner that was not kept is %v", kept)
	}
	err = Dir(target).Walk(t.Context(), func(e Entry) error {
		if e.UID != want {
			t.Errorf("%s belongs to %d", e.Path, e.UID)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
