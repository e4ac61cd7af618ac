package clone

import (
	"cmp"
	"fmt"
	"slices"
)

// statementConnections is how many connections of statements a clone has at once at least: the one that reserves the server,
// which in mode local also runs CLONE, and the one that watches. The scripts few_connections and
// few_connections_remote of cmd/runner hold it.
const statementConnections = 2

// pullConnections is how many connections a recipient opens to its donor at least: one of data, and the one over which it
// acknowledges states.
const pullConnections = 2

// What a run takes of limits by the hour. An attempt reads facts, settings and log positions by about 70 statements over 7
// connections beside those of the data, as counted by Questions and Connections of a 9.7; a local clone is watched by further statements, 4 a second.
const (
	statementsPerRun  = 100
	connectionsPerRun = 8
)

// connections returns how many connections a mode needs at once on the server that is copied, and how many it would use.
func (t Target) connections() (least, wanted int) {
	least = statementConnections
	switch t.Mode {
	case ModeStream:
		threads := t.Threads
		if threads == 0 {
			threads = DefaultStreamThreads
		}
		return least + pullConnections, least + pullConnections + threads - 1
	case ModeRemote:
		least += pullConnections
	}
	return least, least
}

// checkServerConnections: a server refuses connections beyond max_connections (1040); it lets in one more of an administrator.
func checkServerConnections(s subject) Finding {
	l := s.facts.Limits
	least, wanted := s.target.connections()
	if why, bad := s.facts.Unknown[FactLimits]; bad || l.Server == 0 {
		return unknown("whether the server lets in enough connections", cmp.Or(why, "max_connections is not known"), "SELECT @@GLOBAL.max_connections;")
	}
	allowed := l.Server
	if a := s.facts.Account; a.Has("CONNECTION_ADMIN", "", "") || a.Has("SUPER", "", "") {
		allowed++
	}
	need := fmt.Sprintf("The backup needs %d connections at once", least)
	if wanted > least {
		need += fmt.Sprintf(", and uses up to %d", wanted)
	}
	raise := fmt.Sprintf("SET GLOBAL max_connections = %d;", max(l.Server, l.Connected)+wanted)
	free := allowed - max(l.Connected-1, 0) // the one that asks is ours
	switch {
	case allowed < least:
		return found(SeverityError, "the server lets in too few connections", fmt.Sprintf("%s; max_connections is %d.", need, l.Server), raise)
	case free < least:
		return found(SeverityWarning, "few connections are left", fmt.Sprintf("%s; of %d that the server lets in, %d are left.", need, allowed, max(free, 0)), raise)
	}
	return okay("the server lets in enough connections", "%s; of %d that the server lets in, %d are left.", need, allowed, free)
}

// checkAccountConnections: MAX_USER_CONNECTIONS of the account (1226), or max_user_connections of the server for all accounts (1203).
func checkAccountConnections(s subject) Finding {
	l := s.facts.Limits
	least, wanted := s.target.connections()
	if why, bad := s.facts.Unknown[FactLimits]; bad {
		return unknown("whether the account may have enough connections", why, "SELECT @@SESSION.max_user_connections;")
	}
	hint := fmt.Sprintf("ALTER USER %s WITH MAX_USER_CONNECTIONS %d;", quoteAccount(s.facts.Account.User), wanted)
	if !l.OwnLimit {
		hint = fmt.Sprintf("SET GLOBAL max_user_connections = %d; or for this account alone: %s", wanted, hint)
	}
	switch {
	case l.Account == 0:
		return okay("the account may have enough connections", "It has no limit of its own.")
	case l.Account < least:
		return found(SeverityError, "the account may have too few connections",
			fmt.Sprintf("The backup needs %d connections at once; MAX_USER_CONNECTIONS of the account is %d.", least, l.Account), hint)
	case l.Account < wanted:
		return found(SeverityInfo, "the account's limit makes the copy slower",
			fmt.Sprintf("The backup would use %d connections; MAX_USER_CONNECTIONS of the account is %d, so that %d carry data.", wanted, l.Account, l.Account-least+1), hint)
	}
	return okay("the account may have enough connections", "It uses up to %d, and MAX_USER_CONNECTIONS is %d.", wanted, l.Account)
}

// checkHourlyLimits: MAX_CONNECTIONS_PER_HOUR and MAX_QUERIES_PER_HOUR of the account (1226). How much of them was used in this hour is not known.
func checkHourlyLimits(s subject) Finding {
	l := s.facts.Limits
	if why, bad := s.facts.Unknown[FactLimits]; bad {
		return unknown("whether the account's limits by the hour suffice", why, "SHOW CREATE USER CURRENT_USER();")
	}
	_, wanted := s.target.connections()
	account := quoteAccount(s.facts.Account.User)
	connections := connectionsPerRun + wanted
	for _, limit := range []struct {
		name       string
		set, least int
	}{{"MAX_CONNECTIONS_PER_HOUR", l.ConnectionsPerHour, connections}, {"MAX_QUERIES_PER_HOUR", l.QueriesPerHour, statementsPerRun}} {
		if limit.set > 0 && limit.set < limit.least {
			return found(SeverityError, "the account's limits by the hour are too small",
				fmt.Sprintf("A backup needs about %d within an hour; %s of the account is %d.", limit.least, limit.name, limit.set),
				fmt.Sprintf("ALTER USER %s WITH %s 0;", account, limit.name))
		}
	}
	switch {
	case l.QueriesPerHour > 0 && !s.target.streams():
		return found(SeverityWarning, "the account's limit of statements may end the backup",
			fmt.Sprintf("While the server copies, it is asked for its progress 4 times a second; MAX_QUERIES_PER_HOUR of the account is %d.", l.QueriesPerHour),
			fmt.Sprintf("ALTER USER %s WITH MAX_QUERIES_PER_HOUR 0;", account))
	case l.QueriesPerHour > 0 || l.ConnectionsPerHour > 0:
		return found(SeverityInfo, "the account has limits by the hour",
			fmt.Sprintf("A backup needs about %d connections and %d statements. What other runs used in this hour counts as well.", connections, statementsPerRun),
			fmt.Sprintf("ALTER USER %s WITH MAX_QUERIES_PER_HOUR 0 MAX_CONNECTIONS_PER_HOUR 0;", account))
	}
	return okay("the account has no limits by the hour", "Neither of statements nor of connections.")
}

// ofBoth is a check of donor and recipient under one code: the worse of the two findings.
func ofBoth(code string, find func(subject) Finding) remoteCheck {
	order := []Severity{SeverityOK, SeverityInfo, SeverityUnknown, SeverityWarning, SeverityError}
	return remoteCheck{code, func(p pair) Finding {
		donor, recipient := p.donor, p.recipient
		donor.target.Mode = ModeRemote
		recipient.target.Mode = ModeLocal // it watches a clone of its own
		given, written := find(donor), find(recipient)
		if slices.Index(order, written.Severity) > slices.Index(order, given.Severity) {
			return of("recipient", written)
		}
		return of("donor", given)
	}}
}
