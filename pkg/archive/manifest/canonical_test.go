package manifest_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"runner/pkg/archive/manifest"
)

// tree gives the canonical form by way of a tree of the whole, as encoding/json writes one. A key that occurs twice
// is there once, and a number keeps its digits.
func tree(data []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return out.Bytes(), err
}

// FuzzCanonical looks for JSON that is written otherwise than by encoding/json, or that panics.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, ` [ ] `, `{"b":[1,2.50,-3e+7],"a":{"y":null,"x":true}}`, `{"a":1,"a":2}`, `"<&>\u003c\u2028\n\"\\é"`, `{"\u0061":1}`,
		`[[],{},[{}],"]",",{",":"]`, `12`, `{"a" : [ 1 , 2 ] , "b" : "" }`, "\"\xff\"", `[1,]`, `{"a"}`, `1 2`, ``, `{"é":1,"z":2,"":3}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		want, wantErr := tree(data)
		got, err := manifest.Canonical(data)
		if !json.Valid(data) {
			if err == nil {
				t.Fatalf("%q: written as %q", data, got)
			}
			return
		}
		if wantErr != nil {
			t.Fatal(wantErr)
		}
		if err != nil {
			if !manifest.IsTwice(err) {
				t.Fatalf("%q: %v", data, err)
			}
			return
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%q: written as %q, want %q", data, got, want)
		}
		if ok, err := manifest.IsCanonical(data); ok != bytes.Equal(data, want) || err != nil {
			t.Fatalf("%q is canonical: %v, %v", data, ok, err)
		}
	})
}
