package donor

import (
	"slices"
	"strconv"

	"runner/pkg/clone/internal/wire"
)

// parameters are what a donor says of itself at INIT.
func (s *Session) parameters(c *Conn, protocol uint32) error {
	plugins, collations := s.Plugins, s.Collations
	if plugins == nil {
		plugins = [][2]string{{"binlog", ""}, {"InnoDB", ""}, {"caching_sha2_password", ""}, {"clone", "mysql_clone.so"}}
	}
	if collations == nil {
		collations = []string{"utf8mb4_0900_ai_ci", "latin1_swedish_ci"}
	}
	for _, p := range plugins {
		kind, names := wire.ResponsePlugin, []string{p[0]}
		if protocol >= wire.Version2 {
			kind, names = wire.ResponsePluginV2, p[:]
		}
		if err := c.Send(kind, wire.AppendStrings(nil, names...)); err != nil {
			return err
		}
	}
	for _, name := range collations {
		if err := c.Send(wire.ResponseCollation, wire.AppendStrings(nil, name)); err != nil {
			return err
		}
	}
	return s.configs(c, protocol)
}

// Settings that a donor tells with later versions of the protocol.
const (
	configTimeout = "clone_donor_timeout_after_network_failure" // minutes
	configJSON    = "json_configs"
)

func (s *Session) configs(c *Conn, protocol uint32) error {
	version := orElse(c.server.options.Version, defaultVersion)
	all := [][2]string{
		{"version", version},
		{"version_compile_machine", "x86_64"},
		{"version_compile_os", "Linux"},
		{"character_set_server", "utf8mb4"},
		{"character_set_filesystem", "binary"},
		{"collation_server", "utf8mb4_0900_ai_ci"},
		{"innodb_page_size", strconv.Itoa(orElse(s.PageSize, 16<<10))},
		{configTimeout, "5"},
		{configJSON, `{"version":` + strconv.Quote(version) + `,"maturity":"LTS"}`},
	}
	for _, other := range s.Configs {
		if i := slices.IndexFunc(all, func(c [2]string) bool { return c[0] == other[0] }); i >= 0 {
			all[i] = other
		} else {
			all = append(all, other)
		}
	}
	for _, config := range all {
		kind, since := wire.ResponseConfig, wire.Version1
		switch config[0] {
		case configTimeout:
			kind, since = wire.ResponseConfigV3, wire.Version3
		case configJSON:
			kind, since = wire.ResponseConfigV4, wire.Version4
		}
		if protocol < since {
			continue
		}
		if err := c.Send(kind, wire.AppendStrings(nil, config[0], config[1])); err != nil {
			return err
		}
	}
	return nil
}
