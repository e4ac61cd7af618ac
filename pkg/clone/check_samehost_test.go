package clone

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"runner/pkg/mysqld/mysqldtest"
)

func TestTheSameHostIsProvedByTheUUID(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, s *subject)
		want  Severity
		says  string
	}{
		"another server": {func(t *testing.T, s *subject) {
			write(t, filepath.Join(s.facts.Source.DataDir, "auto.cnf"), "[auto]\nserver-uuid=other\n")
		}, SeverityError, "holds the server_uuid other"},
		"nothing there":  {func(_ *testing.T, s *subject) { s.facts.Source.DataDir = "/nowhere/" }, SeverityError, "no /nowhere/auto.cnf"},
		"in a container": {func(_ *testing.T, s *subject) { s.facts.Source.DataDir, s.target.MountedAt = "/nowhere/", "/mnt" }, SeverityWarning, "mounted_at"},
		"no UUID in it": {func(t *testing.T, s *subject) {
			write(t, filepath.Join(s.facts.Source.DataDir, "auto.cnf"), "[auto]\n")
		}, SeverityUnknown, "no server_uuid"},
		"no file":     {func(_ *testing.T, s *subject) { makeLoop(t, s.facts.Source.DataDir) }, SeverityUnknown, "symbolic links"},
		"nobody says": {func(_ *testing.T, s *subject) { s.facts.Source.ServerUUID = "" }, SeverityUnknown, "server_uuid"},
	} {
		s := healthy(t)
		c.spoil(t, &s)
		if f := s.check(t, CodeSameHost); f.Severity != c.want || !strings.Contains(f.Detail, c.says) {
			t.Errorf("%s: got %+v", name, f)
		}
	}
}

// makeLoop makes auto.cnf a link to itself, which nobody can read, not even root.
func makeLoop(t *testing.T, datadir string) {
	t.Helper()
	path := filepath.Join(datadir, "auto.cnf")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, path); err != nil {
		t.Fatal(err)
	}
}

func TestARealServerIsOnThisHostHoweverItWasReached(t *testing.T) {
	server := mysqldtest.Start(t, mysqldtest.WithTCP())
	server.Exec(t, "CREATE USER far@'%'", "GRANT ALL ON *.* TO far@'%'")
	found := findings(t, Config{Host: "127.0.0.1", Port: server.Port(), User: "far"}, target(t, server))
	expect(t, found, map[string]Severity{CodeSameHost: SeverityOK})
	if uuid := server.Value(t, "SELECT @@server_uuid"); !strings.Contains(found[CodeSameHost].Detail, uuid) {
		t.Errorf("got %+v", found[CodeSameHost])
	}
}
