package yamlsyn

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"gopkg.in/yaml.v3"

	"runner/pkg/plan/internal/hclsyn"
)

// Expression is a value read as an hcl.Expression.
type Expression struct {
	file *File
	node *yaml.Node
}

var _ hcl.Expression = (*Expression)(nil)

// Range implements hcl.Expression.
func (e *Expression) Range() hcl.Range { return e.file.nodeRange(e.node) }

// StartRange implements hcl.Expression.
func (e *Expression) StartRange() hcl.Range { return e.Range() }

// Value implements hcl.Expression. A string that is no valid template is
// unknown: Parse has reported it.
func (e *Expression) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	n := resolve(e.node)
	switch n.Kind {
	case yaml.MappingNode:
		return e.object(n, ctx)
	case yaml.SequenceNode:
		values := make([]cty.Value, 0, len(n.Content))
		var diags hcl.Diagnostics
		for _, child := range n.Content {
			v, more := e.child(child).Value(ctx)
			diags = append(diags, more...)
			values = append(values, v)
		}
		return cty.TupleVal(values), diags
	}
	return e.scalar(n, ctx)
}

func (e *Expression) child(n *yaml.Node) *Expression { return &Expression{file: e.file, node: n} }

func (e *Expression) scalar(n *yaml.Node, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	switch n.ShortTag() {
	case "!!str", "!!timestamp":
		p, ok := e.file.parsed[n]
		switch {
		case !ok || p.literal: // a timestamp that is not quoted is a text too
			return cty.StringVal(n.Value), nil
		case p.expr == nil:
			return cty.DynamicVal, nil
		}
		return p.expr.Value(ctx)
	case "!!bool":
		return cty.BoolVal(strings.EqualFold(n.Value, "true")), nil
	case "!!null":
		return cty.NullVal(cty.DynamicPseudoType), nil
	case "!!int", "!!float":
		return e.number(n)
	}
	return cty.DynamicVal, e.file.problem("Wrong type", "This tag is not part of the plan language.", e.Range())
}

func (e *Expression) number(n *yaml.Node) (cty.Value, hcl.Diagnostics) {
	if v, err := cty.ParseNumberVal(n.Value); err == nil && !hclsyn.HugeNumber(n.Value) {
		return v, nil
	}
	var whole int64 // such as 0x10 or 1_000
	if err := n.Decode(&whole); err == nil {
		return cty.NumberIntVal(whole), nil
	}
	return cty.DynamicVal, e.file.problem("Wrong type", "This is not a number that a plan can hold.", e.Range())
}

func (e *Expression) object(n *yaml.Node, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	values := map[string]cty.Value{}
	first := map[string]int{}
	var marks []cty.ValueMarks
	for i := 0; i+1 < len(n.Content); i += 2 {
		keyNode := resolve(n.Content[i])
		if d := e.file.badKey(keyNode); d != nil {
			diags = append(diags, d)
			continue
		}
		key, keyMarks, more := e.key(keyNode, ctx)
		diags = append(diags, more...)
		if more.HasErrors() {
			continue
		}
		marks = append(marks, keyMarks)
		if line, seen := first[key]; seen {
			diags = append(diags, hclsyn.DuplicateKey(key, e.file.nodeRange(keyNode), line))
			continue
		}
		first[key] = keyNode.Line
		v, more := e.child(n.Content[i+1]).Value(ctx)
		diags = append(diags, more...)
		values[key] = v
	}
	return cty.ObjectVal(values).WithMarks(marks...), diags
}

// key evaluates the key of an object, which may be a template.
func (e *Expression) key(n *yaml.Node, ctx *hcl.EvalContext) (string, cty.ValueMarks, hcl.Diagnostics) {
	p, ok := e.file.parsed[n]
	if !ok || p.literal {
		return n.Value, nil, nil
	}
	v, diags := e.child(n).Value(ctx)
	if diags.HasErrors() {
		return "", nil, diags
	}
	v, marks := v.Unmark()
	v, err := convert.Convert(v, cty.String)
	if err != nil || !v.IsKnown() || v.IsNull() {
		return "", nil, e.file.problem("Wrong type", "A key is a text.", e.file.nodeRange(n))
	}
	return v.AsString(), marks, nil
}

// Variables implements hcl.Expression.
func (e *Expression) Variables() []hcl.Traversal {
	var out []hcl.Traversal
	e.walk(func(_ *yaml.Node, inner hclsyntax.Expression) {
		if inner != nil {
			out = append(out, inner.Variables()...)
		}
	})
	return out
}

// walk calls f for every scalar, with its template where it has one.
func (e *Expression) walk(f func(n *yaml.Node, inner hclsyntax.Expression)) {
	n := resolve(e.node)
	if n.Kind == yaml.ScalarNode {
		f(n, e.file.parsed[n].expr)
		return
	}
	for _, child := range n.Content {
		e.child(child).walk(f)
	}
}

// ExprList serves hcl.ExprList.
func (e *Expression) ExprList() []hcl.Expression {
	n := resolve(e.node)
	if n.Kind != yaml.SequenceNode {
		if inner := e.whole(); inner != nil {
			list, diags := hcl.ExprList(inner)
			if !diags.HasErrors() {
				return list
			}
		}
		return nil
	}
	out := make([]hcl.Expression, 0, len(n.Content))
	for _, child := range n.Content {
		out = append(out, e.child(child))
	}
	return out
}

// whole gives the expression of a string that is one whole ${…}, else nil.
func (e *Expression) whole() hclsyntax.Expression {
	n := resolve(e.node)
	if wrap, ok := e.file.parsed[n].expr.(*hclsyntax.TemplateWrapExpr); ok {
		return wrap.Wrapped
	}
	return nil
}

// Keyword reads a string as an expression instead of a template: the type of
// a variable is written list(string), without ${ }.
func (e *Expression) Keyword() (hcl.Expression, hcl.Diagnostics) {
	n := resolve(e.node)
	if n.Kind != yaml.ScalarNode {
		return nil, e.file.problem("Wrong type", "A text is needed here.", e.Range())
	}
	expr, diags := hclsyn.ParseExpression(e.file.virtualName(e.file.offsets(n)), []byte(n.Value))
	if expr == nil {
		return nil, diags
	}
	return expr, diags
}

// Literals gives the places of the constants that could be a secret written
// down.
func (e *Expression) Literals() []hcl.Range {
	var out []hcl.Range
	e.walk(func(n *yaml.Node, inner hclsyntax.Expression) {
		if inner == nil {
			out = append(out, e.file.nodeRange(n))
			return
		}
		for _, r := range hclsyn.Literals(inner) {
			out = append(out, e.file.Resolve(r))
		}
	})
	return out
}

// Shape measures the largest of the expressions in a value.
func (e *Expression) Shape() hclsyn.Shape {
	var most hclsyn.Shape
	e.walk(func(_ *yaml.Node, inner hclsyntax.Expression) {
		most.Elements++
		if inner != nil {
			s := hclsyn.ShapeOf(inner)
			most = hclsyn.Shape{Loops: max(most.Loops, s.Loops), Tries: max(most.Tries, s.Tries), Elements: most.Elements + s.Elements, Reads: most.Reads || s.Reads}
		}
	})
	return most
}
