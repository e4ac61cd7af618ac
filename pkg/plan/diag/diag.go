// Package diag holds what is wrong with a plan and shows it: a [List] of
// diagnostics, each at a place in a file of [Files], printed by [Render] with
// the line it is about. It knows nothing of the syntax of the files.
package diag

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/agext/levenshtein"
)

// Severity tells problems from remarks.
type Severity string

// The severities.
const (
	Error   Severity = "error"   // the plan can't be used
	Warning Severity = "warning" // the plan can be used
)

// Range is a place in a file. Lines and columns count from 1, columns in
// Unicode code points; the end is exclusive.
type Range struct {
	File                   string
	StartLine, StartColumn int
	EndLine, EndColumn     int
}

// Diagnostic is one problem or remark.
type Diagnostic struct {
	Severity Severity
	Summary  string // terse and fixed, without names from the file
	Detail   string // full sentences: what is wrong and why, and what was probably meant
	Range    *Range // nil: about no place in a file
	Hint     string // what to do next, such as a command; may be empty
}

// Line is how a Diagnostic is written as JSON: one object without another in it.
type Line struct {
	Severity  Severity `json:"severity"` // error or warning
	Summary   string   `json:"summary"`
	Detail    string   `json:"detail"`
	File      string   `json:"file,omitempty"`
	Line      int      `json:"line,omitempty"`       // from 1
	Column    int      `json:"column,omitempty"`     // from 1, in Unicode code points
	EndLine   int      `json:"end_line,omitempty"`   // from 1
	EndColumn int      `json:"end_column,omitempty"` // exclusive
	Hint      string   `json:"hint,omitempty"`       // what to do next
}

// MarshalJSON gives a [Line].
func (d Diagnostic) MarshalJSON() ([]byte, error) {
	line := Line{Severity: d.Severity, Summary: d.Summary, Detail: d.Detail, Hint: d.Hint}
	if r := d.Range; r != nil {
		line.File, line.Line, line.Column = r.File, r.StartLine, r.StartColumn
		line.EndLine, line.EndColumn = r.EndLine, r.EndColumn
	}
	return json.Marshal(line)
}

// List is every problem that was found. Nil means none.
type List []Diagnostic

// HasErrors says whether any of them is an error.
func (l List) HasErrors() bool {
	return slices.ContainsFunc(l, func(d Diagnostic) bool { return d.Severity == Error })
}

// Sorted gives the list by file, line and column, those without a place
// first, each problem once however often it was found.
func (l List) Sorted() List {
	out := slices.Clone(l)
	slices.SortStableFunc(out, func(a, b Diagnostic) int {
		ra, rb := at(a), at(b)
		return cmp.Or(cmp.Compare(ra.File, rb.File), cmp.Compare(ra.StartLine, rb.StartLine),
			cmp.Compare(ra.StartColumn, rb.StartColumn), cmp.Compare(a.Summary, b.Summary), cmp.Compare(a.Detail, b.Detail))
	})
	return slices.CompactFunc(out, func(a, b Diagnostic) bool {
		return a.Summary == b.Summary && a.Detail == b.Detail && at(a) == at(b)
	})
}

func at(d Diagnostic) Range {
	if d.Range == nil {
		return Range{}
	}
	return *d.Range
}

// Nearest gives the name of known that name was probably meant to be, or "":
// one that two edits make of it, or one edit where it is short. Of equally
// near ones it is the first.
func Nearest(name string, known []string) string {
	const short, near = 4, 2
	best, found := near+1, ""
	if len(name) < short {
		best = near
	}
	for _, k := range known {
		if d := levenshtein.Distance(name, k, nil); d < best && d < len(k) {
			best, found = d, k
		}
	}
	return found
}

// DidYouMean is [Nearest] as a sentence with a leading space, or "".
func DidYouMean(name string, known []string) string {
	if n := Nearest(name, known); n != "" {
		return " Did you mean " + quote(n) + "?"
	}
	return ""
}

func quote(s string) string { return `"` + s + `"` }
