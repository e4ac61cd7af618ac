package yamlsyn

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"gopkg.in/yaml.v3"

	"runner/pkg/plan/diag"
	"runner/pkg/plan/internal/hclsyn"
)

// Body is a mapping read as an hcl.Body. Whether a key is an attribute or a
// block is for the schema to say.
type Body struct {
	file *File
	node *yaml.Node // a mapping
	at   hcl.Range  // of the key that the mapping belongs to; zero for a file
}

var _ hcl.Body = (*Body)(nil)

// Content implements hcl.Body.
func (b *Body) Content(schema *hcl.BodySchema) (*hcl.BodyContent, hcl.Diagnostics) {
	content, diags := b.read(schema, true)
	return content, diags
}

// PartialContent implements hcl.Body. The rest is the body itself: nothing
// asks it a second time.
func (b *Body) PartialContent(schema *hcl.BodySchema) (*hcl.BodyContent, hcl.Body, hcl.Diagnostics) {
	content, diags := b.read(schema, false)
	return content, b, diags
}

// JustAttributes implements hcl.Body.
func (b *Body) JustAttributes() (hcl.Attributes, hcl.Diagnostics) {
	out := hcl.Attributes{}
	diags := b.pairs(func(key, value *yaml.Node) hcl.Diagnostics {
		out[key.Value] = b.attribute(key, value)
		return nil
	})
	return out, diags
}

// MissingItemRange implements hcl.Body.
func (b *Body) MissingItemRange() hcl.Range {
	if b.at.Filename == "" {
		return b.file.span(0, 0)
	}
	return b.at
}

func (b *Body) attribute(key, value *yaml.Node) *hcl.Attribute {
	keyRange := b.file.nodeRange(key)
	e := &Expression{file: b.file, node: value}
	return &hcl.Attribute{Name: key.Value, Expr: e, NameRange: keyRange, Range: hcl.RangeBetween(keyRange, e.Range())}
}

// pairs calls f for each key that is a text and there for the first time.
func (b *Body) pairs(f func(key, value *yaml.Node) hcl.Diagnostics) hcl.Diagnostics {
	var diags hcl.Diagnostics
	first := map[string]int{}
	for i := 0; i+1 < len(b.node.Content); i += 2 {
		key, value := resolve(b.node.Content[i]), b.node.Content[i+1]
		if d := b.file.badKey(key); d != nil {
			diags = append(diags, d)
			continue
		}
		if line, seen := first[key.Value]; seen {
			diags = append(diags, hclsyn.DuplicateKey(key.Value, b.file.nodeRange(key), line))
			continue
		}
		first[key.Value] = key.Line
		diags = append(diags, f(key, value)...)
	}
	return diags
}

func (f *File) badKey(key *yaml.Node) *hcl.Diagnostic {
	at := f.nodeRange(key)
	switch {
	case key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge":
		return &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Merge key", Subject: &at,
			Detail: "Merge keys are not part of the plan language. What all jobs share goes into the defaults block.",
		}
	case key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null":
		return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Wrong type", Subject: &at, Detail: "A key is a text."}
	}
	return nil
}

func (b *Body) read(schema *hcl.BodySchema, all bool) (*hcl.BodyContent, hcl.Diagnostics) {
	content := &hcl.BodyContent{Attributes: hcl.Attributes{}, MissingItemRange: b.MissingItemRange()}
	names := hclsyn.NamesOf(schema)
	diags := b.pairs(func(key, value *yaml.Node) hcl.Diagnostics {
		if slices.Contains(names.Attributes, key.Value) {
			content.Attributes[key.Value] = b.attribute(key, value)
			return nil
		}
		at := slices.IndexFunc(schema.Blocks, func(h hcl.BlockHeaderSchema) bool { return h.Type == key.Value })
		if at >= 0 {
			reader := blockReader{file: b.file, header: schema.Blocks[at], keyword: b.file.nodeRange(key)}
			reader.labelled(key, value, nil, nil)
			content.Blocks = append(content.Blocks, reader.blocks...)
			return reader.diags
		}
		if all {
			return hcl.Diagnostics{b.unknown(names, key, value)}
		}
		return nil
	})
	return content, diags
}

// unknown guesses from what is near whether a block or an attribute was
// meant: the syntax doesn't say.
func (b *Body) unknown(names hclsyn.Names, key, value *yaml.Node) *hcl.Diagnostic {
	at := b.file.nodeRange(key)
	isBlock := resolve(value).Kind == yaml.MappingNode
	switch near := diag.Nearest(key.Value, append(slices.Clone(names.Attributes), names.Blocks...)); {
	case near == "":
	case slices.Contains(names.Attributes, near):
		isBlock = false
	default:
		isBlock = true
	}
	if isBlock {
		return names.UnknownBlock(key.Value, at)
	}
	return names.UnknownAttribute(key.Value, at)
}

// blockReader descends through the labels of a block type to its bodies.
type blockReader struct {
	file    *File
	header  hcl.BlockHeaderSchema
	keyword hcl.Range
	blocks  hcl.Blocks
	diags   hcl.Diagnostics
}

func (r *blockReader) labelled(key, value *yaml.Node, labels []string, ranges []hcl.Range) {
	node := resolve(value)
	if len(labels) == len(r.header.LabelNames) {
		r.bodies(key, node, labels, ranges)
		return
	}
	if node.Kind != yaml.MappingNode {
		if !isNull(node) {
			r.fail(value, fmt.Sprintf("%s is a mapping from %s to what is in it.", r.header.Type, r.header.LabelNames[len(labels)]))
		}
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		k := resolve(node.Content[i])
		if d := r.file.badKey(k); d != nil {
			r.diags = append(r.diags, d)
			continue
		}
		r.labelled(k, node.Content[i+1], append(slices.Clone(labels), k.Value), append(slices.Clone(ranges), r.file.nodeRange(k)))
	}
}

func (r *blockReader) bodies(key, node *yaml.Node, labels []string, ranges []hcl.Range) {
	switch {
	case node.Kind == yaml.MappingNode, isNull(node):
		if isNull(node) {
			node = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: key.Line, Column: key.Column}
		}
		at := r.file.nodeRange(key)
		r.blocks = append(r.blocks, &hcl.Block{
			Type: r.header.Type, Labels: labels, LabelRanges: ranges, TypeRange: r.keyword, DefRange: at,
			Body: &Body{file: r.file, node: node, at: at},
		})
	case node.Kind == yaml.SequenceNode && len(r.header.LabelNames) == 0:
		for _, item := range node.Content {
			if inner := resolve(item); inner.Kind == yaml.MappingNode {
				r.bodies(inner, inner, labels, ranges)
			} else {
				r.fail(item, r.header.Type+" holds mappings.")
			}
		}
	default:
		r.fail(node, r.header.Type+" is a block: a mapping of its attributes.")
	}
}

func (r *blockReader) fail(at *yaml.Node, detail string) {
	r.diags = append(r.diags, r.file.problem("Wrong type", detail, r.file.nodeRange(at))...)
}
