package hclsyn

import (
	"fmt"
	"regexp"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// A plan is written by people. The parser and the evaluator recurse, so these
// bound their stack and the time they take; a thousand jobs are far inside.
const (
	MaxFile    = 1 << 20 // bytes of a file
	maxTokens  = 100_000 // in a file
	maxDepth   = 64      // open brackets
	maxPrefix  = 5_000   // unary operators and conditionals: each is one more recursion
	maxTryNest = 6       // each level of try doubles the work: it evaluates twice
)

// checkLimits refuses what would make the parser recurse too deep. It reads
// tokens, since the scanner does not recurse.
func checkLimits(tokens hclsyntax.Tokens) hcl.Diagnostics {
	depth, prefix := 0, 0
	for i, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp,
			hclsyntax.TokenTemplateControl, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd,
			hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
			depth = max(0, depth-1)
		case hclsyntax.TokenBang, hclsyntax.TokenMinus, hclsyntax.TokenQuestion:
			prefix++
		case hclsyntax.TokenNumberLit:
			if HugeNumber(string(t.Bytes)) {
				return tooComplex(t.Range, "This number has too many digits.")
			}
		}
		switch {
		case i >= maxTokens:
			return tooComplex(t.Range, fmt.Sprintf("A file may have %d words and signs.", maxTokens))
		case depth > maxDepth:
			return tooComplex(t.Range, fmt.Sprintf("Brackets may be nested %d deep.", maxDepth))
		case prefix > maxPrefix:
			return tooComplex(t.Range, fmt.Sprintf("A file may have %d operators of this kind.", maxPrefix))
		}
	}
	return nil
}

var hugeNumber = regexp.MustCompile(`[eE][+-]?[0-9]{4,}|[0-9]{400,}`)

// HugeNumber says that a number, written out, would be of absurd length.
func HugeNumber(text string) bool { return hugeNumber.MatchString(text) }

func tooComplex(at hcl.Range, detail string) hcl.Diagnostics {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Too complex", Detail: detail, Subject: &at}}
}

// Shape is what an expression can multiply its input by.
type Shape struct {
	Loops    int  // for and splat expressions inside one another, at most
	Tries    int  // calls of try inside one another, at most
	Elements int  // nodes of the syntax tree: no literal collection has more elements
	Reads    bool // calls file
}

// TooDeep says that the tries alone would take too long.
func (s Shape) TooDeep() bool { return s.Tries > maxTryNest }

// ShapeOf measures an expression.
func ShapeOf(expr hclsyntax.Expression) Shape {
	w := &shapeWalker{}
	_ = hclsyntax.Walk(expr, w) // the walker gives no diagnostics
	return w.most
}

type shapeWalker struct{ now, most Shape }

func (w *shapeWalker) Enter(n hclsyntax.Node) hcl.Diagnostics {
	w.most.Elements++
	w.add(n, 1)
	w.most.Loops = max(w.most.Loops, w.now.Loops)
	w.most.Tries = max(w.most.Tries, w.now.Tries)
	return nil
}

func (w *shapeWalker) Exit(n hclsyntax.Node) hcl.Diagnostics {
	w.add(n, -1)
	return nil
}

func (w *shapeWalker) add(n hclsyntax.Node, by int) {
	switch e := n.(type) {
	case *hclsyntax.ForExpr, *hclsyntax.SplatExpr:
		w.now.Loops += by
	case *hclsyntax.FunctionCallExpr:
		if e.Name == "try" {
			w.now.Tries += by
		}
		w.most.Reads = w.most.Reads || e.Name == "file"
	}
}

// Literals gives the places of the constants in an expression that could be a
// secret written down: every literal but the names given to env and file, and
// words that are no reference.
func Literals(expr hclsyntax.Expression) []hcl.Range {
	w := &literalWalker{names: map[hclsyntax.Node]bool{}}
	_ = hclsyntax.Walk(expr, w) // the walker gives no diagnostics
	return w.found
}

type literalWalker struct {
	found  []hcl.Range
	names  map[hclsyntax.Node]bool // first arguments of env and file
	inside int                     // of those that we are inside of
}

func (w *literalWalker) Enter(n hclsyntax.Node) hcl.Diagnostics {
	switch e := n.(type) {
	case *hclsyntax.LiteralValueExpr:
		if w.inside == 0 {
			w.found = append(w.found, e.SrcRange)
		}
	case *hclsyntax.ScopeTraversalExpr: // a text that should have been in quotes
		if root := e.Traversal.RootName(); root != "var" && root != "local" && root != "each" {
			w.found = append(w.found, e.SrcRange)
		}
	case *hclsyntax.ObjectConsKeyExpr: // a bare name is a text here
		w.found = append(w.found, e.Range())
	case *hclsyntax.FunctionCallExpr:
		if (e.Name == "env" || e.Name == "file") && len(e.Args) > 0 {
			w.names[e.Args[0]] = true
		}
	}
	if w.names[n] {
		w.inside++
	}
	return nil
}

func (w *literalWalker) Exit(n hclsyntax.Node) hcl.Diagnostics {
	if w.names[n] {
		w.inside--
	}
	return nil
}
