package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"runner/pkg/plan/diag"
	"runner/pkg/plan/spec"
)

// object is a block with names resolved and nothing evaluated.
type object struct {
	spec       spec.Block
	labels     []string
	at         hcl.Range // where the block is declared
	attributes map[string]*hcl.Attribute
	blocks     map[string][]*object
}

// name is the label that tells the block from others of its kind.
func (o *object) name() string {
	if len(o.labels) == 0 {
		return ""
	}
	return o.labels[len(o.labels)-1]
}

// object reads a body as the description says. What is wrong with names is
// reported; the rest is kept.
func (l *loader) object(body hcl.Body, b spec.Block) *object {
	out := &object{spec: b, at: body.MissingItemRange(), blocks: map[string][]*object{}}
	if b.Open {
		attributes, diags := body.JustAttributes()
		l.report(diags)
		out.attributes = attributes
		return out
	}
	content, diags := body.Content(schemaOf(b))
	l.report(diags)
	out.attributes = content.Attributes
	for _, block := range content.Blocks {
		inner, ok := b.Block(block.Type)
		if !ok {
			continue
		}
		child := l.object(block.Body, inner)
		child.labels, child.at = block.Labels, block.DefRange
		if l.checkLabels(block, inner) {
			out.blocks[block.Type] = append(out.blocks[block.Type], child)
		}
	}
	l.hideSecrets(out)
	for _, inner := range b.Blocks {
		l.single(inner, out.blocks[inner.Name])
	}
	return out
}

func schemaOf(b spec.Block) *hcl.BodySchema {
	schema := &hcl.BodySchema{}
	for _, a := range b.Attributes {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: a.Name})
	}
	for _, inner := range b.Blocks {
		schema.Blocks = append(schema.Blocks, hcl.BlockHeaderSchema{Type: inner.Name, LabelNames: inner.Labels})
	}
	return schema
}

// checkLabels: kinds are of a list, and names can be referred to.
func (l *loader) checkLabels(block *hcl.Block, b spec.Block) bool {
	ok := true
	for i, label := range block.Labels {
		at := block.LabelRanges[i]
		switch {
		case b.Labels[i] == "kind":
			if !slices.Contains(b.Kinds, label) {
				ok = false
				l.fail(&at, "Unknown kind", fmt.Sprintf("%q is no kind of %s; there is %s.", label, b.Name, strings.Join(b.Kinds, ", "))+diag.DidYouMean(label, b.Kinds), "")
			}
		case b.Name == "assert": // its label is a sentence
		case !hclsyntax.ValidIdentifier(label) || len(label) > maxName || strings.IndexFunc(label, notASCII) >= 0:
			ok = false
			l.fail(&at, "Invalid name", fmt.Sprintf("The name of a %s starts with a letter, goes on with letters of a to z, digits, hyphens and underscores, and has at most %d characters.", b.Name, maxName), "")
		}
	}
	return ok
}

// maxName keeps a job's folder, which is its name and its key of for_each
// with up to three bytes for one, within the 255 bytes of a file name.
const (
	maxName = 64
	maxKey  = 60
)

func notASCII(r rune) bool { return r > 127 }

// single reports a block that is there more than once and may not be.
func (l *loader) single(b spec.Block, found []*object) {
	if b.Repeats || len(found) < 2 {
		return
	}
	l.twice("block", b.Name, rangesOf(found))
}

func rangesOf(objects []*object) []hcl.Range {
	var out []hcl.Range
	for _, o := range objects {
		out = append(out, o.at)
	}
	return out
}

// twice reports each place where something is defined that may be defined once.
func (l *loader) twice(noun, name string, places []hcl.Range) {
	for i := range places {
		other := l.place(places[(i+1)%len(places)])
		if i > 0 {
			other = l.place(places[0])
		}
		l.fail(&places[i], "Duplicate definition", fmt.Sprintf("The %s %q is also defined at %s:%d.", noun, name, other.File, other.StartLine), "")
	}
}

// duplicates reports names that are defined twice, in whichever files.
func (l *loader) duplicates(top *object) {
	for _, b := range top.spec.Blocks {
		if len(b.Labels) == 0 {
			l.single(b, top.blocks[b.Name])
			continue
		}
		var order []string
		places := map[string][]hcl.Range{}
		for _, o := range top.blocks[b.Name] {
			name := strings.Join(o.labels, ".")
			if len(places[name]) == 0 {
				order = append(order, name)
			}
			places[name] = append(places[name], o.at)
		}
		for _, name := range order {
			if len(places[name]) > 1 {
				l.twice(b.Name, name, places[name])
			}
		}
	}
	var order []string
	places := map[string][]hcl.Range{}
	for _, o := range top.blocks["locals"] {
		for _, name := range sortedNames(o.attributes) {
			if len(places[name]) == 0 {
				order = append(order, name)
			}
			places[name] = append(places[name], o.attributes[name].NameRange)
		}
	}
	for _, name := range order {
		if len(places[name]) > 1 {
			l.twice("local value", name, places[name])
		}
	}
}

// sortedNames gives the names of attributes in the order in which they are
// written.
func sortedNames(attributes map[string]*hcl.Attribute) []string {
	var out []string
	for name := range attributes {
		out = append(out, name)
	}
	slices.SortFunc(out, func(a, b string) int {
		return attributes[a].NameRange.Start.Byte - attributes[b].NameRange.Start.Byte
	})
	return out
}
