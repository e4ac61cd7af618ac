package mysqldtest_test

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"runner/pkg/mysqld/mysqldtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServersOfOneTemplateHaveUUIDsOfTheirOwnAndTheClonePlugin(t *testing.T) {
	a, b := mysqldtest.Start(t), mysqldtest.Start(t)
	const uuid = "SELECT @@server_uuid"
	if x, y := a.Value(t, uuid), b.Value(t, uuid); x == y {
		t.Fatalf("both servers are %s", x)
	}
	const status = "SELECT plugin_status FROM information_schema.plugins WHERE plugin_name = 'clone'"
	if got := a.Value(t, status); got != "ACTIVE" {
		t.Fatalf("clone plugin is %s", got)
	}
	if got := a.Value(t, "SELECT @@performance_schema"); got != "1" {
		t.Fatalf("performance_schema is %s", got)
	}
}

func TestWithoutCloneThePluginIsAbsentAndOptionsReachTheServer(t *testing.T) {
	s := mysqldtest.Start(t, mysqldtest.WithoutClone(), mysqldtest.WithTCP(),
		mysqldtest.WithArgs("--innodb-page-size=8K", "--gtid-mode=ON", "--enforce-gtid-consistency=ON"))
	if got := s.Value(t, "SELECT COUNT(*) FROM information_schema.plugins WHERE plugin_name = 'clone'"); got != "0" {
		t.Fatalf("clone plugin is there")
	}
	got := s.Query(t, "SELECT @@innodb_page_size, @@gtid_mode, @@port = ?, NULL", s.Port())
	want := []string{"8192", "ON", "1", "NULL"}
	for i := range want {
		if got[0][i] != want[i] {
			t.Fatalf("got %v, want %v", got[0], want)
		}
	}
}

func TestExecRunsOnOneConnectionAndToolFindsInnochecksum(t *testing.T) {
	s := mysqldtest.Start(t)
	s.Exec(t, "SET @x = 7", "CREATE DATABASE a", "CREATE TABLE a.t AS SELECT @x AS x")
	if got := s.Value(t, "SELECT x FROM a.t"); got != "7" {
		t.Fatalf("got %s", got)
	}
	if _, err := os.Stat(mysqldtest.Tool(t, "innochecksum")); err != nil {
		t.Fatal(err)
	}
	if filepath.Dir(s.DataDir()) != s.Folder() {
		t.Fatalf("data directory %s is not in %s", s.DataDir(), s.Folder())
	}
}

func TestAServerWithPartsInPlacesOfItsOwnIsInitialisedForThem(t *testing.T) {
	undo := t.TempDir()
	s := mysqldtest.Start(t, mysqldtest.WithArgs("--innodb-undo-directory="+undo))
	if _, err := os.Stat(filepath.Join(undo, "undo_001")); err != nil {
		t.Fatal(err)
	}
	if got := s.Value(t, "SELECT plugin_status FROM information_schema.plugins WHERE plugin_name = 'clone'"); got != "ACTIVE" {
		t.Fatalf("clone plugin is %s", got)
	}
}
