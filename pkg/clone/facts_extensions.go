package clone

import (
	"context"
	"database/sql"
	"strings"
)

// Plugin is a row of information_schema.plugins.
type Plugin struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Status  string `json:"status"`
	Type    string `json:"type"`
	Library string `json:"library,omitempty"` // "": built in
}

// Active reports whether the plugin works.
func (p Plugin) Active() bool { return p.Status == "ACTIVE" }

// Plugin finds one by its name; the zero Plugin when it is not there.
func (f *Facts) Plugin(name string) (Plugin, bool) {
	for _, p := range f.Plugins {
		if strings.EqualFold(p.Name, name) {
			return p, true
		}
	}
	return Plugin{}, false
}

// Keyring is what keeps the keys of encrypted tablespaces.
type Keyring struct {
	Name   string `json:"name"` // "": none
	Status string `json:"status"`
}

func (r *reader) plugins(ctx context.Context) error {
	return r.each(ctx, "SELECT PLUGIN_NAME, PLUGIN_VERSION, PLUGIN_STATUS, PLUGIN_TYPE, PLUGIN_LIBRARY FROM information_schema.plugins ORDER BY PLUGIN_NAME",
		func(rows *sql.Rows) error {
			var p Plugin
			var library sql.NullString
			err := rows.Scan(&p.Name, &p.Version, &p.Status, &p.Type, &library)
			p.Library = library.String
			r.facts.Plugins = append(r.facts.Plugins, p)
			return err
		})
}

func (r *reader) components(ctx context.Context) error {
	urns, err := r.column(ctx, "SELECT component_urn FROM mysql.component ORDER BY component_urn")
	r.facts.Components = urns
	return err
}

// readKeyring looks for a plugin first, which everybody may see, then for a component, whose table is there from 8.0.24 on. A
// server without one answers that table with a warning in its error log, so it is asked only where keys are in use.
func (r *reader) readKeyring(ctx context.Context) error {
	f := r.facts
	for _, p := range f.Plugins {
		if p.Type == "KEYRING" && p.Active() {
			f.Keyring = Keyring{Name: p.Name, Status: p.Status}
			return nil
		}
	}
	if f.Version.HasClone() && !f.Version.AtLeast(8, 0, 24) {
		return nil
	}
	if _, hidden := f.Unknown[FactSpaces]; !r.keyring && !hidden && len(f.EncryptedParts()) == 0 {
		return unread("nothing is encrypted, so it was not asked for")
	}
	if !f.PerformanceSchema {
		return unread("performance_schema is OFF")
	}
	return r.each(ctx, "SELECT STATUS_KEY, STATUS_VALUE FROM performance_schema.keyring_component_status", func(rows *sql.Rows) error {
		var key, value string
		err := rows.Scan(&key, &value)
		switch strings.ToLower(key) {
		case "component_name":
			f.Keyring.Name = value
		case "component_status":
			f.Keyring.Status = value
		}
		return err
	})
}
