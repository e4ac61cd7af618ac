package clone

import (
	"strings"
	"testing"
)

func TestVersionsWithoutCloneAreRefusedByName(t *testing.T) {
	for _, c := range []struct {
		version, comment string
		want             Severity
		says             string
	}{
		{"10.11.6-MariaDB", "mariadb.org binary distribution", SeverityError, "MariaDB has no clone plugin"},
		{"11.8.2-MariaDB-log", "", SeverityError, "MariaDB"},
		{"8.0.16", "MySQL Community Server - GPL", SeverityError, "8.0.17"},
		{"5.7.44-log", "", SeverityError, "8.0.17"},
		{"10.11.6", "Source distribution", SeverityError, "not one of MySQL's"},
		{"8.0.11-TiDB-v7.5.0", "", SeverityError, "TiDB"},
		{"8.0.28", "Aurora", SeverityError, "Amazon Aurora"},
		{"rubbish", "", SeverityError, "not understood"},
		{"8.0.17", "", SeverityOK, "8.0"},
		{"8.0.36-28", "Percona Server (GPL)", SeverityOK, "Percona Server"},
		{"9.7.4-2", "(Debian)", SeverityOK, "9.7"},
		{"26.7", "MySQL Community Server - GPL", SeverityInfo, "newer than any that was tried"},
		{"26.10.1", "Percona Server (GPL)", SeverityInfo, "26.10"},
	} {
		s := healthy(t)
		s.facts.Source.Version, s.facts.Source.VersionComment = c.version, c.comment
		var err error
		if s.facts.Version, err = ParseVersion(c.version, c.comment); err != nil {
			s.facts.Unknown["version"] = err.Error()
		}
		f := s.check(t, CodeVersion)
		if f.Severity != c.want || !strings.Contains(f.Summary+" "+f.Detail, c.says) {
			t.Errorf("%s: got %+v", c.version, f)
		}
	}
}
