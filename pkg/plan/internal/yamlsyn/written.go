package yamlsyn

import (
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"gopkg.in/yaml.v3"

	"runner/pkg/plan/internal/hclsyn"
)

// Ambiguities are the numbers and truth values in a value that are written in another way than they would be told.
func (e *Expression) Ambiguities() (found []hclsyn.Ambiguity) {
	n := resolve(e.node)
	switch n.Kind {
	case yaml.ScalarNode:
		return e.ambiguity(n)
	case yaml.MappingNode: // keys are texts as they are written
		for i := 1; i < len(n.Content); i += 2 {
			found = append(found, e.child(n.Content[i]).Ambiguities()...)
		}
	default:
		for _, child := range n.Content {
			found = append(found, e.child(child).Ambiguities()...)
		}
	}
	return found
}

func (e *Expression) ambiguity(n *yaml.Node) []hclsyn.Ambiguity {
	switch n.ShortTag() {
	case "!!int", "!!float":
		v, diags := e.number(n)
		if diags.HasErrors() {
			return nil // which says so
		}
		if told, ok := hclsyn.Told(v, n.Value); !ok || told != n.Value {
			return []hclsyn.Ambiguity{{At: e.file.nodeRange(n), Written: n.Value, Read: told}}
		}
	case "!!bool":
		if told := strings.ToLower(n.Value); told != n.Value {
			return []hclsyn.Ambiguity{{At: e.file.nodeRange(n), Written: n.Value, Read: told}}
		}
	case "!!str":
		return e.inTemplate(n, e.file.parsed[n].expr)
	}
	return nil
}

func (e *Expression) inTemplate(n *yaml.Node, inner hclsyntax.Expression) []hclsyn.Ambiguity {
	if inner == nil {
		return nil
	}
	found := hclsyn.Ambiguities([]byte(n.Value), inner)
	for i := range found {
		found[i].At = e.file.Resolve(found[i].At)
	}
	return found
}
