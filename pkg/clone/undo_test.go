package clone_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"runner/pkg/clone"
	"runner/pkg/mysqld/mysqldtest"
)

func effect(t *testing.T, kind clone.EffectKind, data any) clone.Effect {
	t.Helper()
	encoded, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	return clone.Effect{Kind: kind, Summary: "a change", Data: encoded}
}

func undoesGlobals(t *testing.T, my *mysqldtest.Server) {
	s := connect(t, my)
	e := effect(t, clone.EffectGlobal, clone.GlobalEffect{Variable: "clone_max_data_bandwidth", Previous: "3", Set: "5"})
	for _, c := range []struct{ why, now, want string }{
		{"what we set is taken back", "5", "3"},
		{"twice does no harm", "3", "3"},
		{"what somebody else set since is left", "9", "9"},
	} {
		my.Exec(t, "SET GLOBAL clone_max_data_bandwidth = "+c.now)
		if err := clone.DryRun(s).Undo(t.Context(), e); err != nil || settings(t, my)["clone_max_data_bandwidth"] != c.now {
			t.Errorf("%s: the dry run did something, or gave %v", c.why, err)
		}
		err := s.Undo(t.Context(), e)
		if got := settings(t, my)["clone_max_data_bandwidth"]; err != nil || got != c.want {
			t.Errorf("%s: got %s (%v), want %s", c.why, got, err, c.want)
		}
	}
	my.Exec(t, "SET GLOBAL clone_max_data_bandwidth = 0")
}

func undoRefuses(t *testing.T, my *mysqldtest.Server) {
	s := connect(t, my)
	for name, e := range map[string]clone.Effect{
		"variable": effect(t, clone.EffectGlobal, clone.GlobalEffect{Variable: "max_connections", Previous: "1", Set: "100"}),
		"value":    effect(t, clone.EffectGlobal, clone.GlobalEffect{Variable: "clone_ddl_timeout", Previous: "1, GLOBAL max_connections = 1", Set: "300"}),
		"unknown":  effect(t, clone.EffectGlobal, clone.GlobalEffect{Variable: "clone_ddl_timeout", Previous: "", Set: "300"}),
		"plugin":   effect(t, clone.EffectPlugin, clone.PluginEffect{Name: "caching_sha2_password"}),
		"kind":     effect(t, "table", nil),
		"no data":  {Kind: clone.EffectStatement},
	} {
		if err := s.Undo(t.Context(), e); err == nil || !strings.Contains(err.Error(), "undo") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if got := my.Value(t, "SELECT @@GLOBAL.max_connections"); got == "1" {
		t.Error("a record that is not ours was executed")
	}
}

func undoesStatement(t *testing.T, my *mysqldtest.Server) {
	s, directory := connect(t, my), target(t)
	my.Exec(t, "SET GLOBAL clone_max_data_bandwidth = 1")
	done := make(chan error, 1)
	go func() {
		_, err := my.Pool().Exec("CLONE LOCAL DATA DIRECTORY = '" + directory + "'")
		done <- err
	}()
	for {
		if state, err := s.State(t.Context(), directory); err == nil && state.State == clone.CloneInProgress {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	// The connection of the record is that of nobody; the server's own row names the one to be killed.
	statement := effect(t, clone.EffectStatement, clone.StatementEffect{Directory: directory, PID: 1 << 30})
	other := effect(t, clone.EffectStatement, clone.StatementEffect{Directory: directory + "-other"})
	for _, e := range []clone.Effect{other, effect(t, clone.EffectDirectory, clone.DirectoryEffect{Directory: directory, Observe: directory})} {
		if err := s.Undo(t.Context(), e); err != nil {
			t.Errorf("%s: %v", e.Kind, err)
		}
	}
	if err := clone.DryRun(s).Undo(t.Context(), statement); err != nil {
		t.Error(err)
	}
	if state, err := s.State(t.Context(), directory); err != nil || state.State != clone.CloneInProgress {
		t.Errorf("what does not concern this clone ended it: %+v, %v", state, err)
	}
	if err := s.Undo(t.Context(), statement); err != nil {
		t.Error(err)
	}
	if state, err := s.State(t.Context(), directory); err != nil || state.State != clone.CloneFailed || state.ErrorNumber != 1317 {
		t.Errorf("got %+v, %v", state, err)
	}
	if err := <-done; !clone.IsNumber(err, 1317) {
		t.Errorf("the statement gave %v", err)
	}
	wantDirectory(t, directory, clone.DirPartial)
	if err := s.Undo(t.Context(), statement); err != nil {
		t.Errorf("twice: %v", err)
	}
	my.Exec(t, "SET GLOBAL clone_max_data_bandwidth = 0")
}

func undoesPlugin(t *testing.T, my *mysqldtest.Server) {
	s := connect(t, my)
	e := effect(t, clone.EffectPlugin, clone.PluginEffect{Name: "clone"})
	const installed = "SELECT COUNT(*) FROM information_schema.plugins WHERE plugin_name = 'clone'"
	if err := clone.DryRun(s).Undo(t.Context(), e); err != nil || my.Value(t, installed) != "1" {
		t.Errorf("the dry run did something, or gave %v", err)
	}
	for range 2 {
		if err := s.Undo(t.Context(), e); err != nil {
			t.Error(err)
		}
		if n := my.Value(t, installed); n != "0" {
			t.Errorf("%s plugins are left", n)
		}
	}
	// Without the plugin there is no clone_status, and so no clone.
	if state, err := s.State(t.Context(), "/anywhere"); err != nil || state.State != clone.CloneNone {
		t.Errorf("got %+v, %v", state, err)
	}
	my.Exec(t, "INSTALL PLUGIN clone SONAME 'mysql_clone.so'")
}
