package clone

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
)

// variables reads every global variable and fills what follows from them alone. Any account may read them.
func (r *reader) variables(ctx context.Context) error {
	f := r.facts
	vars, err := r.pairs(ctx, "SHOW GLOBAL VARIABLES")
	if err != nil {
		return wrap("read global variables", err)
	}
	f.Variables = vars
	// A version that is not one stays zero: what reads it finds a server that is too old, by its text.
	f.Version, err = ParseVersion(vars["version"], vars["version_comment"])
	if err != nil {
		f.Unknown["version"] = err.Error()
	}
	f.Flavour = f.Version.Flavour
	f.DataHomeDir = vars["innodb_data_home_dir"]
	f.PerformanceSchema = isOn(vars["performance_schema"])
	f.PartialRevokes = isOn(vars["partial_revokes"])
	status, err := r.pairs(ctx, "SHOW SESSION STATUS LIKE 'Ssl_cipher'")
	if err != nil {
		return wrap("read TLS cipher", err)
	}
	f.TLSCipher = status["ssl_cipher"]
	r.source(vars)
	return nil
}

// pairs reads a result of names and values; names come in lower case.
func (r *reader) pairs(ctx context.Context, query string) (map[string]string, error) {
	values := map[string]string{}
	err := r.each(ctx, query, func(rows *sql.Rows) error {
		var name string
		var value sql.NullString
		err := rows.Scan(&name, &value)
		values[strings.ToLower(name)] = value.String
		return err
	})
	return values, err
}

func (r *reader) source(vars map[string]string) {
	src := &r.facts.Source
	src.Unknown = map[string]string{}
	text := func(name string) string {
		v, there := vars[name]
		if !there {
			src.Unknown[name] = "this server has no such variable"
		}
		return v
	}
	flag := func(name string) *bool {
		v, there := vars[name]
		if !there {
			src.Unknown[name] = "this server has no such variable"
			return nil
		}
		on := isOn(v)
		return &on
	}
	integer := func(name string) int {
		n, err := strconv.Atoi(text(name))
		if err != nil && src.Unknown[name] == "" {
			src.Unknown[name] = err.Error()
		}
		return n
	}
	src.ServerUUID, src.Host, src.Port, src.Socket = text("server_uuid"), text("hostname"), integer("port"), text("socket")
	src.DataDir, src.Version, src.VersionComment = text("datadir"), text("version"), text("version_comment")
	src.Arch, src.OS = text("version_compile_machine"), text("version_compile_os")
	src.ReadOnly, src.SuperReadOnly, src.LogBin = flag("read_only"), flag("super_read_only"), flag("log_bin")
	src.GTIDMode, src.BinlogFormat = text("gtid_mode"), text("binlog_format")
	if names := integer("lower_case_table_names"); src.Unknown["lower_case_table_names"] == "" {
		src.LowerCaseTableNames = &names
	}
	src.InnodbPageSize, src.InnodbDataFilePath = integer("innodb_page_size"), text("innodb_data_file_path")
	src.CharacterSet, src.Collation = text("character_set_server"), text("collation_server")
	src.SQLMode, src.TimeZone = text("sql_mode"), text("time_zone")
}

// finish fills what follows from several facts together.
func (r *reader) finish() {
	f, src := r.facts, &r.facts.Source
	for _, p := range f.Plugins {
		if p.Active() && p.Library != "" {
			src.Plugins = append(src.Plugins, p.Name)
		}
	}
	src.Components, src.Keyring = f.Components, f.Keyring.Name
	for _, space := range f.Spaces {
		if space.Type == spaceUndo {
			src.UndoTablespaces = append(src.UndoTablespaces, space.Name)
		}
	}
	for fact, field := range map[string]string{
		FactPlugins: "plugins", FactComponents: "components", FactKeyring: "keyring", FactSpaces: "undo_tablespaces",
	} {
		if why, unknown := f.Unknown[fact]; unknown {
			src.Unknown[field] = why
		}
	}
	f.Reading = f.reading()
	src.RestoreCNF = restoreCNF(f, "source")
}

func isOn(value string) bool {
	switch strings.ToUpper(value) {
	case "ON", "1", "YES", "TRUE":
		return true
	}
	return false
}
