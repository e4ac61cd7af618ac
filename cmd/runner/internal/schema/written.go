package main

import (
	"errors"
	"maps"
	"reflect"
	"slices"

	"runner/cmd/runner/internal/cli"
	"runner/cmd/runner/internal/journal"
	"runner/pkg/archive/manifest"
)

func manifestSchema(root string) (object, error) {
	b := newBuilder(root)
	whole := b.of(reflect.TypeFor[manifest.Manifest]())
	b.member("manifest.manifest", "format")["const"] = manifest.Format
	whole["title"] = "Manifest of a backup"
	whole["description"] = "manifest.json, the record of one backup. A reader passes over members that it does not know."
	whole["$defs"] = b.defs
	return whole, errors.Join(b.errs...)
}

func journalSchema(root string) (object, error) {
	b := newBuilder(root)
	line, header := b.of(reflect.TypeFor[journal.Line]()), b.of(reflect.TypeFor[journal.Header]())
	b.member("journal.line", "seq")["minimum"] = 1
	b.addMember("journal.line", "crc", object{
		"type": "string", "pattern": "^[0-9a-f]{8}$",
		"description": "last member; CRC-32C in hex of the line's bytes before the comma that precedes it",
	})
	return object{
		"title": "Record of a run",
		"description": "One line of journal.jsonl, or header.json, of a run in the state directory. " +
			"A reader passes over members and types of lines that it does not know.",
		"anyOf": []any{line, header}, "$defs": b.defs,
	}, errors.Join(b.errs...)
}

// eventSchema describes one line by its type. A line of a type that is not known, or with further members, is valid: more
// may be added without a new version.
func eventSchema(root string) (object, error) {
	b := newBuilder(root)
	lines := cli.LineTypes()
	types := slices.Sorted(maps.Keys(lines))
	var cases []any
	for _, typ := range types {
		cases = append(cases, object{
			"if":   object{"properties": object{"type": object{"const": typ}}, "required": []string{"type"}},
			"then": b.forms(lines[typ]),
		})
	}
	return object{
		"title": "Line of what runner prints with --json",
		"description": "One line of standard output with --json; OUTPUT.md says which command prints which. " +
			"A reader passes over types and members that it does not know.",
		"type": "object", "required": []string{"type", "time"},
		"properties": object{
			"type": object{"type": "string", "description": "what the line is about, and so which members it has", "examples": types},
			"time": object{"type": "string", "format": "date-time", "description": "when it happened; RFC 3339 in UTC, up to nanoseconds"},
		},
		"allOf": cases, "$defs": b.defs,
	}, errors.Join(b.errs...)
}

// forms is the schema of a line of any of these types.
func (b *builder) forms(lines []any) object {
	if len(lines) == 1 {
		return b.of(reflect.TypeOf(lines[0]))
	}
	var forms []any
	for _, line := range lines {
		forms = append(forms, b.of(reflect.TypeOf(line)))
	}
	return object{"anyOf": forms}
}
