package clone_test

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"runner/pkg/clone"
	"runner/pkg/mysqld/mysqldtest"
)

// The published engine took bandwidth and threads and ignored them.
func settingsHold(t *testing.T, my *mysqldtest.Server) {
	my.Exec(t, "SET GLOBAL clone_max_data_bandwidth = 7", "SET GLOBAL clone_ddl_timeout = 120")
	before := settings(t, my)
	var r recorder
	r.onIntend = func(e clone.Effect) error {
		if e.Kind == clone.EffectGlobal {
			g := decode[clone.GlobalEffect](t, e)
			if now := my.Value(t, "SELECT @@GLOBAL."+g.Variable); now != g.Previous || g.Set == g.Previous {
				t.Errorf("%+v is intended when the value is %s", g, now)
			}
		}
		return nil
	}
	var during map[string]string
	r.onProgress = func(clone.Progress) {
		if during == nil {
			during = settings(t, my)
		}
	}
	result, err := connect(t, my).CloneLocal(t.Context(), clone.LocalOptions{
		Directory: target(t), Bandwidth: 200<<20 + 1, Threads: 1,
		DDL: clone.DDLBlock, DDLTimeout: 1500 * time.Millisecond,
	}, r.hooks())
	if err != nil {
		t.Fatal(err)
	}
	want := maps.Clone(before)
	want["clone_max_data_bandwidth"], want["clone_max_concurrency"] = "201", "1"
	want["clone_block_ddl"], want["clone_ddl_timeout"] = "ON", "2"
	if !maps.Equal(during, want) {
		t.Errorf("during the clone: got %v, want %v", during, want)
	}
	if after := settings(t, my); !maps.Equal(after, before) {
		t.Errorf("settings were %v, are %v", before, after)
	}
	wantSettings := []clone.Setting{
		{"clone_max_data_bandwidth", "7", "201"},
		{"clone_max_concurrency", "16", "1"},
		{"clone_block_ddl", "0", "1"},
		{"clone_ddl_timeout", "120", "2"},
	}
	if !slices.Equal(result.Settings, wantSettings) {
		t.Errorf("got %v, want %v", result.Settings, wantSettings)
	}
	if threads := result.Stages[1].Threads; threads != 1 {
		t.Errorf("%d threads copied", threads)
	}
	if len(r.notes) != 1 || !strings.Contains(r.notes[0], "rounded up to 201 MiB/s") {
		t.Errorf("notes are %q", r.notes)
	}
	wantKinds(t, "open", r.left(), clone.EffectDirectory)
	my.Exec(t, "SET GLOBAL clone_max_data_bandwidth = 0", "SET GLOBAL clone_ddl_timeout = 300")
}

func settingIsThere(t *testing.T, my *mysqldtest.Server) {
	var r recorder
	result, err := connect(t, my).CloneLocal(t.Context(), clone.LocalOptions{Directory: target(t), DDL: clone.DDLAllow}, r.hooks())
	if err != nil {
		t.Fatal(err)
	}
	wantKinds(t, "all", r.kinds(), clone.EffectDirectory, clone.EffectStatement)
	if want := []clone.Setting{{"clone_block_ddl", "0", "0"}}; !slices.Equal(result.Settings, want) {
		t.Errorf("got %v, want %v", result.Settings, want)
	}
}

func unrecorded(t *testing.T, my *mysqldtest.Server) {
	s := connect(t, my)
	clones := my.Query(t, "SELECT * FROM performance_schema.clone_status")
	full := errors.New("no space left in the journal")
	for _, kind := range []clone.EffectKind{clone.EffectGlobal, clone.EffectDirectory, clone.EffectStatement} {
		t.Run(kind, func(t *testing.T) {
			var r recorder
			r.onIntend = func(e clone.Effect) error {
				if e.Kind == kind {
					return full
				}
				return nil
			}
			directory := target(t)
			if _, err := s.CloneLocal(t.Context(), clone.LocalOptions{Directory: directory, Bandwidth: slow}, r.hooks()); !errors.Is(err, full) {
				t.Errorf("got %v", err)
			}
			wantDirectory(t, directory, clone.DirAbsent)
			wantKinds(t, "open", r.left(), kind) // that which the recorder itself failed to record
		})
	}
	if now := my.Query(t, "SELECT * FROM performance_schema.clone_status"); !slices.EqualFunc(now, clones, slices.Equal) {
		t.Errorf("a clone was made: %v", now)
	}
}

func mayNotSet(t *testing.T, my *mysqldtest.Server) {
	my.Exec(t, "CREATE USER IF NOT EXISTS b@localhost IDENTIFIED BY 'b'", "GRANT BACKUP_ADMIN ON *.* TO b@localhost")
	var r recorder
	_, err := open(t, clone.Config{Socket: my.Socket(), User: "b", Password: "b"}).
		CloneLocal(t.Context(), clone.LocalOptions{Directory: target(t), Bandwidth: slow}, r.hooks())
	wantClass(t, err, clone.UserMustFix, 1227)
	wantKinds(t, "open", r.left())
}

// The published engine installed the plugin in its check, for good.
func TestThePluginIsInstalledOnlyWhenToldToAndRemovedAfterwards(t *testing.T) {
	my := mysqldtest.Start(t, mysqldtest.WithoutClone())
	s := connect(t, my)
	const installed = "SELECT COUNT(*) FROM information_schema.plugins WHERE plugin_name = 'clone'"
	directory := filepath.Join(my.Folder(), "copy")
	var r recorder
	_, err := s.CloneLocal(t.Context(), clone.LocalOptions{Directory: directory, Bandwidth: slow}, r.hooks())
	wantClass(t, err, clone.UserMustFix, 1524)
	wantKinds(t, "all", r.kinds())
	if my.Value(t, installed) != "0" {
		t.Fatal("the plugin was installed unasked")
	}

	dry := recorder{}
	result, err := clone.DryRun(s).CloneLocal(t.Context(), clone.LocalOptions{Directory: directory, Bandwidth: slow, InstallPlugin: true}, dry.hooks())
	if err != nil {
		t.Fatal(err)
	}
	wantKinds(t, "dry", dry.kinds(), clone.EffectPlugin, clone.EffectGlobal, clone.EffectDirectory, clone.EffectStatement)
	wantKinds(t, "dry open", dry.left())
	if want := []clone.Setting{{"clone_max_data_bandwidth", "", "1"}}; !slices.Equal(result.Settings, want) || my.Value(t, installed) != "0" {
		t.Errorf("settings of the dry run are %v, want %v", result.Settings, want)
	}

	result, err = s.CloneLocal(t.Context(), clone.LocalOptions{Directory: directory, Bandwidth: 4096 << 20, InstallPlugin: true}, r.hooks())
	if err != nil {
		t.Fatal(err)
	}
	wantKinds(t, "all", r.kinds(), clone.EffectPlugin, clone.EffectGlobal, clone.EffectDirectory, clone.EffectStatement)
	wantKinds(t, "open", r.left(), clone.EffectDirectory)
	if my.Value(t, installed) != "0" {
		t.Error("the plugin is still there")
	}
	if len(result.Stages) != 7 {
		t.Errorf("stages are %v", result.Stages)
	}
	wantDirectory(t, directory, clone.DirFinished)
}
