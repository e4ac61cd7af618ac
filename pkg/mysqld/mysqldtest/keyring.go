package mysqldtest

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"runner/pkg/mysqld"
)

// WithKeyring has the server look into its data directory for a keyring component. A new data directory gets one with
// component_keyring_file, so that tables can be encrypted; one that exists must bring its own.
func WithKeyring() Option { return func(c *config) { c.keyring = true } }

// withManifest gives a program that runs mysqld by a path of its own, beside which lies the manifest that makes it look
// into the data directory for another one ("Keyring Component Installation" of MySQL's manual). The wrapper script of
// fetch.sh is taken over with that path; a program that is no script is run as it is.
func withManifest(t testing.TB, program, folder string) string {
	t.Helper()
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	binary := program
	script := "#!/bin/sh\nexec \"" + filepath.Join(folder, "mysqld") + "\" \"$@\"\n"
	if at := regexp.MustCompile(`"([^"]*/usr/sbin/mysqld)"`).FindSubmatchIndex(text); at != nil && len(text) < 1<<16 {
		binary = string(text[at[2]:at[3]])
		script = string(text[:at[2]]) + filepath.Join(folder, "mysqld") + string(text[at[3]:])
	}
	if err := os.Symlink(binary, filepath.Join(folder, "mysqld")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "mysqld.my"), `{"read_local_manifest": true}`, 0o644)
	linkPlugins(t, program, filepath.Join(folder, "plugin"))
	own := filepath.Join(folder, "run-mysqld")
	write(t, own, script, 0o755)
	return own
}

// linkPlugins makes a plugin directory in which the component is told to look into the data directory for its settings.
func linkPlugins(t testing.TB, program, folder string) {
	t.Helper()
	from, err := mysqld.PluginDir(program)
	if err != nil {
		t.Fatal(err)
	}
	plugins, err := filepath.Glob(filepath.Join(from, "*.so"))
	if err != nil || len(plugins) == 0 {
		t.Fatalf("there are no plugins in %s (%v)", from, err)
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, plugin := range plugins {
		if err := os.Symlink(plugin, filepath.Join(folder, filepath.Base(plugin))); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(folder, "component_keyring_file.cnf"), `{"read_local_config": true}`, 0o644)
}

// addKeyring puts a keyring of its own into a new data directory.
func addKeyring(t testing.TB, dataDir string) {
	t.Helper()
	write(t, filepath.Join(dataDir, "mysqld.my"), `{"components": "file://component_keyring_file"}`, 0o644)
	store := filepath.Join(filepath.Dir(dataDir), "keyring")
	write(t, filepath.Join(dataDir, "component_keyring_file.cnf"), `{"path": "`+store+`", "read_only": false}`, 0o644)
}

func write(t testing.TB, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}
