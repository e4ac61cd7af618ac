package hclsyn

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

func TestWhatWouldRecurseTooDeepIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"brackets": "a = " + strings.Repeat("[", 50_000), "parentheses": "a = " + strings.Repeat("(", 50_000),
		"blocks": strings.Repeat("a {\n", 20_000), "negations": "a = " + strings.Repeat("!", 50_000) + "true",
		"conditionals": "a = " + strings.Repeat("b ? c : ", 6_000) + "d", "templates": `a = ` + strings.Repeat(`"${`, 20_000),
		"sums": "a = " + strings.Repeat("1+", 60_000) + "1", "indexes": "a = b" + strings.Repeat("[0]", 40_000),
		"number": "a = 1e99999999", "digits": "a = " + strings.Repeat("9", 1000),
	} {
		body, diags, whole := Parse("p.hcl", []byte(text))
		if whole || body == nil || len(diags) != 1 || diags[0].Summary != "Too complex" {
			t.Errorf("%s: %v", name, diags)
		}
	}
}

func TestShape(t *testing.T) {
	for text, want := range map[string]Shape{
		"a": {Elements: 1}, "[for x in a : [for y in b : y]]": {Loops: 2}, "[[for x in a : x], [for x in a : x]]": {Loops: 1},
		"a[*].b": {Loops: 1}, "try(try(a, b), try(c))": {Tries: 2},
	} {
		e, diags := ParseExpression("e", []byte(text))
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		if got := ShapeOf(e); got.Loops != want.Loops || got.Tries != want.Tries || got.Elements == 0 {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

func TestLiteralsAreWhatCouldBeASecret(t *testing.T) {
	for text, want := range map[string]string{
		`"s3cret"`: `s3cret`, `var.x`: ``, `env("NAME")`: ``, `env("NAME", "dflt")`: `dflt`, `"${var.x}tail"`: `tail`,
		`trimspace(file("/p"))`: ``, `env(lower("NAME"))`: ``, `upper("abc")`: `abc`, `{ abc = 12 }`: `abc 12`,
	} {
		e, diags := ParseExpression("e", []byte(text))
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		var got []string
		for _, r := range Literals(e) {
			if s := text[r.Start.Byte:r.End.Byte]; len(got) == 0 || got[len(got)-1] != s {
				got = append(got, s)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestPartialContentLeavesTheRest(t *testing.T) {
	body, diags, whole := Parse("p.hcl", []byte("a = 1\nb = 2\nc {}\nd {}\n"))
	if diags.HasErrors() || !whole {
		t.Fatal(diags)
	}
	schema := &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "a"}}, Blocks: []hcl.BlockHeaderSchema{{Type: "c"}}}
	content, rest, diags := body.PartialContent(schema)
	if len(content.Attributes) != 1 || len(content.Blocks) != 1 || diags.HasErrors() {
		t.Errorf("%+v %v", content, diags)
	}
	if _, diags := rest.Content(&hcl.BodySchema{}); len(diags) != 2 {
		t.Error(diags)
	}
	if _, diags := body.Content(schema); len(diags) != 2 {
		t.Error(diags)
	}
	if attributes, diags := body.JustAttributes(); len(attributes) != 2 || len(diags) != 2 {
		t.Error(diags)
	}
}
