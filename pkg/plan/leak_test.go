package plan

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"runner/pkg/plan/diag"
	"runner/pkg/plan/spec"
)

func TestWhatHoldsASecretIsCalledOne(t *testing.T) {
	for _, name := range []string{"password", "pasword", "Password", "passwrd", "passwort", "PASSWORD", "pass_word", "passwd", "pwd", "db_password", "secret_key", "token", "pass"} {
		if !diag.Secretish(name) {
			t.Errorf("%s is none", name)
		}
	}
	var walk func(spec.Block)
	walk = func(o spec.Block) {
		for _, a := range o.Attributes {
			if diag.Secretish(a.Name) != (a.Type == spec.Secret) {
				t.Errorf("%s of %s: %v", a.Name, o.Name, diag.Secretish(a.Name))
			}
		}
		for _, b := range o.Blocks {
			walk(b)
		}
	}
	walk(spec.Plan())
	for _, name := range []string{"pasword_file", "password_file", "passwordfile", "port", "passive", "host", "user"} {
		if diag.Secretish(name) {
			t.Errorf("%s is one", name)
		}
	}
}

// A secret is in no diagnostic, and in nothing that is kept, wherever in a plan it is written.
func TestASecretIsShownNowhere(t *testing.T) {
	const word = "Un1que-Pa55"
	source := func(inside string) string {
		return "source \"mysql\" \"s\" {\n  host = \"h\"\n  user = \"u\"\n" + inside + "\n}\nrepository \"local\" \"r\" { path = \"/x\" }\njob \"j\" {\n  source = source.mysql.s\n  repository = repository.local.r\n  clone { mode = \"stream\" }\n}\n"
	}
	const bad = "\n  nonsense = true" // so that there is a diagnostic
	for name, text := range map[string]string{
		"twice.hcl":       source("  password = \"" + word + "\"\n  password = \"" + word + "\""),
		"twice2.hcl":      source("  password = \"x\"\n  password = \"" + word + "\""),
		"near.hcl":        source("  pasword = \"" + word + "\""),
		"upper.hcl":       source("  Password = \"" + word + "\""),
		"block.hcl":       source("  password { value = \"" + word + "\" }"),
		"nested.hcl":      source("  tls { password = \"" + word + "\" }"),
		"object.hcl":      source("  host = { password = \"" + word + "\" }"),
		"quoted.hcl":      source("  host = { \"passwd\" : \"" + word + "\" }"),
		"nosign.hcl":      source("  password \"" + word + "\""),
		"heredoc.hcl":     source("  pasword = <<E\n" + word + "\nE"),
		"open.hcl":        source("  password = \"" + word),
		"openn.hcl":       source("  pasword = \"" + word),
		"type.hcl":        source("  password = [\"" + word + "\"]"),
		"function.hcl":    source("  password = upper(\"" + word + "\", 1)"),
		"default.hcl":     "variable \"v\" { default = \"" + word + "\" }\nvariable \"w\" {\n  type = number\n  default = \"" + word + "\"\n}\n" + source("  password = \"${var.v}${var.w}\""),
		"local.hcl":       "locals {\n a = [\"" + word + "\"].b\n b = local.a\n}\n" + source("  password = local.b"),
		"validation.hcl":  "variable \"v\" {\n default = \"" + word + "\"\n validation {\n condition = false\n error_message = \"bad ${var.v}\"\n }\n}\n" + source("  password = var.v"),
		"each.hcl":        strings.Replace(source("  password = each.value"), "job \"j\" {", "job \"j\" {\n  for_each = { a = \""+word+"\", a = \""+word+"\" }", 1),
		"twice.yaml":      "source:\n  mysql:\n    s:\n      host: h\n      password: " + word + "\n      password: " + word + "\n",
		"flow.yaml":       "source: {mysql: {s: {host: [], pasword: " + word + ", user: {}}}}\n",
		"deep.yaml":       "source: {mysql: {s: {host: h, password: {a: [" + word + "]}}}}\n",
		"syntax.yaml":     "source: {mysql: {s: {host: h, passwrd: " + word + "\n",
		"alias.yaml":      "x: &p " + word + "\nsource: {mysql: {s: {host: h, password: *p, password: *p}}}\n",
		"json.json":       "{\"source\": {\"mysql\": {\"s\": {\"host\": 1, \"passwd\": \"" + word + "\"}}}}\n",
		"nonsense.hcl":    source("  password = \"" + word + "\"" + bad),
		"interpolate.hcl": source("  password = \"" + word + "${nothing.here}\""),
	} {
		t.Run(name, func(t *testing.T) {
			p, files, list := load(t, name, text, testOptions())
			out := render(t, files, list)
			data, err := json.Marshal(list)
			if err != nil {
				t.Fatal(err)
			}
			if p != nil && strings.Contains(string(p.Normalised()), word) || strings.Contains(out+string(data), word) {
				t.Errorf("it is shown:\n%s", out)
			}
			if p == nil && len(list) == 0 {
				t.Error("nothing is wrong, and there is no plan")
			}
		})
	}
}

// What ends in a secret is kept in no record of a run, though nothing says that it is sensitive.
func TestAnInputThatEndsInASecretIsNotKept(t *testing.T) {
	o := testOptions()
	o.Vars = map[string]string{"pw": "Un1que-Pa55", "name": "kept"}
	p, files, list := load(t, "p.hcl", `
variable "pw" { type = string }
variable "name" { type = string }
locals { through = var.pw }
source "mysql" "s" {
  socket   = "/s"
  user     = var.name
  password = local.through
}
repository "local" "r" { path = "/x" }
job "j" {
  source     = source.mysql.s
  repository = repository.local.r
  clone { mode = "stream" }
}
`, o)
	if p == nil {
		t.Fatal(render(t, files, list))
	}
	if kept := fmt.Sprint(p.Inputs); strings.Contains(kept, "Un1que") || !strings.Contains(kept, "kept") {
		t.Errorf("kept: %s", kept)
	}
}
