package clone

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/mysqld/mysqldtest"
)

func TestEachMissingPrivilegeHasItsFindingAndItsGrant(t *testing.T) {
	for code, c := range map[string]struct{ hint string }{
		CodeBackupAdmin:  {"GRANT BACKUP_ADMIN ON *.* TO 'backup'@'localhost';"},
		CodeReadStatus:   {"GRANT SELECT ON performance_schema.* TO 'backup'@'localhost';"},
		CodeProcess:      {"GRANT PROCESS ON *.* TO 'backup'@'localhost';"},
		CodeSetVariables: {"GRANT SYSTEM_VARIABLES_ADMIN ON *.* TO 'backup'@'localhost';"},
	} {
		s := healthy(t)
		s.facts.Account.Grants = nil
		s.target.Bandwidth = 100 << 20
		if f := s.check(t, code); f.Severity != SeverityError || f.Hint != c.hint {
			t.Errorf("without it: %+v", f)
		}
		s.facts.Unknown[FactAccount] = "SHOW GRANTS failed"
		if f := s.check(t, code); f.Severity != SeverityUnknown || !strings.Contains(f.Detail, "SHOW GRANTS failed") {
			t.Errorf("unknown: %+v", f)
		}
	}
}

func TestPrivilegesOfOneSchemaAreNotEnough(t *testing.T) {
	s := healthy(t)
	s.facts.Account.Grants = nil
	s.facts.Account.add("GRANT ALL PRIVILEGES ON `mysql`.* TO `backup`@`localhost`")
	s.target.Threads = 2
	for _, code := range []string{CodeBackupAdmin, CodeReadStatus, CodeProcess, CodeSetVariables} {
		if f := s.check(t, code); f.Severity != SeverityError {
			t.Errorf("got %+v", f)
		}
	}
}

func TestSettingVariablesIsAskedForOnlyWhereThePlanSetsThem(t *testing.T) {
	for name, c := range map[string]struct {
		target Target
		want   Severity
	}{
		"nothing":   {Target{}, SeverityOK},
		"bandwidth": {Target{Bandwidth: 1}, SeverityError},
		"threads":   {Target{Threads: 1}, SeverityError},
		"ddl":       {Target{DDL: "allow"}, SeverityError},
		"timeout":   {Target{DDLTimeout: time.Second}, SeverityError},
	} {
		s := healthy(t)
		s.facts.Account.Grants = nil
		s.target = c.target
		if f := s.check(t, CodeSetVariables); f.Severity != c.want {
			t.Errorf("%s: got %+v", name, f)
		}
		s.facts.Account.Grants = []Grant{{Privilege: "SUPER"}}
		if f := s.check(t, CodeSetVariables); f.Severity != SeverityOK {
			t.Errorf("%s, with SUPER: got %+v", name, f)
		}
	}
}

func TestWhatWasReadProvesThePrivilege(t *testing.T) {
	s := healthy(t)
	s.facts.Account, s.facts.LogStatus = Account{}, &LogStatus{}
	s.facts.Unknown[FactAccount] = "SHOW GRANTS failed"
	if f := s.check(t, CodeBackupAdmin); f.Severity != SeverityOK {
		t.Errorf("got %+v", f)
	}
}

func TestAnAccountWithOnlyBackupAdminMissesTheRestAndChangesNothing(t *testing.T) {
	server := mysqldtest.Start(t)
	server.Exec(t, "CREATE DATABASE a", "CREATE TABLE a.old (id INT) ENGINE = MyISAM",
		"CREATE USER backup@localhost", "GRANT BACKUP_ADMIN ON *.* TO backup@localhost")
	account := Config{Socket: server.Socket(), User: "backup"}
	plan := target(t, server)
	plan.Bandwidth = 50 << 20
	before := footprint(t, server)
	found := findings(t, account, plan)
	hidden := map[string]Severity{
		CodeReadStatus: SeverityError, CodeProcess: SeverityError, CodeSetVariables: SeverityError, CodeLostTables: SeverityError,
		// What the account cannot see is never said to be fine.
		CodeBusy: SeverityUnknown, CodeLogTables: SeverityUnknown, CodeExternal: SeverityUnknown, CodeEncryption: SeverityUnknown,
		CodeStagingSpace: SeverityUnknown, CodeRepositorySpace: SeverityUnknown, CodeMissingTables: SeverityUnknown,
	}
	expect(t, found, hidden)
	if found[CodeBackupAdmin].Severity != SeverityOK {
		t.Errorf("got %+v", found[CodeBackupAdmin])
	}
	if diff := cmp.Diff(before, footprint(t, server)); diff != "" {
		t.Error(diff)
	}
	// The hints are statements that, once pasted, leave nothing but the table.
	for code := range hidden {
		server.Exec(t, strings.Split(found[code].Hint, ";")[0])
	}
	found = findings(t, account, plan)
	expect(t, found, map[string]Severity{CodeLostTables: SeverityError})
	if !strings.Contains(found[CodeLostTables].Detail, "a.old (MyISAM)") {
		t.Errorf("got %+v", found[CodeLostTables])
	}
}

func TestAllPrivilegesOnASchemaDoNotMakeABackupAccount(t *testing.T) {
	server := mysqldtest.Start(t)
	server.Exec(t, "CREATE DATABASE a", "CREATE USER wide@localhost", "GRANT ALL PRIVILEGES ON a.* TO wide@localhost")
	found := findings(t, Config{Socket: server.Socket(), User: "wide"}, target(t, server))
	for _, code := range []string{CodeBackupAdmin, CodeReadStatus, CodeProcess, CodeLostTables} {
		if found[code].Severity != SeverityError {
			t.Errorf("got %+v", found[code])
		}
	}
}
