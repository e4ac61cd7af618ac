package hclsyn

import (
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// LoopFunction begins the names of the functions through which loops take what they go through, so that each loop is counted before
// it begins: the evaluator can't be stopped in the middle of one. No name in a plan begins so. A number follows: how many nodes are
// evaluated in each round, to the next power of two.
const LoopFunction = "#loop"

// LoopSizes are the numbers that follow.
func LoopSizes() (sizes []int) {
	for n := 1; n <= maxTokens*2; n *= 2 {
		sizes = append(sizes, n)
	}
	return sizes
}

// countLoops has every loop in a node take its collection through a function.
func countLoops(node hclsyntax.Node) {
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		switch e := n.(type) {
		case *hclsyntax.ForExpr:
			e.CollExpr = counted(e.CollExpr, e.KeyExpr, e.ValExpr, e.CondExpr)
		case *hclsyntax.SplatExpr:
			e.Source = counted(e.Source, e.Each)
		}
		return nil
	})
}

func counted(collection hclsyntax.Expression, round ...hclsyntax.Expression) hclsyntax.Expression {
	nodes := 1
	for _, e := range round {
		if e != nil {
			nodes += ShapeOf(e).Elements
		}
	}
	size := 1
	for size < nodes {
		size *= 2
	}
	at := collection.Range()
	return &hclsyntax.FunctionCallExpr{
		Name: LoopFunction + strconv.Itoa(size), Args: []hclsyntax.Expression{collection},
		NameRange: at, OpenParenRange: at, CloseParenRange: at,
	}
}
