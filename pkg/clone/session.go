package clone

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
)

// pins are the session variables that what a statement does or answers depends on, with the value that each has in our
// sessions, as SQL. The server's global values, the account's and init_connect, which runs before our first statement, then
// change nothing. None is DEFAULT, which stands for the global value. They are those of "Server System Variables" in the
// manual that have session scope, that 8.0.17 has, and that any account may set.
//
// With NO_BACKSLASH_ESCAPES a literal is quoted by doubling its quotes and nothing else; a session that waits for hours beside a
// clone is not thrown out by a short wait_timeout. net_write_timeout is how long a server takes to notice that a recipient is gone, and
// keeps its snapshot from whoever takes it up again: it has the server's own default.
func pins() [][2]string {
	return [][2]string{
		{"sql_mode", "'NO_BACKSLASH_ESCAPES'"},
		{"time_zone", "'+00:00'"},
		{"autocommit", "1"},
		{"character_set_client", "utf8mb4"},
		{"character_set_connection", "utf8mb4"},
		{"character_set_results", "utf8mb4"},
		{"collation_connection", "utf8mb4_general_ci"},
		{"lc_time_names", "'en_US'"},
		{"lc_messages", "'en_US'"},
		{"sql_select_limit", "18446744073709551615"},
		{"max_join_size", "18446744073709551615"},
		{"sql_big_selects", "1"},
		{"sql_safe_updates", "0"},
		{"sql_auto_is_null", "0"},
		{"sql_buffer_result", "0"},
		{"sql_quote_show_create", "1"},
		{"sql_notes", "1"},
		{"sql_warnings", "0"},
		{"group_concat_max_len", "1048576"},
		{"max_sort_length", "1024"},
		{"div_precision_increment", "4"},
		{"cte_max_recursion_depth", "1000"},
		{"max_execution_time", "0"},
		{"completion_type", "'NO_CHAIN'"},
		{"transaction_isolation", "'REPEATABLE-READ'"},
		{"transaction_read_only", "0"},
		{"lock_wait_timeout", "31536000"},
		{"innodb_lock_wait_timeout", "50"},
		{"wait_timeout", "86400"},
		{"interactive_timeout", "86400"},
		{"net_read_timeout", "60"},
		{"net_write_timeout", "60"},
		{"sort_buffer_size", "262144"},
		{"join_buffer_size", "262144"},
		{"read_buffer_size", "131072"},
		{"read_rnd_buffer_size", "262144"},
		{"tmp_table_size", "16777216"},
		{"max_heap_table_size", "16777216"},
		{"big_tables", "0"},
		{"default_storage_engine", "InnoDB"},
		{"default_tmp_storage_engine", "InnoDB"},
		{"information_schema_stats_expiry", "0"},
		{"max_seeks_for_key", "18446744073709551615"},
		{"optimizer_switch", "'index_merge=on,derived_merge=on'"},
		{"range_optimizer_max_mem_size", "8388608"},
		{"parser_max_mem_size", "18446744073709551615"},
		{"optimizer_search_depth", "62"},
		{"optimizer_prune_level", "1"},
		{"eq_range_index_dive_limit", "200"},
		{"resultset_metadata", "'FULL'"},
		{"windowing_use_high_precision", "1"},
		{"print_identified_with_as_hex", "0"},
		{"use_secondary_engine", "'ON'"},
		{"explicit_defaults_for_timestamp", "1"},
		{"old_alter_table", "0"},
		{"profiling", "0"},
		{"session_track_schema", "0"},
		{"session_track_state_change", "0"},
		{"session_track_system_variables", "''"},
		{"session_track_gtids", "'OFF'"},
		{"session_track_transaction_info", "'OFF'"},
	}
}

// Errors of a SET that a session goes on with: the server has no such variable or value, or the account may not set it, and
// then nobody but the server's own administrator may either.
const (
	erSpecificAccess = 1227
	erWrongVariable  = 1231
	erNotSettable    = 1238
	erReadOnlyNow    = 1568
)

// session executes statements on a connection that nobody else has yet.
type session interface {
	exec(ctx context.Context, statement string) error
}

// pin sets all pins on a session, with one statement where the server knows them all.
func pin(ctx context.Context, s session) error {
	all := pins()
	err := s.exec(ctx, setStatement(all))
	if !tolerable(err) {
		return err
	}
	for i := range all {
		if err := s.exec(ctx, setStatement(all[i:i+1])); err != nil && !tolerable(err) {
			return fmt.Errorf("set %s: %w", all[i][0], err)
		}
	}
	return nil
}

// tolerable reports whether a SET failed because of the variable, and not for a reason that the next one fails for too.
func tolerable(err error) bool {
	switch number(err) {
	case erUnknownVariable, erSpecificAccess, erWrongVariable, erNotSettable, erReadOnlyNow, 1232, 1115, 1273, 1286, 1649:
		return true
	}
	return false
}

func setStatement(pins [][2]string) string {
	parts := make([]string, len(pins))
	for i, p := range pins {
		parts[i] = p[0] + " = " + p[1]
	}
	return "SET SESSION " + strings.Join(parts, ", ")
}

// driverSession is a new connection of the driver's.
type driverSession struct{ driver.ExecerContext }

func (s driverSession) exec(ctx context.Context, statement string) error {
	_, err := s.ExecContext(ctx, statement, nil)
	return err
}

// begin is what every connection does before anybody gets it: it pins its session, and takes all roles of the account.
func begin(ctx context.Context, c driver.Conn) error {
	execer, ok := c.(driver.ExecerContext)
	if !ok {
		return errors.New("the driver cannot execute statements on a connection")
	}
	return beginSession(ctx, driverSession{execer})
}

func beginSession(ctx context.Context, s session) error {
	if err := pin(ctx, s); err != nil {
		return err
	}
	// A privilege held through a role counts only while the role is active.
	err := s.exec(ctx, "SET ROLE ALL")
	if n := number(err); n != 0 && n != erUserLimit {
		// MariaDB and MySQL 5.7 do not know the statement. They are refused by name, by a finding, which needs a connection.
		return nil
	}
	return err
}
