package clone

import (
	"context"
	"regexp"
	"strconv"
)

// FactLimits is the name in Facts.Unknown of Facts.Limits.
const FactLimits = "limits"

// Limits are what the server and the account let us have of connections and statements. 0 is no limit.
type Limits struct {
	Server    int `json:"max_connections"`
	Connected int `json:"connected"`            // to the server at the time, ours among them
	Account   int `json:"max_user_connections"` // of the account: its own limit, else the server's for all accounts
	// Of the account, by the hour.
	ConnectionsPerHour int `json:"max_connections_per_hour"`
	QueriesPerHour     int `json:"max_queries_per_hour"`
	// OwnLimit reports that Account is the account's own, which ALTER USER changes.
	OwnLimit bool `json:"-"`
}

// limits reads them. SHOW CREATE USER shows every account itself, without any privilege.
func (r *reader) limits(ctx context.Context) error {
	l := &r.facts.Limits
	status, err := r.pairs(ctx, "SHOW GLOBAL STATUS LIKE 'Threads_connected'")
	if err != nil {
		return err
	}
	l.Server, l.Connected = number0(r.facts.Variables["max_connections"]), number0(status["threads_connected"])
	if err := oneRow(ctx, r.conn, accountLimitQuery).Scan(&l.Account); err != nil {
		return err
	}
	created, err := r.column(ctx, "SHOW CREATE USER CURRENT_USER()")
	if err != nil || len(created) == 0 {
		return err
	}
	l.ConnectionsPerHour = resourceOf(created[0], "MAX_CONNECTIONS_PER_HOUR")
	l.QueriesPerHour = resourceOf(created[0], "MAX_QUERIES_PER_HOUR")
	l.OwnLimit = resourceOf(created[0], "MAX_USER_CONNECTIONS") > 0
	return nil
}

// accountLimitQuery gives what holds for the account of the session ("Setting Account Resource Limits" in the manual).
const accountLimitQuery = "SELECT @@SESSION.max_user_connections"

// resourceClause is the part of CREATE USER that has the limits, after REQUIRE and before the options of the password. What an account may
// be named or commented stands in quotes.
var resourceClause = regexp.MustCompile(`(?s)^(?:'(?:[^'\\]|\\.|'')*'|` + "`(?:[^`]|``)*`" + `|[^'` + "`" + `])*? WITH ((?:MAX_[A-Z_]+ \d+ ?)+)`)

var resourceLimit = regexp.MustCompile(`(MAX_[A-Z_]+) (\d+)`)

// resourceOf returns one limit of what SHOW CREATE USER says; 0: none.
func resourceOf(created, name string) int {
	clause := resourceClause.FindStringSubmatch(created)
	if clause == nil {
		return 0
	}
	for _, limit := range resourceLimit.FindAllStringSubmatch(clause[1], -1) {
		if limit[1] == name {
			return number0(limit[2])
		}
	}
	return 0
}

// number0 reads a number; what is none is 0.
func number0(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}
