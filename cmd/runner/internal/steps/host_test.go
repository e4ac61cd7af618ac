package steps_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"runner/cmd/runner/internal/steps"
)

// os.RemoveAll asks a read-only file system to delete what is not there, which it refuses.
func TestRemovingWhatIsNotThereIsNoErrorEvenOnAReadOnlyFileSystem(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", syscall.MS_RDONLY, ""); err != nil {
		t.Fatalf("mount a tmpfs: %v (this test needs root)", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, 0); err != nil {
			t.Error(err)
		}
	})
	for _, absent := range []string{"absent", "absent/below"} {
		if err := (steps.Live{}).Remove(filepath.Join(folder, absent)); err != nil {
			t.Errorf("%s: %v", absent, err)
		}
	}
}

func TestRemoveDeletesAllThatIsInADirectory(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "staging")
	if err := os.MkdirAll(filepath.Join(folder, "shop"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "shop", "t.ibd"), []byte("page"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := (steps.Live{}).Remove(folder); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(folder); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}
