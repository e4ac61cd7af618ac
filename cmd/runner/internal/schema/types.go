package main

import "runner/pkg/plan/spec"

const (
	// template is a text that holds ${…} or %{…}: what it stands for is known only when it is evaluated.
	template = `\$\{|%\{`
	// reference is a text that is one whole ${…}, which keeps its type.
	reference = `^\$\{[\s\S]*\}$`

	size     = `[0-9]+ ?([KMGT](B|iB)?|B)?`
	duration = `0|([0-9]+(\.[0-9]+)?d)?(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*0?`
)

// or is a pattern of texts that are one whole of this, or a template.
func or(pattern string) string { return "^(" + pattern + ")$|" + template }

// some is a type that is also left out by null.
func some(types ...string) []string { return append(types, "null") }

// types are the schemas of the types of the language, and of templates and names. A key of one that is not about a JSON type
// is passed over for values of that type, so that one schema does for a number and for the text that stands for it.
func types() map[spec.Type]object {
	text := object{"$ref": "#/$defs/type.text"}
	return map[spec.Type]object{
		"template": {"type": some("string"), "pattern": template, "description": "A text with ${…} in it, whose value is not known before the plan is loaded."},
		"text":     {"type": []string{"string", "number", "boolean"}},
		"name":     {"pattern": "^[A-Za-z_][A-Za-z0-9_-]{0,63}$", "description": "A letter, and up to 63 letters, digits, hyphens and underscores."},

		spec.String:     {"type": some("string", "number", "boolean"), "minLength": 1},
		spec.Host:       {"type": some("string", "number", "boolean"), "pattern": or(`[^/ \t\n@]+`), "description": "A host name or address, without a port."},
		spec.Path:       {"type": some("string", "number", "boolean"), "minLength": 1, "description": "A path on the runner's host; ~/ is the home folder."},
		spec.ServerPath: {"type": some("string"), "pattern": "^/|" + template, "description": "An absolute path on the server's host."},
		spec.Number:     {"type": some("integer", "string"), "pattern": or(`-?[0-9]+`), "description": "A whole number."},
		spec.Bool:       {"type": some("boolean", "string"), "pattern": or("true|false|1|0")},
		spec.Size:       {"type": some("integer", "string"), "minimum": 0, "pattern": or(size), "description": "Bytes: 100, 64K, 20GiB. All units are binary."},
		spec.Rate:       {"type": some("integer", "string"), "minimum": 0, "pattern": or(size + "(/s)?"), "description": "Bytes a second: 100M, 100MiB/s. All units are binary."},
		spec.Duration:   {"type": some("integer", "string"), "minimum": 0, "maximum": 0, "minLength": 1, "pattern": or(duration), "description": "Numbers with units: 90s, 1h30m, 2d."},
		spec.Amount:     {"type": some("integer", "string"), "minimum": 0, "pattern": or(size + `|[0-9]+(\.[0-9]+)? ?%`), "description": "A size such as 20G, or a percentage such as 5%."},
		spec.Map:        {"type": some("object", "string"), "additionalProperties": text, "pattern": reference, "description": "Texts by name."},
		spec.List:       {"type": some("array", "string"), "items": text, "pattern": reference, "description": "Texts."},
		spec.Secret:     {"type": some("string", "number", "boolean")},
		spec.SourceRef:  {"type": some("string"), "pattern": reference, "description": "${source.mysql.NAME}"},
		spec.RepoRef:    {"type": some("string"), "pattern": reference, "description": "${repository.local.NAME}"},
		spec.JobRefs:    {"type": some("array", "string"), "items": object{"type": "string", "pattern": reference}, "pattern": reference, "description": "A list of ${job.NAME}."},
		spec.ForEach:    {"type": some("object", "array", "string"), "items": text, "pattern": reference, "description": "A mapping, or a list of different texts."},
		spec.TypeName:   {"type": some("string"), "minLength": 1, "description": "string, number, bool, any, list(…), set(…), map(…) or object({ name = type })."},
		spec.Any:        {"description": "A value of any type."},
		spec.Condition:  {"type": []string{"string", "number", "boolean"}, "description": "An expression, such as ${length(var.NAME) > 3}."},
	}
}
