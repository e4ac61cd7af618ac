package clone

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"runner/pkg/mysqld/mysqldtest"
)

func TestTablesWithoutRowsAreNamedInEveryModeAsThePlanSays(t *testing.T) {
	s := mysqldtest.Start(t)
	s.Exec(t, "CREATE DATABASE d", "CREATE TABLE d.gone (id INT)", "CREATE TABLE d.thrown (id INT)", "CREATE TABLE d.p (id INT) PARTITION BY HASH(id) PARTITIONS 2",
		"CREATE TABLESPACE g ADD DATAFILE 'g.ibd'", "CREATE TABLE d.inside (id INT) TABLESPACE g", "CREATE TABLE d.fine (id INT)", "ALTER TABLE d.thrown DISCARD TABLESPACE")
	s.Exec(t, "SET GLOBAL innodb_fast_shutdown = 0")
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"d/gone.ibd", "d/p#p#p1.ibd", "g.ibd"} {
		if err := os.Remove(filepath.Join(s.DataDir(), name)); err != nil {
			t.Fatal(err)
		}
	}
	s = mysqldtest.Start(t, mysqldtest.WithDataDir(s.DataDir()))
	for says, severity := range map[string]Severity{"": SeverityError, "warn": SeverityWarning, "ignore": SeverityInfo} {
		for _, mode := range []string{ModeLocal, ModeStream} {
			where := target(t, s)
			where.Mode, where.LostTables = mode, says
			found := findings(t, asRoot(s), where)[CodeMissingTables]
			for _, name := range []string{"d.gone (no file)", "d.thrown (discarded)", "d.p partition p1 (no file)", "d.inside (no file)"} {
				if !strings.Contains(found.Detail, name) {
					t.Errorf("%s: %q is not named: %+v", mode, name, found)
				}
			}
			if found.Severity != severity || strings.Contains(found.Detail, "fine") || strings.Contains(found.Detail, "p0") {
				t.Errorf("%s, %q: %+v", mode, says, found)
			}
		}
	}
}

func TestAServerWithAllItsTablespacesHasNoneMissing(t *testing.T) {
	s := mysqldtest.Start(t)
	s.Exec(t, "CREATE DATABASE d", "CREATE TABLE d.t (id INT)", "CREATE UNDO TABLESPACE u ADD DATAFILE 'u.ibu'", "ALTER UNDO TABLESPACE u SET INACTIVE")
	if found := findings(t, asRoot(s), target(t, s))[CodeMissingTables]; found.Severity != SeverityOK {
		t.Errorf("%+v", found)
	}
}
