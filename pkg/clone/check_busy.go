package clone

import "fmt"

// checkBusy: a server takes part in one clone at a time, whether it writes it or gives it (3634).
func checkBusy(s subject) Finding {
	f := s.facts
	const summary = "another clone is running"
	if c := f.Clone; c != nil && c.State == stateInProgress {
		return found(SeverityError, summary, fmt.Sprintf("Connection %d clones %s to %s. A server takes part in one clone at a time.", c.PID, c.Source, c.Destination),
			"SELECT STATE, PID, SOURCE, DESTINATION, BEGIN_TIME FROM performance_schema.clone_status;")
	}
	if len(f.Donations) > 0 {
		d := f.Donations[0]
		return found(SeverityError, summary, fmt.Sprintf("Connection %d of %s from %s pulls a clone from this server. A server takes part in one clone at a time.", d.PID, d.User, d.Host),
			"SELECT PROCESSLIST_ID, PROCESSLIST_HOST, PROCESSLIST_STATE FROM performance_schema.threads WHERE PROCESSLIST_COMMAND = 'clone';")
	}
	if p, _ := f.Plugin("clone"); !p.Active() && f.Unknown[FactPlugins] == "" {
		return okay("no clone is running", "Without the plugin none can.")
	}
	for _, fact := range []string{FactCloneStatus, FactDonations} {
		if why, bad := f.Unknown[fact]; bad {
			return unknown("whether a clone is running", why, "GRANT SELECT ON performance_schema.* TO "+quoteAccount(f.Account.User)+";")
		}
	}
	return okay("no clone is running", "The server neither writes a clone nor gives one.")
}
