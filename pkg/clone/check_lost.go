package clone

import (
	"fmt"
	"strings"
)

// checkLostTables looks for the tables that the copy would have without their rows. Not seeing all tables is as
// bad as finding one: an empty list would be a false comfort.
func checkLostTables(s subject) Finding {
	lost := []string{}
	statements := []string{}
	for _, t := range s.facts.Lost {
		if t.ServerLog() {
			continue
		}
		lost = append(lost, t.String())
		statements = append(statements, fmt.Sprintf("ALTER TABLE %s.%s ENGINE = InnoDB;", quoteName(t.Schema), quoteName(t.Table)))
	}
	severity := s.target.lossSeverity()
	why, hidden := s.facts.Unknown[FactLost]
	switch {
	case len(lost) > 0:
		detail := fmt.Sprintf("CLONE copies InnoDB only. These %d tables would be in the copy without their rows: %s.", len(lost), most(lost))
		if hidden {
			detail += " There may be more: " + why + "."
		}
		return found(severity, "tables would be left empty", detail, strings.Join(statements[:min(len(statements), 3)], " "))
	case hidden && s.target.LostTables == "ignore":
		return unknown("whether tables would be left empty", why, seeAllTables(s.facts))
	case hidden:
		return found(severity, "tables that would be left empty cannot be ruled out",
			"It could not be found out whether there are any: "+why+".", seeAllTables(s.facts))
	}
	return okay("no table would be left empty", "Every table is in InnoDB, or in an engine that keeps nothing.")
}

// seeAllTables is the least that shows an account every table: definitions of views, and no rows.
func seeAllTables(f *Facts) string {
	if f.Account.Restricted {
		return "SHOW GRANTS; -- and take back what it begins with REVOKE"
	}
	return "GRANT SHOW VIEW ON *.* TO " + quoteAccount(f.Account.User) + "; -- shows which tables there are, and no row of them"
}

// checkLogTables: every server has these two, and they hold something only where logs are written to tables.
func checkLogTables(s subject) Finding {
	logs := []string{}
	for _, t := range s.facts.Lost {
		if t.ServerLog() {
			logs = append(logs, t.String())
		}
	}
	output := strings.ToUpper(s.facts.Variables["log_output"])
	switch {
	case len(logs) == 0 && s.facts.Unknown[FactLost] != "":
		return unknown("the server's log tables", s.facts.Unknown[FactLost], seeAllTables(s.facts))
	case len(logs) == 0:
		return okay("the server has no log tables", "There is neither mysql.general_log nor mysql.slow_log.")
	case strings.Contains(output, "TABLE"):
		return found(SeverityInfo, "the server's log tables are left empty", fmt.Sprintf("The server logs into tables (log_output = %s), and the copy has these without their rows: %s.", output, most(logs)), "")
	}
	return found(SeverityInfo, "the server's log tables are left empty", fmt.Sprintf("The copy has these without their rows: %s. The server does not log into them (log_output = %s).", most(logs), output), "")
}
