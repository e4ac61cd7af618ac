package plan

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"runner/pkg/plan/diag"
)

// seeds adds every plan of the test data and of the examples with one of the
// extensions.
func seeds(f *testing.F, extensions ...string) {
	f.Helper()
	for _, root := range []string{"testdata/valid", "testdata/invalid", filepath.Join("..", "..", "examples")} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			for _, ext := range extensions {
				if filepath.Ext(path) == ext {
					text, err := os.ReadFile(path)
					if err != nil {
						return err
					}
					f.Add(text)
				}
			}
			return nil
		})
		if err != nil {
			f.Fatal(err)
		}
	}
}

// loadText loads a text without touching the file system: file() finds
// nothing but the text itself.
func loadText(name string, text []byte) (*Plan, *diag.Files, diag.List) {
	l := newLoader()
	l.o = testOptions()
	l.read = func(path string) ([]byte, error) {
		if filepath.Base(path) == name {
			return text, nil
		}
		return nil, fs.ErrNotExist
	}
	l.functions = l.budget.counting(l.functionTable())
	p := l.build(l.merge([]string{name}))
	return p, l.files, l.diags.Sorted()
}

func fuzz(f *testing.F, name string) {
	f.Fuzz(func(t *testing.T, text []byte) {
		start := time.Now()
		p, files, list := loadText(name, text)
		if p != nil && list.HasErrors() || p == nil && !list.HasErrors() {
			t.Error("a plan with errors, or neither")
		}
		var out bytes.Buffer
		if err := diag.Render(&out, files, list, 80, true); err != nil {
			t.Error(err)
		}
		for _, d := range list {
			if r := d.Range; r != nil && (r.StartLine < 1 || r.StartColumn < 1 || r.EndLine < r.StartLine) {
				t.Errorf("%+v", *r)
			}
		}
		if p != nil {
			if _, err := p.Graph(); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(start); took > 20*time.Second { // what takes so long does not end
			t.Errorf("took %v", took)
		}
	})
}

func FuzzHCL(f *testing.F) {
	seeds(f, ".hcl")
	fuzz(f, "plan.hcl")
}

func FuzzYAML(f *testing.F) {
	seeds(f, ".yaml", ".yml", ".json")
	fuzz(f, "plan.yaml")
}
