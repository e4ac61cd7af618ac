// Package hclsyn reads the native syntax of plans: HCL. It also holds what
// both syntaxes share: the limits, and the words for what is wrong with names.
package hclsyn

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"runner/pkg/plan/diag"
)

// Body is an hcl.Body whose Content answers with the diagnostics of this
// package.
type Body struct {
	inner       *hclsyntax.Body
	ambiguities []Ambiguity // of a whole file
}

var _ hcl.Body = (*Body)(nil)

// Parse reads a file. The body is never nil; whole says that it holds
// everything that is in the file, so that a name that is not in it is not
// there.
func Parse(name string, text []byte) (body *Body, diags hcl.Diagnostics, whole bool) {
	start := hcl.InitialPos
	empty := &Body{inner: &hclsyntax.Body{SrcRange: hcl.Range{Filename: name, Start: start, End: start}}}
	tokens, _ := hclsyntax.LexConfig(text, name, start) // ParseConfig reports what the scanner finds
	if diags := checkLimits(tokens); diags.HasErrors() {
		return empty, diags, false
	}
	file, diags := hclsyntax.ParseConfig(text, name, start)
	whole = true
	for _, d := range diags {
		if d.Summary == "Attribute redefined" {
			d.Summary = SummaryDuplicateKey
		} else {
			whole = false
		}
	}
	if file == nil {
		return empty, diags, false
	}
	inner, ok := file.Body.(*hclsyntax.Body)
	if !ok {
		return empty, diags, false
	}
	diags = append(diags, duplicateKeys(inner)...)
	countLoops(inner)
	return &Body{inner: inner, ambiguities: Ambiguities(text, inner)}, diags, whole
}

// ParseTemplate reads a text with ${…} in it.
func ParseTemplate(name string, text []byte) (hclsyntax.Expression, hcl.Diagnostics) {
	tokens, _ := hclsyntax.LexTemplate(text, name, hcl.InitialPos)
	if diags := checkLimits(tokens); diags.HasErrors() {
		return nil, diags
	}
	expr, diags := hclsyntax.ParseTemplate(text, name, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	diags = duplicateKeys(expr)
	countLoops(expr)
	return expr, diags
}

// ParseExpression reads an expression as it stands to the right of an equals sign.
func ParseExpression(name string, text []byte) (hclsyntax.Expression, hcl.Diagnostics) {
	tokens, _ := hclsyntax.LexExpression(text, name, hcl.InitialPos)
	if diags := checkLimits(tokens); diags.HasErrors() {
		return nil, diags
	}
	expr, diags := hclsyntax.ParseExpression(text, name, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	diags = duplicateKeys(expr)
	countLoops(expr)
	return expr, diags
}

// Content implements hcl.Body.
func (b *Body) Content(schema *hcl.BodySchema) (*hcl.BodyContent, hcl.Diagnostics) {
	content, rest, diags := b.PartialContent(schema)
	left, ok := rest.(*Body)
	if !ok {
		return content, diags
	}
	known := NamesOf(schema)
	for _, name := range slices.Sorted(maps.Keys(left.inner.Attributes)) {
		diags = append(diags, known.UnknownAttribute(name, left.inner.Attributes[name].NameRange))
	}
	for _, block := range left.inner.Blocks {
		diags = append(diags, known.UnknownBlock(block.Type, block.TypeRange))
	}
	return content, diags
}

// PartialContent implements hcl.Body.
func (b *Body) PartialContent(schema *hcl.BodySchema) (*hcl.BodyContent, hcl.Body, hcl.Diagnostics) {
	content := &hcl.BodyContent{Attributes: hcl.Attributes{}, MissingItemRange: b.MissingItemRange()}
	rest := &hclsyntax.Body{Attributes: maps.Clone(b.inner.Attributes), SrcRange: b.inner.SrcRange, EndRange: b.inner.EndRange}
	var diags hcl.Diagnostics
	for _, a := range schema.Attributes {
		if attr, ok := b.inner.Attributes[a.Name]; ok {
			content.Attributes[a.Name] = attr.AsHCLAttribute()
			delete(rest.Attributes, a.Name)
		}
	}
	for _, block := range b.inner.Blocks {
		at := slices.IndexFunc(schema.Blocks, func(h hcl.BlockHeaderSchema) bool { return h.Type == block.Type })
		if at < 0 {
			rest.Blocks = append(rest.Blocks, block)
			continue
		}
		if want := schema.Blocks[at].LabelNames; len(block.Labels) != len(want) {
			diags = append(diags, wrongLabels(block, want))
			continue
		}
		out := block.AsHCLBlock()
		out.Body = &Body{inner: block.Body}
		content.Blocks = append(content.Blocks, out)
	}
	return content, &Body{inner: rest}, diags
}

func wrongLabels(block *hclsyntax.Block, want []string) *hcl.Diagnostic {
	example := block.Type
	for _, name := range want {
		example += fmt.Sprintf(" %q", name)
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Wrong labels", Subject: block.DefRange().Ptr(),
		Detail: fmt.Sprintf("A %s block has %d labels and this one has %d: it is written %s { … }.", block.Type, len(want), len(block.Labels), example),
	}
}

// JustAttributes implements hcl.Body.
func (b *Body) JustAttributes() (hcl.Attributes, hcl.Diagnostics) {
	out := hcl.Attributes{}
	for name, attr := range b.inner.Attributes {
		out[name] = attr.AsHCLAttribute()
	}
	var diags hcl.Diagnostics
	for _, block := range b.inner.Blocks {
		diags = append(diags, Names{}.UnknownBlock(block.Type, block.TypeRange))
	}
	return out, diags
}

// MissingItemRange implements hcl.Body.
func (b *Body) MissingItemRange() hcl.Range { return b.inner.MissingItemRange() }

// Summaries that more than one place gives.
const (
	SummaryDuplicateKey     = "Duplicate key"
	SummaryUnknownAttribute = "Unknown attribute"
	SummaryUnknownBlock     = "Unknown block"
)

// Names are the names that a body may hold.
type Names struct{ Attributes, Blocks []string }

// NamesOf gives the names of a schema.
func NamesOf(schema *hcl.BodySchema) Names {
	var n Names
	for _, a := range schema.Attributes {
		n.Attributes = append(n.Attributes, a.Name)
	}
	for _, b := range schema.Blocks {
		n.Blocks = append(n.Blocks, b.Type)
	}
	return n
}

// UnknownAttribute says that there is no attribute of that name.
func (n Names) UnknownAttribute(name string, at hcl.Range) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: SummaryUnknownAttribute, Subject: &at}
	if slices.Contains(n.Blocks, name) {
		d.Detail = fmt.Sprintf("%q is a block here, not an attribute: it is written %s { … } without an equals sign.", name, name)
		return d
	}
	d.Detail = fmt.Sprintf("There is no attribute %q here.", name) + diag.DidYouMean(name, append(slices.Clone(n.Attributes), n.Blocks...))
	return d
}

// UnknownBlock says that there is no block of that name.
func (n Names) UnknownBlock(name string, at hcl.Range) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: SummaryUnknownBlock, Subject: &at}
	if slices.Contains(n.Attributes, name) {
		d.Detail = fmt.Sprintf("%q is an attribute here, not a block: it is written %s = … with an equals sign.", name, name)
		return d
	}
	d.Detail = fmt.Sprintf("There is no block %q here.", name) + diag.DidYouMean(name, append(slices.Clone(n.Blocks), n.Attributes...))
	return d
}

// DuplicateKey says that a mapping has the same key twice.
func DuplicateKey(name string, at hcl.Range, firstLine int) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: SummaryDuplicateKey, Subject: &at,
		Detail: fmt.Sprintf("%q was already given in line %d.", name, firstLine),
	}
}

// duplicateKeys finds object literals with the same key twice, of which HCL
// itself would silently take the last.
func duplicateKeys(node hclsyntax.Node) hcl.Diagnostics {
	return hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		object, ok := n.(*hclsyntax.ObjectConsExpr)
		if !ok {
			return nil
		}
		var diags hcl.Diagnostics
		first := map[string]int{}
		for _, item := range object.Items {
			key, ok := constantKey(item.KeyExpr)
			if !ok {
				continue
			}
			if line, seen := first[key]; seen {
				diags = append(diags, DuplicateKey(key, item.KeyExpr.Range(), line))
			} else {
				first[key] = item.KeyExpr.Range().Start.Line
			}
		}
		return diags
	})
}

func constantKey(expr hclsyntax.Expression) (string, bool) {
	if len(expr.Variables()) > 0 {
		return "", false
	}
	v, diags := expr.Value(nil) // without a context: a function call is an error here, and so not constant
	if diags.HasErrors() || v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return "", false
	}
	return v.AsString(), true
}
