package plan

import (
	"fmt"
	"strings"
	"testing"
)

// What functions return is not known before they are called: it is counted while an expression is evaluated, in every syntax, in
// templates, and in defaults.
func TestAPlanThatComputesWithoutABoundIsTooComplex(t *testing.T) {
	const (
		letters = `split("",replace(replace(replace("aaaaaaaa","a","bbbbbbbb"),"b","cccccccc"),"c","dddddddd"))`
		loops   = `[for i in ` + letters + `:[for j in ` + letters + `:0]]`
	)
	long := strings.Repeat("x", 5000)
	for name, text := range map[string]string{
		"loops.hcl":     "locals{a=" + loops + "}",
		"default.hcl":   "variable \"v\" {\n  default = " + loops + "\n}\n",
		"literal.hcl":   fmt.Sprintf(`locals{a=[for i in split("","%s"):[for j in split("","%s"):0]]}`, long, long),
		"template.hcl":  fmt.Sprintf(`locals{a="%%{for i in %s}%%{for j in %s}x%%{endfor}%%{endfor}"}`, letters, letters),
		"object.hcl":    "locals{a={for i, x in " + letters + ": i => {for j, y in " + letters + ": j => y}}}",
		"condition.hcl": "locals{a=[for i in " + letters + ": i if length([for j in " + letters + ": j]) > 0]}",
		"text.hcl":      fmt.Sprintf(`locals{a=[for i in split("","%s"):"%s"]}`, long+long+long, long+long+long),
		"growing.hcl":   fmt.Sprintf("locals{\n b=\"%s\"\n a=[for i in split(\"\",\"%s\"):\"${local.b}${local.b}\"]\n}", strings.Repeat(long, 50), long),
		"call.hcl":      fmt.Sprintf(`locals{a=[for i in split("","%s"):replace("%s","x","yyyyyyyy")]}`, long, long),
		"splat.hcl":     "locals{a=[for i in " + letters + ":" + letters + "[*]]}",
		"yaml.yaml":     "locals:\n  a: \"${" + strings.ReplaceAll(loops, `"`, `\"`) + "}\"\n",
		"json.json":     `{"locals": {"a": "${` + strings.ReplaceAll(loops, `"`, `\"`) + `}"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			p, files, list := load(t, name, text, testOptions())
			if out := render(t, files, list); p != nil || !strings.Contains(out, "Too complex") {
				t.Errorf("%s", out[:min(len(out), 2000)])
			}
		})
	}
}

// What a plan of a hundred jobs computes is far inside.
func TestLoopsThatAPlanNeedsAreAffordable(t *testing.T) {
	text := fmt.Sprintf(`
locals {
  names = split(",", "%s")
  jobs  = { for i, n in local.names : n => { host = "${n}.example.com", port = 3306 + i } }
  hosts = [for n, j in local.jobs : "${j.host}:${j.port}"]
  all   = join(" ", local.hosts[*])
}
source "mysql" "s" {
  socket = "/s"
  user   = "u"
}
repository "local" "r" { path = "/r" }
job "j" {
  source     = source.mysql.s
  repository = repository.local.r
  clone { mode = "stream" }
  labels     = { n = length(local.hosts) }
}
`, strings.TrimSuffix(strings.Repeat("database,", 1)+func() string {
		var b strings.Builder
		for i := range 100 {
			fmt.Fprintf(&b, "db%d,", i)
		}
		return b.String()
	}(), ","))
	p, files, list := load(t, "p.hcl", text, testOptions())
	if p == nil || p.Jobs[0].Labels["n"] != "101" {
		t.Error(render(t, files, list))
	}
}
