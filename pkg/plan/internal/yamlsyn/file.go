// Package yamlsyn reads plans in YAML, and JSON as YAML, as HCL bodies and
// expressions, as hcl/json does for JSON: a mapping is a body or an object, and
// a string is an HCL template. It is the only package that knows YAML.
package yamlsyn

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"gopkg.in/yaml.v3"

	"runner/pkg/plan/internal/hclsyn"
)

// maxNodes is how many values a file may have when its aliases are written
// out: enough for any plan, and soon reached by aliases of aliases.
const maxNodes = 50_000

// maxNest is how deep values may be inside one another.
const maxNest = 64

// File is a parsed YAML file and what is needed to find places in it.
type File struct {
	name      string
	text      []byte
	lines     []int         // byte offset of each line, by YAML's idea of a line
	columns   map[int][]int // of a line: byte offset of each stride'th code point
	templates []template
	parsed    map[*yaml.Node]parsed
	root      *yaml.Node // nil: nothing could be read
}

// template is the text of one string, which is parsed under a name of its
// own; offsets says for each of its bytes where in the file it comes from.
type template struct{ offsets []int }

// parsed is what a string turned out to be; nil if it is no valid template.
type parsed struct {
	expr    hclsyntax.Expression
	literal bool // nothing in it is evaluated
}

// Parse reads a file. Ranges of its expressions may name a file of their own,
// which only [File.Resolve] understands. The body is never nil; whole says
// that it holds everything that is in the file.
func Parse(name string, text []byte) (file *File, body *Body, diags hcl.Diagnostics, whole bool) {
	f := &File{name: name, text: text, parsed: map[*yaml.Node]parsed{}, columns: map[int][]int{}}
	f.lines = lineStarts(text)
	nothing := &Body{file: f, node: &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: 1, Column: 1}}
	if !utf8.Valid(text) {
		return f, nothing, f.problem("Not UTF-8", "A plan is UTF-8 text.", hcl.Range{Filename: name}), false
	}
	root, diags := f.document()
	if root == nil || diags.HasErrors() {
		return f, nothing, diags, !diags.HasErrors()
	}
	if diags := f.check(root); diags.HasErrors() {
		return f, nothing, diags, false
	}
	f.root = root
	diags = f.parseStrings(root)
	if isNull(root) {
		return f, nothing, diags, true
	}
	if root.Kind != yaml.MappingNode {
		diags = append(diags, f.problem("Wrong type", "A plan is a mapping with keys such as source, repository and job.", f.nodeRange(root))...)
		return f, nothing, diags, false
	}
	return f, &Body{file: f, node: root}, diags, true
}

// document gives the root of the only document, or nil where the file is empty.
func (f *File) document() (*yaml.Node, hcl.Diagnostics) {
	text := f.text
	if strings.HasSuffix(f.name, ".json") {
		// JSON may be indented by tabs, YAML may not; inside JSON's strings
		// there are none, and the offsets stay the same.
		text = bytes.ReplaceAll(text, []byte("\t"), []byte(" "))
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, f.syntaxError(err)
	}
	if err := decoder.Decode(&second); err == nil {
		at := f.nodeRange(&second)
		if len(second.Content) > 0 {
			at = f.nodeRange(second.Content[0])
		}
		return nil, f.problem("Several documents", "A plan is one YAML document: put each into a file of its own; several files are merged.", at)
	} else if !errors.Is(err, io.EOF) {
		return nil, f.syntaxError(err)
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	return doc.Content[0], nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

var unknownAnchor = regexp.MustCompile(`unknown anchor '([^']+)' referenced`)

// syntaxError gives a place to what the YAML parser only says in words.
func (f *File) syntaxError(err error) hcl.Diagnostics {
	text, at := err.Error(), hcl.Range{Filename: f.name}
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		text = m[2]
		if line, err := strconv.Atoi(m[1]); err == nil && line >= 1 && line <= len(f.lines) {
			at = f.lineRange(f.culprit(line, text))
		}
	}
	if m := unknownAnchor.FindStringSubmatch(text); m != nil {
		if i := bytes.Index(f.text, []byte("*"+m[1])); i >= 0 {
			at.Start.Byte, at.End.Byte = i, i+1+len(m[1])
		}
		return f.problem("Undefined reference", "Before this alias there is no anchor of its name. A text that starts with * is written in quotes.", at)
	}
	return f.problem("Invalid YAML", "This is not YAML: "+text+".", at)
}

// culprit finds the line that a syntax error is in. The parser names the line
// where the broken collection starts; the first line with which the text up
// to there fails in the same words is the one.
func (f *File) culprit(line int, words string) int {
	const work = 8 << 20 // bytes to parse; beyond that the parser's own line must do
	for k, spent := line, 0; k < len(f.lines); k++ {
		prefix := f.text[:f.lines[k]]
		if spent += len(prefix); spent > work {
			break
		}
		var n yaml.Node
		err := yaml.Unmarshal(prefix, &n)
		if err == nil {
			continue
		}
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil && m[2] == words {
			return k
		}
	}
	return line
}

func (f *File) lineRange(line int) hcl.Range {
	start := f.lines[line-1]
	end := len(f.text)
	if line < len(f.lines) {
		end = f.lines[line]
	}
	body := strings.TrimRight(string(f.text[start:end]), "\r\n")
	indent := len(body) - len(strings.TrimLeft(body, " \t"))
	return f.span(start+indent, start+len(body))
}

func (f *File) problem(summary, detail string, at hcl.Range) hcl.Diagnostics {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at}}
}

// Resolve turns a range of one of the file's expressions into one of the
// file. Of the result only file name and bytes count.
func (f *File) Resolve(r hcl.Range) hcl.Range {
	_, number, ok := strings.Cut(r.Filename, virtual)
	if !ok {
		return r
	}
	i, err := strconv.Atoi(number)
	if err != nil || i < 0 || i >= len(f.templates) {
		return f.span(0, 0)
	}
	offsets := f.templates[i].offsets
	last := len(offsets) - 1
	start := offsets[min(max(r.Start.Byte, 0), last)]
	end := start
	if r.End.Byte > r.Start.Byte { // the end of the last byte, not the start of the next: it may be in the next line
		end = offsets[min(r.End.Byte-1, last)] + 1
		for end < len(f.text) && !utf8.RuneStart(f.text[end]) {
			end++
		}
	}
	return f.span(start, max(start, end))
}

// virtual parts a file's name from the number of a template in it.
const virtual = "\x00"

// FileOf gives the name of the real file of a range.
func FileOf(r hcl.Range) string {
	name, _, _ := strings.Cut(r.Filename, virtual)
	return name
}

func (f *File) virtualName(offsets []int) string {
	f.templates = append(f.templates, template{offsets})
	return f.name + virtual + strconv.Itoa(len(f.templates)-1)
}

func (f *File) span(start, end int) hcl.Range {
	return hcl.Range{Filename: f.name, Start: f.pos(start), End: f.pos(end)}
}

func (f *File) pos(offset int) hcl.Pos {
	line := max(1, sort.SearchInts(f.lines, offset+1))
	return hcl.Pos{Line: line, Column: max(1, offset-f.lines[line-1]+1), Byte: offset}
}

// check writes out aliases and refuses what grows too large, what contains
// itself and what is not part of the language.
func (f *File) check(root *yaml.Node) hcl.Diagnostics {
	c := checker{file: f, open: map[*yaml.Node]bool{}}
	c.walk(root, nil, 0)
	return c.diags
}

type checker struct {
	file  *File
	open  map[*yaml.Node]bool
	nodes int
	diags hcl.Diagnostics
}

// walk visits n, which belongs to what the outermost alias stands for, if
// there is one.
func (c *checker) walk(n, alias *yaml.Node, depth int) {
	at := n
	if alias != nil {
		at = alias
	}
	c.nodes++
	switch {
	case c.diags.HasErrors():
		return
	case c.nodes > maxNodes:
		c.fail("Too complex", fmt.Sprintf("With its aliases written out, a file may have %d values.", maxNodes), at)
		return
	case depth > maxNest:
		c.fail("Too complex", fmt.Sprintf("Values may be nested %d deep.", maxNest), at)
		return
	case c.open[n]:
		c.fail("Cycle", "This alias is inside of what it stands for.", at)
		return
	}
	c.open[n] = true
	defer delete(c.open, n)
	if n.Kind == yaml.AliasNode {
		c.walk(n.Alias, at, depth)
		return
	}
	for _, child := range n.Content {
		c.walk(child, alias, depth+1)
	}
}

func (c *checker) fail(summary, detail string, at *yaml.Node) {
	c.diags = append(c.diags, c.file.problem(summary, detail, c.file.nodeRange(at))...)
}

// parseStrings parses every string as a template, so that each mistake in one
// is reported once, wherever the string is used.
func (f *File) parseStrings(n *yaml.Node) hcl.Diagnostics {
	var diags hcl.Diagnostics
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
		if _, done := f.parsed[n]; done {
			return nil
		}
		f.parsed[n] = parsed{literal: true}
		if strings.Contains(n.Value, "${") || strings.Contains(n.Value, "%{") {
			expr, found := hclsyn.ParseTemplate(f.virtualName(f.offsets(n)), []byte(n.Value))
			f.parsed[n] = parsed{expr: expr}
			diags = append(diags, found...)
		}
	}
	for _, child := range n.Content {
		diags = append(diags, f.parseStrings(child)...)
	}
	return diags
}

func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }
