package yamlsyn

import (
	"bytes"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"gopkg.in/yaml.v3"
)

// lineStarts gives where each line starts, a line ending as it does for the
// YAML parser: at CR, LF, both together, NEL, LS or PS.
func lineStarts(text []byte) []int {
	first := 0
	if bytes.HasPrefix(text, []byte("\ufeff")) {
		first = len("\ufeff") // the parser's columns don't count it
	}
	starts := []int{first}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		i += size
		switch r {
		case '\r':
			if i < len(text) && text[i] == '\n' {
				i++
			}
			starts = append(starts, i)
		case '\n', '\u0085', '\u2028', '\u2029':
			starts = append(starts, i)
		}
	}
	return starts
}

// stride is how many code points apart the known places of a line are: a
// minified file is one line with every value in it.
const stride = 64

// start gives the byte offset of a node. A YAML column counts code points.
func (f *File) start(n *yaml.Node) int {
	if n.Line < 1 || n.Line > len(f.lines) {
		return min(f.lines[0], len(f.text))
	}
	known := f.strides(n.Line)
	column := max(n.Column-1, 0)
	at := known[min(column/stride, len(known)-1)]
	for range column % stride {
		if at >= len(f.text) {
			break
		}
		_, size := utf8.DecodeRune(f.text[at:])
		at += size
	}
	return f.skipProperties(n, at)
}

func (f *File) strides(line int) []int {
	if known, ok := f.columns[line]; ok {
		return known
	}
	start, end := f.lines[line-1], len(f.text)
	if line < len(f.lines) {
		end = f.lines[line]
	}
	known := []int{start}
	count := 0
	for at := start; at < end; {
		_, size := utf8.DecodeRune(f.text[at:])
		at += size
		if count++; count%stride == 0 {
			known = append(known, at)
		}
	}
	f.columns[line] = known
	return known
}

// skipProperties passes the anchor and the tag before a value.
func (f *File) skipProperties(n *yaml.Node, at int) int {
	if n.Anchor == "" && n.Style&yaml.TaggedStyle == 0 {
		return at
	}
	for at < len(f.text) && (f.text[at] == '&' || f.text[at] == '!') {
		for at < len(f.text) && !isBlank(f.text[at]) {
			at++
		}
		for at < len(f.text) && isBlank(f.text[at]) {
			at++
		}
	}
	return at
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// nodeRange gives the place of a value: of a collection, from its first
// character to the end of its last value.
func (f *File) nodeRange(n *yaml.Node) hcl.Range {
	start := f.start(n)
	return f.span(start, max(f.end(n, 0), min(start+1, len(f.text))))
}

func (f *File) end(n *yaml.Node, depth int) int {
	switch {
	case n.Kind == yaml.AliasNode:
		return f.start(n) + 1 + len(n.Value)
	case n.Kind == yaml.ScalarNode:
		offsets := f.offsets(n)
		end := offsets[len(offsets)-1]
		if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 && end < len(f.text) {
			end++ // the closing quote
		}
		return end
	case len(n.Content) > 0 && depth < maxNest:
		return f.end(n.Content[len(n.Content)-1], depth+1)
	}
	return f.start(n) + 1
}

// offsets gives for each byte of a scalar's value, and for its end, where it
// is in the file. It walks value and source side by side, and knows of the
// source only what can differ: quotes, escapes, and the white space that
// YAML folds. Where it loses the way, the rest is at the last place it knew.
func (f *File) offsets(n *yaml.Node) []int {
	out := make([]int, 0, len(n.Value)+1)
	at := f.start(n)
	quote := byte(0)
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0:
		quote = '"'
	case n.Style&yaml.SingleQuotedStyle != 0:
		quote = '\''
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0: // past the header: | or > and what follows
		if i := bytes.IndexByte(f.text[at:], '\n'); i >= 0 {
			at += i + 1
		}
	}
	if quote != 0 && at < len(f.text) && f.text[at] == quote {
		at++
	}
	lost := false
	for i := 0; i < len(n.Value); {
		r, size := utf8.DecodeRuneInString(n.Value[i:])
		place, next, ok := f.align(r, at, quote)
		if lost = lost || !ok; lost {
			place, next = at, at
		}
		for range size {
			out = append(out, place)
		}
		if place < next && next-place == size { // byte for byte
			for k := range size {
				out[i+k] = place + k
			}
		}
		at = next
		i += size
	}
	return append(out, min(at, len(f.text)))
}

// align finds the source of one character at or after at, and where the
// source goes on after it.
func (f *File) align(r rune, at int, quote byte) (place, next int, ok bool) {
	for at < len(f.text) {
		c, size := utf8.DecodeRune(f.text[at:])
		switch {
		case quote == '"' && c == '\\':
			next, joins := f.escape(at)
			if joins { // an escaped line break stands for nothing
				at = next
				continue
			}
			return at, next, true
		case quote == '\'' && c == '\'' && r == '\'' && bytes.HasPrefix(f.text[at:], []byte("''")):
			return at, at + 2, true
		case c == r:
			return at, at + size, true
		case r == ' ' && c == '\n': // a folded line break
			return at, f.skipBlank(at), true
		case c < utf8.RuneSelf && isBlank(byte(c)):
			at += size
		default:
			return at, at, false
		}
	}
	return at, at, false
}

// escape gives where a backslash escape ends, and whether it joins two lines.
func (f *File) escape(at int) (next int, joins bool) {
	if at+1 >= len(f.text) {
		return len(f.text), false
	}
	length := 2
	switch f.text[at+1] {
	case 'x':
		length = 4
	case 'u':
		length = 6
	case 'U':
		length = 10
	case '\n', '\r':
		return f.skipBlank(at + 1), true
	}
	return min(at+length, len(f.text)), false
}

func (f *File) skipBlank(at int) int {
	for at < len(f.text) && isBlank(f.text[at]) {
		at++
	}
	return at
}
