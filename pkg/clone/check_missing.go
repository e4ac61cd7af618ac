package clone

import "fmt"

// checkMissingTables looks for tables whose rows the server itself has not: it runs without them, and says so to nobody who does
// not ask.
func checkMissingTables(s subject) Finding {
	missing := []string{}
	for _, m := range s.facts.Missing {
		missing = append(missing, m.String())
	}
	if len(missing) > 0 {
		return found(s.target.lossSeverity(), "tables have no rows on the server",
			fmt.Sprintf("These have no tablespace, so that their rows are neither on the server nor in a copy: %s.", most(missing)),
			"drop them, or bring them back from an older backup: ALTER TABLE … IMPORT TABLESPACE")
	}
	if why, hidden := s.facts.Unknown[FactMissing]; hidden {
		return unknown("whether tables have no rows on the server", why, "GRANT PROCESS ON *.* TO "+quoteAccount(s.facts.Account.User)+";")
	}
	return okay("every table has its tablespace", "No tablespace is discarded, corrupted or without a file.")
}

// lossSeverity is what it means that tables come without their rows.
func (t Target) lossSeverity() Severity {
	switch t.LostTables {
	case "warn":
		return SeverityWarning
	case "ignore":
		return SeverityInfo
	}
	return SeverityError
}
