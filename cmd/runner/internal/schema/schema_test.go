package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"runner/schemas"
)

const root = "../../../.."

func TestTheSchemasAreThoseOfTheSources(t *testing.T) {
	files, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	there, err := filepath.Glob(filepath.Join(root, "schemas", "*.json"))
	if err != nil || len(there) != len(files) || len(files) != len(schemas.Names()) {
		t.Errorf("schemas/ holds %q (%v), and %d are made", there, err, len(files))
	}
	for _, name := range schemas.Names() {
		text, err := schemas.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(text, files[name+".schema.json"]) {
			t.Errorf("schemas/%s.schema.json is stale: make generate", name)
		}
	}
}

// compiled also holds the schema against the schema of schemas.
func compiled(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	text, err := schemas.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	id, _ := document.(map[string]any)["$id"].(string)
	if err := c.AddResource(id, document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestLinesAreHeldToTheirType(t *testing.T) {
	event := compiled(t, "event")
	const at = `"time":"2026-11-22T10:03:29.5Z"`
	for line, good := range map[string]bool{
		`{"type":"version",` + at + `,"schema":1,"runner":"v1"}`:         true,
		`{"type":"version",` + at + `,"schema":"1","runner":"v1"}`:       false,
		`{"type":"version","time":"yesterday","schema":1,"runner":"v1"}`: false,
		`{"type":"version","schema":1,"runner":"v1"}`:                    false,
		`{` + at + `}`: false,
		`{"type":"of a later version",` + at + `,"x":1}`:                                                         true,
		`{"type":"summary",` + at + `,"exit_code":0,"of_a_later_version":[]}`:                                    true,
		`{"type":"summary",` + at + `}`:                                                                          false,
		`{"type":"step_started",` + at + `,"job":"job.a","step":"clone"}`:                                        true,
		`{"type":"step_started",` + at + `,"job":"job.a"}`:                                                       false,
		`{"type":"space",` + at + `,"job":"job.a","purpose":"staging","path":"/","need":null,"free":1}`:          true,
		`{"type":"space",` + at + `,"job":"job.a","purpose":"staging","path":"/","need":"1","free":1}`:           false,
		`{"type":"backup",` + at + `,"job":"job.a","run":"r","path":"/","bytes":1,"raw_bytes":1}`:                true,
		`{"type":"backup",` + at + `,"path":"/","error":"unreadable"}`:                                           true,
		`{"type":"backup",` + at + `,"job":"job.a"}`:                                                             false,
		`{"type":"run_started",` + at + `,"run":"r","attempt":1,"jobs":[],"steps":[{"job":"a","step":"b"}]}`:     true,
		`{"type":"run_started",` + at + `,"run":"r","attempt":1,"jobs":[],"steps":[{"job":"a"}]}`:                false,
		`{"type":"diagnostic",` + at + `,"severity":"error","summary":"s","detail":"d","line":"3"}`:              false,
		`{"type":"diagnostic",` + at + `,"severity":"error","summary":"s","detail":"d","line":3,"file":"p.hcl"}`: true,
	} {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		if err != nil {
			t.Fatal(err)
		}
		if err := event.Validate(document); (err == nil) != good {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestTheSpecificationOfTheOutputNamesEveryMemberOfTheCommandsLines(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "cmd", "runner", "OUTPUT.md"))
	if err != nil {
		t.Fatal(err)
	}
	event, err := eventSchema(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, def := range event["$defs"].(object) {
		if strings.HasPrefix(name, "manifest.") {
			continue
		}
		for member := range def.(object)["properties"].(object) {
			if !bytes.Contains(text, []byte("`"+member+"`")) && !bytes.Contains(text, []byte(`"`+member+`"`)) {
				t.Errorf("OUTPUT.md doesn't name %s of %s", member, name)
			}
		}
	}
}

type described struct {
	Count   int               `json:"count"` // how many
	Maybe   *int              `json:"maybe"`
	Where   *where            `json:"where"`
	Left    *int              `json:"left,omitempty"`
	Numbers []uint64          `json:"numbers"`
	Texts   map[string]string `json:"texts,omitempty"`
	where
}

// where is a place.
type where struct {
	// Path is a file.
	Path string `json:"path"` // absolute
}

func TestATypeBecomesTheSchemaOfItsJSON(t *testing.T) {
	b := newBuilder(root)
	b.comments.packages[reflect.TypeFor[described]().PkgPath()] = map[string]string{"described.Count": "how many"}
	b.of(reflect.TypeFor[described]())
	got, err := encode(b.defs["schema.described"])
	if err != nil || len(b.errs) > 0 {
		t.Fatal(err, b.errs)
	}
	want, err := encode(object{
		"type":     "object",
		"required": []string{"count", "maybe", "where", "numbers", "path"},
		"properties": object{
			"count":   object{"type": "integer", "description": "how many"},
			"maybe":   object{"type": []string{"integer", "null"}},
			"where":   object{"anyOf": []any{object{"$ref": "#/$defs/schema.where"}, object{"type": "null"}}},
			"left":    object{"type": "integer"},
			"numbers": object{"type": "array", "items": object{"type": "integer", "minimum": 0}},
			"texts":   object{"type": "object", "additionalProperties": object{"type": "string"}},
			"path":    object{"type": "string"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestATypeThatCannotBeDescribedIsAnError(t *testing.T) {
	for _, value := range []any{
		make(chan int), func() {}, struct{ Unnamed int }{}, jsonschema.Schema{}, &bytes.Buffer{},
	} {
		b := newBuilder(root)
		b.of(reflect.TypeOf(value))
		if len(b.errs) == 0 {
			t.Errorf("%T: no error", value)
		}
	}
}
