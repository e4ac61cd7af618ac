package clone

import "fmt"

// checkVersion refuses what has no clone plugin, by name, and says when a server is newer than any that was tried.
func checkVersion(s subject) Finding {
	src, v := s.facts.Source, s.facts.Version
	is := fmt.Sprintf("The server says that it is %s (%s)", src.Version, src.VersionComment)
	if why, bad := s.facts.Unknown["version"]; bad && (v.Flavour == MySQL || v.Flavour == Percona) {
		return found(SeverityError, "the server's version is not understood", is+": "+why+".", "SELECT VERSION(), @@version_comment;")
	}
	switch {
	case v.Flavour == MariaDB:
		return found(SeverityError, "MariaDB has no clone plugin", is+". MariaDB never had MySQL's CLONE, whatever its version number.",
			"mariadb-backup --backup --target-dir=DIRECTORY")
	case v.Flavour != MySQL && v.Flavour != Percona:
		return found(SeverityError, "the server is not MySQL", fmt.Sprintf("%s: %s. Only MySQL and Percona Server have MySQL's CLONE.", is, v.Flavour), "")
	case !v.AtLeast(8, 0, 17):
		return found(SeverityError, "the server is too old for CLONE", is+". The clone plugin came with MySQL 8.0.17.",
			"upgrade the server to 8.0.17 or later")
	case !v.exists():
		return found(SeverityError, "the server's version is not one of MySQL's", is+". MySQL's series are 8.0 to 8.4, 9, and from 26 on those of the calendar.", "SELECT VERSION(), @@version_comment;")
	case !v.Tried():
		return found(SeverityInfo, "the server is newer than any that was tried",
			fmt.Sprintf("%s. Its series %s has the clone plugin, and this version of runner was tried up to %d.%d.", is, v.Series(), newestTriedMajor, newestTriedMinor), "")
	}
	return okay("the server has CLONE", "%s: %s of the series %s.", is, v.Flavour, v.Series())
}
