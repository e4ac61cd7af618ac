// Command schema writes the JSON Schemas of schemas/: those of the manifest, the journal and the JSON lines from the Go
// types that are written and the comments at their members, that of the plan from the description of the language.
//
//	schema FOLDER      FOLDER is schemas/
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "schema:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: schema FOLDER")
	}
	files, err := generate(filepath.Join(args[0], ".."))
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(args[0], name), text, 0o644); err != nil {
			return fmt.Errorf("write schema: %w", err)
		}
	}
	return nil
}

// generate gives the text of each file of schemas/. The comments are read from the module in root.
func generate(root string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, document := range map[string]func(root string) (object, error){
		"plan": planSchema, "manifest": manifestSchema, "event": eventSchema, "journal": journalSchema,
	} {
		body, err := document(root)
		if err != nil {
			return nil, fmt.Errorf("make schema of %s: %w", name, err)
		}
		body["$schema"] = "https://json-schema.org/draft/2020-12/schema"
		body["$id"] = "urn:runner:schema:" + name
		if files[name+".schema.json"], err = encode(body); err != nil {
			return nil, fmt.Errorf("encode schema of %s: %w", name, err)
		}
	}
	return files, nil
}

// object is a JSON object; it is written with its keys sorted.
type object map[string]any

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return b.Bytes(), err
}
