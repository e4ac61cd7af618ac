package clone

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/mysqld/mysqldtest"
)

func TestThisServerTakesEveryPin(t *testing.T) {
	s := mysqldtest.Start(t, mysqldtest.WithoutClone())
	for _, p := range pins() {
		if _, err := s.Pool().ExecContext(t.Context(), setStatement([][2]string{p})); err != nil {
			t.Errorf("%s = %s: %v", p[0], p[1], err)
		}
	}
	if _, err := s.Pool().ExecContext(t.Context(), setStatement(pins())); err != nil {
		t.Errorf("all at once: %v", err)
	}
}

// hostile gives every session variable a value that a server may have globally: the least, and the most, of a number, the other
// of a switch, and of what is neither one that changes what statements mean.
func hostile(t *testing.T, s *mysqldtest.Server, least bool) (values map[string]string) {
	t.Helper()
	values = map[string]string{
		"sql_mode": "'ANSI_QUOTES,PIPES_AS_CONCAT,IGNORE_SPACE,HIGH_NOT_PRECEDENCE,NO_UNSIGNED_SUBTRACTION,PAD_CHAR_TO_FULL_LENGTH'", "time_zone": "'-11:00'",
		"character_set_client": "latin1", "character_set_connection": "latin1", "character_set_results": "latin7", "collation_connection": "latin1_german2_ci",
		"lc_time_names": "'de_DE'", "lc_messages": "'de_DE'", "completion_type": "'RELEASE'", "transaction_isolation": "'READ-UNCOMMITTED'",
		"default_storage_engine": "MyISAM", "internal_tmp_mem_storage_engine": "MEMORY", "resultset_metadata": "'NONE'", "explain_format": "'TREE'",
		"use_secondary_engine": "'FORCED'", "terminology_use_previous": "'BEFORE_8_2_0'", "session_track_transaction_info": "'CHARACTERISTICS'", "session_track_gtids": "'ALL_GTIDS'",
	}
	at := map[bool]int{true: 2, false: 3}[least]
	for _, row := range s.Query(t, "SELECT VARIABLE_NAME, DATA_TYPE, MIN_VALUE, MAX_VALUE FROM performance_schema.variables_metadata WHERE VARIABLE_SCOPE = 'SESSION'") {
		name, kind := row[0], row[1]
		if _, named := values[name]; named {
			continue
		}
		switch kind {
		case "Integer", "Numeric":
			values[name] = row[at]
		case "Boolean":
			values[name] = "NOT @@GLOBAL." + name
		}
	}
	return values
}

// unchanging is what facts and findings say of a server that does not change, apart from settings that are facts themselves.
func unchanging(t *testing.T, c Config, target Target) any {
	t.Helper()
	s := open(t, c)
	f, err := s.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, finding := range s.Check(t.Context(), f, target) {
		found = append(found, fmt.Sprint(finding.Code, " ", finding.Severity, " ", finding.Summary))
	}
	slices.Sort(found)
	src := f.Source
	src.SQLMode, src.TimeZone, src.CharacterSet, src.Collation, src.RestoreCNF, src.BinlogFormat = "", "", "", "", "", ""
	return []any{src, f.Account, f.Plugins, f.Components, f.Keyring, f.Spaces, f.External, f.Encrypted, f.Lost, f.EstimateBytes, f.DiskBytes, f.Unknown, found}
}

func TestNoSettingOfTheServerChangesFactsOrFindings(t *testing.T) {
	for _, least := range []bool{true, false} {
		t.Run(map[bool]string{true: "the least of all numbers", false: "the most"}[least], func(t *testing.T) {
			s := mysqldtest.Start(t)
			s.Exec(t, "CREATE DATABASE d", "CREATE TABLE d.p (id INT) PARTITION BY HASH(id) PARTITIONS 30", "CREATE TABLE d.m (id INT) ENGINE=MyISAM",
				"CREATE TABLE d.`ü\"ß` (id INT) ENGINE=MyISAM", "CREATE USER b IDENTIFIED BY 'b'", "GRANT BACKUP_ADMIN, PROCESS, SHOW VIEW, SYSTEM_VARIABLES_ADMIN ON *.* TO b",
				"GRANT SELECT ON performance_schema.* TO b")
			c := asRoot(s)
			c.User, c.Password = "b", "b"
			where := target(t, s)
			before := unchanging(t, c, where)
			var session []string
			own := open(t, c)
			for name, value := range hostile(t, s, least) {
				if slices.Contains([]string{"max_user_connections", "max_allowed_packet", "net_buffer_length", "connection_memory_limit"}, name) {
					continue // limits of the server, which are findings of their own or end every session
				}
				if _, err := s.Pool().ExecContext(t.Context(), "SET GLOBAL "+name+" = "+value); err != nil {
					continue
				}
				if _, err := own.db.ExecContext(t.Context(), "SET SESSION "+name+" = @@GLOBAL."+name); err == nil {
					session = append(session, name+" = @@GLOBAL."+name)
				}
			}
			// init_connect is run for b, whose sessions begin with what it says.
			s.Exec(t, "SET SESSION sql_mode = ''", `SET GLOBAL init_connect = "SET `+strings.Join(session, ", ")+`, timestamp = 1, sql_select_limit = 1"`)
			if len(session) < 100 {
				t.Errorf("only %d variables were set", len(session))
			}
			if diff := cmp.Diff(before, unchanging(t, c, where)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
