package clone

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/mysqld/mysqldtest"
)

// facts opens, reads and closes.
func facts(t *testing.T, c Config) *Facts {
	t.Helper()
	s := open(t, c)
	f, err := s.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFactsOfARealServer(t *testing.T) {
	server := mysqldtest.Start(t)
	server.Exec(t, "CREATE DATABASE a", "CREATE TABLE a.t (id INT PRIMARY KEY)", "CREATE TABLE a.old (id INT) ENGINE = MyISAM",
		"CREATE TABLE a.volatile_one (id INT) ENGINE = MEMORY", "INSERT INTO a.old VALUES (1), (2)", "CREATE VIEW a.v AS SELECT 1")
	f := facts(t, asRoot(server))
	src := f.Source
	unasked := map[string]string{FactKeyring: "nothing is encrypted, so it was not asked for"}
	if !maps.Equal(f.Unknown, unasked) || !maps.Equal(src.Unknown, unasked) {
		t.Errorf("unknown to root: %v, %v", f.Unknown, src.Unknown)
	}
	for name, got := range map[string]string{
		"server_uuid": src.ServerUUID, "hostname": src.Host, "port": fmt.Sprint(src.Port), "socket": src.Socket, "datadir": src.DataDir,
		"version": src.Version, "version_comment": src.VersionComment, "version_compile_machine": src.Arch, "version_compile_os": src.OS,
		"gtid_mode": src.GTIDMode, "binlog_format": src.BinlogFormat, "innodb_page_size": fmt.Sprint(src.InnodbPageSize),
		"innodb_data_file_path": src.InnodbDataFilePath, "character_set_server": src.CharacterSet, "collation_server": src.Collation,
		"sql_mode": src.SQLMode, "time_zone": src.TimeZone, "lower_case_table_names": fmt.Sprint(*src.LowerCaseTableNames),
		"innodb_redo_log_capacity": fmt.Sprint(src.RedoLogCapacity),
	} {
		if want := server.Value(t, "SELECT @@global."+name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if *src.ReadOnly || *src.SuperReadOnly || !*src.LogBin || !f.RedoLogging || !f.PerformanceSchema {
		t.Errorf("switches: %+v", f)
	}
	if !slices.Contains(src.Plugins, "clone") || len(src.UndoTablespaces) != 2 || f.LogStatus == nil || f.Clone != nil || len(f.Donations) != 0 {
		t.Errorf("got plugins %v, undo %v, log status %v, clone %v, donations %v", src.Plugins, src.UndoTablespaces, f.LogStatus, f.Clone, f.Donations)
	}
	lost := []string{}
	for _, l := range f.Lost {
		lost = append(lost, l.String())
	}
	if diff := cmp.Diff([]string{"a.old (MyISAM)", "mysql.general_log (CSV)", "mysql.slow_log (CSV)"}, lost); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(src.RestoreCNF, "[mysqld]\ninnodb_page_size = 16384\n") {
		t.Errorf("restore.cnf is\n%s", src.RestoreCNF)
	}
}

// The estimate is of what the server itself announces as FILE COPY, although the system
// tablespace is not in innodb_tablespaces and the temporary one, which is not cloned, is.
func TestTheEstimateIsTheServersOwn(t *testing.T) {
	server := mysqldtest.Start(t, mysqldtest.WithArgs("--innodb-data-file-path=ibdata1:12M:autoextend", "--innodb-temp-data-file-path=ibtmp1:30M:autoextend"))
	server.Exec(t, "CREATE DATABASE a", "CREATE TABLE a.t (id INT PRIMARY KEY AUTO_INCREMENT, b LONGTEXT)", "INSERT INTO a.t (b) VALUES (REPEAT('x', 9000000))",
		"CREATE TABLE a.p (id INT PRIMARY KEY AUTO_INCREMENT, b LONGTEXT) COMPRESSION = 'zlib'", "INSERT INTO a.p (b) VALUES (REPEAT('x', 9000000))",
		"FLUSH TABLES a.p FOR EXPORT", "UNLOCK TABLES") // its pages are compressed when they are written
	f := facts(t, asRoot(server))
	server.Exec(t, "CLONE LOCAL DATA DIRECTORY = '"+filepath.Join(server.Folder(), "copy")+"'")
	var announced int64
	if _, err := fmt.Sscan(server.Value(t, "SELECT ESTIMATE FROM performance_schema.clone_progress WHERE STAGE = 'FILE COPY'"), &announced); err != nil {
		t.Fatal(err)
	}
	// The rest is ib_buffer_pool, some kilobytes.
	if off := announced - f.EstimateBytes; off < 0 || off > 1<<20 {
		t.Errorf("the server announced %d, the estimate is %d", announced, f.EstimateBytes)
	}
	if f.DiskBytes >= f.EstimateBytes+f.Source.RedoLogCapacity {
		t.Errorf("the holes of a compressed table are counted: %d on disk of %d", f.DiskBytes, f.EstimateBytes)
	}
	status := facts(t, asRoot(server)).Clone
	if status == nil || status.State != stateCompleted || status.Begin == nil || status.End == nil || status.PID == 0 {
		t.Errorf("got the status %+v", status)
	}
}

func TestReadingFactsChangesNothing(t *testing.T) {
	server := mysqldtest.Start(t, mysqldtest.WithoutClone())
	server.Exec(t, "CREATE DATABASE a", "CREATE TABLE a.old (id INT) ENGINE = MyISAM", "CREATE TABLE a.t (id INT)")
	plan := target(t, server)
	before := footprint(t, server)
	f := facts(t, asRoot(server))
	s := open(t, asRoot(server))
	s.Check(t.Context(), f, plan)
	if diff := cmp.Diff(before, footprint(t, server)); diff != "" {
		t.Error(diff)
	}
	log, err := os.ReadFile(server.ErrorLog())
	if err != nil {
		t.Fatal(err)
	}
	if _, after, _ := strings.Cut(string(log), "ready for connections"); strings.Count(after, "\n") > 1 {
		t.Errorf("the server's error log has more lines:%s", after)
	}
}

func TestFactsAreJSON(t *testing.T) {
	server := mysqldtest.Start(t)
	text, err := json.Marshal(facts(t, asRoot(server)))
	if err != nil {
		t.Fatal(err)
	}
	var back Facts
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if back.Source.ServerUUID != server.Value(t, "SELECT @@server_uuid") {
		t.Errorf("got %s", text)
	}
}

// footprint is everything that a check could have changed: global variables, plugins, components, tables with
// their statistics, and the names, sizes and modes of all files that are not logs or InnoDB's own.
func footprint(t *testing.T, server *mysqldtest.Server) []string {
	t.Helper()
	var lines []string
	for _, query := range []string{
		// What counts time or position is not a setting.
		"SELECT VARIABLE_NAME, VARIABLE_VALUE FROM performance_schema.global_variables WHERE VARIABLE_NAME NOT IN ('gtid_executed', 'timestamp')",
		"SELECT PLUGIN_NAME, PLUGIN_STATUS FROM information_schema.plugins", "SELECT * FROM mysql.plugin", "SELECT * FROM mysql.component",
		"SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE FROM information_schema.tables", "SELECT * FROM mysql.global_grants", "SELECT @@gtid_executed",
		"SELECT COUNT(*) FROM performance_schema.persisted_variables",
	} {
		for _, row := range server.Query(t, query) {
			lines = append(lines, strings.Join(row, " "))
		}
	}
	err := filepath.Walk(server.Folder(), func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		if info.Name() == "#innodb_redo" { // InnoDB makes and removes files there whenever it likes
			return filepath.SkipDir
		}
		lines = append(lines, fmt.Sprint(path, " ", info.Mode()))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}
