package report

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"syscall"
	"unicode"
	"unicode/utf8"
)

// Visible is what everything that a person reads is written through. Names come from servers, plans, archives and file systems, and a
// terminal takes control characters in them for commands: they are written as what they are, \x1b for the escape character. Line
// feeds and tabs pass. With styles, so do the sequences that set colours and move the cursor, which the views make; what they show of
// foreign names is clean already.
//
// A reader who leaves is no error: what is written for it goes nowhere. It is safe for concurrent use.
type Visible struct {
	w      io.Writer
	styles bool
	json   bool

	mu   sync.Mutex
	left bool   // the reader has gone
	held []byte // the beginning of a character or of a sequence
}

// NewVisible makes one; json says that w takes JSON lines, in which control characters are escaped as JSON has it.
func NewVisible(w io.Writer, styles, json bool) *Visible {
	return &Visible{w: w, styles: styles, json: json}
}

// Write writes what is visible of b.
func (v *Visible) Write(b []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.left {
		return len(b), nil
	}
	text := slices.Concat(v.held, b)
	var out strings.Builder
	v.held = append([]byte{}, v.clean(&out, text)...)
	if out.Len() == 0 {
		return len(b), nil
	}
	if _, err := io.WriteString(v.w, out.String()); errors.Is(err, syscall.EPIPE) {
		v.left = true
	} else if err != nil {
		return 0, err
	}
	return len(b), nil
}

// clean writes text and gives the rest, which is not whole yet.
func (v *Visible) clean(out *strings.Builder, text []byte) (rest []byte) {
	for len(text) > 0 {
		if text[0] == '\x1b' && v.styles {
			n, whole := sequence(text)
			if !whole {
				return text
			}
			if n > 0 {
				out.Write(text[:n])
				text = text[n:]
				continue
			}
		}
		if !utf8.FullRune(text) {
			return text
		}
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(out, `\x%02x`, text[0])
		case r == '\n' || r == '\t' || v.styles && r == '\r':
			out.WriteRune(r)
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			v.escape(out, r)
		default:
			out.Write(text[:n])
		}
		text = text[n:]
	}
	return nil
}

func (v *Visible) escape(out *strings.Builder, r rune) {
	if v.json || r > 0xff {
		fmt.Fprintf(out, `\u%04x`, r)
		return
	}
	fmt.Fprintf(out, `\x%02x`, r)
}

// maxSequence is more bytes than a sequence of ours has.
const maxSequence = 32

// sequence gives the length of the sequence that sets colours or moves the cursor (ECMA-48, CSI) with which text begins; 0: it is none.
// Not whole: more has to come before that can be said.
func sequence(text []byte) (n int, whole bool) {
	for i := 1; i < min(len(text), maxSequence); i++ {
		c := text[i]
		switch {
		case i == 1 && c != '[':
			return 0, true
		case i == 1, c >= '0' && c <= '9', c == ';', c == '?':
		case strings.IndexByte("mABCDGHJKhl", c) >= 0:
			return i + 1, true
		default:
			return 0, true
		}
	}
	return 0, len(text) >= maxSequence
}
