package clone

import "fmt"

func checkStagingSpace(s subject) Finding {
	return s.enough("the staging directory", s.spaces[0], nil)
}

// checkRepositorySpace counts the staging directory in where both are on one file system: both are there at once.
func checkRepositorySpace(s subject) Finding {
	switch {
	case s.target.ArchivePath == "":
		return okay("no archive is made", "Only the staging directory takes room.")
	case s.target.streams():
		return s.enough("the archive", s.spaces[0], nil)
	}
	staging, archive := s.spaces[0], s.spaces[1]
	if archive.shares(staging) {
		return s.enough("the archive", archive, &staging)
	}
	return s.enough("the archive", archive, nil)
}

func (s subject) enough(what string, room Space, beside *Space) Finding {
	if room.Unknown != "" {
		hint := "df -h " + shellQuote(room.Path)
		if s.facts.Unknown[FactSpaces] != "" {
			hint = "GRANT PROCESS ON *.* TO " + quoteAccount(s.facts.Account.User) + ";"
		}
		return unknown("whether there is room for "+what, room.Unknown, hint)
	}
	need, besides := room.Need+room.Keep, ""
	if beside != nil {
		need += beside.Need
		besides = fmt.Sprintf(", %s for the staging directory on the same file system", bytesText(beside.Need))
	}
	detail := fmt.Sprintf("%s has %s free of %s. Needed are %s: %s for %s (%s)%s, and %s that the plan keeps free.",
		room.Path, bytesText(room.Free), bytesText(room.Total), bytesText(need), bytesText(room.Need), what, room.Basis, besides, bytesText(room.Keep))
	if room.Free < need {
		return found(SeverityError, "not enough room for "+what, detail, "df -h "+shellQuote(room.Path)+" # free "+bytesText(need-room.Free)+" there, or choose another place in the plan")
	}
	return okay("there is room for "+what, "%s", detail)
}
