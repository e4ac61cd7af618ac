package diag

import (
	"bytes"
	"regexp"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"
)

// Files holds the text of every file of a plan, for the lines that diagnostics
// show. What was marked by [Files.Hide] is never shown. The zero
// value is not usable; see [NewFiles].
type Files struct {
	files map[string]*file
}

type file struct {
	text   []byte
	starts []int  // byte offset of each line
	hidden []span // ascending after sorted()
	plain  bool   // was not understood: what looks like a secret is hidden
}

type span struct{ start, end int }

// NewFiles gives an empty set.
func NewFiles() *Files { return &Files{files: map[string]*file{}} }

// Add registers the text of a file. The text must not change afterwards.
func (f *Files) Add(name string, text []byte) {
	starts := []int{0}
	for i, c := range text {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	f.files[name] = &file{text: text, starts: starts}
}

// Names gives the names of all files, sorted.
func (f *Files) Names() []string {
	var out []string
	for name := range f.files {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Hide keeps the bytes from start to end of a file, which hold a secret, out
// of everything that is shown.
func (f *Files) Hide(name string, start, end int) {
	if s, ok := f.files[name]; ok && start < end {
		s.hidden = append(s.hidden, span{max(start, 0), min(end, len(s.text))})
	}
}

// HideGuessed is for a file that could not be parsed, so that nobody knows
// what in it is a secret: whatever looks like one is hidden.
func (f *Files) HideGuessed(name string) {
	if s, ok := f.files[name]; ok && !s.plain {
		s.plain = true
		s.hidden = append(s.hidden, guess(string(s.text))...)
	}
}

// guess finds the values of names that hold secrets. A value that goes on
// over the end of its line hides the rest of the file: where it ends is what
// nobody knows.
func guess(text string) []span {
	names := secretNames
	if strings.Contains(text, "sensitive") {
		names = secretNamesAndDefaults
	}
	var out []span
	offset := 0
	for line := range strings.Lines(text) {
		if start := secretStart(line, names); start >= 0 {
			value := strings.TrimSpace(line[start:])
			end := offset + len(strings.TrimRight(line, "\r\n"))
			if openEnded(value) {
				return append(out, span{offset + start, len(text)})
			}
			out = append(out, span{offset + start, end})
		}
		offset += len(line)
	}
	return out
}

// What goes before the value of a secret. The rest of the line is the value.
var (
	secretNames            = regexp.MustCompile(`(?i)(?:pass(?:word|wd)?|secret|token)[^=:\n]*[=:]`)
	secretNamesAndDefaults = regexp.MustCompile(`(?i)(?:pass(?:word|wd)?|secret|token|default)[^=:\n]*[=:]`)
)

// assigned is a name with the sign behind it.
var assigned = regexp.MustCompile(`([\pL\pN_-]+)["']?\s*[=:{]`)

// secretStart is where in a line the value of a secret begins; -1: there is none.
func secretStart(line string, names *regexp.Regexp) int {
	start := -1
	if m := names.FindStringIndex(line); m != nil {
		start = m[1]
	}
	for _, m := range assigned.FindAllStringSubmatchIndex(line, -1) {
		if Secretish(line[m[2]:m[3]]) && (start < 0 || m[1] < start) {
			start = m[1]
		}
	}
	return start
}

func openEnded(value string) bool {
	if value == "" || strings.HasPrefix(value, "<<") || strings.HasPrefix(value, "|") || strings.HasPrefix(value, ">") {
		return true
	}
	return strings.Count(value, `"`)%2 == 1 || strings.Count(value, "'")%2 == 1 || strings.ContainsAny(value[len(value)-1:], "([{\\")
}

// Range gives the place of the bytes from start to end of a file. Offsets
// beyond the text are taken as its end.
func (f *Files) Range(name string, start, end int) Range {
	r := Range{File: name, StartLine: 1, StartColumn: 1, EndLine: 1, EndColumn: 1}
	if s, ok := f.files[name]; ok {
		r.StartLine, r.StartColumn = s.position(start)
		r.EndLine, r.EndColumn = s.position(max(start, end))
	}
	return r
}

func (s *file) position(offset int) (line, column int) {
	offset = min(max(offset, 0), len(s.text))
	line = sort.SearchInts(s.starts, offset+1)
	return line, utf8.RuneCount(s.text[s.starts[line-1]:offset]) + 1
}

// mark stands in for the bytes of a secret while a line is put together.
const mark = "***redacted***"

// line gives a line without its end, each secret replaced, and where columns
// from and to are in it.
func (f *Files) line(r Range) (text string, from, to int, ok bool) {
	s, found := f.files[r.File]
	if !found || r.StartLine < 1 || r.StartLine > len(s.starts) {
		return "", 0, 0, false
	}
	start := s.starts[r.StartLine-1]
	end := len(s.text)
	if r.StartLine < len(s.starts) {
		end = s.starts[r.StartLine]
	}
	raw := bytes.TrimRight(s.text[start:end], "\r\n")
	first := start + byteAt(raw, r.StartColumn)
	last := start + len(raw)
	if r.EndLine == r.StartLine {
		last = start + byteAt(raw, r.EndColumn)
	}
	return s.redact(start, start+len(raw), first, last)
}

// redact copies the bytes from start to end with secrets replaced, and gives
// where the offsets first and last are in the copy.
func (s *file) redact(start, end, first, last int) (text string, from, to int, ok bool) {
	slices.SortFunc(s.hidden, func(a, b span) int { return a.start - b.start })
	var out strings.Builder
	from, to = -1, -1
	for at, next := start, 0; at <= end; {
		for next < len(s.hidden) && s.hidden[next].end <= at {
			next++
		}
		step := 1
		inside := next < len(s.hidden) && s.hidden[next].start <= at && at < end
		if inside {
			step = min(s.hidden[next].end, end) - at
		}
		if from < 0 && first < at+step {
			from = out.Len()
		}
		if to < 0 && last <= at {
			to = out.Len()
		}
		switch {
		case inside:
			out.WriteString(mark)
		case at < end:
			out.WriteByte(s.text[at])
		}
		at += step
	}
	if to < 0 {
		to = out.Len()
	}
	if from < 0 {
		from = out.Len()
	}
	return out.String(), from, max(from, to), true
}

// byteAt gives the offset of a column, which counts code points from 1.
func byteAt(line []byte, column int) int {
	at := 0
	for range column - 1 {
		if at >= len(line) {
			break
		}
		_, size := utf8.DecodeRune(line[at:])
		at += size
	}
	return at
}
