package archive

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"runner/pkg/archive/codec"
)

// A target that is the root of a file system has a folder of that in it.
func TestAnEmptyLostFoundDoesNotStandInTheWayOfARestore(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, b := packed(t, dir, codec.Zstd)
	for name, full := range map[string]bool{"empty": false, "with something in it": true} {
		t.Run(name, func(t *testing.T) {
			to := t.TempDir()
			if err := os.Mkdir(filepath.Join(to, "lost+found"), 0o700); err != nil {
				t.Fatal(err)
			}
			if full {
				if err := os.WriteFile(filepath.Join(to, "lost+found", "#12"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := b.Restore(t.Context(), to, RestoreOptions{})
			if errors.Is(err, ErrNotEmpty) != full || !full && err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(filepath.Join(to, "lost+found")); err != nil {
				t.Error(err)
			}
		})
	}
}
