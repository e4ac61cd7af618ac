package manifest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"runner/pkg/archive/manifest"
)

// What a manifest takes in memory and time follows from its size.
func TestAManifestOfAnotherShapeIsRefusedBeforeItIsRead(t *testing.T) {
	keys := &strings.Builder{}
	for i := range 10_001 {
		fmt.Fprintf(keys, ",\"k%05d\": 0", i)
	}
	for name, test := range map[string]struct{ field, want string }{
		"deep":                  {strings.Repeat(`{"a": `, 5000) + "0" + strings.Repeat("}", 5000), "nested deeper"},
		"deep lists":            {strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "nested deeper"},
		"many empty objects":    {"[{}" + strings.Repeat(", {}", 100_000) + "]", "objects"},
		"many keys":             {"{" + keys.String()[1:] + "}", "keys"},
		"brackets in its texts": {`"` + strings.Repeat(`{[\\\":`, 50_000) + `"`, ""}, // an unknown key, which is passed over
	} {
		data := resealed(t, "\n  \"source\": {", "\n  \"sour\": "+test.field+",\n  \"source\": {")
		_, err := manifest.Decode(data)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want != "" && (!errors.Is(err, manifest.ErrCorrupt) || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: %v", name, err)
		}
	}
}
