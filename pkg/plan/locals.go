package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"runner/pkg/plan/graph"
)

// locals evaluates the local values in the order of their references and
// gives the object that local refers to. What can't be evaluated is unknown.
func (l *loader) locals(objects []*object) cty.Value {
	attributes := map[string]*hcl.Attribute{}
	var names []string
	for _, o := range objects {
		for _, name := range sortedNames(o.attributes) {
			if attributes[name] == nil {
				names = append(names, name)
				attributes[name] = o.attributes[name]
				if !hclsyntax.ValidIdentifier(name) { // YAML allows any text
					l.fail(&o.attributes[name].NameRange, "Invalid name", "The name of a local value is a letter, followed by letters, digits, hyphens and underscores.", "")
				}
			}
		}
	}
	values := map[string]cty.Value{}
	for _, name := range names {
		values[name] = cty.DynamicVal
	}
	for _, name := range l.localOrder(names, attributes) {
		v, ok := l.value(attributes[name].Expr, l.base.with("local", cty.ObjectVal(values)), false)
		if !ok || !l.asWritten(attributes[name].Expr) {
			continue
		}
		if sizeOf(v) > maxValue {
			at := attributes[name].Expr.Range()
			l.fail(&at, "Too complex", fmt.Sprintf("The value has more than %d bytes.", maxValue), "")
			continue
		}
		values[name] = v
	}
	return cty.ObjectVal(values)
}

// localOrder sorts names by their references; those in cycles, which it
// reports, are left out.
func (l *loader) localOrder(names []string, attributes map[string]*hcl.Attribute) []string {
	var nodes []graph.Node
	for _, name := range names {
		n := graph.Node{ID: graph.ID{Job: "local", Step: name}}
		for _, t := range attributes[name].Expr.Variables() {
			if t.RootName() != "local" {
				continue
			}
			if len(t) == 1 { // local as a whole is all of them
				for _, other := range names {
					n.After = append(n.After, graph.ID{Job: "local", Step: other})
				}
			} else if other, ok := stepName(t[1]); ok && attributes[other] != nil {
				n.After = append(n.After, graph.ID{Job: "local", Step: other})
			}
		}
		nodes = append(nodes, n)
	}
	drop := map[string]bool{}
	g, err := graph.New(nodes)
	if err != nil {
		l.cycles(err, "local values", func(id graph.ID) (string, hcl.Range) {
			drop[id.Step] = true
			return "local." + id.Step, attributes[id.Step].NameRange
		})
		kept := slices.DeleteFunc(nodes, func(n graph.Node) bool { return drop[n.ID.Step] })
		for i := range kept {
			kept[i].After = slices.DeleteFunc(kept[i].After, func(id graph.ID) bool { return drop[id.Step] })
		}
		if g, err = graph.New(kept); err != nil {
			return nil
		}
	}
	var out []string
	for _, id := range g.Order() {
		out = append(out, id.Step)
	}
	return out
}

// cycles reports what graph.New found: each cycle once, at its first member.
func (l *loader) cycles(err error, what string, describe func(graph.ID) (name string, at hcl.Range)) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		l.fail(nil, "Cycle", err.Error(), "")
		return
	}
	for _, e := range joined.Unwrap() {
		var self *graph.SelfError
		var cycle *graph.CycleError
		switch {
		case errors.As(e, &self):
			name, at := describe(self.ID)
			l.fail(&at, "Cycle", fmt.Sprintf("%s depends on itself.", name), "")
		case errors.As(e, &cycle):
			var names []string
			var first hcl.Range
			for i, id := range cycle.Members {
				name, at := describe(id)
				names = append(names, name)
				if i == 0 {
					first = at
				}
			}
			l.fail(&first, "Cycle", fmt.Sprintf("These %s depend on one another: %s.", what, strings.Join(names, ", ")), "")
		}
	}
}
