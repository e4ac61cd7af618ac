package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"runner/cmd/runner/internal/cli"
	"runner/pkg/mysqld/mysqldtest"
	"runner/schemas"
)

// closed gives a schema that also refuses members that it doesn't name, which readers must pass over: runner itself writes none.
func closed(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	text, err := schemas.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	document["unevaluatedProperties"] = false
	if name != "event" { // there, definitions of lines are without type and time
		for _, def := range document["$defs"].(map[string]any) {
			def.(map[string]any)["additionalProperties"] = false
		}
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("urn:closed", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("urn:closed")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// fits wants a JSON document to be valid, and gives it.
func fits(t *testing.T, schema *jsonschema.Schema, text []byte) map[string]any {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if err := schema.Validate(document); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	return document.(map[string]any)
}

// TestWhatRunnerWritesFitsItsSchemas holds every line that the commands print around a run, the run's record and the
// manifest against the schemas that runner schema prints.
func TestWhatRunnerWritesFitsItsSchemas(t *testing.T) {
	server := mysqldtest.Start(t)
	server.Exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.t (id INT PRIMARY KEY)", "CREATE TABLE shop.lost (id INT) ENGINE=MyISAM")
	folder := t.TempDir()
	repository, state := filepath.Join(folder, "repository"), filepath.Join(folder, "state")
	env := map[string]string{
		"HOME": folder, "RUNNER_STATE_DIR": state, "RUNNER_SOCKET": server.Socket(), "RUNNER_USER": "root",
		"RUNNER_VAR_staging": folder, "RUNNER_VAR_repository": repository,
	}
	const plan = "../../examples/lenient.yaml"
	event, seen := closed(t, "event"), map[string]bool{}
	prints := func(code int, args ...string) {
		t.Helper()
		for _, line := range lines(t, env, code, args...) {
			document := fits(t, event, line)
			seen[document["type"].(string)] = true
		}
	}
	prints(0, "validate", plan)
	prints(2, "validate", write(t, folder, "bad.yaml", "jobs: {}\n"))
	prints(0, "plan", plan)
	prints(0, "graph", plan)
	prints(0, "version")
	for _, name := range schemas.Names() {
		prints(0, "schema", name)
	}
	prints(0, "apply", plan)
	backup := "lenient@latest"
	prints(0, "list", plan)
	prints(0, "show", backup, "--repository", repository)
	prints(0, "show", backup, "--repository", repository, "--files")
	prints(0, "verify", backup, "--repository", repository)
	prints(0, "verify", backup, "--repository", repository, "--rebuild-index")
	prints(0, "restore", backup, "--repository", repository, "--to", filepath.Join(folder, "restored"))
	prints(0, "runs")

	record := closed(t, "journal")
	for _, path := range found(t, state, "runs", "*", "*.json*") {
		text, err := os.ReadFile(path)
		switch {
		case err != nil:
			t.Fatal(err)
		case filepath.Base(path) == "header.json":
			fits(t, record, text)
		case filepath.Base(path) == "journal.jsonl":
			for line := range bytes.Lines(text) {
				fits(t, record, line)
			}
		}
	}
	manifests := found(t, repository, "*", "*", "manifest.json")
	text, err := os.ReadFile(manifests[0])
	if err != nil {
		t.Fatal(err)
	}
	fits(t, closed(t, "manifest"), text)

	// A verify that finds damage, and a list of what can't be read.
	damage(t, filepath.Dir(manifests[0]), "data.*")
	prints(4, "verify", backup, "--repository", repository)
	damage(t, filepath.Dir(manifests[0]), "manifest.json")
	prints(4, "list", "--repository", repository)
	for typ := range cli.LineTypes() {
		if !seen[typ] && typ != "note" { // only where something has gone wrong
			t.Errorf("no line of type %s was printed", typ)
		}
	}
}

func found(t *testing.T, elements ...string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(elements...))
	if err != nil || len(paths) == 0 {
		t.Fatalf("there is no %s (%v)", filepath.Join(elements...), err)
	}
	return paths
}

// damage inverts a byte in the middle of a file.
func damage(t *testing.T, elements ...string) {
	t.Helper()
	path := found(t, elements...)[0]
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 0xff
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// lines runs a command with --json and gives the lines of its standard output.
func lines(t *testing.T, env map[string]string, code int, args ...string) [][]byte {
	t.Helper()
	var stdout, stderr bytes.Buffer
	got := cli.Run(context.Background(), append(args, "--json"), cli.Environment{
		Stdout: &stdout, Stderr: &stderr, Version: "test", Getenv: func(name string) string { return env[name] },
	})
	if got != code {
		t.Fatalf("runner %s exits with %d, want %d\n%s%s", strings.Join(args, " "), got, code, stdout.String(), stderr.String())
	}
	return bytes.Split(bytes.TrimSpace(stdout.Bytes()), []byte("\n"))
}
