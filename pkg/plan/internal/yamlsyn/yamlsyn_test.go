package yamlsyn

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

func values(t *testing.T, text string, ctx *hcl.EvalContext) map[string]cty.Value {
	t.Helper()
	_, body, diags, whole := Parse("p.yaml", []byte(text))
	if diags.HasErrors() || !whole {
		t.Fatal(diags)
	}
	attributes, diags := body.JustAttributes()
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	out := map[string]cty.Value{}
	for name, a := range attributes {
		v, diags := a.Expr.Value(ctx)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		out[name] = v
	}
	return out
}

func TestScalarsHaveTheTypesThatAReaderExpects(t *testing.T) {
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{"n": cty.NumberIntVal(7)}}
	got := values(t, `
text: plain text
quoted: "7"
number: 7
negative: -1.5
hex: 0x10
grouped: 1_000
yes: true
word: yes
off: off
nothing: ~
empty:
date: 2026-11-22
whole: ${n}
part: n${n}
block: |
  a ${n}
alias: &x [1, "b"]
again: *x
map: {k: v, "${n}": w}
`, ctx)
	want := map[string]cty.Value{
		"text": cty.StringVal("plain text"), "quoted": cty.StringVal("7"), "number": cty.NumberIntVal(7), "negative": cty.NumberFloatVal(-1.5),
		"hex": cty.NumberIntVal(16), "grouped": cty.NumberIntVal(1000), "yes": cty.True, "word": cty.StringVal("yes"), "off": cty.StringVal("off"),
		"nothing": cty.NullVal(cty.DynamicPseudoType), "empty": cty.NullVal(cty.DynamicPseudoType), "date": cty.StringVal("2026-11-22"),
		"whole": cty.NumberIntVal(7), "part": cty.StringVal("n7"), "block": cty.StringVal("a 7\n"),
		"alias": cty.TupleVal([]cty.Value{cty.NumberIntVal(1), cty.StringVal("b")}), "again": cty.TupleVal([]cty.Value{cty.NumberIntVal(1), cty.StringVal("b")}),
		"map": cty.ObjectVal(map[string]cty.Value{"k": cty.StringVal("v"), "7": cty.StringVal("w")}),
	}
	for name, w := range want {
		if g, ok := got[name]; !ok || !g.RawEquals(w) {
			t.Errorf("%s: %#v, want %#v", name, g, w)
		}
	}
}

func TestPlacesInALongLineAreExact(t *testing.T) {
	for name, item := range map[string]string{"ascii": `"abcdefgh${n}"`, "wide": `"äöüß${n}é"`} {
		text := `{"a": [` + strings.Repeat(item+",", 8_000) + `1]}`
		f, body, diags, _ := Parse("p.json", []byte(text))
		if diags.HasErrors() {
			t.Fatal(name, diags)
		}
		attributes, _ := body.JustAttributes()
		list := attributes["a"].Expr.Variables()
		if len(list) != 8_000 {
			t.Fatal(name, len(list))
		}
		last := f.Resolve(list[len(list)-1].SourceRange())
		if got := text[last.Start.Byte:last.End.Byte]; got != "n" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestTabsMayIndentJSON(t *testing.T) {
	_, body, diags, _ := Parse("p.json", []byte("{\n\t\"a\":\t[\n\t\t1\n\t]\n}\n"))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if attributes, _ := body.JustAttributes(); attributes["a"] == nil {
		t.Error("no a")
	}
}

func TestLineEndingsDoNotMovePlaces(t *testing.T) {
	for _, text := range []string{"a: 1\r\nb: ${x}\r\n", "a: 1\rb: ${x}\r", "\ufeffa: é\nb: ${x}\n", "a: \"\u2028\"\nb: ${x}\n"} {
		f, body, diags, _ := Parse("p.yaml", []byte(text))
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		attributes, _ := body.JustAttributes()
		r := f.Resolve(attributes["b"].Expr.Variables()[0].SourceRange())
		if got := text[r.Start.Byte:r.End.Byte]; got != "x" {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestContentSeparatesAttributesAndBlocks(t *testing.T) {
	schema := &hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "a"}},
		Blocks:     []hcl.BlockHeaderSchema{{Type: "b", LabelNames: []string{"kind", "name"}}, {Type: "c"}},
	}
	_, body, _, _ := Parse("p.yaml", []byte("a: 1\nb: {k: {n1: {}, n2: }}\nc: [{x: 1}, {x: 2}]\nd: 1\n"))
	content, diags := body.Content(schema)
	if len(content.Attributes) != 1 || len(content.Blocks) != 4 || len(diags) != 1 {
		t.Errorf("%d attributes, %d blocks, %v", len(content.Attributes), len(content.Blocks), diags)
	}
	if _, _, diags := body.PartialContent(schema); len(diags) != 0 {
		t.Error(diags)
	}
	if labels := content.Blocks[1].Labels; strings.Join(labels, ".") != "k.n2" {
		t.Error(labels)
	}
}

func TestEveryByteOfAScalarHasAPlaceInTheFile(t *testing.T) {
	for _, scalar := range []string{
		`plain`, `"a\nb\u00e9\x41\\\"c"`, `'it''s'`, "|\n  a\n    b\n", ">-\n  a\n  b\n\n  c\n", "\"a\n  b \\\n  c\"", "a\n  b", `"\U0001F600 é"`, "|2-\n    x\n",
	} {
		text := "k: " + scalar
		f, body, diags, _ := Parse("p.yaml", []byte(text))
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		n := body.node.Content[1]
		offsets := f.offsets(n)
		if len(offsets) != len(n.Value)+1 {
			t.Fatalf("%q: %d offsets for %d bytes", scalar, len(offsets), len(n.Value))
		}
		for i, at := range offsets {
			if at < 3 || at > len(text) || i > 0 && at < offsets[i-1] {
				t.Errorf("%q: byte %d is at %d", scalar, i, at)
			}
			if i < len(n.Value) && n.Value[i] >= 'a' && n.Value[i] <= 'z' && text[at] != n.Value[i] {
				t.Errorf("%q: byte %d, %q, is at %q", scalar, i, n.Value[i], text[at])
			}
		}
	}
}
