package plan

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functionTable gives every function of the language.
func (l *loader) functionTable() map[string]function.Function {
	return map[string]function.Function{
		"env":        l.envFunction(),
		"file":       l.fileFunction(),
		"timestamp":  constant(l.o.Now.UTC().Format(time.RFC3339)),
		"hostname":   constant(l.o.Hostname),
		"abspath":    textFunction(l.absolute),
		"basename":   textFunction(always(filepath.Base)),
		"dirname":    textFunction(always(filepath.Dir)),
		"trimspace":  stdlib.TrimSpaceFunc,
		"lower":      stdlib.LowerFunc,
		"upper":      stdlib.UpperFunc,
		"format":     formatFunction(),
		"join":       joinFunction(),
		"split":      stdlib.SplitFunc,
		"replace":    replaceFunction(),
		"lookup":     lookupFunction(),
		"merge":      stdlib.MergeFunc,
		"concat":     stdlib.ConcatFunc,
		"keys":       stdlib.KeysFunc,
		"values":     stdlib.ValuesFunc,
		"length":     lengthFunction(),
		"coalesce":   coalesceFunction(),
		"try":        tryfunc.TryFunc,
		"jsondecode": stdlib.JSONDecodeFunc,
		"formatdate": stdlib.FormatDateFunc,
	}
}

func text(name string) function.Parameter { return function.Parameter{Name: name, Type: cty.String} }

func constant(value string) function.Function {
	return function.New(&function.Spec{
		Type: function.StaticReturnType(cty.String),
		Impl: func([]cty.Value, cty.Type) (cty.Value, error) { return cty.StringVal(value), nil },
	})
}

func textFunction(f func(string) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{text("text")},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			s, err := f(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return cty.StringVal(s), nil
		},
	})
}

// always is a function of texts that never fails.
func always(f func(string) string) func(string) (string, error) {
	return func(s string) (string, error) { return f(s), nil }
}

// envFunction gives env(name) and env(name, default). Without a default a
// variable must be set: a misspelt name would be an empty password.
func (l *loader) envFunction() function.Function {
	rest := text("default")
	return function.New(&function.Spec{
		Params:   []function.Parameter{text("name")},
		VarParam: &rest,
		Type:     function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if len(args) > 2 {
				return cty.NilVal, errors.New("env takes a name and at most one default")
			}
			name := args[0].AsString()
			if value := l.o.Getenv(name); value != "" {
				if !utf8.ValidString(value) {
					return cty.NilVal, function.NewArgErrorf(0, "the environment variable %s is not UTF-8 text", name)
				}
				return cty.StringVal(value), nil
			}
			if len(args) == 2 {
				return args[1], nil
			}
			return cty.NilVal, function.NewArgErrorf(0, "the environment variable %s is not set; env(%q, \"…\") gives a default", name, name)
		},
	})
}

// fileFunction gives the text of a file.
func (l *loader) fileFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{text("path")},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			path, err := l.absolute(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			content, err := l.read(path)
			if err != nil {
				return cty.NilVal, function.NewArgErrorf(0, "read file: %w", err)
			}
			if !utf8.Valid(content) {
				return cty.NilVal, function.NewArgErrorf(0, "the file is not UTF-8 text")
			}
			return cty.StringVal(string(content)), nil
		},
	})
}

// wideVerb is a format with a width or precision of four digits and more.
var wideVerb = regexp.MustCompile(`%[^%a-zA-Z]*[0-9]{4}`)

func formatFunction() function.Function {
	return bounded(stdlib.FormatFunc, func(args []cty.Value) error {
		if args[0].Type() == cty.String && args[0].IsKnown() && wideVerb.MatchString(args[0].AsString()) {
			return function.NewArgErrorf(0, "widths have at most three digits")
		}
		return nil
	})
}

func joinFunction() function.Function {
	return bounded(stdlib.JoinFunc, func(args []cty.Value) error {
		size := 0
		for _, a := range args[1:] {
			if a.CanIterateElements() {
				size += sizeOf(a) + a.LengthInt()*len(args[0].AsString())
			}
		}
		return tooLarge(size)
	})
}

// bounded refuses a call before it grows too large.
func bounded(inner function.Function, check func([]cty.Value) error) function.Function {
	return function.New(&function.Spec{
		Params:   inner.Params(),
		VarParam: inner.VarParam(),
		Type:     inner.ReturnTypeForValues,
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			for _, a := range args {
				if !a.IsWhollyKnown() || a.ContainsMarked() {
					return inner.Call(args)
				}
			}
			if err := check(args); err != nil {
				return cty.NilVal, err
			}
			return inner.Call(args)
		},
	})
}

func tooLarge(size int) error {
	if size > 4*maxValue {
		return fmt.Errorf("the result would have more than %d bytes", 4*maxValue)
	}
	return nil
}

func replaceFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{text("text"), text("old"), text("new")},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			in, old, replacement := args[0].AsString(), args[1].AsString(), args[2].AsString()
			if old == "" {
				return cty.NilVal, function.NewArgErrorf(1, "there is no text to replace")
			}
			if err := tooLarge(len(in) + strings.Count(in, old)*len(replacement)); err != nil {
				return cty.NilVal, err
			}
			return cty.StringVal(strings.ReplaceAll(in, old, replacement)), nil
		},
	})
}

// lookupFunction gives lookup(map, key) and lookup(map, key, default).
func lookupFunction() function.Function {
	rest := function.Parameter{Name: "default", Type: cty.DynamicPseudoType, AllowNull: true}
	return function.New(&function.Spec{
		Params:   []function.Parameter{{Name: "map", Type: cty.DynamicPseudoType}, text("key")},
		VarParam: &rest,
		Type:     function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if len(args) > 3 {
				return cty.NilVal, errors.New("lookup takes a map, a key and at most one default")
			}
			from, key := args[0], args[1]
			switch {
			case from.Type().IsObjectType() && from.Type().HasAttribute(key.AsString()):
				return from.GetAttr(key.AsString()), nil
			case from.Type().IsMapType() && from.HasIndex(key).True():
				return from.Index(key), nil
			case !from.Type().IsObjectType() && !from.Type().IsMapType():
				return cty.NilVal, function.NewArgErrorf(0, "a map is needed")
			case len(args) == 3:
				return args[2], nil
			}
			return cty.NilVal, function.NewArgErrorf(1, "there is no element %q", key.AsString())
		},
	})
}

// lengthFunction counts the characters of a text or the elements of a
// collection.
func lengthFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType}},
		Type: func(args []cty.Value) (cty.Type, error) {
			t := args[0].Type()
			if t == cty.String || t == cty.DynamicPseudoType || t.IsCollectionType() || t.IsTupleType() || t.IsObjectType() {
				return cty.Number, nil
			}
			return cty.NilType, function.NewArgErrorf(0, "a text, list or map is needed")
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if args[0].Type() == cty.String {
				return cty.NumberIntVal(int64(utf8.RuneCountInString(args[0].AsString()))), nil
			}
			return cty.NumberIntVal(int64(args[0].LengthInt())), nil
		},
	})
}

// coalesceFunction gives the first argument that is neither null nor an empty
// text.
func coalesceFunction() function.Function {
	return function.New(&function.Spec{
		VarParam: &function.Parameter{Name: "values", Type: cty.DynamicPseudoType, AllowNull: true, AllowDynamicType: true},
		Type: func(args []cty.Value) (cty.Type, error) {
			var types []cty.Type
			for _, a := range args {
				if !a.IsNull() || a.Type() != cty.DynamicPseudoType {
					types = append(types, a.Type())
				}
			}
			t, _ := convert.UnifyUnsafe(types)
			if t == cty.NilType {
				return cty.NilType, errors.New("the arguments have no type in common")
			}
			return t, nil
		},
		Impl: func(args []cty.Value, t cty.Type) (cty.Value, error) {
			for _, a := range args {
				if a.IsNull() || a.Type() == cty.String && a.AsString() == "" {
					continue
				}
				return convert.Convert(a, t)
			}
			return cty.NilVal, errors.New("every argument is null or empty")
		},
	})
}
