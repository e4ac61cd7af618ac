package main

import (
	"encoding"
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"strings"
	"time"
	"unicode"
)

// builder makes schemas of Go types as encoding/json writes them. Every struct becomes a definition.
type builder struct {
	comments *comments
	defs     object
	types    map[string]reflect.Type // of defs
	errs     []error
}

func newBuilder(root string) *builder {
	return &builder{comments: newComments(root), defs: object{}, types: map[string]reflect.Type{}}
}

func (b *builder) fail(format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf(format, args...))
}

// of is the schema of a value of the type.
func (b *builder) of(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[json.RawMessage]():
		return object{} // any JSON
	}
	if writesItself(t) {
		b.fail("%v writes its JSON itself, which can't be seen from its members", t)
	}
	switch t.Kind() {
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Uint32, reflect.Uint64:
		return object{"type": "integer", "minimum": 0}
	case reflect.Slice:
		return object{"type": "array", "items": b.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": b.of(t.Elem())}
	case reflect.Struct:
		return b.reference(t)
	}
	b.fail("%v is of a kind that no schema is known for", t)
	return object{}
}

// comment is the one at a type's field, or at the type itself if the field is "".
func (b *builder) comment(t reflect.Type, field string) string {
	text, err := b.comments.of(t, field)
	if err != nil {
		b.errs = append(b.errs, err)
	}
	return text
}

func writesItself(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[json.Marshaler]()) || t.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

// reference refers to the definition of a struct, which it makes the first time.
func (b *builder) reference(t reflect.Type) object {
	name := defName(t)
	if known, ok := b.types[name]; !ok {
		b.types[name] = t
		def := object{"type": "object"}
		// The comment at a line says its type, which the schema says already.
		if !strings.HasSuffix(t.Name(), "Line") {
			describe(def, b.comment(t, ""))
		}
		properties, required := b.members(t)
		def["properties"] = properties
		if len(required) > 0 {
			def["required"] = required
		}
		b.defs[name] = def
	} else if known != t {
		b.fail("%v and %v are both called %s", known, t, name)
	}
	return object{"$ref": "#/$defs/" + name}
}

// members are those of a struct and of the structs embedded in it.
func (b *builder) members(t reflect.Type) (properties object, required []string) {
	properties = object{}
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			inner, more := b.members(f.Type)
			for name, schema := range inner {
				properties[name] = schema
			}
			required = append(required, more...)
			continue
		case name == "" || name == "-":
			b.fail("%v.%s has no name in JSON", t, f.Name)
			continue
		}
		optional := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		schema := b.value(f.Type, optional)
		describe(schema, b.comment(t, f.Name))
		properties[name] = schema
		if !optional {
			required = append(required, name)
		}
	}
	return properties, required
}

// value is the schema of a member's value; a pointer that is nil is left out, or written as null.
func (b *builder) value(t reflect.Type, optional bool) object {
	if t.Kind() != reflect.Pointer {
		return b.of(t)
	}
	schema := b.of(t.Elem())
	switch kind, simple := schema["type"].(string); {
	case optional:
	case simple:
		schema["type"] = []string{kind, "null"}
	default:
		schema = object{"anyOf": []any{schema, object{"type": "null"}}}
	}
	return schema
}

// member is the schema of a definition's member, to say more about it.
func (b *builder) member(def, name string) object {
	if d, ok := b.defs[def].(object); ok {
		if m, ok := d["properties"].(object)[name].(object); ok {
			return m
		}
	}
	b.fail("there is no member %s of %s", name, def)
	return object{}
}

// addMember adds a member that the Go type doesn't have.
func (b *builder) addMember(def, name string, schema object) {
	d, ok := b.defs[def].(object)
	if !ok {
		b.fail("there is no definition %s", def)
		return
	}
	d["properties"].(object)[name] = schema
	required, _ := d["required"].([]string)
	d["required"] = append(required, name)
}

func describe(schema object, text string) {
	if text != "" {
		schema["description"] = text
	}
}

// defName is package.name_of_type, without the Line that types of lines end in.
func defName(t reflect.Type) string {
	name := strings.TrimSuffix(t.Name(), "Line")
	if name == "" {
		name = t.Name()
	}
	var out strings.Builder
	for i, r := range name {
		if i > 0 && unicode.IsUpper(r) {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return path.Base(t.PkgPath()) + "." + out.String()
}
