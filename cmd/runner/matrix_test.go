package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"runner/pkg/mysqld"
	"runner/pkg/mysqld/mysqldtest"
)

// TestACopyOpensNothingOutsideOfItself backs up servers whose files lie in every place that mysqld knows, restores the
// backups, and boots each copy with its restore_cnf beside the running source.
//
// It takes a few cells of the matrix; with RUNNER_MATRIX=all it takes all of them, and logs the matrix as a table.
func TestACopyOpensNothingOutsideOfItself(t *testing.T) {
	all := os.Getenv("RUNNER_MATRIX") == "all"
	only := os.Getenv("RUNNER_MATRIX_LAYOUT") // one of them
	rows := []string{"| layout | local | stream | remote |", "|---|---|---|---|"}
	for _, l := range layouts() {
		if only != "" && only != l.name {
			continue
		}
		row := "| " + l.name + " |"
		for _, mode := range []string{"local", "stream", "remote"} {
			outcome := "nc"
			if all || slices.Contains(l.always, mode) {
				t.Run(l.name+"/"+mode, func(t *testing.T) { outcome = newCell(t, l, mode).run(t) })
			}
			row += " " + outcome + " |"
		}
		rows = append(rows, row)
	}
	if all {
		t.Log("\n" + strings.Join(rows, "\n"))
	}
}

// cell is one layout in one mode.
type cell struct {
	layout
	mode      string
	folder    string // of this cell: repository, staging directory, restored copy
	elsewhere string // where the source has what lies outside its data directory
	source    *mysqldtest.Server
	data      string // the source's data directory, which outlives its servers
	recipient *mysqldtest.Server
}

func newCell(t *testing.T, l layout, mode string) *cell {
	t.Helper()
	c := &cell{layout: l, mode: mode, folder: t.TempDir()}
	c.elsewhere = filepath.Join(c.folder, "ext")
	for _, name := range append([]string{"a", "b", "c/d"}, l.folders...) {
		if err := os.MkdirAll(filepath.Join(c.elsewhere, name), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"repo", "staging"} {
		if err := os.Mkdir(filepath.Join(c.folder, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c.start(t)
	c.source.Exec(t, "CREATE DATABASE shop", "USE shop", "CREATE TABLE plain (id INT PRIMARY KEY, s VARCHAR(500), KEY (s(100)))",
		"CREATE TABLE oldest (id INT PRIMARY KEY, s VARCHAR(500)) TABLESPACE = innodb_system",
		"CREATE UNDO TABLESPACE undo_more ADD DATAFILE 'undo_more.ibu'")
	c.source.Exec(t, append([]string{"USE shop"}, c.statements(l.tables)...)...)
	if l.prepare != nil {
		l.prepare(t, c)
	}
	for _, name := range c.tables(t, c.source) {
		c.source.Exec(t, "INSERT INTO "+name+" WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i, CONCAT(SHA2(i, 512), i) FROM n")
	}
	if mode == "remote" {
		c.recipient = mysqldtest.Start(t, c.options(c.shape)...)
	}
	return c
}

// start starts the source, on its data directory where it has one already.
func (c *cell) start(t *testing.T) {
	t.Helper()
	args := c.statements(append(slices.Clone(c.shape), c.args...))
	if c.data == "" { // out of the folder that a server removes at its end
		first := mysqldtest.Start(t, c.options(mysqld.InitArgs(args))...)
		if err := first.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		c.data = filepath.Join(c.folder, "source")
		if out, err := exec.CommandContext(t.Context(), "cp", "-a", first.DataDir(), c.data).CombinedOutput(); err != nil {
			t.Fatalf("copy the data directory: %v\n%s", err, out)
		}
	}
	c.source = mysqldtest.Start(t, append(c.options(args), mysqldtest.WithTCP(), mysqldtest.WithDataDir(c.data))...)
}

func (c *cell) stop(t *testing.T) {
	t.Helper()
	if err := c.source.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func (c *cell) options(args []string) []mysqldtest.Option {
	options := []mysqldtest.Option{mysqldtest.WithArgs(args...)}
	if c.keyring {
		options = append(options, mysqldtest.WithKeyring())
	}
	return options
}

// statements puts the folder in for EXT/.
func (c *cell) statements(texts []string) []string {
	out := make([]string, 0, len(texts))
	for _, text := range texts {
		out = append(out, strings.ReplaceAll(text, "EXT/", c.elsewhere+"/"))
	}
	return out
}

func (c *cell) tables(t *testing.T, server *mysqldtest.Server) (names []string) {
	t.Helper()
	for _, row := range server.Query(t, "SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.tables WHERE table_schema IN ('shop', 'linked') ORDER BY 1") {
		names = append(names, row[0])
	}
	return names
}

var errorFinding = regexp.MustCompile(`"code":"(RUN[0-9]+)","severity":"error"`)

// run returns what the table says of the cell: ok, or refused and why.
func (c *cell) run(t *testing.T) string {
	plan := filepath.Join(c.folder, "plan.hcl")
	if err := os.WriteFile(plan, []byte(c.plan()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := c.runner(t, "apply", plan, "--json")
	if found := errorFinding.FindSubmatch(out); found != nil {
		if want := c.refused[c.mode]; string(found[1]) != want || err == nil {
			t.Errorf("refused with %s (%v), want %q:\n%s", found[1], err, want, out)
		}
		return "refused " + string(found[1])
	}
	if err != nil {
		t.Fatalf("apply: %v\n%s", err, out)
	}
	if want := c.refused[c.mode]; want != "" {
		t.Errorf("not refused with %s", want)
	}
	for _, args := range [][]string{{"verify"}, {"restore", "--to", filepath.Join(c.folder, "copy")}} {
		if c.encrypted() {
			args = append(args, "--identity", filepath.Join(c.folder, "key"))
		}
		if out, err := c.runner(t, append([]string{args[0], "j@latest", "--repository", filepath.Join(c.folder, "repo")}, args[1:]...)...); err != nil {
			t.Fatalf("%s: %v\n%s", args[0], err, out)
		}
	}
	c.boot(t)
	if t.Failed() {
		return "WRONG"
	}
	return "ok"
}

func (c *cell) encrypted() bool { return c.keyring && c.mode == "stream" }

func (c *cell) plan() string {
	clone := fmt.Sprintf("mode = %q\n", c.mode)
	recipient, encrypt := "", ""
	if c.mode != "stream" {
		clone += fmt.Sprintf("directory = %q\n", filepath.Join(c.folder, "staging"))
	}
	if c.mode == "remote" {
		clone += "recipient = source.mysql.puller\n"
		recipient = fmt.Sprintf("source \"mysql\" \"puller\" {\nsocket = %q\nuser = \"root\"\n}\n", c.recipient.Socket())
	}
	if c.encrypted() {
		encrypt = fmt.Sprintf("encrypt { recipients = [trimspace(file(%q))] }\n", filepath.Join(c.folder, "key.pub"))
	}
	return fmt.Sprintf(`source "mysql" "s" {
host = "127.0.0.1"
port = %d
user = "root"
}
%s
repository "local" "r" { path = %q }
job "j" {
source = source.mysql.s
repository = repository.local.r
check { min_free = "1M" }
clone {
%s
}
%s
}
`, c.source.Port(), recipient, filepath.Join(c.folder, "repo"), clone, encrypt)
}

func (c *cell) runner(t *testing.T, args ...string) ([]byte, error) {
	t.Helper()
	if c.encrypted() {
		c.makeKey(t)
	}
	cmd := exec.CommandContext(t.Context(), "runner", args...)
	cmd.Env = append(os.Environ(), "RUNNER_STATE_DIR="+filepath.Join(c.folder, "state"))
	return cmd.CombinedOutput()
}

// makeKey makes the age identity that the archive is encrypted for.
func (c *cell) makeKey(t *testing.T) {
	t.Helper()
	key := filepath.Join(c.folder, "key")
	if _, err := os.Stat(key); err == nil {
		return
	}
	keygen := filepath.Join(buildAge(t), "age-keygen")
	var public bytes.Buffer
	if out, err := exec.CommandContext(t.Context(), keygen, "-o", key).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	show := exec.CommandContext(t.Context(), keygen, "-y", key)
	show.Stdout = &public
	if err := show.Run(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key+".pub", public.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
