package plan

import (
	"os"
	"strings"
	"testing"
)

func TestAReferenceInYAMLIsPointedAtExactly(t *testing.T) {
	_, _, list := Load([]string{"testdata/invalid/yaml-positions.yaml"}, testOptions())
	text, err := os.ReadFile("testdata/invalid/yaml-positions.yaml")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	checked := 0
	for _, d := range list {
		if d.Summary != "Undefined reference" {
			continue
		}
		checked++
		line := []rune(lines[d.Range.StartLine-1])
		got := string(line[d.Range.StartColumn-1 : d.Range.EndColumn-1])
		_, name, _ := strings.Cut(d.Detail, `There is no local value "`)
		name, _, _ = strings.Cut(name, `"`)
		if got != "local."+name {
			t.Errorf("%q is pointed at for %q", got, name)
		}
	}
	if checked != 9 {
		t.Errorf("%d references", checked)
	}
}
