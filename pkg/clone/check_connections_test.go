package clone

import (
	"fmt"
	"strings"
	"testing"

	"runner/pkg/mysqld/mysqldtest"
)

func TestTooFewConnectionsAreAFindingThatSaysHowManyAreNeeded(t *testing.T) {
	for name, c := range map[string]struct {
		mode   string
		limits Limits
		code   string
		want   Severity
		detail string
	}{
		"server, stream":          {ModeStream, Limits{Server: 3, Connected: 1}, CodeServerConnections, SeverityError, "needs 4 connections at once, and uses up to 7; max_connections is 3"},
		"server, local":           {ModeLocal, Limits{Server: 1, Connected: 1}, CodeServerConnections, SeverityError, "needs 2 connections at once; max_connections is 1"},
		"server that is busy":     {ModeStream, Limits{Server: 10, Connected: 10}, CodeServerConnections, SeverityWarning, "of 10 that the server lets in, 1 are left"},
		"server, just enough":     {ModeStream, Limits{Server: 4, Connected: 1}, CodeServerConnections, SeverityOK, "4 are left"},
		"account, stream":         {ModeStream, Limits{Server: 9, Account: 3, OwnLimit: true}, CodeAccountConnections, SeverityError, "needs 4 connections at once; MAX_USER_CONNECTIONS of the account is 3"},
		"account, local":          {ModeLocal, Limits{Server: 9, Account: 1}, CodeAccountConnections, SeverityError, "needs 2 connections at once"},
		"account, slower":         {ModeStream, Limits{Server: 9, Account: 5}, CodeAccountConnections, SeverityInfo, "so that 2 carry data"},
		"account, enough":         {ModeStream, Limits{Server: 9, Account: 7}, CodeAccountConnections, SeverityOK, "up to 7"},
		"statements by the hour":  {ModeStream, Limits{Server: 9, QueriesPerHour: 50}, CodeHourlyLimits, SeverityError, "MAX_QUERIES_PER_HOUR of the account is 50"},
		"connections by the hour": {ModeStream, Limits{Server: 9, ConnectionsPerHour: 5}, CodeHourlyLimits, SeverityError, "MAX_CONNECTIONS_PER_HOUR of the account is 5"},
		"statements of a watch":   {ModeLocal, Limits{Server: 9, QueriesPerHour: 5000}, CodeHourlyLimits, SeverityWarning, "4 times a second"},
		"enough by the hour":      {ModeStream, Limits{Server: 9, QueriesPerHour: 5000}, CodeHourlyLimits, SeverityInfo, "about 15 connections and 100 statements"},
	} {
		s := healthy(t)
		s.target.Mode, s.facts.Limits = c.mode, c.limits
		f := s.check(t, c.code)
		if f.Severity != c.want || !strings.Contains(f.Detail, c.detail) {
			t.Errorf("%s: got %+v", name, f)
		}
	}
}

func TestTheLimitsOfAnAccountAreReadAsTheServerHasThem(t *testing.T) {
	server := mysqldtest.Start(t)
	server.Exec(t, "CREATE USER `it's WITH MAX_QUERIES_PER_HOUR 9`@localhost IDENTIFIED BY 'p' REQUIRE NONE WITH MAX_QUERIES_PER_HOUR 1000 MAX_CONNECTIONS_PER_HOUR 200 MAX_USER_CONNECTIONS 6 COMMENT 'x WITH MAX_USER_CONNECTIONS 3'",
		"CREATE USER free@localhost")
	limits := func(user, password string) Limits {
		f, err := open(t, Config{Socket: server.Socket(), User: user, Password: password}).Facts(t.Context())
		if err != nil || f.Unknown[FactLimits] != "" {
			t.Fatal(err, f.Unknown)
		}
		if f.Limits.Server == 0 || f.Limits.Connected < 1 {
			t.Errorf("the server's limits are %+v", f.Limits)
		}
		f.Limits.Server, f.Limits.Connected = 0, 0
		return f.Limits
	}
	if got, want := limits("it's WITH MAX_QUERIES_PER_HOUR 9", "p"), (Limits{Account: 6, ConnectionsPerHour: 200, QueriesPerHour: 1000, OwnLimit: true}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := limits("free", ""); got != (Limits{}) {
		t.Errorf("an account without limits has %+v", got)
	}
	server.Exec(t, "SET GLOBAL max_user_connections = 8")
	if got := limits("free", ""); got != (Limits{Account: 8}) {
		t.Errorf("below the server's limit for all accounts: %+v", got)
	}
}

// The server refuses by each of its limits in turn; the hint names the very one.
func TestEachLimitThatIsReachedHasItsOwnHint(t *testing.T) {
	server := mysqldtest.Start(t)
	for limit, hint := range map[string]string{
		"MAX_USER_CONNECTIONS 1": "WITH MAX_USER_CONNECTIONS 10", "MAX_CONNECTIONS_PER_HOUR 1": "MAX_CONNECTIONS_PER_HOUR 0", "MAX_QUERIES_PER_HOUR 3": "MAX_QUERIES_PER_HOUR 0",
	} {
		server.Exec(t, "DROP USER IF EXISTS u@localhost", "CREATE USER u@localhost WITH "+limit)
		config := Config{Socket: server.Socket(), User: "u"}
		first, err := Open(t.Context(), config)
		if err == nil {
			expectHint(t, limit, config, hint)
			err = first.Close()
		}
		if err != nil {
			t.Error(fmt.Errorf("%s: %w", limit, err))
		}
	}
}
