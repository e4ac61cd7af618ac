package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"runner/pkg/plan/spec"
)

// planSchema describes a plan as YAML and JSON say it, as far as this version accepts it. It lets pass all that the loader
// takes, but for lists of mappings in place of a block that may be there once.
func planSchema(string) (object, error) {
	language := spec.Plan()
	job, _ := language.Block("job")
	p := &planBuilder{inherited: map[string]bool{}, defs: object{}}
	// What a job must have may stand in defaults, also in those of another file.
	defaults, _ := language.Block("defaults")
	for _, a := range defaults.Attributes {
		p.inherited[job.Name+"."+a.Name] = true
	}
	for typ, schema := range types() {
		p.defs["type."+string(typ)] = schema
	}
	root := p.body(language)
	root["title"] = "Plan of runner"
	root["description"] = language.Doc + " This is its form in YAML and JSON. Every text may be a template: ${…}."
	root["$defs"] = p.defs
	return root, errors.Join(p.errs...)
}

// planBuilder makes schemas of blocks. Every block becomes a definition.
type planBuilder struct {
	inherited map[string]bool // block.attribute, whose value may come from elsewhere
	defs      object
	errs      []error
}

// body is the schema of what is in a block.
func (p *planBuilder) body(b spec.Block) object {
	if b.Open {
		return object{"type": some("object"), "description": b.Doc}
	}
	properties, required := object{}, []string{}
	for _, a := range b.Attributes {
		properties[a.Name] = p.attribute(a)
		if a.Required && !p.inherited[b.Name+"."+a.Name] {
			required = append(required, a.Name)
		}
	}
	for _, inner := range b.Blocks {
		if !inner.Unsupported {
			properties[inner.Name] = p.block(inner)
		}
	}
	body := object{"type": some("object"), "properties": properties, "additionalProperties": false, "description": b.Doc}
	if len(required) > 0 { // null is a block with nothing in it
		body["type"], body["required"] = "object", required
	}
	return body
}

// block is the schema of the value of a block's key: a mapping for each label, and the body in the innermost.
func (p *planBuilder) block(b spec.Block) object {
	name := "block." + b.Name
	body := p.body(b)
	if known, ok := p.defs[name]; ok && !equal(known, body) {
		p.errs = append(p.errs, fmt.Errorf("there are two blocks %s", b.Name))
	}
	p.defs[name] = body
	value := object{"$ref": "#/$defs/" + name}
	if b.Repeats && len(b.Labels) == 0 {
		value = object{"anyOf": []any{value, object{"type": "array", "items": value}}}
	}
	for _, label := range slices.Backward(b.Labels) {
		value = labelled(b, label, value)
	}
	if len(b.Labels) > 0 {
		value["description"] = b.Doc
	}
	return value
}

// labelled is a mapping from the values of a label.
func labelled(b spec.Block, label string, value object) object {
	if label != "kind" {
		return object{"type": some("object"), "additionalProperties": value, "propertyNames": object{"$ref": "#/$defs/type.name"}}
	}
	kinds := object{}
	for _, kind := range b.Kinds {
		kinds[kind] = value
	}
	return object{"type": some("object"), "properties": kinds, "additionalProperties": false}
}

// attribute is the schema of an attribute's value.
func (p *planBuilder) attribute(a spec.Attribute) object {
	if a.Unsupported {
		return object{"type": "null", "description": a.Doc + " Not supported by this version."}
	}
	schema := object{"$ref": "#/$defs/type." + string(a.Type), "description": a.Doc}
	if _, known := p.defs["type."+string(a.Type)]; !known && a.Type != spec.Enum {
		p.errs = append(p.errs, fmt.Errorf("the type %s of %s has no schema", a.Type, a.Name))
	}
	switch a.Type {
	case spec.Enum:
		values := slices.DeleteFunc(slices.Clone(a.Values), func(v string) bool { return slices.Contains(a.Later, v) })
		schema = object{"anyOf": []any{object{"enum": values}, object{"$ref": "#/$defs/type.template"}}, "description": a.Doc}
	case spec.Number, spec.Size, spec.Rate:
		// Of numbers only: of what is written as text, the bounds are for the loader.
		if a.Max > 0 {
			schema["maximum"] = a.Max
		}
		if !a.ZeroAllowed {
			schema["minimum"] = a.Min
		}
	}
	if a.Default != "" {
		schema["default"] = preset(a)
	}
	return schema
}

// preset is a default as the value that it is.
func preset(a spec.Attribute) any {
	if a.Type == spec.Number || a.Type == spec.Bool {
		return json.RawMessage(a.Default)
	}
	return a.Default
}

func equal(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}
