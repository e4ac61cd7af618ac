// Package schemas holds the JSON Schemas (draft 2020-12) of what runner reads and writes. They are generated from the Go
// types and from the description of the plan language: make generate.
package schemas

import (
	"embed"
	"fmt"
)

//go:generate go run ../cmd/runner/internal/schema .

//go:embed *.schema.json
var files embed.FS

// Names are the schemas that there are: of a plan in YAML or JSON, of a manifest.json, of one line of --json, and of
// header.json and one line of journal.jsonl.
func Names() []string { return []string{"plan", "manifest", "event", "journal"} }

// Read gives the text of a schema. The error is fs.ErrNotExist, wrapped, for a name that is not one of [Names].
func Read(name string) ([]byte, error) {
	text, err := files.ReadFile(name + ".schema.json")
	if err != nil {
		return nil, fmt.Errorf("read schema %s: %w", name, err)
	}
	return text, nil
}
