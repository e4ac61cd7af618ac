package clone

import (
	"fmt"
	"os"
	"path/filepath"
)

// checkRepository: the archive's folder must be ours to write, and not the server's.
func checkRepository(s subject) Finding {
	place := s.target.ArchivePath
	const bad = "the repository cannot be written"
	if place == "" {
		return okay("no archive is made", "The plan names no repository.")
	}
	if datadir := s.facts.Source.DataDir; datadir != "" && filepath.IsAbs(place) {
		if real, err := resolved(place); err == nil && (within(datadir, real) || within(datadir, place) || liesIn(datadir, real)) {
			return found(SeverityError, "the repository is inside the data directory", fmt.Sprintf("%s is inside %s, which the server takes for its own.", place, datadir), "set the repository's path in the plan to a directory outside "+datadir)
		}
	}
	at, err := existing(place)
	if err != nil {
		return found(SeverityError, bad, upperFirst(err.Error())+".", "ls -ld "+shellQuote(at))
	}
	info, err := os.Stat(at)
	if err != nil {
		return unknown("the repository", err.Error(), "ls -ld "+shellQuote(at))
	}
	if !info.IsDir() {
		return found(SeverityError, bad, at+" is not a directory.", "set the repository's path in the plan to a directory")
	}
	if err := writableByUs(at); err != nil {
		return found(SeverityError, bad, fmt.Sprintf("We may not make files in %s: %v.", at, err), "ls -ld "+shellQuote(at)+" # then run runner as a user that may write there")
	}
	return okay("the repository can be written", "We may make files in %s.", at)
}
