package report_test

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"runner/cmd/runner/internal/report"
)

// members are the names of a line's members, those of embedded types included.
func members(t reflect.Type) (names []string) {
	for f := range t.Fields() {
		if f.Anonymous {
			names = append(names, members(f.Type)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

func TestTheSpecificationNamesEveryLineAndMember(t *testing.T) {
	spec, err := os.ReadFile("../../OUTPUT.md")
	if err != nil {
		t.Fatal(err)
	}
	// The rows of a type: from the one that names it to the next that names one.
	documented := make(map[string][]string)
	current := ""
	row := regexp.MustCompile("^\\| (?:`([a-z_]+)` )?\\| ((?:`[a-z_]+`(?:, )?)+) \\|")
	views, _, _ := strings.Cut(string(spec), "### Backups and runs") // there, the commands' own lines follow
	for _, line := range strings.Split(views, "\n") {
		m := row.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if m[1] != "" {
			current = m[1]
		}
		for _, name := range strings.Split(m[2], ", ") {
			documented[current] = append(documented[current], strings.Trim(name, "`"))
		}
	}
	for typ, line := range report.LineTypes() {
		want := members(reflect.TypeOf(line))
		got := documented[typ]
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			t.Errorf("type %s: the line has %q, OUTPUT.md has %q", typ, want, got)
		}
	}
}

func TestEveryJSONLineHasAKnownTypeAndItsMembersInOrder(t *testing.T) {
	stdout, _ := shown(t, report.Options{JSON: true}, func(p player) {
		p.apply()
		p.discoveries("job.orders")
	})
	types := report.LineTypes()
	seen := map[string]bool{"version": true, "summary": true}
	for _, line := range strings.Split(strings.TrimSpace(stdout), "\n") {
		var head struct {
			Type string `json:"type"`
			Time string `json:"time"`
		}
		if err := json.Unmarshal([]byte(line), &head); err != nil {
			t.Fatal(err)
		}
		fields, ok := types[head.Type]
		if !ok || !strings.HasPrefix(line, `{"type":"`+head.Type+`","time":"`+head.Time+`"`) {
			t.Errorf("line: %s", line)
			continue
		}
		seen[head.Type] = true
		all := reflect.StructOf([]reflect.StructField{
			{Name: "Type", Type: reflect.TypeFor[string](), Tag: `json:"type"`},
			{Name: "Time", Type: reflect.TypeFor[string](), Tag: `json:"time"`},
			{Name: "Line", Type: reflect.TypeOf(fields), Anonymous: true},
		})
		decoder := json.NewDecoder(bytes.NewReader([]byte(line)))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(reflect.New(all).Interface()); err != nil {
			t.Errorf("line %s: %v", line, err)
		}
	}
	for typ := range types {
		if !seen[typ] {
			t.Errorf("no line of type %s was shown", typ)
		}
	}
}
