package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/store"
	"runner/pkg/archive/store/storetest"
)

// limitedFolder is a file system of a limited size.
func limitedFolder(t *testing.T, size string) (folder string, resize func(string)) {
	t.Helper()
	folder = t.TempDir()
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("mount a tmpfs: %v (this test needs root, for this)", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(folder, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return folder, func(size string) {
		if err := unix.Mount("tmpfs", folder, "tmpfs", unix.MS_REMOUNT, "size="+size); err != nil {
			t.Fatal(err)
		}
	}
}

// fill takes room away after a restore has looked how much there is.
type fill struct {
	*storetest.Memory
	path string
	size int
}

func (f fill) Open(ctx context.Context, name string) (store.Reader, error) {
	if name == "data.tar.zst" {
		if err := os.WriteFile(f.path, make([]byte, f.size), 0o600); err != nil {
			return nil, err
		}
	}
	return f.Memory.Open(ctx, name)
}

func TestAFullDiskIsNoticedAndARestoreGoesOnWhenItIsEnlarged(t *testing.T) {
	dir := largeFolder(t)
	m, b := packed(t, dir, codec.Zstd)
	folder, resize := limitedFolder(t, "48M")
	target := filepath.Join(folder, "restored")
	filled := open(t, fill{m, filepath.Join(folder, "other"), 36 << 20})
	if _, err := filled.Restore(t.Context(), target, RestoreOptions{Threads: 1, recordEvery: time.Nanosecond}); !errors.Is(err, unix.ENOSPC) || !marked(t, target) {
		t.Fatalf("error is %v", err)
	}
	_, err := b.Restore(t.Context(), target, RestoreOptions{})
	var e *NoSpaceError
	if !errors.As(err, &e) || !errors.Is(err, ErrNoSpace) || e.Need <= e.Free || e.Free <= 0 {
		t.Errorf("error is %v", err)
	}
	resize("96M")
	if r := continued(t, b, target, RestoreOptions{}); r.Continued == 0 {
		t.Errorf("%+v", r)
	}
	if diff := cmp.Diff(describeTree(t, dir), describeTree(t, target)); diff != "" {
		t.Error(diff)
	}
}

func TestARestoreThatDoesNotFitIsRefusedBeforeItBegins(t *testing.T) {
	_, b := packed(t, largeFolder(t), codec.Zstd)
	folder, _ := limitedFolder(t, "10M")
	target := filepath.Join(folder, "below", "restored")
	dry, err := b.Restore(t.Context(), target, RestoreOptions{DryRun: true})
	if !errors.Is(err, ErrNoSpace) || dry == nil || dry.Need <= dry.Free {
		t.Errorf("dry run: %+v, %v", dry, err)
	}
	if _, err := b.Restore(t.Context(), target, RestoreOptions{}); !errors.Is(err, ErrNoSpace) {
		t.Errorf("error is %v", err)
	}
	if _, err := os.Lstat(filepath.Dir(target)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was made: %v", err)
	}
}

// faultedRestore restores in a child of which one call fails with EIO: the first of the counts that a thread of
// it comes to, since strace counts the calls of every thread on its own and the scheduler deals them out.
func faultedRestore(t *testing.T, strace, folder, call string, counts []string) (target string, out []byte, err error) {
	t.Helper()
	for _, when := range counts {
		log := filepath.Join(t.TempDir(), "strace")
		target = filepath.Join(t.TempDir(), "restored")
		c := exec.Command(strace, "-f", "-qq", "-o", log, "-e", "trace="+call, "-e", fmt.Sprintf("inject=%s:error=EIO:when=%s", call, when), os.Args[0], "-test.run=^$")
		c.Env = append(os.Environ(), childBackup+"="+folder, childTarget+"="+target)
		out, err = c.CombinedOutput()
		trace, readErr := os.ReadFile(log)
		if readErr != nil {
			t.Fatal(readErr)
		}
		if bytes.Contains(trace, []byte("INJECTED")) {
			return target, out, err
		}
	}
	t.Fatalf("the fault of %s was met at none of %v: %v: %s", call, counts, err, out)
	return target, out, err
}

// Whatever call fails, the restore does, what could not be made durable is not recorded, and the next
// attempt ends with the right tree.
func TestAFailedCallIsAnErrorAndTheRestoreGoesOn(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Fatalf("%v (this test needs it)", err)
	}
	dir := largeFolder(t)
	folder := filepath.Join(t.TempDir(), "backup")
	s, err := store.Local(folder)
	if err != nil {
		t.Fatal(err)
	}
	pack(t, Dir(dir), s, options(codec.Zstd))
	b, want := open(t, s), describeTree(t, dir)
	for call, when := range map[string]string{
		"syncfs": "1", "fsync": "3 2 1", "pwrite64": "7 3 1", "fchmod": "5 2 1", "utimensat": "9 3 1", "fallocate": "2 1",
		"openat": "60+ 40+ 30+ 25+", "unlinkat": "1",
	} {
		t.Run(call, func(t *testing.T) {
			target, out, err := faultedRestore(t, strace, folder, call, strings.Fields(when))
			if err == nil || !bytes.Contains(out, []byte(unix.EIO.Error())) || !marked(t, target) {
				t.Errorf("the restore ends with %v: %s", err, out)
			}
			if r := continued(t, b, target, RestoreOptions{}); call == "syncfs" && r.Continued != 0 {
				t.Errorf("%d bytes were recorded although they could not be made durable", r.Continued)
			}
			if diff := cmp.Diff(want, describeTree(t, target)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
