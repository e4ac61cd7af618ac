package clone

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/mysqld/mysqldtest"
)

func TestLostTablesAreWhatThePlanSays(t *testing.T) {
	old := []LostTable{{Schema: "a", Table: "old`one", Engine: "MyISAM"}, {Schema: "mysql", Table: "slow_log", Engine: "CSV"}}
	hidden := map[string]string{FactLost: "denied"}
	for name, c := range map[string]struct {
		lost    []LostTable
		unknown map[string]string
		plan    string
		want    Severity
		hint    string
	}{
		"error":           {old, nil, "error", SeverityError, "ALTER TABLE `a`.`old``one` ENGINE = InnoDB;"},
		"default":         {old, nil, "", SeverityError, "ALTER TABLE"},
		"warn":            {old, nil, "warn", SeverityWarning, "ALTER TABLE"},
		"ignore":          {old, nil, "ignore", SeverityInfo, "ALTER TABLE"},
		"logs only":       {old[1:], nil, "error", SeverityOK, ""},
		"none":            {nil, nil, "error", SeverityOK, ""},
		"hidden":          {nil, hidden, "error", SeverityError, "GRANT SHOW VIEW ON *.* TO 'backup'@'localhost';"},
		"hidden, warn":    {nil, hidden, "warn", SeverityWarning, "GRANT SHOW VIEW"},
		"hidden, ignore":  {nil, hidden, "ignore", SeverityUnknown, "GRANT SHOW VIEW"},
		"some are hidden": {old, hidden, "error", SeverityError, "ALTER TABLE"},
	} {
		s := healthy(t)
		s.facts.Lost, s.target.LostTables = c.lost, c.plan
		for fact, why := range c.unknown {
			s.facts.Unknown[fact] = why
		}
		f := s.check(t, CodeLostTables)
		if f.Severity != c.want || !strings.HasPrefix(f.Hint, c.hint) || (f.Hint == "") != (c.hint == "") {
			t.Errorf("%s: got %+v", name, f)
		}
	}
}

func TestLogTablesNeverStopABackup(t *testing.T) {
	for output, says := range map[string]string{"FILE": "does not log into them", "TABLE": "logs into tables", "FILE,TABLE": "logs into tables"} {
		s := healthy(t)
		s.facts.Lost = []LostTable{{Schema: "mysql", Table: "general_log", Engine: "CSV"}}
		s.facts.Variables["log_output"] = output
		if f := s.check(t, CodeLogTables); f.Severity != SeverityInfo || !strings.Contains(f.Detail, says) {
			t.Errorf("%s: got %+v", output, f)
		}
	}
	s := healthy(t)
	s.facts.Unknown[FactLost] = "denied"
	if f := s.check(t, CodeLogTables); f.Severity != SeverityUnknown {
		t.Errorf("got %+v", f)
	}
}

func TestAMyISAMTableStopsABackupAndIsLeftAlone(t *testing.T) {
	server := mysqldtest.Start(t)
	server.Exec(t, "CREATE DATABASE a", "CREATE TABLE a.old (id INT) ENGINE = MyISAM", "INSERT INTO a.old VALUES (1)",
		"CREATE TABLE a.archived (id INT) ENGINE = ARCHIVE", "CREATE TABLE a.csv (id INT NOT NULL) ENGINE = CSV")
	plan := target(t, server)
	before := footprint(t, server)
	found := findings(t, asRoot(server), plan)
	expect(t, found, map[string]Severity{CodeLostTables: SeverityError})
	for _, table := range []string{"a.old (MyISAM)", "a.archived (ARCHIVE)", "a.csv (CSV)"} {
		if !strings.Contains(found[CodeLostTables].Detail, table) {
			t.Errorf("%s is missing in %+v", table, found[CodeLostTables])
		}
	}
	if diff := cmp.Diff(before, footprint(t, server)); diff != "" {
		t.Error(diff)
	}
	for _, statement := range strings.SplitAfter(found[CodeLostTables].Hint, ";") {
		if statement = strings.TrimSpace(statement); statement != "" {
			server.Exec(t, statement)
		}
	}
	expect(t, findings(t, asRoot(server), plan), nil)
}
