package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"runner/pkg/plan"
	"runner/pkg/plan/spec"
)

// fromYAML gives a document as a validator wants it.
func fromYAML(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return asJSON(t, value)
}

func asJSON(t *testing.T, value any) any {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func TestEveryExampleFitsTheSchemaOfAPlan(t *testing.T) {
	schema := compiled(t, "plan")
	examples, err := filepath.Glob(filepath.Join(root, "examples", "*.yaml"))
	if err != nil || len(examples) < 6 {
		t.Fatalf("there are %d examples (%v)", len(examples), err)
	}
	for _, example := range examples {
		text, err := os.ReadFile(example)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(fromYAML(t, string(text))); err != nil {
			t.Errorf("%s: %v", example, err)
		}
	}
}

func TestMistakesDoNotFitTheSchemaOfAPlan(t *testing.T) {
	schema := compiled(t, "plan")
	// What is wrong, and where in the document the validator has to say so.
	for text, where := range map[string]string{
		"jobs: {}":                                 "",
		"job: []":                                  "/job",
		"job: {1a: {}}":                            "/job",
		"job: {a: {sauce: x}}":                     "/job/a",
		"job: {a: {source: source.mysql.a}}":       "/job/a/source",
		"job: {a: {clone: local}}":                 "/job/a/clone",
		"job: {a: {clone: {mode: elsewhere}}}":     "/job/a/clone/mode",
		"job: {a: {clone: {directory: tmp}}}":      "/job/a/clone/directory",
		"job: {a: {clone: {bandwidth: 100Mb}}}":    "/job/a/clone/bandwidth",
		"job: {a: {clone: {threads: 129}}}":        "/job/a/clone/threads",
		"job: {a: {clone: {threads: 1.5}}}":        "/job/a/clone/threads",
		"job: {a: {clone: {threads: many}}}":       "/job/a/clone/threads",
		"job: {a: {clone: {keep: maybe}}}":         "/job/a/clone/keep",
		"job: {a: {clone: {recipient: x}}}":        "/job/a/clone/recipient",
		"job: {a: {compress: {format: zip}}}":      "/job/a/compress/format",
		"job: {a: {check: {min_free: 5 percent}}}": "/job/a/check/min_free",
		"job: {a: {timeout: 3}}":                   "/job/a/timeout",
		"job: {a: {timeout: 3 days}}":              "/job/a/timeout",
		"job: {a: {labels: [a]}}":                  "/job/a/labels",
		"job: {a: {labels: {a: [b]}}}":             "/job/a/labels/a",
		"job: {a: {depends_on: [job.b]}}":          "/job/a/depends_on/0",
		"job: {a: {prove: {}}}":                    "/job/a",
		"defaults: {for_each: {}}":                 "/defaults",
		"source: {postgres: {}}":                   "/source",
		"source: {mysql: {a: {port: 0}}}":          "/source/mysql/a/port",
		"source: {mysql: {a: {tls: {mode: on}}}}":  "/source/mysql/a/tls/mode",
		"repository: {local: {a: {}}}":             "/repository/local/a",
		"repository: {local: {a: }}":               "/repository/local/a",
		"variable: {a: {validation: [{}]}}":        "/variable/a/validation",
		"variable: {a: {sensitive: [true]}}":       "/variable/a/sensitive",
		"locals: text":                             "/locals",
	} {
		err := schema.Validate(fromYAML(t, text))
		var invalid *jsonschema.ValidationError
		if !errors.As(err, &invalid) || !slices.Contains(places(invalid), where) {
			t.Errorf("%s: %v, want a mistake at %q", text, err, where)
		}
	}
}

// places are where in the document something is wrong.
func places(e *jsonschema.ValidationError) []string {
	at := ""
	for _, name := range e.InstanceLocation {
		at += "/" + name
	}
	all := []string{at}
	for _, cause := range e.Causes {
		all = append(all, places(cause)...)
	}
	return all
}

// TestTheSchemaRefusesNothingThatALoaderTakes gives every attribute many values. The schema may let more pass than the
// loader, which evaluates; it must not let less pass.
func TestTheSchemaRefusesNothingThatALoaderTakes(t *testing.T) {
	schema := compiled(t, "plan")
	values := []any{
		nil, true, "true", "1", 0, 1, 3, -1, 1.5, "1.5", "", "x", "_x", "0", "03", "10%", "0.5 %", "20G", "20 GiB", "100B", "100MiB/s", 2097152,
		"90s", "1d12h", "1.5d", "2d0", "1h30m.5s", ".5s", "5.s", "300µs", "/absolute", "relative", "~/home", "::1", "db.example.org",
		[]any{},
		[]any{"a", "b"},
		[]any{1},
		map[string]any{},
		map[string]any{"a": 1, "b": "x"},
		map[string]any{"a": []any{1}},
		"${source.mysql.a}", "${repository.local.a}",
		[]any{"${job.other}"},
		"${[job.other]}", "${1 + 1}", "${{a = 1}}", "%{ if true }zstd%{ endif }",
		"string", "list(string)", "object({ a = number })", "$${literal}",
	}
	taken, path := 0, filepath.Join(t.TempDir(), "plan.json")
	try := func(where []string, value any) {
		document := soundPlan()
		at := document
		for _, name := range where[:len(where)-1] {
			if _, ok := at[name].(map[string]any); !ok {
				at[name] = map[string]any{}
			}
			at = at[name].(map[string]any)
		}
		at[where[len(where)-1]] = value
		if !loads(t, path, document) {
			return
		}
		taken++
		if err := schema.Validate(asJSON(t, document)); err != nil {
			t.Errorf("%v of %v loads, and does not fit: %v", strings.Join(where, "."), value, err)
		}
	}
	attributes(nil, spec.Plan(), func(where []string, a spec.Attribute) {
		for _, value := range values {
			try(where, value)
		}
		for _, value := range a.Values {
			try(where, value)
		}
	})
	for _, where := range [][]string{{"job", "a", "clone"}, {"job", "a", "check"}, {"defaults"}, {"source", "mysql", "a", "tls"}, {"locals"}, {"variable"}, {"job"}, {"variable", "v", "validation"}} {
		for _, value := range []any{nil, map[string]any{}} {
			try(where, value)
		}
	}
	for _, value := range []any{[]any{}, []any{map[string]any{"a": 1}, nil}, []any{map[string]any{}}} {
		try([]string{"locals"}, value)
	}
	for _, name := range []string{"_a", "a_b-C", "ä", strings.Repeat("a", 64)} {
		try([]string{"job", name}, soundPlan()["job"].(map[string]any)["a"])
	}
	if taken < 300 {
		t.Errorf("only %d plans loaded", taken)
	}
}

func soundPlan() map[string]any {
	job := func() map[string]any {
		return map[string]any{
			"source": "${source.mysql.a}", "repository": "${repository.local.a}", "clone": map[string]any{"mode": "local", "directory": "/d"},
		}
	}
	return map[string]any{
		"source":     map[string]any{"mysql": map[string]any{"a": map[string]any{"host": "h", "user": "u"}}},
		"repository": map[string]any{"local": map[string]any{"a": map[string]any{"path": "/r"}}},
		"job":        map[string]any{"a": job(), "other": job()},
	}
}

// attributes calls f for each attribute of the language, with a place in a plan for it.
func attributes(where []string, b spec.Block, f func(where []string, a spec.Attribute)) {
	for _, a := range b.Attributes {
		f(append(slices.Clone(where), a.Name), a)
	}
	for _, inner := range b.Blocks {
		if inner.Name == "defaults" {
			continue // holds what a job holds
		}
		at := append(slices.Clone(where), inner.Name)
		if len(inner.Kinds) > 0 {
			at = append(at, inner.Kinds[0])
		}
		if len(inner.Labels) > 0 {
			at = append(at, "a")
		}
		attributes(at, inner, f)
	}
}

func loads(t *testing.T, path string, document any) bool {
	t.Helper()
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, problems := plan.Load([]string{path}, plan.LoadOptions{
		Getenv: func(string) string { return "" }, Now: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), Hostname: "host", Dir: "/",
	})
	return !problems.HasErrors()
}
