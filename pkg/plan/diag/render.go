package diag

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longest is how much of a line is shown, in bytes; a minified file is one line.
const longest = 160

// Render writes each diagnostic with the line it is about. Text is wrapped at
// width columns, 0 meaning not at all; color uses ANSI codes. Control
// characters of the files are shown as a middle dot, never sent. The error is
// that of w.
func Render(w io.Writer, files *Files, list List, width int, color bool) error {
	p := painter{out: &strings.Builder{}, files: files, width: width, color: color}
	for i, d := range list {
		if i > 0 {
			p.print("\n")
		}
		p.diagnostic(d)
	}
	if _, err := io.WriteString(w, p.out.String()); err != nil {
		return fmt.Errorf("write diagnostics: %w", err)
	}
	return nil
}

type painter struct {
	out   *strings.Builder
	files *Files
	width int
	color bool
}

// ANSI codes.
const (
	red, yellow, bold, underline, reset = "\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[4m", "\x1b[0m"
)

func (p painter) print(parts ...string) { p.out.WriteString(strings.Join(parts, "")) }

func (p painter) paint(code, text string) string {
	if !p.color || text == "" {
		return text
	}
	return code + text + reset
}

func (p painter) diagnostic(d Diagnostic) {
	label, code := "Error", red
	if d.Severity == Warning {
		label, code = "Warning", yellow
	}
	p.print(p.paint(bold+code, label+":"), " ", p.paint(bold, clean(d.Summary)), "\n")
	if d.Range != nil {
		p.snippet(*d.Range, code)
	}
	if d.Detail != "" {
		p.print("\n")
		p.wrapped(d.Detail)
	}
	if d.Hint != "" {
		p.print("\n")
		p.wrapped("Hint: " + d.Hint)
	}
}

func (p painter) snippet(r Range, code string) {
	p.print(fmt.Sprintf("\n  on %s:%d:%d\n", clean(r.File), r.StartLine, r.StartColumn))
	text, from, to, ok := p.files.line(r)
	if !ok {
		return
	}
	head, body, tail := cut(text, from, to)
	number := strconv.Itoa(r.StartLine)
	gap := strings.Repeat(" ", len(number))
	p.print("  ", number, " | ", head, p.paint(underline, body), tail, "\n")
	carets := strings.Repeat("^", max(1, utf8.RuneCountInString(body)))
	p.print("  ", gap, " | ", blank(head), p.paint(code, carets), "\n")
}

// cut parts a line into what is before, inside and after the range, cleaned,
// and leaves out what is far from it.
func cut(text string, from, to int) (head, body, tail string) {
	head, body, tail = text[:from], text[from:to], text[to:]
	if len(body) > longest {
		body, tail = edge(body, longest)+"…", ""
	}
	if keep := longest / 2; len(head) > keep {
		at := len(head) - keep
		for at < len(head) && !utf8.RuneStart(head[at]) {
			at++
		}
		head = "…" + head[at:]
	}
	if keep := longest / 2; len(tail) > keep {
		tail = edge(tail, keep) + "…"
	}
	return clean(head), clean(body), clean(tail)
}

// edge gives the first n bytes of text, less what would be half a code point.
func edge(text string, n int) string {
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// blank is as wide as head: tabs stay tabs.
func blank(head string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, head)
}

// clean takes the power to steer a terminal from a text.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return '·'
		}
		return r
	}, text)
}

func (p painter) wrapped(text string) {
	for _, paragraph := range strings.Split(text, "\n") {
		line := ""
		for _, word := range strings.Fields(clean(paragraph)) {
			if line != "" && p.width > 0 && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word)+2 > p.width {
				p.print("  ", line, "\n")
				line = ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		p.print("  ", line, "\n")
	}
}
