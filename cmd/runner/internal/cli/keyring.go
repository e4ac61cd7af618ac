package cli

import (
	"fmt"
	"path/filepath"

	"github.com/google/renameio/v2"

	"runner/pkg/archive/manifest"
	"runner/pkg/clone"
)

// placeKeyring writes the settings with which a server finds the key of the encrypted tablespaces of a streamed copy. They hold
// the absolute path of the folder, which nobody knew when the backup was made.
func (a *app) placeKeyring(m *manifest.Manifest, to string) error {
	if m.Clone.Stream == nil || m.Clone.Stream.Keyring == "" {
		return nil
	}
	folder, err := filepath.Abs(to)
	if err != nil {
		return fmt.Errorf("find the restored folder: %w", err)
	}
	files, err := clone.KeyringFiles(folder)
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := renameio.WriteFile(filepath.Join(folder, name), content, 0o640); err != nil {
			return fmt.Errorf("write keyring settings: %w", err)
		}
	}
	_, err = fmt.Fprintf(a.Stderr, "encrypted tablespaces are sealed with the key in %s: the installation of mysqld must read the local manifest, and rotate the master key afterwards\n",
		filepath.Join(folder, m.Clone.Stream.Keyring))
	return err
}
