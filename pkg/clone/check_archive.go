package clone

import (
	"fmt"
	"strings"
)

// checkArchiveTables: a table of the engine ARCHIVE makes the first start on a copy fail on it (1017), where one of MyISAM is just empty.
func checkArchiveTables(s subject) Finding {
	var names []string
	for _, t := range s.facts.Lost {
		if strings.EqualFold(t.Engine, "ARCHIVE") {
			names = append(names, t.String())
		}
	}
	why, hidden := s.facts.Unknown[FactLost]
	switch {
	case len(names) > 0:
		return found(SeverityWarning, "tables of the engine ARCHIVE will not open in the copy", fmt.Sprintf("Their files are not sent, and statements on them fail with error 1017 there: %s.", most(names)),
			"DROP TABLE there, or ALTER TABLE … ENGINE = InnoDB; here")
	case hidden:
		return unknown("whether there are tables of the engine ARCHIVE", why, seeAllTables(s.facts))
	}
	return okay("no table is of the engine ARCHIVE", "All tables of the copy can be opened.")
}
