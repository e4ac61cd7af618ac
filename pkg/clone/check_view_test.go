package clone

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// inPrivate runs a process that has a file system of its own at dir.
func inPrivate(t *testing.T, dir string) int {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready")
	c := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-c", "mount -t tmpfs none "+dir+" && echo yes > "+ready+" && exec sleep 60")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(ready); err == nil {
			return c.Process.Pid
		}
	}
	t.Fatal("the process has no file system of its own")
	return 0
}

func TestAServerWithAFileSystemOfItsOwnIsSeen(t *testing.T) {
	dir := t.TempDir()
	if same, err := sameView(os.Getpid(), dir, dir); err != nil || !same {
		t.Errorf("our own view: %v, %v", same, err)
	}
	if same, err := sameView(inPrivate(t, dir), dir, dir); err != nil || same {
		t.Errorf("a private one: %v, %v", same, err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if same, err := sameView(os.Getpid(), dir, link); err != nil || !same {
		t.Errorf("by another name: %v, %v", same, err)
	}
}

func TestAPrivateStagingDirectoryIsRefusedBeforeTheClone(t *testing.T) {
	s := healthy(t)
	pid := inPrivate(t, s.target.Directory)
	file := filepath.Join(t.TempDir(), "pid")
	write(t, file, strconv.Itoa(pid)+"\n")
	s.facts.Variables["pid_file"] = file
	if f := s.check(t, CodeView); f.Severity != SeverityError || f.Hint == "" {
		t.Errorf("%+v", f)
	}
}

func TestWhatLiesInTheDataDirectoryIsFoundWhateverItIsCalled(t *testing.T) {
	root := t.TempDir()
	data, other := filepath.Join(root, "data"), filepath.Join(root, "other")
	for _, dir := range []string{filepath.Join(data, "sub"), other} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "mount", "--bind", data, other).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", other).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	for path, inside := range map[string]bool{
		filepath.Join(other, "sub", "absent"): true, other: true, data: true, root: false, filepath.Join(root, "absent"): false,
	} {
		if liesIn(data, path) != inside {
			t.Errorf("%s: want %v", path, inside)
		}
	}
}
