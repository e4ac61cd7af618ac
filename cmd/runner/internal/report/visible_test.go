package report

import (
	"errors"
	"strings"
	"syscall"
	"testing"
)

func TestControlCharactersOfForeignNamesDoNotReachATerminal(t *testing.T) {
	for text, want := range map[string]string{
		"plain ü\n\tx":           "plain ü\n\tx",
		"\x1b]0;pwned\x07":       `\x1b]0;pwned\x07`,
		"\x1b[31mred":            `\x1b[31mred`,
		"a\x9bb":                 `a\x9bb`,
		"a\u009bb\u0085c\x7fd":   `a\x9bb\x85c\x7fd`,
		"a\u202eb\u2066c\u200fd": `a\u202eb\u2066c\u200fd`,
		"a\r\x00\x08b":           `a\x0d\x00\x08b`,
		"\xff\xfe":               `\xff\xfe`,
	} {
		for step := 1; step <= len(text); step++ { // however it is cut
			var out strings.Builder
			v := NewVisible(&out, false, false)
			for rest := text; rest != ""; rest = rest[min(step, len(rest)):] {
				if n, err := v.Write([]byte(rest[:min(step, len(rest))])); err != nil || n != min(step, len(rest)) {
					t.Fatalf("%d, %v", n, err)
				}
			}
			if out.String() != want {
				t.Errorf("%q in pieces of %d: %q, want %q", text, step, out.String(), want)
			}
		}
	}
}

func TestColoursOfOurOwnPass(t *testing.T) {
	var out strings.Builder
	v := NewVisible(&out, true, false)
	for _, piece := range []string{"\x1b", "[1;31mred\x1b[0m\x1b[2K\x1b[1A\r", "\x1b]0;title\x07", "\x1bc"} {
		if _, err := v.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	if want := "\x1b[1;31mred\x1b[0m\x1b[2K\x1b[1A\r" + `\x1b]0;title\x07\x1bc`; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

func TestJSONKeepsItsTextsWhereControlCharactersAreEscaped(t *testing.T) {
	var out strings.Builder
	if err := JSONLine(NewVisible(&out, false, true), "note", map[string]string{"text": "a\u009bb\x7fc\u202ed"}); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, `a\u009bb\u007fc\u202ed`) {
		t.Errorf("%q", got)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestAReaderWhoLeavesIsNoError(t *testing.T) {
	if _, err := NewVisible(failing{syscall.EPIPE}, false, false).Write([]byte("x")); err != nil {
		t.Error(err)
	}
	if _, err := NewVisible(failing{syscall.ENOSPC}, false, false).Write([]byte("x")); !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
}
