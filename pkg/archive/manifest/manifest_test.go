package manifest_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store"
	"runner/pkg/archive/store/storetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// full has something in every field.
func full() *manifest.Manifest {
	yes, no, one := true, false, 1
	at := time.Date(2026, 11, 22, 11, 3, 29, 120000000, time.FixedZone("CET", 3600))
	later := at.Add(90 * time.Second)
	status := &manifest.LogStatus{Time: at, BinlogFile: "binlog.000042", BinlogPosition: 157, GTIDExecuted: "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77", LSN: 843061713, LSNCheckpoint: 843000000}
	sum := strings.Repeat("0123456789abcdef", 4)
	return &manifest.Manifest{
		State: manifest.StateComplete,
		Run: manifest.Run{
			ID: "20261122T100329Z-k3f9", Job: `job.each["eu"]`, PlanDigest: "sha256:" + sum, Attempt: 2,
			Host: "backup1", Version: "1.0.0", Started: at, Finished: later,
		},
		Labels:      map[string]string{"team": "shop", "env": "prod <&>"},
		Annotations: map[string]string{"ticket": "OPS-1234"},
		Source: manifest.Source{
			Name: "orders", ServerUUID: "4e950530-e66b-11f1-984d-02fc00000001", Host: "127.0.0.1", Port: 3306, Socket: "", DataDir: "/var/lib/mysql/",
			Version: "9.7.4", VersionComment: "(Debian)", Arch: "x86_64", OS: "Linux", ReadOnly: &no, SuperReadOnly: &no,
			GTIDMode: "ON", LogBin: &yes, BinlogFormat: "ROW", LowerCaseTableNames: &one, InnodbPageSize: 16384,
			InnodbDataFilePath: "ibdata1:12M:autoextend", UndoTablespaces: []string{"undo_001", "undo_002"}, RedoLogCapacity: 104857600,
			CharacterSet: "utf8mb4", Collation: "utf8mb4_0900_ai_ci", SQLMode: "STRICT_TRANS_TABLES", TimeZone: "SYSTEM",
			Plugins: []string{"clone"}, Components: []string{"component_validate_password"}, Keyring: "component_keyring_file",
			RestoreCNF: "[mysqld]\nlower_case_table_names = 1\n", Unknown: map[string]string{"replica_status": "1227 (42000): Access denied"},
		},
		Clone: manifest.Clone{
			Mode: "local", Statement: "CLONE LOCAL DATA DIRECTORY = '/staging/x'", Directory: "/staging/x", Observed: "/seen/x",
			Began: at, Ended: later, Bytes: 1 << 30, Threads: 4, Bandwidth: 100 << 20,
			Settings: []manifest.Setting{{Name: "clone_max_data_bandwidth", Previous: "0", Set: "100"}},
			Stages: []manifest.Stage{
				{Name: "FILE COPY", State: "Completed", Began: &at, Ended: &later, Threads: 2, Estimate: 1 << 30, Bytes: 1 << 30, Speed: 9 << 20},
				{Name: "RESTART", State: "Not Started"},
			},
			Donor: "", TLS: "",
		},
		Window:      manifest.Window{Before: status, After: status},
		Coordinates: manifest.Coordinates{From: manifest.FromQuietWindow, BinlogFile: "binlog.000042", BinlogPosition: 157, GTIDExecuted: status.GTIDExecuted, LSN: status.LSN},
		Content: manifest.Content{
			Tablespaces: []manifest.Tablespace{{Schema: "shop", Table: "orders", Partition: "p0", Subpartition: "p0sp1", Path: "shop/orders#p#p0#sp#p0sp1.ibd", SpaceID: 7, PageSize: 16384, Pages: 640, Encrypted: true, Compressed: true}},
			Lost:        []manifest.Lost{{Schema: "mysql", Table: "general_log", Engine: "CSV"}},
			Other:       []string{"binary logs"},
		},
		Archive: manifest.Archive{
			Compression: "zstd", Level: 1, FrameSize: 4 << 20, Frames: 241, ZeroFrames: 22, Files: 60, RawBytes: 978061824, StoredBytes: 351599777, Ratio: 0.3594863,
			Data:       manifest.StoredFile{Name: "data.tar.zst.age", Bytes: 351599777, SHA256: sum, RawBytes: 978061824},
			Index:      manifest.StoredFile{Name: "index.json.zst.age", Bytes: 14447, SHA256: sum, RawBytes: 52000},
			Encryption: manifest.EncryptionAge, Recipients: 2,
			Pages: manifest.Pages{Checked: true, Total: 57642, Zero: 5365, Bad: 0, Uncheckable: 3, MinLSN: 8213, MaxLSN: 843061713},
		},
		Checks:  []manifest.Check{{Code: "RUN101", Severity: "ok", Summary: "s", Detail: "d", Hint: "h"}},
		Timings: []manifest.Timing{{Step: "clone", Attempt: 2, Outcome: "done", Began: at, Ended: later, Seconds: 90}},
		Proofs:  []manifest.Proof{{Time: later, Verdict: "held", Server: "9.7.4", Detail: []string{"CHECK TABLE of 3 tables"}, Seconds: 4.5}},
	}
}

// minimal is the least that is a manifest.
func minimal() *manifest.Manifest {
	m := full()
	return &manifest.Manifest{State: m.State, Run: manifest.Run{ID: "r", Job: "j"}, Coordinates: manifest.Coordinates{From: manifest.FromNone}, Archive: m.Archive}
}

func TestManifestsAreWrittenAsTheGoldenFilesAre(t *testing.T) {
	for name, m := range map[string]*manifest.Manifest{"full": full(), "minimal": minimal()} {
		data, err := manifest.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(data)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestManifestsAreReadAgain(t *testing.T) {
	for name, m := range map[string]*manifest.Manifest{"full": full(), "minimal": minimal()} {
		s := storetest.NewMemory()
		if err := manifest.Write(t.Context(), s, m); err != nil {
			t.Fatal(err)
		}
		got, err := manifest.Read(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if got.Run.Started.Location() != time.UTC {
			t.Errorf("%s: time is %v", name, got.Run.Started)
		}
	}
}

func TestAMissingManifestIsToldAsSuch(t *testing.T) {
	if _, err := manifest.Read(t.Context(), storetest.NewMemory()); !errors.Is(err, manifest.ErrMissing) {
		t.Errorf("error is %v", err)
	}
}

func TestEveryFlippedBitAndEveryCutIsNoticed(t *testing.T) {
	data, err := manifest.Encode(full())
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, at int, damaged []byte) {
		t.Helper()
		_, err := manifest.Decode(damaged)
		var e *manifest.Error
		if !errors.As(err, &e) || !errors.Is(err, manifest.ErrCorrupt) && !errors.Is(err, manifest.ErrFormat) {
			t.Fatalf("%s %d: %v", what, at, err)
		}
	}
	for at := range data {
		check("cut to", at, data[:at])
		for bit := range 8 {
			damaged := bytes.Clone(data)
			damaged[at] ^= 1 << bit
			check("flipped in byte", at, damaged)
		}
	}
	for _, more := range []string{" ", "\n", "{}", "\x00", string(data)} {
		check("more", len(more), append(bytes.Clone(data), more...))
	}
}

// resealed gives a manifest other text and the digest that belongs to it, as a tool would that
// knows the format.
func resealed(t *testing.T, replace ...string) []byte {
	t.Helper()
	data, err := manifest.Encode(minimal())
	if err != nil {
		t.Fatal(err)
	}
	changed := []byte(strings.NewReplacer(replace...).Replace(string(data)))
	if bytes.Equal(changed, data) {
		t.Fatalf("%q changes nothing", replace)
	}
	return manifest.Reseal(changed)
}

func TestManifestsOfOtherVersionsAreToldAsSuch(t *testing.T) {
	for _, format := range []string{"runner-backup/2", "runner-backup/10", "runner-backup", "other/1", ""} {
		if _, err := manifest.Decode(resealed(t, manifest.Format, format)); !errors.Is(err, manifest.ErrFormat) {
			t.Errorf("%q: %v", format, err)
		}
	}
}

func TestFieldsOfALaterVersionAreIgnored(t *testing.T) {
	got, err := manifest.Decode(resealed(t, "\n  \"source\": {", "\n  \"solar\": {\n    \"flare\": 12345678901234567890\n  },\n  \"source\": {"))
	if err != nil || got.Run.ID != "r" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestManifestsThatContradictThemselvesAreRefused(t *testing.T) {
	for name, replace := range map[string][]string{
		"state":           {`"state": "complete"`, `"state": "half"`},
		"no run":          {`"id": "r"`, `"id": ""`},
		"coordinates":     {`"from": "none"`, `"from": "thin air"`},
		"negative size":   {`"frames": 241`, `"frames": -1`},
		"number as text":  {`"frames": 241`, `"frames": "241"`},
		"stored bytes":    {`"stored_bytes": 351599777`, `"stored_bytes": 351599778`},
		"digest":          {`"sha256": "01`, `"sha256": "zz`},
		"path as name":    {`"data.tar.zst.age"`, `"../data.tar.zst.age"`},
		"encryption":      {`"encryption": "age"`, `"encryption": "rot13"`},
		"no recipient":    {`"recipients": 2`, `"recipients": 0`},
		"recipients":      {`"encryption": "age"`, `"encryption": ""`},
		"key twice":       {`"state": "complete"`, `"state": "complete",` + "\n" + `  "state": "complete"`},
		"keys not sorted": {`"frame_size": 4194304,` + "\n" + `    "frames": 241`, `"frames": 241,` + "\n" + `    "frame_size": 4194304`},
		"indentation":     {"\n  \"state\"", "\n   \"state\""},
		"time":            {`"started": "0001-01-01T00:00:00Z"`, `"started": "yesterday"`},
	} {
		if _, err := manifest.Decode(resealed(t, replace...)); !errors.Is(err, manifest.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAManifestThatContradictsItselfIsNotWritten(t *testing.T) {
	for name, change := range map[string]func(m *manifest.Manifest){
		"state":       func(m *manifest.Manifest) { m.State = "" },
		"coordinates": func(m *manifest.Manifest) { m.Coordinates.From = "" },
		"digest":      func(m *manifest.Manifest) { m.Archive.Data.SHA256 = "" },
		"frame size":  func(m *manifest.Manifest) { m.Archive.FrameSize = 0 },
	} {
		m := minimal()
		change(m)
		s := storetest.NewMemory()
		if err := manifest.Write(t.Context(), s, m); !errors.Is(err, manifest.ErrCorrupt) || s.Bytes(manifest.Name) != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAManifestTooLargeIsNotRead(t *testing.T) {
	s := huge{storetest.NewMemory()}
	if _, err := manifest.Read(t.Context(), s); !errors.Is(err, manifest.ErrCorrupt) {
		t.Errorf("error is %v", err)
	}
}

// FuzzManifest looks for a manifest that panics, or that is let through and is not what it would be
// written as.
func FuzzManifest(f *testing.F) {
	for _, m := range []*manifest.Manifest{full(), minimal()} {
		data, err := manifest.Encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := manifest.Decode(manifest.Reseal(data))
		if err != nil {
			return
		}
		again, err := manifest.Encode(m)
		if err != nil {
			t.Fatalf("cannot be written again: %v", err)
		}
		if _, err := manifest.Decode(again); err != nil {
			t.Fatalf("cannot be read again: %v", err)
		}
	})
}

var _ store.Store = huge{}
