package plan

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"runner/pkg/plan/diag"
	"runner/pkg/plan/internal/hclsyn"
	"runner/pkg/plan/internal/yamlsyn"
)

// capsules are the types of what only the plan itself can refer to. Two
// capsule types are never equal, so there is one set for each Load.
type capsules struct{ source, repository, job cty.Type }

// jobRef is what job.NAME refers to.
type jobRef struct{ address string }

func newCapsules() capsules {
	return capsules{
		source:     cty.Capsule("source", reflect.TypeFor[Source]()),
		repository: cty.Capsule("repository", reflect.TypeFor[Repository]()),
		job:        cty.Capsule("job", reflect.TypeFor[jobRef]()),
	}
}

// scope is what an expression may refer to. It does not change.
type scope struct{ ctx *hcl.EvalContext }

func (l *loader) newScope(variables map[string]cty.Value) scope {
	return scope{&hcl.EvalContext{Variables: variables, Functions: l.functions}}
}

func (s scope) with(name string, v cty.Value) scope {
	variables := maps.Clone(s.ctx.Variables)
	variables[name] = v
	return scope{&hcl.EvalContext{Variables: variables, Functions: s.ctx.Functions}}
}

// Limits of evaluation: what a plan can hold is small, and what it can
// compute must not be large.
const (
	maxValue = 256 << 10 // bytes of one named value, about
	maxWork  = 100e6     // bytes that one expression touches, at most and about
)

// value evaluates an expression. Not ok: something was reported, now or
// where a value comes from that this one refers to. Of a secret, errors show
// no more than their kind.
func (l *loader) value(e hcl.Expression, s scope, secret bool) (v cty.Value, ok bool) {
	known, hidden := l.references(e, s, secret)
	if !known || !l.affordable(e, s) {
		return cty.DynamicVal, false
	}
	l.budget.begin(unitOf(e, s))
	v, diags := e.Value(s.ctx)
	if l.budget.over {
		at := e.Range()
		l.fail(&at, "Too complex", "This expression takes too long or grows too large to evaluate.", "")
		return cty.DynamicVal, false
	}
	if diags.HasErrors() {
		for _, d := range diags {
			if d.Detail != "" && (secret || hidden) {
				d.Detail = "The details are not shown, since a sensitive value is part of this."
			}
		}
		l.report(diags)
		return cty.DynamicVal, false
	}
	if !v.IsWhollyKnown() {
		return cty.DynamicVal, false
	}
	return v, true
}

// references reports what an expression refers to that is not there. hidden
// says that some of what it refers to is sensitive.
func (l *loader) references(e hcl.Expression, s scope, secret bool) (known, hidden bool) {
	known = true
	for _, t := range e.Variables() {
		if !l.reference(t, s, secret) {
			known = false
			continue
		}
		if v, diags := t[:min(len(t), 2)].TraverseAbs(s.ctx); !diags.HasErrors() && v.ContainsMarked() {
			hidden = true
		}
	}
	return known, hidden
}

// nouns say what a name after a root is a name of; their keys are all roots
// that there are anywhere in a plan.
func nouns() map[string]string {
	return map[string]string{
		"var": "variable", "local": "local value", "source": "source", "repository": "repository", "job": "job", "each": "attribute of each",
	}
}

// depths say how many names after a root are checked before evaluation, where
// a name that is missing can be told from one that was meant.
func depths() map[string]int {
	return map[string]int{"var": 1, "local": 1, "source": 2, "repository": 2, "job": 2, "each": 1}
}

func (l *loader) reference(t hcl.Traversal, s scope, secret bool) bool {
	root := t.RootName()
	at := t.SourceRange()
	v, ok := s.ctx.Variables[root]
	if !ok && secret && nouns()[root] == "" { // a secret without its quotes
		l.fail(&at, "Undefined reference", "There is nothing of this name here. If a text is meant, it is written in quotes.", "")
		return false
	}
	if !ok {
		l.fail(&at, "Undefined reference", l.unknownRoot(t, s), "")
		return false
	}
	for i := 1; i <= min(depths()[root], len(t)-1) && v.Type().IsObjectType() && v.IsKnown() && !v.IsMarked(); i++ {
		name, ok := stepName(t[i])
		if !ok {
			return true
		}
		if !v.Type().HasAttribute(name) {
			names := slices.Sorted(maps.Keys(v.Type().AttributeTypes()))
			l.fail(&at, "Undefined reference", fmt.Sprintf("There is no %s %q.", nouns()[root], name)+diag.DidYouMean(name, names), "")
			return false
		}
		v = v.GetAttr(name)
	}
	return true
}

func (l *loader) unknownRoot(t hcl.Traversal, s scope) string {
	root := t.RootName()
	switch {
	case root == "each":
		return "each.key and each.value are there only in a job with for_each."
	case len(t) > 1 && nouns()[root] != "":
		return fmt.Sprintf("A %s can't be referred to here.", nouns()[root])
	case len(t) == 1:
		return fmt.Sprintf("There is nothing called %s here. If a text is meant, it is written in quotes: %q.", root, root)
	}
	return fmt.Sprintf("There is nothing called %s here.", root) + diag.DidYouMean(root, slices.Sorted(maps.Keys(s.ctx.Variables)))
}

// stepName gives the name that a step of a traversal asks for.
func stepName(step hcl.Traverser) (string, bool) {
	switch s := step.(type) {
	case hcl.TraverseAttr:
		return s.Name, true
	case hcl.TraverseIndex:
		if s.Key.Type() == cty.String && s.Key.IsKnown() && !s.Key.IsNull() && !s.Key.IsMarked() {
			return s.Key.AsString(), true
		}
	}
	return "", false
}

// affordable estimates what an expression can cost before it is evaluated:
// the evaluator can't be stopped.
func (l *loader) affordable(e hcl.Expression, s scope) bool {
	shape := shapeOf(e)
	total, widest := float64(shape.Elements*elementSize), float64(shape.Elements)
	for _, t := range e.Variables() {
		v, diags := t[:min(len(t), 2)].TraverseAbs(s.ctx)
		if diags.HasErrors() {
			continue
		}
		total += float64(sizeOf(v))
		widest = max(widest, float64(breadthOf(v)))
	}
	if shape.TooDeep() || total*math.Pow(widest, float64(shape.Loops))*math.Pow(2, float64(shape.Tries)) > maxWork {
		at := e.Range()
		l.fail(&at, "Too complex", "This expression could take too long or grow too large to evaluate.", "")
		return false
	}
	if shape.Reads && shape.Loops > 0 {
		at := e.Range()
		l.fail(&at, "Too complex", "Nobody knows how often this would read the file: give file(…) a name under locals, and use that.", "")
		return false
	}
	return true
}

func shapeOf(e hcl.Expression) hclsyn.Shape {
	switch e := e.(type) {
	case hclsyntax.Expression:
		return hclsyn.ShapeOf(e)
	case *yamlsyn.Expression:
		return e.Shape()
	}
	return hclsyn.Shape{}
}

// elementSize is what an element of a collection counts besides its content.
const elementSize = 16

// sizeOf estimates the bytes that a value takes.
func sizeOf(v cty.Value) int {
	v, _ = v.Unmark()
	switch {
	case v.IsNull() || !v.IsKnown() || v.Type().IsCapsuleType():
		return elementSize
	case v.Type() == cty.String:
		return elementSize + len(v.AsString())
	case v.CanIterateElements():
		size := elementSize
		for it := v.ElementIterator(); it.Next(); {
			key, element := it.Element()
			if v.Type().IsMapType() || v.Type().IsObjectType() {
				size += sizeOf(key)
			}
			size += sizeOf(element)
		}
		return size
	}
	return elementSize
}

// breadthOf gives the most elements that a value, or a value in it, has; a text
// may be split into as many as it has bytes.
func breadthOf(v cty.Value) int {
	v, _ = v.Unmark()
	switch {
	case v.IsNull() || !v.IsKnown() || v.Type().IsCapsuleType():
		return 1
	case v.Type() == cty.String:
		return len(v.AsString())
	case v.CanIterateElements():
		most := v.LengthInt()
		for it := v.ElementIterator(); it.Next(); {
			_, element := it.Element()
			most = max(most, breadthOf(element))
		}
		return most
	}
	return 1
}

// literals gives the places of the constants in an expression.
func literals(e hcl.Expression) []hcl.Range {
	switch e := e.(type) {
	case hclsyntax.Expression:
		return hclsyn.Literals(e)
	case *yamlsyn.Expression:
		return e.Literals()
	}
	return nil
}

// hide keeps the constants of an expression, which is a secret's, out of
// everything that is shown.
func (l *loader) hide(e hcl.Expression) {
	for _, r := range literals(e) {
		l.files.Hide(yamlsyn.FileOf(r), r.Start.Byte, r.End.Byte)
	}
}
