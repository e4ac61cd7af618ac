package cli

import (
	"context"
	"fmt"
	"path/filepath"

	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store"
	"runner/pkg/clone"
)

// placeKeyring writes the settings with which a server finds the key of the encrypted tablespaces of a streamed copy. They hold
// the absolute path of the folder, which nobody knew when the backup was made.
func (a *app) placeKeyring(ctx context.Context, m *manifest.Manifest, to string) error {
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
	restored, err := store.OpenLocal(folder)
	if err != nil {
		return fmt.Errorf("write keyring settings: %w", err)
	}
	for name, content := range files {
		if err := store.WriteAll(ctx, restored, name, content); err != nil {
			return fmt.Errorf("write keyring settings: %w", err)
		}
	}
	_, err = fmt.Fprintf(a.Stderr, "encrypted tablespaces are sealed with the key in %s: the installation of mysqld must read the local manifest, and rotate the master key afterwards\n",
		filepath.Join(folder, m.Clone.Stream.Keyring))
	return err
}
