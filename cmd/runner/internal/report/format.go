package report

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"
	"github.com/mattn/go-runewidth"
)

// clean makes text from outside safe to show in one line of a terminal: line
// ends become spaces, other control characters (and so escape sequences, and
// marks that turn the direction of writing) go.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, s)
}

// bytes is a number of bytes for reading.
func bytes(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// size is the same where nothing means that it is not known: -.
func size(n int64) string {
	if n <= 0 {
		return "-"
	}
	return bytes(n)
}

// ratio is how much is left of the data; - if either is unknown.
func ratio(stored, raw int64) string {
	if stored <= 0 || raw <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", float64(stored)/float64(raw))
}

// took is a duration as exactly as a reader cares for.
func took(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}

// columns prints rows in aligned columns, two spaces apart. It counts columns
// of the terminal, where text/tabwriter would count runes.
func columns(w *writer, indent string, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], runewidth.StringWidth(cell))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		b.WriteString(indent)
		for i, cell := range row {
			b.WriteString(runewidth.FillRight(cell, widths[i]+2))
		}
		w.printf("%s\n", strings.TrimRight(b.String(), " "))
	}
}

// wrap breaks text into lines of at most width columns; a longer word has a
// line of its own.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(clean(s)) {
		switch {
		case line == "":
			line = word
		case runewidth.StringWidth(line)+1+runewidth.StringWidth(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
