// Package digest holds the sums file of a backup: SHA256SUMS, as `sha256sum -c` reads it.
package digest

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"sort"
	"strings"
)

// SumsName is the name of the sums file.
const SumsName = "SHA256SUMS"

// MaxSums is the largest sums file that is read, in bytes; a backup has two lines of some 80 bytes.
const MaxSums = 64 << 10

// Sum is one line: the SHA-256 of a file.
type Sum struct {
	Name   string
	SHA256 string // 64 lower-case hexadecimal digits
}

// SumsError says which line of a sums file is wrong. Line 0 is the file as a whole.
type SumsError struct {
	Line int
	What string
}

func (e *SumsError) Error() string {
	if e.Line == 0 {
		return "sums file: " + e.What
	}
	return fmt.Sprintf("sums file, line %d: %s", e.Line, e.What)
}

// FormatSums writes sums in the order of their names. A name that the format cannot hold
// gives a [*SumsError].
func FormatSums(sums []Sum) ([]byte, error) {
	sorted := append([]Sum(nil), sums...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].Name < sorted[j].Name })
	var b bytes.Buffer
	for i, s := range sorted {
		if what := s.fault(); what != "" {
			return nil, &SumsError{Line: i + 1, What: what}
		}
		if i > 0 && sorted[i-1].Name == s.Name {
			return nil, &SumsError{Line: i + 1, What: "name occurs twice"}
		}
		fmt.Fprintf(&b, "%s  %s\n", s.SHA256, s.Name)
	}
	return b.Bytes(), nil
}

// ParseSums reads what [FormatSums] wrote and nothing else: every line complete, names sorted
// and none twice. Anything else gives a [*SumsError].
func ParseSums(data []byte) ([]Sum, error) {
	if len(data) == 0 {
		return nil, &SumsError{What: "empty"}
	}
	if len(data) > MaxSums {
		return nil, &SumsError{What: "too large"}
	}
	if data[len(data)-1] != '\n' {
		return nil, &SumsError{What: "last line is cut off"}
	}
	var sums []Sum
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		hexed, name, ok := strings.Cut(line, "  ")
		s := Sum{Name: name, SHA256: hexed}
		if !ok {
			return nil, &SumsError{Line: i + 1, What: "not a digest, two spaces and a name"}
		}
		if what := s.fault(); what != "" {
			return nil, &SumsError{Line: i + 1, What: what}
		}
		if i > 0 && sums[i-1].Name >= name {
			return nil, &SumsError{Line: i + 1, What: "names are not sorted, or one occurs twice"}
		}
		sums = append(sums, s)
	}
	return sums, nil
}

func (s Sum) fault() string {
	switch {
	case !IsHex(s.SHA256, 32):
		return "not a SHA-256 in lower-case hexadecimal digits"
	case s.Name == "" || strings.ContainsAny(s.Name, "/\\\n\r\x00"):
		return "not a plain file name"
	}
	return ""
}

// Hash is a digest of 256 bits; in text, 64 lower-case hexadecimal digits. All zero stands for none.
type Hash [32]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText gives the digits.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads the digits.
func (h *Hash) UnmarshalText(text []byte) error {
	if !IsHex(string(text), len(h)) {
		return fmt.Errorf("%q is not a digest of %d hexadecimal digits", text, 2*len(h))
	}
	_, err := hex.Decode(h[:], text)
	return err
}

// IsHex says whether s is n bytes in lower-case hexadecimal digits.
func IsHex(s string, n int) bool {
	if len(s) != 2*n || strings.ToLower(s) != s {
		return false
	}
	_, err := hex.DecodeString(s)
	return err == nil
}
