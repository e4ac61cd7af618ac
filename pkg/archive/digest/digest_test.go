package digest_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"runner/pkg/archive/digest"
)

var (
	one = strings.Repeat("01", 32)
	two = strings.Repeat("ab", 32)
)

func TestSumsAreSortedAndReadAgain(t *testing.T) {
	data, err := digest.FormatSums([]digest.Sum{{Name: "index.json.zst", SHA256: two}, {Name: "data.tar.zst", SHA256: one}})
	if err != nil {
		t.Fatal(err)
	}
	if want := one + "  data.tar.zst\n" + two + "  index.json.zst\n"; string(data) != want {
		t.Errorf("sums are %q", data)
	}
	sums, err := digest.ParseSums(data)
	if err != nil || len(sums) != 2 || sums[1] != (digest.Sum{Name: "index.json.zst", SHA256: two}) {
		t.Errorf("read %v, %v", sums, err)
	}
}

func TestFormatSumsRefuses(t *testing.T) {
	for name, sums := range map[string][]digest.Sum{
		"short digest":   {{Name: "a", SHA256: one[1:]}},
		"upper case":     {{Name: "a", SHA256: strings.ToUpper(two)}},
		"no digits":      {{Name: "a", SHA256: strings.Repeat("xx", 32)}},
		"no name":        {{SHA256: one}},
		"path":           {{Name: "a/b", SHA256: one}},
		"line feed":      {{Name: "a\nb", SHA256: one}},
		"backslash":      {{Name: `a\b`, SHA256: one}}, // sha256sum would write it in another way
		"twice the name": {{Name: "a", SHA256: one}, {Name: "a", SHA256: two}},
	} {
		var e *digest.SumsError
		if _, err := digest.FormatSums(sums); !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseSumsRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		data string
		line int
	}{
		"nothing":       {"", 0},
		"cut off":       {one + "  a", 0},
		"empty line":    {one + "  a\n\n", 2},
		"one space":     {one + " a\n", 1},
		"binary mark":   {one + " *a\n", 1},
		"carriage":      {one + "  a\r\n", 1},
		"second line":   {one + "  a\nx  b\n", 2},
		"not sorted":    {one + "  b\n" + one + "  a\n", 2},
		"twice":         {one + "  a\n" + one + "  a\n", 2},
		"far too large": {strings.Repeat(one+"  a\n", 1000), 0},
	} {
		var e *digest.SumsError
		if _, err := digest.ParseSums([]byte(test.data)); !errors.As(err, &e) || e.Line != test.line {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHashInText(t *testing.T) {
	var h digest.Hash
	if err := h.UnmarshalText([]byte(two)); err != nil || h.String() != two {
		t.Errorf("%v, %v", h, err)
	}
	text, err := h.MarshalText()
	if err != nil || string(text) != two {
		t.Errorf("%s, %v", text, err)
	}
	for _, bad := range []string{"", two[1:], two + "00", strings.ToUpper(two), "xx" + two[2:]} {
		if err := h.UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// FuzzSums looks for sums that are let through and are not what they would be written as.
func FuzzSums(f *testing.F) {
	f.Add([]byte(one + "  data.tar.zst\n" + two + "  index.json.zst\n"))
	f.Add([]byte(one + "  a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		sums, err := digest.ParseSums(data)
		if err != nil {
			return
		}
		again, err := digest.FormatSums(sums)
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%q is written again as %q, %v", data, again, err)
		}
	})
}
