package plan

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/plan/diag"
)

// secretWord is in every secret of the test data, and may be in no output.
const secretWord = "hunter2"

func testOptions() LoadOptions {
	env := map[string]string{"TEST_SECRET": secretWord + "-env", "HOME": "/home/dba"}
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return LoadOptions{
		Getenv: func(name string) string { return env[name] },
		Now:    time.Date(2026, 11, 22, 10, 3, 29, 0, time.UTC), Hostname: "db1", Dir: dir,
	}
}

// load loads the text of one file.
func load(t *testing.T, name, text string, o LoadOptions) (*Plan, *diag.Files, diag.List) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load([]string{path}, o)
}

func render(t *testing.T, files *diag.Files, list diag.List) string {
	t.Helper()
	var out bytes.Buffer
	if err := diag.Render(&out, files, list, 100, false); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// cases gives the plans of a folder of testdata: each file, and each folder
// as one plan.
func cases(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join("testdata", folder))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() || slices.Contains(extensions(), filepath.Ext(e.Name())) {
			out = append(out, filepath.Join("testdata", folder, e.Name()))
		}
	}
	return out
}

var expectation = regexp.MustCompile(`# ERROR( NOWHERE)?: (.*)$`)

// expected reads the comments that say what is wrong in a line.
func expected(t *testing.T, path string) []string {
	t.Helper()
	files := []string{path}
	if info, err := os.Stat(path); err != nil {
		t.Fatal(err)
	} else if info.IsDir() {
		files, err = filepath.Glob(filepath.Join(path, "*"))
		if err != nil {
			t.Fatal(err)
		}
	}
	var out []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			m := expectation.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			for _, summary := range strings.Split(m[2], " | ") {
				place := diag.Range{File: file, StartLine: i + 1}
				if m[1] != "" {
					place = diag.Range{}
				}
				out = append(out, label(place, summary))
			}
		}
	}
	slices.Sort(out)
	return out
}

func label(r diag.Range, summary string) string {
	return r.File + ":" + string(rune('0'+r.StartLine/100)) + string(rune('0'+r.StartLine/10%10)) + string(rune('0'+r.StartLine%10)) + " " + summary
}

func TestEveryInvalidPlanHasExactlyTheErrorsThatItsCommentsName(t *testing.T) {
	for _, path := range cases(t, "invalid") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			p, files, list := Load([]string{path}, testOptions())
			var got []string
			for _, d := range list {
				place := diag.Range{}
				if d.Range != nil {
					place = *d.Range
				}
				got = append(got, label(place, d.Summary))
			}
			slices.Sort(got)
			shown := render(t, files, list)
			if diff := cmp.Diff(expected(t, path), got); diff != "" {
				t.Errorf("expected (-) and found (+):\n%s\n%s", diff, shown)
			}
			if p != nil {
				t.Error("there is a plan all the same")
			}
			if strings.Contains(shown, secretWord) {
				t.Errorf("shows a secret:\n%s", shown)
			}
			for _, d := range list {
				if d.Detail == "" || !strings.ContainsAny(d.Detail[len(d.Detail)-1:], ".?:") {
					t.Errorf("detail is no sentence: %q", d.Detail)
				}
			}
		})
	}
}

func TestTheSameSixMistakesReadTheSameInBothSyntaxes(t *testing.T) {
	var found [][]string
	for _, path := range []string{"testdata/invalid/six-mistakes.hcl", "testdata/invalid/six-mistakes.yaml"} {
		_, _, list := Load([]string{path}, testOptions())
		var one []string
		for _, d := range list {
			one = append(one, d.Summary+": "+d.Detail)
		}
		slices.Sort(one)
		found = append(found, one)
	}
	if diff := cmp.Diff(found[0], found[1]); diff != "" || len(found[0]) != 6 {
		t.Errorf("%d mistakes; HCL (-) and YAML (+):\n%s", len(found[0]), diff)
	}
}

func TestEveryValidPlanLoadsAndItsPairHasTheSameDigest(t *testing.T) {
	digests := map[string]string{}
	for _, path := range cases(t, "valid") {
		p, files, list := Load([]string{path}, testOptions())
		if p == nil {
			t.Errorf("%s:\n%s", path, render(t, files, list))
			continue
		}
		name := strings.TrimSuffix(path, filepath.Ext(path))
		if other, ok := digests[name]; ok && other != p.Digest {
			t.Errorf("%s: the pair has two digests: %s, %s\n%s", path, other, p.Digest, p.Normalised())
		}
		digests[name] = p.Digest
	}
}

func TestEveryExampleIsThereInBothSyntaxesWithTheSameDigest(t *testing.T) {
	folder := filepath.Join("..", "..", "examples")
	hcl, err := filepath.Glob(filepath.Join(folder, "*.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	if len(hcl) < 7 {
		t.Errorf("%d examples", len(hcl))
	}
	for _, path := range hcl {
		name := strings.TrimSuffix(path, ".hcl")
		t.Run(filepath.Base(name), func(t *testing.T) {
			native, files, list := Load([]string{path}, testOptions())
			if native == nil {
				t.Fatalf("\n%s", render(t, files, list))
			}
			other, files, list := Load([]string{name + ".yaml"}, testOptions())
			if other == nil {
				t.Fatalf("\n%s", render(t, files, list))
			}
			if diff := cmp.Diff(string(native.Normalised()), string(other.Normalised())); diff != "" || native.Digest != other.Digest {
				t.Errorf("HCL (-) and YAML (+):\n%s", diff)
			}
			again, _, _ := Load([]string{path}, testOptions())
			if again.Digest != native.Digest {
				t.Error("the digest changes by itself")
			}
		})
	}
}

func TestEverythingArrivesInThePlan(t *testing.T) {
	p, files, list := Load([]string{"testdata/valid/everything.hcl"}, testOptions())
	if p == nil {
		t.Fatal(render(t, files, list))
	}
	var order []string
	for _, j := range p.Jobs {
		order = append(order, j.Address+" "+j.Folder())
	}
	want := []string{`job.base base`, `job.each["eu"] each.eu`, `job.each["us"] each.us`, `job.after after`, `job.set["x"] set.x`, `job.set["y z"] set.y%20z`}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Error(diff)
	}
	base, _ := p.Job("job.base")
	wantClone := Clone{
		Mode: "local", Directory: "/var/tmp/clone", MountedAt: "/mnt/clone", Bandwidth: 100 << 20,
		NetworkCompression: "none", DDL: "block", DDLTimeout: 5 * time.Minute, Keep: true,
	}
	if diff := cmp.Diff(wantClone, base.Clone); diff != "" {
		t.Error(diff)
	}
	if base.Source.Password.Reveal() != secretWord+"-env!" || base.Timeout != 36*time.Hour || base.Compress.Level != 9 {
		t.Errorf("%+v", base)
	}
	eu, _ := p.Job(`job.each["eu"]`)
	if eu.Compress != (Compress{Format: "gzip", Level: 6, Threads: 2}) || eu.Clone.Threads != 4 || eu.Check.MinFree.Bytes != 20<<30 {
		t.Errorf("%+v", eu)
	}
	if diff := cmp.Diff(map[string]string{"host": "db-eu", "n": "1", "t": "true"}, eu.Labels); diff != "" {
		t.Error(diff)
	}
	after, _ := p.Job("job.after")
	annotations := map[string]string{
		"text": "a+b+c-008", "first": "first", "tried": "tried", "looked": "1", "json": "2", "when": "2026-11-22", "host": "DB1",
		"base": "b/a" + testOptions().Dir + "/x", "keys": "ab", "values": "12", "swap": "a-b", "file": "text of a file", "env": "default",
		"plain": "100% ${literal} %{x}",
	}
	if diff := cmp.Diff(annotations, after.Metadata.Annotations); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"job.base", `job.each["us"]`}, after.DependsOn); diff != "" {
		t.Error(diff)
	}
	if s := after.Source; s.Port != 0 || s.DefaultsFile != filepath.Join(testOptions().Dir, "my.cnf") {
		t.Errorf("%+v", s)
	}
	us, _ := p.Job(`job.each["us"]`)
	if s := us.Source; s.Port != 3307 || s.PasswordFile != "/home/dba/password" || s.Host != "::1" {
		t.Errorf("%+v", s)
	}
}

func TestDefaultsOfABareJob(t *testing.T) {
	p, files, list := load(t, "p.hcl", strings.ReplaceAll(minimal, "LABELS", ""), testOptions())
	if p == nil {
		t.Fatal(render(t, files, list))
	}
	j := p.Jobs[0]
	want := Job{
		Address: "job.j", Name: "j", Source: p.Sources[0], Repository: p.Repositories[0], Range: j.Range,
		Check: Check{LostTables: "error", MinFree: Amount{Percent: 5}, Plugin: "require"}, Clone: Clone{Mode: "auto", Directory: "/d", NetworkCompression: "none"},
		Compress: Compress{Format: "zstd", Level: 1}, Checksum: Checksum{Algorithm: "sha256", Pages: "error"},
	}
	if diff := cmp.Diff(want, *j, cmp.AllowUnexported(Secret{})); diff != "" {
		t.Error(diff)
	}
}

const minimal = `
source "mysql" "s" {
  socket   = "/s"
  user     = "u"
  password = "hunter2"
}
repository "local" "r" { path = "/r" }
job "j" {
  source     = source.mysql.s
  repository = repository.local.r
  LABELS
  clone { directory = "/d" }
}
`

func TestTheDigestDependsOnMeaningAlone(t *testing.T) {
	digest := func(text string) string {
		p, files, list := load(t, "p.hcl", text, testOptions())
		if p == nil {
			t.Fatal(render(t, files, list))
		}
		return p.Digest
	}
	base := digest(strings.ReplaceAll(minimal, "LABELS", ""))
	for name, same := range map[string]string{
		"comment":         strings.ReplaceAll(minimal, "LABELS", "# a comment"),
		"password":        strings.ReplaceAll(strings.ReplaceAll(minimal, "LABELS", ""), "hunter2", "hunter2-other"),
		"default written": strings.ReplaceAll(minimal, "LABELS", `compress { format = "zstd" }`),
		"null":            strings.ReplaceAll(minimal, "LABELS", `labels = null`),
	} {
		if digest(same) != base {
			t.Errorf("%s changes the digest", name)
		}
	}
	if digest(strings.ReplaceAll(minimal, "LABELS", `labels = { a = "b" }`)) == base {
		t.Error("labels don't change the digest")
	}
}

func TestVariablesComeFromTheFirstPlaceThatHasOne(t *testing.T) {
	text := `
variable "v" { default = "default" }
variable "n" {
  type    = list(number)
  default = [1]
}
` + strings.ReplaceAll(minimal, "LABELS", `labels = { v = var.v, n = join(",", var.n) }`)
	dir := t.TempDir()
	first, second := filepath.Join(dir, "a.hcl"), filepath.Join(dir, "b.yaml")
	for path, content := range map[string]string{first: "v = \"first\"\nn = [2]\n", second: "v: second\n"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"RUNNER_VAR_v": "env", "RUNNER_VAR_n": "[3, 4]"}
	for _, tc := range []struct {
		name   string
		vars   map[string]string
		files  []string
		env    map[string]string
		v, n   string
		inputs map[string]string
	}{
		{"default", nil, nil, nil, "default", "1", map[string]string{}},
		{"environment", nil, nil, env, "env", "3,4", map[string]string{"v": "env", "n": "[3, 4]"}},
		{"file", nil, []string{first}, env, "first", "2", map[string]string{"v": "first", "n": "[2]"}},
		{"later file", nil, []string{first, second}, env, "second", "2", map[string]string{"v": "second", "n": "[2]"}},
		{"flag", map[string]string{"v": "flag", "n": "[5]"}, []string{first, second}, env, "flag", "5", map[string]string{"v": "flag", "n": "[5]"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := testOptions()
			o.Vars, o.VarFiles = tc.vars, tc.files
			o.Getenv = func(name string) string { return tc.env[name] }
			p, files, list := load(t, "p.hcl", text, o)
			if p == nil {
				t.Fatal(render(t, files, list))
			}
			want := map[string]string{"v": tc.v, "n": tc.n}
			if !maps.Equal(p.Jobs[0].Labels, want) || !maps.Equal(p.Inputs, tc.inputs) {
				t.Errorf("labels %v, inputs %v", p.Jobs[0].Labels, p.Inputs)
			}
			o = testOptions()
			o.Vars = p.Inputs
			if again, _, _ := load(t, "p.hcl", text, o); again == nil || again.Digest != p.Digest {
				t.Error("its inputs don't load the plan again")
			}
		})
	}
}

func TestBadInputsOfVariablesAreDiagnostics(t *testing.T) {
	text := `
variable "password" {
  sensitive = true
  type      = number
}
variable "list" {
  type    = list(string)
  default = []
}
variable "missing" { description = "needed" }
` + strings.ReplaceAll(minimal, "LABELS", "")
	o := testOptions()
	o.Vars = map[string]string{"password": secretWord, "pasword": secretWord, "list": "[" + secretWord}
	path := filepath.Join(t.TempDir(), "vars.hcl")
	if err := os.WriteFile(path, []byte("unknown = \"hunter2\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.VarFiles = []string{path}
	_, files, list := load(t, "p.hcl", text, o)
	shown := render(t, files, list)
	if strings.Contains(shown, secretWord) {
		t.Errorf("shows a secret:\n%s", shown)
	}
	for _, want := range []string{
		`Did you mean "password"?`, `"password" from --var is not of type number`, `"list" from --var is no expression of type list(string)`,
		`Hint: --var missing=…`, `"unknown", which the plan doesn't declare`, `The variable "missing" (needed) has no value`,
	} {
		if !strings.Contains(strings.Join(strings.Fields(shown), " "), want) {
			t.Errorf("%q is missing in\n%s", want, shown)
		}
	}
	if len(list) != 5 {
		t.Errorf("%d diagnostics:\n%s", len(list), shown)
	}
}

func TestABrokenFileOfValuesShowsNothing(t *testing.T) {
	o := testOptions()
	path := filepath.Join(t.TempDir(), "vars.hcl")
	if err := os.WriteFile(path, []byte("credential = \"hunter2\" \"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.VarFiles = []string{path}
	_, files, list := load(t, "p.hcl", strings.ReplaceAll(minimal, "LABELS", ""), o)
	if shown := render(t, files, list); !list.HasErrors() || strings.Contains(shown, secretWord) {
		t.Error(shown)
	}
}

func TestSensitiveInputsAreNotRemembered(t *testing.T) {
	text := "variable \"p\" { sensitive = true }\n" + strings.ReplaceAll(strings.ReplaceAll(minimal, "LABELS", ""), `"hunter2"`, "var.p")
	o := testOptions()
	o.Vars = map[string]string{"p": secretWord}
	p, files, list := load(t, "p.hcl", text, o)
	if p == nil {
		t.Fatal(render(t, files, list))
	}
	if len(p.Inputs) != 0 || p.Sources[0].Password.Reveal() != secretWord || bytes.Contains(p.Normalised(), []byte(secretWord)) {
		t.Errorf("inputs %v", p.Inputs)
	}
}

func TestPathsThatCannotBeReadAreDiagnostics(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "big.hcl"), make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	for _, tc := range []struct {
		paths []string
		want  string
	}{
		{nil, "No plan"},
		{[]string{empty}, "No plan"},
		{[]string{filepath.Join(dir, "nowhere.hcl")}, "File not readable"},
		{[]string{"load_test.go"}, "Unknown format"},
		{[]string{filepath.Join(dir, "big.hcl")}, "File not readable"},
	} {
		p, _, list := Load(tc.paths, testOptions())
		if p != nil || len(list) == 0 || list[0].Summary != tc.want {
			t.Errorf("%v: %v", tc.paths, list)
		}
	}
}

func TestAFolderIsMergedAndAFileGivenTwiceIsReadOnce(t *testing.T) {
	dir := t.TempDir()
	parts := strings.SplitAfter(strings.ReplaceAll(minimal, "LABELS", ""), "}\nrepository")
	for name, text := range map[string]string{
		"a.hcl":  strings.TrimSuffix(parts[0], "repository"),
		"b.yaml": "repository: {local: {r: {path: /r}}}\n",
		"c.json": "{\n\t\"job\": {\"j\": {\"source\": \"${source.mysql.s}\", \"repository\": \"${repository.local.r}\", \"clone\": {\"directory\": \"/d\"}}}\n}\n",
		"d.txt":  "not a plan", ".e.hcl": "nor this",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	merged, files, list := Load([]string{dir, filepath.Join(dir, "a.hcl")}, testOptions())
	if merged == nil {
		t.Fatal(render(t, files, list))
	}
	one, _, _ := load(t, "p.hcl", strings.ReplaceAll(minimal, "LABELS", ""), testOptions())
	if merged.Digest != one.Digest {
		t.Error("a plan in several files has another digest")
	}
}
