package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
)

// comments are those at the types of this module and at their fields, read from the sources.
type comments struct {
	root     string                       // of the module
	packages map[string]map[string]string // by path of the package, then by Type or Type.Field
}

func newComments(root string) *comments {
	return &comments{root: root, packages: map[string]map[string]string{}}
}

// of gives the comment at a type's field, or at the type itself if the field is ""; "" where there is none.
func (c *comments) of(t reflect.Type, field string) (string, error) {
	known, ok := c.packages[t.PkgPath()]
	if !ok {
		var err error
		if known, err = readComments(filepath.Join(c.root, strings.TrimPrefix(t.PkgPath(), "runner/"))); err != nil {
			return "", fmt.Errorf("read comments of %s: %w", t.PkgPath(), err)
		}
		c.packages[t.PkgPath()] = known
	}
	if field == "" {
		return known[t.Name()], nil
	}
	return known[t.Name()+"."+field], nil
}

func readComments(folder string) (map[string]string, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, d := range file.Decls {
			if group, ok := d.(*ast.GenDecl); ok && group.Tok == token.TYPE {
				readTypes(group, out)
			}
		}
	}
	return out, nil
}

func readTypes(group *ast.GenDecl, out map[string]string) {
	for _, s := range group.Specs {
		spec, ok := s.(*ast.TypeSpec)
		if !ok {
			continue
		}
		out[spec.Name.Name] = plain(spec.Doc)
		if spec.Doc == nil && len(group.Specs) == 1 {
			out[spec.Name.Name] = plain(group.Doc)
		}
		fields, ok := spec.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, f := range fields.Fields.List {
			for _, name := range f.Names {
				out[spec.Name.Name+"."+name.Name] = plain(f.Doc, f.Comment)
			}
		}
	}
}

var link = regexp.MustCompile(`\[([A-Za-z.]+)\]`)

// plain is the text of comments in one line, without the marks of links.
func plain(groups ...*ast.CommentGroup) string {
	var words []string
	for _, g := range groups {
		words = append(words, strings.Fields(g.Text())...)
	}
	return link.ReplaceAllString(strings.Join(words, " "), "$1")
}
