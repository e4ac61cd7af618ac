package clone

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestACopyIsReadWithWhatItWasWrittenWith(t *testing.T) {
	const cnf = "# note\n[mysqld]\ninnodb_page_size = 16384\ninnodb_data_file_path = ibdata1:12M:autoextend\ninnodb_checksum_algorithm = crc32\ninnodb_log_checksums = ON\nlower_case_table_names = 0\n"
	reading := func(set ...string) Reading {
		r := Reading{Variables: map[string]string{
			"innodb_page_size": "16384", "innodb_data_file_path": "ibdata1:12M:autoextend", "innodb_checksum_algorithm": "crc32",
			"innodb_log_checksums": "ON", "lower_case_table_names": "0", "innodb_redo_log_encrypt": "OFF",
		}}
		for i := 0; i < len(set); i += 2 {
			r.Variables[set[i]] = set[i+1]
		}
		return r
	}
	for name, c := range map[string]struct {
		before, after Reading
		unchecked     int64
		changes       int
		replace       [2]string
	}{
		"nothing":                      {before: reading(), after: reading()},
		"checksums off":                {before: reading(varLogChecksums, "OFF"), after: reading(varLogChecksums, "OFF"), replace: [2]string{"log_checksums = ON", "log_checksums = OFF"}},
		"checksums turned off":         {before: reading(), after: reading(varLogChecksums, "OFF"), changes: 1, replace: [2]string{"log_checksums = ON", "log_checksums = OFF"}},
		"checksums turned on":          {before: reading(varLogChecksums, "OFF"), after: reading(), changes: 1, replace: [2]string{"log_checksums = ON", "log_checksums = OFF"}},
		"checksums off for a while":    {before: reading(), after: reading(), unchecked: 3, changes: 1, replace: [2]string{"log_checksums = ON", "log_checksums = OFF"}},
		"algorithm became strict":      {before: reading(varChecksumAlgorithm, "none"), after: reading(varChecksumAlgorithm, "strict_crc32"), changes: 1},
		"algorithm is no longer crc32": {before: reading(), after: reading(varChecksumAlgorithm, "strict_none"), changes: 1, replace: [2]string{"algorithm = crc32", "algorithm = none"}},
		"started anew, another file":   {before: reading(), after: reading(varDataFilePath, "/x/sys:12M;/y/more:1G"), changes: 1, replace: [2]string{"ibdata1:12M:autoextend", "sys:12M;more:1G"}},
		"log encrypted":                {before: reading(), after: reading("innodb_redo_log_encrypt", "ON"), changes: 1},
	} {
		n := c.before.Reread(c.after, c.unchecked)
		if len(n.Changes) != c.changes {
			t.Errorf("%s: changes are %q", name, n.Changes)
		}
		if diff := cmp.Diff(strings.Replace(cnf, c.replace[0], c.replace[1], 1), n.RestoreCNF(cnf)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if f, found := n.Finding(); found != (c.changes > 0) || found && (f.Code != CodeReread || f.Severity != SeverityWarning) {
			t.Errorf("%s: got %+v", name, f)
		}
	}
}

func TestWhatAppearsOutsideOrIsEncryptedDuringACloneIsReported(t *testing.T) {
	before := Reading{Outside: []OutsideFile{{1, "/x/a/t.ibd"}, {2, "/x/u.ibu"}}, Encrypted: []string{"a/s"}}
	after := Reading{Outside: []OutsideFile{{1, "/x/a/t.ibd"}, {3, "/x/u.ibu"}}, Encrypted: []string{"a/s", "a/new"}}
	n := before.Reread(after, 0)
	if want := []OutsideFile{{3, "/x/u.ibu"}}; !cmp.Equal(n.Appeared, want) {
		t.Errorf("got %v", n.Appeared)
	}
	if f, _ := n.Finding(); !strings.Contains(f.Detail, "a/new was encrypted") || !strings.Contains(f.Hint, "keyring") {
		t.Errorf("got %+v", f)
	}
	before.Unknown = "denied"
	if n := before.Reread(after, 0); n.Appeared != nil {
		t.Errorf("what was not read before has not appeared: %v", n.Appeared)
	}
}

func TestFilesWithoutChecksumsAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		variable, value, says string
		want                  Severity
	}{
		"as they are by default": {varLogChecksums, "ON", "", SeverityOK},
		"redo log":               {varLogChecksums, "OFF", "The redo log", SeverityInfo},
		"pages":                  {varChecksumAlgorithm, "strict_none", "Pages", SeverityInfo},
		"strict ones":            {varChecksumAlgorithm, "STRICT_CRC32", "", SeverityOK},
	} {
		s := healthy(t)
		s.facts.Variables[c.variable] = c.value
		if f := s.check(t, CodeReading); f.Severity != c.want || !strings.Contains(f.Detail, c.says) {
			t.Errorf("%s: got %+v", name, f)
		}
	}
}
