package clone

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/mysqld/mysqldtest"
)

func TestATableElsewhereStopsABackupAndTheHintBringsItBack(t *testing.T) {
	elsewhere := t.TempDir()
	server := mysqldtest.Start(t, mysqldtest.WithArgs("--innodb-directories="+elsewhere))
	server.Exec(t, "CREATE DATABASE a", "CREATE TABLE a.`far` (id INT PRIMARY KEY) DATA DIRECTORY = '"+elsewhere+"'", "INSERT INTO a.`far` VALUES (1)", "CREATE TABLE a.near (id INT)",
		"CREATE TABLESPACE inside ADD DATAFILE 'inside.ibd'", "CREATE UNDO TABLESPACE undo_far ADD DATAFILE '"+elsewhere+"/undo_far.ibu'")
	plan := target(t, server)
	before := footprint(t, server)
	found := findings(t, asRoot(server), plan)
	expect(t, found, map[string]Severity{CodeExternal: SeverityError})
	if detail := found[CodeExternal].Detail; !strings.Contains(detail, "a/far at "+elsewhere) || strings.Contains(detail, "undo") || strings.Contains(detail, "inside.ibd") {
		t.Errorf("got %s", detail)
	}
	if diff := cmp.Diff(before, footprint(t, server)); diff != "" {
		t.Error(diff)
	}
	for statement := range strings.SplitSeq(found[CodeExternal].Hint, ";") {
		if statement = strings.TrimSpace(statement); statement != "" {
			server.Exec(t, statement)
		}
	}
	expect(t, findings(t, asRoot(server), plan), nil)
	// And so it is: with the undo tablespace still elsewhere the server clones.
	server.Exec(t, "CLONE LOCAL DATA DIRECTORY = '"+plan.Staging+"'")
	if _, err := os.Stat(filepath.Join(plan.Staging, "a", "far.ibd")); err != nil {
		t.Error(err)
	}
}

func TestWhatLiesOutsideIsFoundByItsPath(t *testing.T) {
	for path, want := range map[string]bool{
		"./a/t.ibd": false, "inside.ibd": false, "": false, "/var/lib/mysql/x.ibd": true,
		"/var/lib/mysql2/a/t.ibd": true, "/ext/a/t.ibd": true, "../ext/t.ibd": true, "./a/../../t.ibd": true, "/var/lib/mysql/../t.ibd": true,
	} {
		if got := outside(path); got != want {
			t.Errorf("%s is outside: %t", path, got)
		}
	}
}

func TestHintsKnowKindsOfTablespaces(t *testing.T) {
	for name, want := range map[string]string{
		"general":    "DROP TABLESPACE `general`",
		"a/t#p#p0":   "SHOW CREATE TABLE `a`.`t`;",
		"a/odd`name": "ALTER TABLE `a`.`odd``name` TABLESPACE = innodb_file_per_table",
	} {
		s := healthy(t)
		s.facts.External = []Tablespace{{Name: name, Path: "/ext/x.ibd"}}
		if f := s.check(t, CodeExternal); f.Severity != SeverityError || !strings.Contains(f.Hint, want) {
			t.Errorf("%s: got %+v", name, f)
		}
	}
	s := healthy(t)
	s.facts.Unknown[FactSpaces] = "denied"
	if f := s.check(t, CodeExternal); f.Severity != SeverityUnknown {
		t.Errorf("got %+v", f)
	}
}

func TestDDLCannotRunBesideTablesOutsideTheDataDirectory(t *testing.T) {
	for ddl, want := range map[string]Severity{DDLAllow: SeverityError, DDLBlock: SeverityInfo, "": SeverityInfo} {
		s := healthy(t)
		s.facts.External = []Tablespace{{Name: "a/t", Path: "/ext/a/t.ibd"}}
		s.target.Mode, s.target.DDL = ModeStream, ddl
		if f := s.check(t, CodeExternal); f.Severity != want || want == SeverityError && !strings.Contains(f.Detail, "/ext/a/t.ibd") {
			t.Errorf("ddl %q: got %+v", ddl, f)
		}
	}
}

// A server writes the copy of such a file to that path, whatever directory the path is in.
func TestATablespaceWithAnAbsolutePathStopsABackup(t *testing.T) {
	server := mysqldtest.Start(t)
	server.Exec(t, "CREATE TABLESPACE absolute ADD DATAFILE '"+server.DataDir()+"/absolute.ibd'", "CREATE UNDO TABLESPACE undo_absolute ADD DATAFILE '"+server.DataDir()+"/undo_absolute.ibu'")
	plan := target(t, server)
	found := findings(t, asRoot(server), plan)
	expect(t, found, map[string]Severity{CodeExternal: SeverityError})
	if detail := found[CodeExternal].Detail; !strings.Contains(detail, "absolute at "+server.DataDir()) || strings.Contains(detail, "undo_") {
		t.Errorf("got %s", detail)
	}
	if _, err := server.Pool().ExecContext(t.Context(), "CLONE LOCAL DATA DIRECTORY = '"+plan.Staging+"'"); !IsNumber(err, 1086) {
		t.Errorf("the server's error is %v", err)
	}
}
