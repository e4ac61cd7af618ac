package clone

import (
	"fmt"
	"strings"
)

// checkReading: a copy is read with the settings that it was written with. All are in restore_cnf; those that leave it
// without checksums are worth a line.
func checkReading(s subject) Finding {
	vars := s.facts.Variables
	var without, hints []string
	if value, there := vars[varLogChecksums]; there && !isOn(value) {
		without = append(without, "The redo log is written without checksums; a server reads it only with innodb_log_checksums = OFF.")
		hints = append(hints, "SET GLOBAL innodb_log_checksums = ON;")
	}
	if value := strings.ToLower(vars[varChecksumAlgorithm]); strings.TrimPrefix(value, strictAlgorithm) == "none" {
		without = append(without, "Pages are written without checksums, so that neither a server nor runner sees damage in them.")
		hints = append(hints, "SET GLOBAL innodb_checksum_algorithm = crc32;")
	}
	if len(without) > 0 {
		return found(SeverityInfo, "files are written without checksums", strings.Join(without, " ")+" The backup's restore_cnf has the settings.", strings.Join(hints, " "))
	}
	return okay("files are written with checksums", "A copy is read with %d settings, which are in the backup's restore_cnf.", len(restoreVariables()))
}

// Finding is about what changed on the source while it was copied; ok is false where there is nothing to report.
func (n Reread) Finding() (f Finding, ok bool) {
	if len(n.Changes) == 0 {
		return Finding{}, false
	}
	f = found(SeverityWarning, "settings that a copy depends on were changed while it was made",
		fmt.Sprintf("%s The backup's restore_cnf has what reads all of it.", strings.Join(n.Changes, " ")),
		"back up again while nothing changes them")
	if n.encrypted {
		f.Hint = "back up the server's keyring too: a copy of encrypted tablespaces starts only with it"
	}
	f.Code = CodeReread
	return f, true
}

// RereadUnknown is the finding where the source could not be asked after the clone.
func RereadUnknown(err error) Finding {
	f := unknown("whether settings that a copy depends on were changed while it was made", err.Error(), "")
	f.Code = CodeReread
	return f
}
