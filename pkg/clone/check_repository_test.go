package clone

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestTheRepositoryIsOursToWrite(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, s *subject)
		want  Severity
		says  string
	}{
		"not there yet": {func(*testing.T, *subject) {}, SeverityOK, "may make files"},
		"none":          {func(_ *testing.T, s *subject) { s.target.ArchivePath = "" }, SeverityOK, "no repository"},
		"in the data":   {func(_ *testing.T, s *subject) { s.target.ArchivePath = s.facts.Source.DataDir + "b/c" }, SeverityError, "is inside"},
		"by a link": {func(t *testing.T, s *subject) {
			link := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(s.facts.Source.DataDir, link); err != nil {
				t.Fatal(err)
			}
			s.target.ArchivePath = link + "/orders"
		}, SeverityError, "is inside"},
		"below a file": {func(t *testing.T, s *subject) {
			s.target.ArchivePath = filepath.Join(write(t, filepath.Join(t.TempDir(), "f"), ""), "x")
		}, SeverityError, "not a directory"},
		"a file": {func(t *testing.T, s *subject) {
			s.target.ArchivePath = write(t, filepath.Join(t.TempDir(), "f"), "")
		}, SeverityError, "not a directory"},
		"read-only": {func(t *testing.T, s *subject) { s.target.ArchivePath = tmpfs(t, syscall.MS_RDONLY, "size=1m") }, SeverityError, "read-only file system"},
	} {
		s := healthy(t)
		c.spoil(t, &s)
		if f := s.check(t, CodeRepository); f.Severity != c.want || !strings.Contains(f.Detail, c.says) {
			t.Errorf("%s: got %+v", name, f)
		}
	}
}
