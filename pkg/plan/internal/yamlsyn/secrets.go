package yamlsyn

import (
	"gopkg.in/yaml.v3"

	"runner/pkg/plan/internal/hclsyn"
)

// NamedValues are the values of all keys that match, however deep, also of those that are there twice. A variable is named by its
// key, and is not what its name says.
func (f *File) NamedValues(match func(name string) bool) []hclsyn.Named {
	if f.root == nil {
		return nil
	}
	w := &namedWalker{file: f, match: match, seen: map[*yaml.Node]bool{}}
	w.walk(f.root, "")
	return w.found
}

type namedWalker struct {
	file  *File
	match func(string) bool
	seen  map[*yaml.Node]bool
	found []hclsyn.Named
}

// walk looks into the value of a key; empty: it has none.
func (w *namedWalker) walk(n *yaml.Node, key string) {
	n = resolve(n)
	if w.seen[n] {
		return
	}
	w.seen[n] = true
	for i, child := range n.Content {
		name := ""
		if n.Kind == yaml.MappingNode {
			if i%2 == 0 {
				continue
			}
			name = resolve(n.Content[i-1]).Value
		}
		if name != "" && key != "variable" && w.match(name) {
			at := w.file.nodeRange(resolve(child))
			w.found = append(w.found, hclsyn.Named{
				All: hclsyn.Span{Start: at.Start.Byte, End: at.End.Byte}, Literals: w.file.literals(child, map[*yaml.Node]bool{}),
			})
			continue
		}
		w.walk(child, name)
	}
}

// literals are the places of what is written down in a value.
func (f *File) literals(n *yaml.Node, seen map[*yaml.Node]bool) (spans []hclsyn.Span) {
	n = resolve(n)
	if seen[n] {
		return nil
	}
	seen[n] = true
	if n.Kind != yaml.ScalarNode {
		for i, child := range n.Content {
			if n.Kind != yaml.MappingNode || i%2 == 1 {
				spans = append(spans, f.literals(child, seen)...)
			}
		}
		return spans
	}
	e := &Expression{file: f, node: n}
	for _, at := range e.Literals() {
		at = f.Resolve(at)
		spans = append(spans, hclsyn.Span{Start: at.Start.Byte, End: at.End.Byte})
	}
	return spans
}
