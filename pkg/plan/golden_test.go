package plan

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/plan/diag"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestDiagnosticsLookTheSameInBothSyntaxes(t *testing.T) {
	for name, plan := range map[string]string{
		"six-mistakes.hcl.txt":  "six-mistakes.hcl",
		"six-mistakes.yaml.txt": "six-mistakes.yaml",
		"secrets.hcl.txt":       "secrets.hcl",
		"secrets.yaml.txt":      "secrets.yaml",
		"positions.yaml.txt":    "yaml-positions.yaml",
	} {
		_, files, list := Load([]string{filepath.Join("testdata", "invalid", plan)}, testOptions())
		var out bytes.Buffer
		if err := diag.Render(&out, files, list, 80, false); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", "golden", name)
		if *update {
			if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), out.String()); diff != "" {
			t.Errorf("%s: expected (-) and shown (+):\n%s", name, diff)
		}
	}
}
