package clone

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"runner/pkg/innodb"
)

// MissingSpace is a tablespace that the server knows and has no rows of: its file is gone, or was discarded.
type MissingSpace struct {
	Name   string   `json:"name"`   // of the tablespace, as the server has it
	Tables []string `json:"tables"` // schema.table, as in SQL, of what is in it
	Why    string   `json:"why"`    // discarded, corrupted, or no file
}

// String names the tables, and says what is wrong.
func (m MissingSpace) String() string {
	if len(m.Tables) == 0 {
		return m.Name + " (" + m.Why + ")"
	}
	return strings.Join(m.Tables, ", ") + " (" + m.Why + ")"
}

// stays is how long a tablespace without a file has to stay so: one that is being made or dropped has none for an instant.
const stays = 200 * time.Millisecond

// missing lists the tablespaces without content. InnoDB does not start without its own ones, so that those are left out.
func (r *reader) missing(ctx context.Context) error {
	if why, unknown := r.facts.Unknown[FactSpaces]; unknown {
		return unread("the tablespaces are not known: " + why)
	}
	gone := missingOf(r.facts.Spaces)
	if len(gone) == 0 {
		return nil
	}
	if err := pause(ctx, stays); err != nil {
		return err
	}
	again, err := r.rows(ctx)
	if err != nil {
		return err
	}
	for _, t := range missingOf(again) {
		if !slices.ContainsFunc(gone, func(g Tablespace) bool { return g.ID == t.ID }) {
			continue
		}
		m := MissingSpace{Name: t.Name, Why: t.absence()}
		if m.Tables, err = r.tablesIn(ctx, t); err != nil {
			return err
		}
		r.facts.Missing = append(r.facts.Missing, m)
	}
	return nil
}

func missingOf(spaces []Tablespace) (missing []Tablespace) {
	for _, t := range spaces {
		if t.Name != spaceTemporary && t.Type != spaceSystem && t.absence() != "" {
			missing = append(missing, t)
		}
	}
	return missing
}

// absence says why there is no content; empty: there is.
func (t Tablespace) absence() string {
	switch state := strings.ToLower(t.State); {
	case state == "discarded" || state == "corrupted":
		return state
	case t.FileSize == 0:
		return "no file"
	}
	return ""
}

// tablesIn names the tables of a tablespace.
func (r *reader) tablesIn(ctx context.Context, t Tablespace) (tables []string, err error) {
	if t.Type != spaceGeneral {
		return []string{tableOf(t.Name)}, nil
	}
	err = r.each(ctx, fmt.Sprintf("SELECT NAME FROM information_schema.innodb_tables WHERE SPACE = %d ORDER BY NAME", t.ID), func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		tables = append(tables, tableOf(name))
		return err
	})
	return tables, err
}

// tableOf is schema.table of InnoDB's name of a table, with its partition.
func tableOf(name string) string {
	f := innodb.FileOf(name + ".ibd")
	if f.Table == "" {
		return name
	}
	table := f.Schema + "." + f.Table
	if f.Partition != "" {
		table += " partition " + f.Partition
	}
	if f.Subpartition != "" {
		table += " subpartition " + f.Subpartition
	}
	return table
}
