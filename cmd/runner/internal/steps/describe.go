package steps

import (
	"fmt"
	"strconv"

	"github.com/dustin/go-humanize"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/clone"
)

// factRows are the facts that a person wants to see before a backup.
func factRows(f *clone.Facts) []engine.Row {
	s := f.Source
	row := func(name, value, from string) engine.Row {
		if reason, unknown := s.Unknown[from]; unknown {
			return engine.Row{Name: name, Value: "unknown: " + reason, From: from}
		}
		if value == "" {
			value = "-"
		}
		return engine.Row{Name: name, Value: value, From: from}
	}
	rows := []engine.Row{
		row("server", s.Version+" ("+s.VersionComment+")", "version"),
		row("address", f.Address, ""),
		row("server_uuid", s.ServerUUID, "server_uuid"),
		row("data directory", s.DataDir, "datadir"),
		row("account", f.Account.User, "current_user()"),
		row("InnoDB page size", strconv.Itoa(s.InnodbPageSize), "innodb_page_size"),
		row("gtid_mode", s.GTIDMode, "gtid_mode"),
		row("binary log", onOff(s.LogBin), "log_bin"),
		row("read only", onOff(s.ReadOnly), "read_only"),
		row("keyring", s.Keyring, "keyring"),
	}
	data := "unknown"
	if reason, unknown := f.Unknown[clone.FactSpaces]; unknown {
		data += ": " + reason
	} else {
		data = fmt.Sprintf("%s in %d tablespaces", humanize.IBytes(uint64(f.EstimateBytes)), len(f.Spaces))
	}
	return append(rows, engine.Row{Name: "data", Value: data, From: "information_schema.innodb_tablespaces"})
}

func onOff(b *bool) string {
	switch {
	case b == nil:
		return "unknown"
	case *b:
		return "on"
	}
	return "off"
}

// lostTables are the tables of which the backup holds no rows. The server's own log tables are left out: they are
// empty unless log_output says otherwise.
func lostTables(f *clone.Facts) []string {
	var names []string
	for _, t := range f.Lost {
		if !t.ServerLog() {
			names = append(names, t.String())
		}
	}
	return names
}

// notCloned is what CLONE does not copy, in words; "Clone Plugin Limitations" of MySQL's manual.
func notCloned(f *clone.Facts) []string {
	other := []string{"binary logs and relay logs", "option files, mysqld-auto.cnf and auto.cnf", "TLS certificates and keys in the data directory"}
	if f.Source.Keyring != "" {
		other = append(other, "the keyring ("+f.Source.Keyring+"): without it, encrypted tablespaces can't be read")
	}
	if _, unknown := f.Unknown[clone.FactLost]; unknown {
		other = append(other, "possibly rows of tables that are not InnoDB: the account may not see all tables")
	}
	return other
}
