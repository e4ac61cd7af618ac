package clone_test

import (
	"slices"
	"strings"
	"testing"

	"runner/pkg/clone"
	"runner/pkg/mysqld/mysqldtest"
)

// state is what of a server a statement of ours could change.
func state(t *testing.T, my *mysqldtest.Server) [][]string {
	t.Helper()
	rows := my.Query(t, "SELECT variable_name, variable_value FROM performance_schema.global_variables WHERE variable_name <> 'gtid_executed' ORDER BY 1")
	rows = append(rows, my.Query(t, "SELECT plugin_name, plugin_status FROM information_schema.plugins ORDER BY 1")...)
	return append(rows, my.Query(t, "SELECT * FROM performance_schema.clone_status")...)
}

func dryRun(t *testing.T, my *mysqldtest.Server) {
	my.Exec(t, "CREATE USER dry@localhost IDENTIFIED BY 'd'", "GRANT ALL ON *.* TO dry@localhost")
	before := state(t, my)
	my.Exec(t, "SET GLOBAL log_output = 'TABLE'", "SET GLOBAL general_log = ON")
	s := clone.DryRun(open(t, clone.Config{Socket: my.Socket(), User: "dry", Password: "d"}))
	directory := target(t)
	var r recorder
	result, err := s.CloneLocal(t.Context(), clone.LocalOptions{
		Directory: directory, Bandwidth: 9 << 20, Threads: 3, DDL: clone.DDLBlock,
	}, r.hooks())
	my.Exec(t, "SET GLOBAL general_log = OFF", "SET GLOBAL log_output = 'FILE'")
	if err != nil {
		t.Fatal(err)
	}
	if result.Directory != "" || result.Observe != "" || result.Bytes != 0 || len(result.Stages) != 0 {
		t.Errorf("got %+v", result)
	}
	if !strings.HasPrefix(result.Statement, "CLONE LOCAL DATA DIRECTORY = '/") || len(result.Settings) != 3 {
		t.Errorf("got %q, %v", result.Statement, result.Settings)
	}
	wantKinds(t, "all", r.kinds(), clone.EffectGlobal, clone.EffectGlobal, clone.EffectGlobal, clone.EffectDirectory, clone.EffectStatement)
	wantKinds(t, "open", r.left())
	wantDirectory(t, directory, clone.DirAbsent)
	if after := state(t, my); !slices.EqualFunc(before, after, slices.Equal) {
		t.Error("the server is not as it was")
	}
	sent := my.Query(t, "SELECT argument FROM mysql.general_log WHERE user_host LIKE 'dry[dry]%' AND command_type IN ('Query', 'Execute')")
	if len(sent) < 8 {
		t.Errorf("the log is not of this run: %v", sent)
	}
	for _, row := range sent {
		reads := slices.ContainsFunc([]string{"SELECT ", "SET SESSION ", "SET ROLE ", "SET NAMES "}, func(prefix string) bool { return strings.HasPrefix(row[0], prefix) })
		if !reads {
			t.Errorf("a dry run sent %q", row[0])
		}
	}
}

func dryRunRefuses(t *testing.T, my *mysqldtest.Server) {
	_, err := clone.DryRun(connect(t, my)).CloneLocal(t.Context(), clone.LocalOptions{Directory: t.TempDir()}, clone.Hooks{})
	wantClass(t, err, clone.UserMustFix, 1007)
}
