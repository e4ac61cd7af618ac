package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Bounds of a jsonScanner, in bytes unless said otherwise.
const (
	scanBuffer = 64 << 10
	// shortText is up to where a string is looked through byte by byte.
	shortText = 128
	// maxKey bounds a key; those of this format have at most 11.
	maxKey = 1 << 10
	// maxKeys is how many keys an object may have.
	maxKeys = 1000
	// maxItem bounds what is kept of a member, a frame and every other value: a path and a target of 4 KiB each, of which
	// JSON may write a byte with six, and the numbers of [MaxBadPages] pages. Extents are not in it.
	maxItem = 96 << 10
	// maxDepth is how deep values that are skipped may be nested.
	maxDepth = 1000
)

// jsonScanner reads JSON value by value. It keeps one value in memory at a time, up to a limit, and skips others without
// keeping them. It does not look at the grammar in what it skips.
type jsonScanner struct {
	r      io.Reader
	buf    []byte
	lo, hi int // what is read and not yet used

	scratch []byte // for the value that is decoded
}

func newJSONScanner(r io.Reader) *jsonScanner {
	return &jsonScanner{r: r, buf: make([]byte, scanBuffer)}
}

// fill reads more, once all was used.
func (s *jsonScanner) fill() error {
	if s.lo < s.hi {
		return nil
	}
	n, err := io.ReadAtLeast(s.r, s.buf, 1)
	s.lo, s.hi = 0, n
	return err
}

// peek returns the next byte that is no white space, without using it.
func (s *jsonScanner) peek() (byte, error) {
	for {
		if err := s.fill(); err != nil {
			return 0, err
		}
		for ; s.lo < s.hi; s.lo++ {
			switch s.buf[s.lo] {
			case ' ', '\t', '\r', '\n':
				continue
			}
			return s.buf[s.lo], nil
		}
	}
}

// expect uses the next byte, which must be want.
func (s *jsonScanner) expect(want byte) error {
	got, err := s.peek()
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%q where %q should be", got, want)
	}
	s.lo++
	return nil
}

// kept is where a value is kept; nil where it is skipped.
type kept struct {
	text  []byte
	limit int
}

func (k *kept) add(text []byte) error {
	if k == nil {
		return nil
	}
	if len(k.text)+len(text) > k.limit {
		return fmt.Errorf("a value of more than %d bytes", k.limit)
	}
	k.text = append(k.text, text...)
	return nil
}

// value reads one value of any type, and adds it to k.
func (s *jsonScanner) value(k *kept) error {
	var open []byte // the brackets that are to come
	for {
		if k == nil && len(open) > 0 {
			s.skipFlat()
		}
		c, err := s.peek()
		if err != nil {
			return unexpected(err)
		}
		switch {
		case c == '"':
			err = s.text(k)
		case c == '{' || c == '[':
			if len(open) == maxDepth {
				return fmt.Errorf("values are nested deeper than %d", maxDepth)
			}
			open = append(open, c+2) // in ASCII the closing one comes two after
			err = s.take(1, k)
		case len(open) > 0 && c == open[len(open)-1]:
			open = open[:len(open)-1]
			err = s.take(1, k)
		case len(open) > 0 && (c == ',' || c == ':'):
			if err = s.take(1, k); err == nil {
				continue
			}
		default:
			err = s.literal(k)
		}
		if err != nil {
			return err
		}
		if len(open) == 0 {
			return nil
		}
	}
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// take uses n bytes of the buffer.
func (s *jsonScanner) take(n int, k *kept) error {
	err := k.add(s.buf[s.lo : s.lo+n])
	s.lo += n
	return err
}

// text reads a string with its quotes.
func (s *jsonScanner) text(k *kept) error {
	for i := s.lo + 1; i < min(s.hi, s.lo+shortText); i++ { // most are short, and have no escapes
		if c := s.buf[i]; c == '"' {
			return s.take(i+1-s.lo, k)
		} else if c == '\\' {
			break
		}
	}
	if err := s.take(1, k); err != nil {
		return err
	}
	for {
		if err := s.fill(); err != nil {
			return unexpected(err)
		}
		rest := s.buf[s.lo:s.hi]
		n := bytes.IndexByte(rest, '"')
		if n >= 0 {
			rest = rest[:n]
		}
		if escape := bytes.IndexByte(rest, '\\'); escape >= 0 {
			if err := s.take(escape+1, k); err != nil {
				return err
			}
			if err := s.fill(); err != nil {
				return unexpected(err)
			}
			n = -1
			rest = s.buf[s.lo : s.lo+1]
		}
		if n >= 0 {
			return s.take(n+1, k)
		}
		if err := s.take(len(rest), k); err != nil {
			return err
		}
	}
}

// endsLiteral has the bytes that end a number, true, false or null.
var endsLiteral = [256]bool{
	' ': true, '\t': true, '\r': true, '\n': true, ',': true, ':': true, '"': true, '[': true, ']': true, '{': true, '}': true,
}

// skipFlat uses what is neither a bracket nor a quote.
func (s *jsonScanner) skipFlat() {
	for ; s.lo < s.hi; s.lo++ {
		switch s.buf[s.lo] {
		case '[', ']', '{', '}', '"':
			return
		}
	}
}

// literal reads a number, true, false or null.
func (s *jsonScanner) literal(k *kept) error {
	read := 0
	for {
		if err := s.fill(); err != nil {
			if read > 0 && errors.Is(err, io.EOF) {
				return nil
			}
			return unexpected(err)
		}
		n := 0
		for n < s.hi-s.lo && !endsLiteral[s.buf[s.lo+n]] {
			n++
		}
		end := s.lo+n < s.hi
		if read += n; read == 0 {
			return fmt.Errorf("%q where a value should be", s.buf[s.lo])
		}
		if err := s.take(n, k); err != nil || end {
			return err
		}
	}
}

// decode reads one value of at most maxItem bytes into v.
func (s *jsonScanner) decode(v any) error {
	k := &kept{text: s.scratch[:0], limit: maxItem}
	err := s.value(k)
	s.scratch = k.text
	if err != nil {
		return err
	}
	return json.Unmarshal(k.text, v)
}

// key reads a key.
func (s *jsonScanner) key() (key string, err error) {
	k := &kept{text: s.scratch[:0], limit: maxKey}
	err = s.text(k)
	s.scratch = k.text
	if err != nil {
		return "", err
	}
	plain := k.text[1 : len(k.text)-1]
	if known, ok := memberKeys[string(plain)]; ok {
		return known, nil
	}
	if bytes.IndexByte(plain, '\\') < 0 {
		return string(plain), nil
	}
	return key, json.Unmarshal(k.text, &key)
}

// number reads an integer.
func (s *jsonScanner) number() (int64, error) {
	k := &kept{text: s.scratch[:0], limit: 32}
	if _, err := s.peek(); err != nil {
		return 0, unexpected(err)
	}
	if err := s.literal(k); err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(k.text), 10, 64)
}

// object reads an object; field must read the value of each key.
func (s *jsonScanner) object(field func(key string) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	keys := 0
	return s.items('}', func() error {
		if keys++; keys > maxKeys {
			return fmt.Errorf("more than %d keys", maxKeys)
		}
		if c, err := s.peek(); err != nil || c != '"' {
			return errors.Join(unexpected(err), errors.New("no key where one should be"))
		}
		key, err := s.key()
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		return field(key)
	})
}

// list reads a list; item must read each of its values.
func (s *jsonScanner) list(item func() error) error {
	if err := s.expect('['); err != nil {
		return err
	}
	return s.items(']', item)
}

// items reads what commas separate, up to the closing bracket.
func (s *jsonScanner) items(end byte, item func() error) error {
	c, err := s.peek()
	if err != nil {
		return unexpected(err)
	}
	for first := true; first && c != end || !first && c == ','; first = false {
		if !first {
			s.lo++
		}
		if err := item(); err != nil {
			return err
		}
		if c, err = s.peek(); err != nil {
			return unexpected(err)
		}
	}
	return s.expect(end)
}
