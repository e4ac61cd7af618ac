package plan

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"runner/pkg/files"
	"runner/pkg/plan/internal/hclsyn"
	"runner/pkg/plan/internal/yamlsyn"
)

func compare(a, b string) int { return cmp.Compare(a, b) }

// extensions are the files of a folder that are plans.
func extensions() []string { return []string{".hcl", ".yaml", ".yml", ".json"} }

// planFiles gives the files that the paths name, each once, folders replaced
// by their plans in order of name.
func (l *loader) planFiles(paths []string) []string {
	if len(paths) == 0 {
		l.fail(nil, "No plan", "No file or folder was given.", "")
	}
	var out []string
	seen := map[string]bool{}
	add := func(name string) {
		if full := l.from(name); !seen[full] {
			seen[full] = true
			out = append(out, name)
		}
	}
	for _, path := range paths {
		info, err := os.Stat(l.from(path))
		switch {
		case err != nil:
			l.fileError(path, err)
		case info.IsDir():
			for _, name := range l.folder(path) {
				add(name)
			}
		case !slices.Contains(extensions(), filepath.Ext(path)):
			l.fail(nil, "Unknown format", fmt.Sprintf("%q is no plan: a plan's name ends in .hcl, .yaml, .yml or .json.", path), "")
		default:
			add(path)
		}
	}
	return out
}

func (l *loader) folder(path string) []string {
	entries, err := os.ReadDir(l.from(path))
	if err != nil {
		l.fileError(path, err)
		return nil
	}
	var out []string
	for _, e := range entries {
		if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") && slices.Contains(extensions(), filepath.Ext(e.Name())) {
			out = append(out, filepath.Join(path, e.Name()))
		}
	}
	if len(out) == 0 {
		l.fail(nil, "No plan", fmt.Sprintf("There is no file ending in .hcl, .yaml, .yml or .json in the folder %q.", path), "")
	}
	return out
}

func (l *loader) fileError(path string, err error) {
	reason := err
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		reason = pathErr.Err
	}
	l.whole = false
	l.fail(nil, "File not readable", fmt.Sprintf("%q can't be read: %v.", path, reason), "")
}

// absolute makes a path absolute: ~ is expanded, and what is relative is so to the directory of the options.
func (l *loader) absolute(path string) (string, error) {
	path, err := files.ExpandHome(path, l.o.Getenv)
	if err != nil {
		return "", err
	}
	return l.from(path), nil
}

// from makes a path absolute that names a file and has no ~.
func (l *loader) from(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(l.o.Dir, path)
}

var errNotRegular = errors.New("it is not a regular file")

var errTooLarge = fmt.Errorf("it is larger than %d bytes", hclsyn.MaxFile)

// readRegular reads a whole file, if it is one that ends.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path) // first: opening a pipe would wait for its other end
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, hclsyn.MaxFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(text) > hclsyn.MaxFile {
		return nil, errTooLarge
	}
	return text, nil
}

// parse reads a file in the syntax of its name; nil if it can't be read. Of
// a file of values that has syntax errors nothing is shown: which of them are
// secrets is not known.
func (l *loader) parse(name string, values bool) hcl.Body {
	text, err := l.read(l.from(name))
	if err == nil && len(text) > hclsyn.MaxFile {
		err = errTooLarge
	}
	if err != nil {
		l.fileError(name, err)
		return nil
	}
	l.files.Add(name, text)
	var body hcl.Body
	var diags hcl.Diagnostics
	var whole bool
	switch filepath.Ext(name) {
	case ".yaml", ".yml", ".json":
		l.yaml[name], body, diags, whole = yamlsyn.Parse(name, text)
	default:
		var native *hclsyn.Body
		native, diags, whole = hclsyn.Parse(name, text)
		l.ambiguous[name], body = native.Ambiguities(), native
	}
	l.parsed[name] = parsedFile{text: text, body: body}
	l.hideSecretNames(name, text, body)
	if !whole {
		l.whole = false
		l.files.HideGuessed(name)
		if values {
			l.files.Hide(name, 0, len(text))
		}
	}
	l.report(diags)
	return body
}
