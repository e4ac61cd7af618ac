package mysqldtest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// CheckLoad fails the test unless the server holds the tables of a Load as of one instant, and all its tables are sound:
// no money was lost, no move is missing, every balance follows from the moves, and DDL left whole tables only.
func CheckLoad(t testing.TB, copied *Server) {
	t.Helper()
	CheckTables(t, copied)
	if sum := copied.Value(t, "SELECT SUM(balance) FROM bank.account"); sum != strconv.Itoa(loadAccounts*loadBalance) {
		t.Errorf("the sum of all accounts is %s", sum)
	}
	var moves []string
	for w := range loadWriters {
		row := copied.Query(t, fmt.Sprintf("SELECT COUNT(*), COALESCE(MAX(seq), 0) FROM bank.log%d", w))[0]
		if row[0] != row[1] {
			t.Errorf("writer %d has %s moves up to number %s", w, row[0], row[1])
		}
		moves = append(moves, fmt.Sprintf("SELECT giver AS id, -amount AS moved FROM bank.log%[1]d UNION ALL SELECT taker, amount FROM bank.log%[1]d", w))
	}
	wrong := copied.Query(t, fmt.Sprintf("SELECT a.id, a.balance, m.moved FROM bank.account a LEFT JOIN (SELECT id, SUM(moved) AS moved FROM (%s) x GROUP BY id) m "+
		"ON a.id = m.id WHERE a.balance <> %d + COALESCE(m.moved, 0)", strings.Join(moves, " UNION ALL "), loadBalance))
	if len(wrong) > 0 {
		t.Errorf("accounts that do not follow from their moves: %v", wrong)
	}
	checkChanged(t, copied)
}

// checkChanged checks the tables that DDL made while the copy was taken.
func checkChanged(t testing.TB, copied *Server) {
	t.Helper()
	for _, name := range Tables(t, copied) {
		if !strings.HasPrefix(name, "`ddl`") {
			continue
		}
		// One transaction wrote all rows of a table: all are there, or none.
		row := copied.Query(t, "SELECT COUNT(*), COALESCE(SUM(square = id * id), 0) FROM "+name)[0]
		if row[0] != row[1] || row[0] != "0" && row[0] != strconv.Itoa(loadRows) {
			t.Errorf("%s has %s rows, of which %s are right", name, row[0], row[1])
		}
	}
	rows := copied.Query(t, "SELECT file_name FROM information_schema.files WHERE file_name LIKE '%clone_ddl%'")
	if len(rows) > 0 {
		t.Errorf("files with temporary names: %v", rows)
	}
}

// Tables returns the InnoDB tables of users as `schema`.`table`, sorted.
func Tables(t testing.TB, server *Server) []string {
	t.Helper()
	var names []string
	for _, row := range server.Query(t, "SELECT CONCAT('`', table_schema, '`.`', table_name, '`') FROM information_schema.tables "+
		"WHERE table_type = 'BASE TABLE' AND engine = 'InnoDB' AND table_schema NOT IN ('mysql', 'sys') ORDER BY 1") {
		names = append(names, row[0])
	}
	return names
}

// CheckTables fails the test unless CHECK TABLE … EXTENDED finds every table sound.
func CheckTables(t testing.TB, server *Server) {
	t.Helper()
	for _, name := range Tables(t, server) {
		for _, row := range server.Query(t, "CHECK TABLE "+name+" EXTENDED") {
			if row[3] != "OK" {
				t.Errorf("CHECK TABLE %s: %v", name, row)
			}
		}
	}
}
