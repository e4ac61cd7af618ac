package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "runner"

// rules are DESIGN's table: what a package may import of this module, and which libraries only it may import.
var rules = map[string][]string{
	"cmd/runner":                  {"cmd/runner/internal/cli"},
	"cmd/runner/internal/engine":  {"pkg/plan/graph"},
	"cmd/runner/internal/journal": {"cmd/runner/internal/engine", "pkg/plan/graph", "pkg/files"},
	"cmd/runner/internal/report":  {"cmd/runner/internal/engine", "pkg/plan/graph"},
	"cmd/runner/internal/steps": {
		"cmd/runner/internal/engine", "pkg/plan", "pkg/plan/graph", "pkg/clone", "pkg/mysqld", "pkg/innodb", "pkg/files",
		"pkg/archive", "pkg/archive/codec", "pkg/archive/digest", "pkg/archive/manifest", "pkg/archive/store",
	},
	"cmd/runner/internal/schema": {
		"cmd/runner/internal/cli", "cmd/runner/internal/journal", "pkg/archive/manifest", "pkg/plan/spec",
	},
	"cmd/demo":                     {"pkg/mysqld"},
	"pkg/plan":                     {"pkg/plan/", "pkg/files"},
	"pkg/plan/graph":               {},
	"pkg/plan/diag":                {},
	"pkg/plan/spec":                {},
	"pkg/plan/internal/hclsyn":     {"pkg/plan/"},
	"pkg/plan/internal/yamlsyn":    {"pkg/plan/"},
	"pkg/clone":                    {"pkg/innodb", "pkg/files", "pkg/clone/internal/"},
	"pkg/clone/internal/fake":      {},
	"pkg/clone/internal/wire":      {},
	"pkg/clone/internal/donor":     {"pkg/clone/internal/wire"},
	"pkg/clone/internal/recipient": {"pkg/clone/internal/wire", "pkg/innodb"},
	"pkg/innodb":                   {},
	"pkg/files":                    {},
	"pkg/archive":                  {"pkg/archive/", "pkg/innodb", "pkg/files"},
	"pkg/archive/codec":            {},
	"pkg/archive/digest":           {},
	"pkg/archive/manifest":         {"pkg/archive/"},
	"pkg/archive/store":            {"pkg/files"},
	"pkg/archive/store/storetest":  {"pkg/archive/store"},
	"pkg/archive/bench":            {"pkg/archive", "pkg/archive/", "pkg/innodb", "pkg/innodb/innodbtest", "pkg/mysqld"},
	"pkg/mysqld":                   {},
	"pkg/mysqld/mysqldtest":        {"pkg/mysqld"},
	"schemas":                      {},
}

// only lists who may import a library; what is not listed here may be imported by anybody whose rule allows libraries.
var only = map[string][]string{
	"gopkg.in/yaml.v3":               {"pkg/plan/internal/yamlsyn"},
	"github.com/hashicorp/hcl":       {"pkg/plan", "pkg/plan/"},
	"github.com/zclconf/go-cty":      {"pkg/plan", "pkg/plan/"},
	"github.com/go-sql-driver/mysql": {"pkg/clone", "pkg/clone/", "pkg/mysqld", "pkg/mysqld/", "cmd/runner"},
	"github.com/klauspost/compress":  {"pkg/archive", "pkg/archive/", "pkg/clone/internal/wire"},
	"github.com/pierrec/lz4":         {"pkg/archive", "pkg/archive/"},
	"filippo.io/age":                 {"pkg/archive", "pkg/plan"},
	"golang.org/x/crypto":            {"pkg/archive", "pkg/plan"},
	"github.com/spf13/cobra":         {"cmd/runner/internal/cli"},
	"github.com/lmittmann/tint":      {"cmd/runner/internal/report"},
	"github.com/vbauerster/mpb":      {"cmd/runner/internal/report"},
}

// pure packages import the standard library and nothing else.
var pure = []string{"pkg/plan/graph", "pkg/innodb"}

type listed struct {
	ImportPath string
	Imports    []string
}

func list(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		all = append(all, p)
	}
}

// allowed reports whether a name is in the list, whose entries with a slash at the end stand for all below them.
func allowed(name string, entries []string) bool {
	return slices.ContainsFunc(entries, func(e string) bool {
		return name == e || strings.HasSuffix(e, "/") && strings.HasPrefix(name, e)
	})
}

func TestPackagesImportOnlyWhatTheDesignAllows(t *testing.T) {
	packages := list(t)
	if len(packages) < 15 {
		t.Fatalf("go list names only %d packages", len(packages))
	}
	for _, p := range packages {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, imported := range p.Imports {
			ours, isOurs := strings.CutPrefix(imported, module+"/")
			switch {
			case isOurs && name != "cmd/runner/internal/cli":
				may, known := rules[name]
				if !known {
					t.Errorf("%s is not in the table of what may import what", name)
				}
				if !allowed(ours, may) {
					t.Errorf("%s must not import %s", name, ours)
				}
			case isOurs && strings.HasPrefix(name, "pkg/") && strings.HasPrefix(ours, "cmd/"):
				t.Errorf("%s must not import %s: nothing under pkg/ imports cmd/", name, ours)
			case strings.Contains(strings.SplitN(imported, "/", 2)[0], ".") && slices.Contains(pure, name):
				t.Errorf("%s must not import %s: it is pure", name, imported)
			}
			for library, may := range only {
				if strings.HasPrefix(imported, library) && !allowed(name, may) {
					t.Errorf("%s must not import %s", name, imported)
				}
			}
		}
	}
}

func TestNothingBelowPkgPrintsOrExits(t *testing.T) {
	out, err := exec.Command("git", "-C", "../..", "grep", "-nE", `os\.(Stdout|Stderr|Exit)\b|fmt\.Print|log\.(Print|Fatal)|println\(`, "--", "pkg/*.go", ":!*_test.go", ":!pkg/archive/bench").Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		t.Fatalf("git grep: %v", err)
	}
	if len(out) > 0 {
		t.Errorf("packages under pkg/ print or exit:\n%s", out)
	}
}
