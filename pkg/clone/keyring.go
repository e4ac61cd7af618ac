package clone

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"runner/pkg/clone/internal/recipient"
)

// KeyringStore is the file in a streamed copy that holds the key which its encrypted tablespaces are sealed with.
const KeyringStore = recipient.KeyringStore

// KeyringFiles are the files, by name, that a data directory needs besides KeyringStore for a server to find the key in it: the
// manifest that names the component, and the component's settings, in which only an absolute path does. A server looks at
// them where its installation lets it: "read_local_manifest" and "read_local_config" ("Keyring Component Installation" of
// MySQL's manual).
func KeyringFiles(dataDir string) (map[string][]byte, error) {
	if !filepath.IsAbs(dataDir) {
		return nil, fmt.Errorf("write keyring settings: %q is not an absolute path", dataDir)
	}
	files := map[string][]byte{}
	for name, content := range map[string]any{
		recipient.ManifestFile: map[string]string{"components": "file://component_keyring_file"},
		recipient.KeyringFile:  map[string]any{"path": filepath.Join(dataDir, KeyringStore), "read_only": false},
	} {
		b, err := json.Marshal(content)
		if err != nil {
			return nil, fmt.Errorf("write keyring settings: %w", err)
		}
		files[name] = b
	}
	return files, nil
}
