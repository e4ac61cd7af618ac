package cli

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"runner/cmd/runner/internal/report"
	"runner/pkg/plan/diag"
	"runner/schemas"
)

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema plan|manifest|event|journal",
		Short: "Print the JSON Schema of what runner reads or writes",
		Long: `Prints a JSON Schema (draft 2020-12), for editors and for programs that read what runner writes:

  plan       a plan in YAML or JSON, as this version accepts it
  manifest   manifest.json of a backup
  event      one line of what --json prints
  journal    header.json, and one line of journal.jsonl, of a run in the state directory` + exits("done", helpFailed, helpUsage),
		Example: `  runner schema plan > plan.schema.json
  runner schema event | jq '."$defs" | keys'`,
		Args:      a.arguments(1, 1),
		ValidArgs: schemas.Names(),
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.Contains(schemas.Names(), args[0]) {
				return usagef(c.CommandPath(), "there is no schema of %q: %s", args[0], strings.Join(schemas.Names(), ", "))
			}
			text, err := schemas.Read(args[0])
			if err != nil {
				return err
			}
			if a.global.json {
				return report.JSONLine(a.Stdout, "schema", schemaLine{args[0], text})
			}
			_, err = a.Stdout.Write(text)
			return err
		},
	}
}

// schemaLine: type schema.
type schemaLine struct {
	Name   string          `json:"name"`   // plan, manifest, event or journal
	Schema json.RawMessage `json:"schema"` // the whole of it
}

// LineTypes maps each type of JSON line to the Go types of its members, one for each form that it has, for the schema.
func LineTypes() map[string][]any {
	lines := map[string][]any{}
	for typ, line := range report.LineTypes() {
		lines[typ] = []any{line}
	}
	for typ, line := range commandLines() {
		lines[typ] = append(lines[typ], line)
	}
	return lines
}

// commandLines are the lines that the commands print themselves.
func commandLines() map[string]any {
	return map[string]any{
		"backup": listLine{}, "diagnostic": diag.Line{}, "graph": graphLine{}, "index_rebuilt": indexRebuiltLine{},
		"manifest": manifestLine{}, "member": memberLine{}, "note": remarkLine{},
		"plan": planLine{}, "restored": restoredLine{}, "run": runLine{}, "schema": schemaLine{}, "verified": verifiedLine{},
		"version": versionLine{},
	}
}
