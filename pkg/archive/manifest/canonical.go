package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// canonicalWriter takes the canonical form piece by piece.
type canonicalWriter interface {
	io.Writer
	io.ByteWriter
	io.StringWriter
}

// writeCanonical writes JSON in the canonical form: sorted keys, none twice, an indentation of two spaces, a line feed
// at the end, numbers with the digits that they have. It makes no tree of it, which for a hundred thousand
// tablespaces would take hundreds of megabytes.
func writeCanonical(w canonicalWriter, data []byte) error {
	if !json.Valid(data) {
		return json.Unmarshal(data, new(json.RawMessage)) // says what is wrong, and where
	}
	if err := (&canonicaliser{w}).value(bytes.TrimSpace(data), 0); err != nil {
		return err
	}
	return w.WriteByte('\n')
}

// errTwice says that a key occurs twice.
var errTwice = errors.New("a key occurs twice")

// canonicaliser walks through JSON that is known to be valid.
type canonicaliser struct{ w canonicalWriter }

// member of an object; key is as it stands there, quotes included.
type member struct {
	name       string // of the key
	key, value []byte
}

// value writes one value.
func (c *canonicaliser) value(data []byte, depth int) error {
	switch data[0] {
	case '{':
		return c.object(data, depth)
	case '[':
		return c.array(data, depth)
	case '"':
		return c.text(data)
	}
	_, err := c.w.Write(data)
	return err
}

func (c *canonicaliser) object(data []byte, depth int) error {
	members, err := membersOf(data)
	if err != nil {
		return err
	}
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	for i, m := range members {
		if i > 0 && members[i-1].name == m.name {
			return fmt.Errorf("%w: %q", errTwice, m.name)
		}
		if err := c.begin('{', i, depth+1); err != nil {
			return err
		}
		if err := c.text(m.key); err != nil {
			return err
		}
		if _, err := c.w.WriteString(": "); err != nil {
			return err
		}
		if err := c.value(m.value, depth+1); err != nil {
			return err
		}
	}
	return c.end('{', '}', len(members), depth)
}

func (c *canonicaliser) array(data []byte, depth int) error {
	n := 0
	for rest := skipSpace(data[1:]); rest[0] != ']'; n++ {
		value := rest[:valueEnd(rest)]
		if err := c.element(value, n, depth+1); err != nil {
			return err
		}
		rest = skipComma(rest[len(value):])
	}
	return c.end('[', ']', n, depth)
}

// element writes the i-th one of an array.
func (c *canonicaliser) element(value []byte, i, depth int) error {
	if err := c.begin('[', i, depth); err != nil {
		return err
	}
	return c.value(value, depth)
}

// begin writes what comes before the i-th element of an array or an object.
func (c *canonicaliser) begin(open byte, i, depth int) error {
	if i > 0 {
		open = ','
	}
	if err := c.w.WriteByte(open); err != nil {
		return err
	}
	return c.line(depth)
}

func (c *canonicaliser) end(open, closing byte, n, depth int) error {
	err := error(nil)
	if n == 0 {
		err = c.w.WriteByte(open)
	} else {
		err = c.line(depth)
	}
	if err != nil {
		return err
	}
	return c.w.WriteByte(closing)
}

func (c *canonicaliser) line(depth int) error {
	if err := c.w.WriteByte('\n'); err != nil {
		return err
	}
	for range depth {
		if _, err := c.w.WriteString("  "); err != nil {
			return err
		}
	}
	return nil
}

// text writes a string with no escapes but those that are demanded.
func (c *canonicaliser) text(quoted []byte) error {
	if isPlain(quoted) {
		_, err := c.w.Write(quoted)
		return err
	}
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		return err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return err
	}
	_, err := c.w.Write(bytes.TrimSuffix(out.Bytes(), []byte("\n")))
	return err
}

// isPlain says whether a string is nothing but ASCII without escapes, which is canonical already.
func isPlain(quoted []byte) bool {
	for _, b := range quoted {
		if b < ' ' || b >= 0x80 || b == '\\' {
			return false
		}
	}
	return true
}

// membersOf takes an object apart.
func membersOf(data []byte) (members []member, err error) {
	for rest := skipSpace(data[1:]); rest[0] != '}'; {
		m := member{key: rest[:valueEnd(rest)]}
		rest = skipSpace(rest[len(m.key):])
		rest = skipSpace(rest[1:]) // the colon
		m.value = rest[:valueEnd(rest)]
		rest = skipComma(rest[len(m.value):])
		if isPlain(m.key) {
			m.name = string(m.key[1 : len(m.key)-1])
		} else if err := json.Unmarshal(m.key, &m.name); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return members, nil
}

func skipSpace(data []byte) []byte { return bytes.TrimLeft(data, " \t\r\n") }

func skipComma(data []byte) []byte {
	data = skipSpace(data)
	if data[0] == ',' {
		data = skipSpace(data[1:])
	}
	return data
}

// valueEnd gives the length of the value that data begins with.
func valueEnd(data []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		b := data[i]
		switch {
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
			if !quoted && depth == 0 {
				return i + 1
			}
		case quoted:
		case b == '{' || b == '[':
			depth++
		case b == '}' || b == ']':
			if depth == 0 {
				return i // of a number or a word before it
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case depth == 0 && (b == ',' || b == ' ' || b == '\n' || b == '\r' || b == '\t'):
			return i
		}
	}
	return len(data)
}

// errDiffers says that what was written is not what it is compared with.
var errDiffers = errors.New("it differs")

// comparison is a writer that wants to be given exactly these bytes, and holds no others.
type comparison struct{ want []byte }

func (c *comparison) Write(p []byte) (int, error) {
	if !bytes.HasPrefix(c.want, p) {
		return 0, errDiffers
	}
	c.want = c.want[len(p):]
	return len(p), nil
}

func (c *comparison) WriteByte(b byte) error {
	_, err := c.Write([]byte{b})
	return err
}

func (c *comparison) WriteString(s string) (int, error) { return c.Write([]byte(s)) }
