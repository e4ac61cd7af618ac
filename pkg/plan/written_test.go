package plan

import (
	"fmt"
	"strings"
	"testing"
)

const writtenHCL = `
variable "text" {
  type    = string
  default = %[2]s
}
source "mysql" "s" {
  socket   = "/nowhere"
  user     = "u"
  password = %[1]s
}
repository "local" "r" { path = "/repo" }
job "j" {
  source     = source.mysql.s
  repository = repository.local.r
  labels     = { v = %[3]s }
  clone { mode = "stream" }
}
`

const writtenYAML = `
variable: {text: {type: string, default: %[2]s}}
source: {mysql: {s: {socket: /nowhere, user: u, password: %[1]s}}}
repository: {local: {r: {path: /repo}}}
job: {j: {source: "${source.mysql.s}", repository: "${repository.local.r}", labels: {v: %[3]s}, clone: {mode: stream}}}
`

// A text is what was written, or an error at its place: never another text.
func TestTextsAreWhatWasWritten(t *testing.T) {
	for name, syntax := range map[string]string{"p.hcl": writtenHCL, "p.yaml": writtenYAML} {
		for _, written := range []string{"7", "1.5", "12345678901234567890123", "0", "true", "007", "0123", "9.70", "1.0", "1e3", "0e12345", "0x1F", "1_000", "+4912", "0o17", "1E5", "00", "TRUE", "True", "-0", "-07", ".5"} {
			for at := range 3 {
				places := []any{`"x"`, `"x"`, `"x"`}
				places[at] = written
				p, diags := loadWritten(t, name, fmt.Sprintf(syntax, places...))
				if p == nil {
					if at == 0 && len(written) > 3 && strings.Contains(diags, written) {
						t.Errorf("%s: the password %s is shown: %s", name, written, diags)
					}
					continue
				}
				if at == 1 {
					continue // nothing uses it
				}
				got := p.Jobs[0].Labels["v"]
				if at == 0 {
					got = p.Jobs[0].Source.Password.Reveal()
				}
				if got != written {
					t.Errorf("%s, place %d: %s is %q", name, at, written, got)
				}
			}
		}
	}
}

func TestANumberIsNoAmbiguousText(t *testing.T) {
	for name, text := range map[string]string{
		"p.hcl":  strings.Replace(fmt.Sprintf(writtenHCL, `"x"`, `"x"`, `"x"`), `clone { mode = "stream" }`, "clone {\n mode = \"stream\"\n threads = 010\n }", 1),
		"p.yaml": strings.Replace(fmt.Sprintf(writtenYAML, "x", "x", "x"), "mode: stream", "mode: stream, threads: 1_0", 1),
	} {
		if p, diags := loadWritten(t, name, text); p == nil || p.Jobs[0].Clone.Threads != 10 {
			t.Errorf("%s: %s", name, diags)
		}
	}
}

func loadWritten(t *testing.T, name, text string) (*Plan, string) {
	t.Helper()
	p, files, list := load(t, name, text, testOptions())
	return p, render(t, files, list)
}
