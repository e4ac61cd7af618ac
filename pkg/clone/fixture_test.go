package clone

import (
	"os"
	"path/filepath"
	"testing"

	"runner/pkg/mysqld/mysqldtest"
)

// target is a plan that the test's server fits: staging and repository are folders of the test.
func target(t *testing.T, server *mysqldtest.Server) Target {
	t.Helper()
	staging := filepath.Join(server.Folder(), "staging")
	if err := os.MkdirAll(staging, 0o700); err != nil {
		t.Fatal(err)
	}
	return Target{
		Directory: staging, Staging: filepath.Join(staging, "run-1"), ArchivePath: filepath.Join(server.Folder(), "repository", "orders"),
		ArchiveNeed: func(raw int64) (int64, string) { return raw / 2, "half of it" },
		MinFree:     func(total int64) int64 { return total / 100 },
	}
}

// findings reads the facts as that account and checks them.
func findings(t *testing.T, c Config, target Target) map[string]Finding {
	t.Helper()
	s := open(t, c)
	f, err := s.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byCode := map[string]Finding{}
	for _, finding := range s.Check(t.Context(), f, target) {
		byCode[finding.Code] = finding
	}
	return byCode
}

// expect compares severities; every code that is not named must be ok or info.
func expect(t *testing.T, found map[string]Finding, want map[string]Severity) {
	t.Helper()
	for code, finding := range found {
		severity, named := want[code]
		if named && finding.Severity != severity || !named && finding.Severity != SeverityOK && finding.Severity != SeverityInfo {
			t.Errorf("want %q: %+v", severity, finding)
		}
		if finding.Severity == SeverityError && finding.Hint == "" {
			t.Errorf("no hint: %+v", finding)
		}
	}
	for code := range want {
		if _, there := found[code]; !there {
			t.Errorf("no finding %s", code)
		}
	}
}

// healthy is a subject that every check is content with; the test spoils one thing of it. Its data
// directory and its places are folders of the test that really exist.
func healthy(t *testing.T) subject {
	t.Helper()
	root := t.TempDir()
	const uuid = "99c786c9-e663-11f1-b00c-02fc00000001"
	write(t, filepath.Join(root, "data", "auto.cnf"), "[auto]\nserver-uuid="+uuid+"\n")
	if err := os.Mkdir(filepath.Join(root, "staging"), 0o750); err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	f := &Facts{
		Flavour: MySQL, Version: Version{Flavour: MySQL, Major: 9, Minor: 7, Patch: 4, Text: "9.7.4"}, PerformanceSchema: true, RedoLogging: true,
		Source: Source{
			ServerUUID: uuid, Host: "db1", DataDir: filepath.Join(root, "data") + "/", Version: "9.7.4", VersionComment: "MySQL Community Server - GPL",
			LogBin: &yes, ReadOnly: &no, SuperReadOnly: &no, RedoLogCapacity: 100 << 20, Unknown: map[string]string{},
		},
		Account: Account{User: "backup@localhost", Grants: []Grant{
			{Privilege: "BACKUP_ADMIN"},
			{Privilege: "PROCESS"},
			{Privilege: "SHOW VIEW"},
			{Privilege: "SYSTEM_VARIABLES_ADMIN"},
			{Privilege: "SELECT", Schema: "performance_schema"},
		}},
		Plugins:       []Plugin{{Name: "clone", Version: "1.0", Status: "ACTIVE", Type: "CLONE", Library: "mysql_clone.so"}},
		Variables:     map[string]string{varBandwidth: "0", varThreads: "16", varBlockDDL: "OFF", varDDLTimeout: "300", "log_output": "FILE"},
		Limits:        Limits{Server: 151, Connected: 3},
		EstimateBytes: 1 << 20, DiskBytes: 101 << 20, Unknown: map[string]string{},
	}
	staging := filepath.Join(root, "staging")
	return subject{facts: f, target: Target{
		Directory: staging, Staging: filepath.Join(staging, "run-1"), ArchivePath: filepath.Join(root, "repository", "orders"),
	}}
}

// check runs one check of the subject.
func (s subject) check(t *testing.T, code string) Finding {
	t.Helper()
	s.spaces = EstimateSpace(s.facts, s.target)
	for _, f := range runChecks(t.Context(), s) {
		if f.Code == code {
			return f
		}
	}
	t.Fatalf("no finding %s", code)
	return Finding{}
}
