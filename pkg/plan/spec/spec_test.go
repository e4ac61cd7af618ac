package spec_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"runner/pkg/plan/spec"
)

var update = flag.Bool("update", false, "write the tables of LANGUAGE.md anew")

// walk calls f for every block below b, with its path.
func walk(path string, b spec.Block, f func(path string, b spec.Block)) {
	for _, inner := range b.Blocks {
		at := strings.TrimPrefix(path+"."+inner.Name, ".")
		f(at, inner)
		walk(at, inner, f)
	}
}

func table(b spec.Block) string {
	var out strings.Builder
	out.WriteString("| attribute | type | default | meaning |\n|---|---|---|---|\n")
	for _, a := range b.Attributes {
		preset := "`" + a.Default + "`"
		switch {
		case a.Required:
			preset = "required"
		case a.Default == "":
			preset = "–"
		}
		kind := string(a.Type)
		if a.Type == spec.Enum {
			kind = "`" + strings.Join(a.Values, "`, `") + "`"
		}
		doc := a.Doc
		switch {
		case a.Unsupported:
			doc += " *Not supported by this version.*"
		case len(a.Later) > 0:
			doc += " *Not supported by this version:* `" + strings.Join(a.Later, "`, `") + "`."
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", a.Name, kind, preset, doc)
	}
	return out.String()
}

var marked = regexp.MustCompile(`(?s)<!-- table ([a-z.]+) -->\n.*?<!-- end -->`)

func TestTheTablesOfTheManualAreThoseOfTheSpec(t *testing.T) {
	path := filepath.Join("..", "LANGUAGE.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string]string{}
	walk("", spec.Plan(), func(path string, b spec.Block) {
		if len(b.Attributes) > 0 && path != "defaults" && !strings.HasPrefix(path, "defaults.") {
			tables[path] = table(b)
		}
	})
	seen := map[string]bool{}
	want := marked.ReplaceAllStringFunc(string(text), func(found string) string {
		name := marked.FindStringSubmatch(found)[1]
		seen[name] = true
		return "<!-- table " + name + " -->\n" + tables[name] + "<!-- end -->"
	})
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Error("LANGUAGE.md is stale: go test ./pkg/plan/spec -update")
	}
	for name := range tables {
		if !seen[name] {
			t.Errorf("LANGUAGE.md has no table of %s", name)
		}
	}
}

func TestTheSpecIsConsistent(t *testing.T) {
	walk("", spec.Plan(), func(path string, b spec.Block) {
		if b.Doc == "" {
			t.Errorf("%s has no doc", path)
		}
		names := map[string]bool{}
		for _, inner := range b.Blocks {
			names[inner.Name] = true
		}
		for _, a := range b.Attributes {
			if names[a.Name] || a.Doc == "" || a.Type == "" {
				t.Errorf("%s.%s", path, a.Name)
			}
			names[a.Name] = true
			if (a.Type == spec.Enum) != (len(a.Values) > 0) || a.Default != "" && a.Type == spec.Enum && !slices.Contains(a.Values, a.Default) {
				t.Errorf("%s.%s: values %v, default %q", path, a.Name, a.Values, a.Default)
			}
			for _, later := range a.Later {
				if !slices.Contains(a.Values, later) {
					t.Errorf("%s.%s: %q is none of its values", path, a.Name, later)
				}
			}
			if a.Max != 0 && a.Max < a.Min {
				t.Errorf("%s.%s: bounds", path, a.Name)
			}
			if got, ok := b.Attribute(a.Name); !ok || got.Doc != a.Doc {
				t.Errorf("%s.%s is not found", path, a.Name)
			}
		}
	})
}

func TestDefaultsHoldEveryBlockOfAJobAndNothingOfItsIdentity(t *testing.T) {
	plan := spec.Plan()
	job, _ := plan.Block("job")
	defaults, _ := plan.Block("defaults")
	if len(defaults.Blocks) != len(job.Blocks) {
		t.Error("blocks differ")
	}
	for _, name := range []string{"for_each", "depends_on"} {
		if _, ok := defaults.Attribute(name); ok {
			t.Errorf("defaults has %s", name)
		}
	}
	if a, ok := defaults.Attribute("source"); !ok || a.Required {
		t.Error("source in defaults")
	}
	if _, ok := plan.Block("none"); ok {
		t.Error("there is a block called none")
	}
}
