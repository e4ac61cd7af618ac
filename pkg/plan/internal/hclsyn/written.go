package hclsyn

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Ambiguity is a number or a truth value that is written in another way than it would be told: 007 is read as 7. Where a text is
// wanted nobody can say which was meant.
type Ambiguity struct {
	At      hcl.Range
	Written string
	Read    string
}

// Told is a number as a text; false for one that is too large to be written out.
func Told(v cty.Value, written string) (string, bool) {
	if HugeNumber(written) {
		return "", false
	}
	text, err := convert.Convert(v, cty.String)
	if err != nil || text.IsNull() || !text.IsKnown() {
		return "", false
	}
	return text.AsString(), true
}

// Ambiguities are those of the expressions in a node that was parsed from text.
func Ambiguities(text []byte, node hclsyntax.Node) (found []Ambiguity) {
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		literal, ok := n.(*hclsyntax.LiteralValueExpr)
		if !ok || literal.Val.IsNull() || literal.Val.Type() != cty.Number || !literal.SrcRange.CanSliceBytes(text) {
			return nil
		}
		written := string(literal.SrcRange.SliceBytes(text))
		if told, ok := Told(literal.Val, written); !ok || told != written {
			found = append(found, Ambiguity{At: literal.SrcRange, Written: written, Read: told})
		}
		return nil
	})
	return found
}

// Ambiguities are those of the whole file.
func (b *Body) Ambiguities() []Ambiguity { return b.ambiguities }
