package recipient

import (
	"path"
	"regexp"
	"strings"

	"runner/pkg/clone/internal/wire"
)

// Limits of what a donor may name and announce.
const (
	maxName  = 255  // bytes of one part of a path: NAME_MAX of Linux's file systems
	maxPath  = 4095 // bytes of a path: PATH_MAX of Linux without the zero byte
	maxByDDL = 1 << 20
)

// undoName is what a server calls the undo tablespaces that it makes itself; others end in ".ibu" ("Undo Tablespaces" of
// MySQL's manual).
var undoName = regexp.MustCompile(`^undo_[0-9]{3}$`)

// fits refuses what is no name of its kind of file. A copy's server, and the tools of one, read files of a data directory by
// their names alone: mysqld-auto.cnf as options, *.pem as keys. So what a donor sends is taken by what a clone consists of.
func fits(d *wire.File) error {
	base := path.Base(d.Name)
	if len(d.Name) > maxPath {
		return broken("the name of file %d has %d bytes; no path has more than %d", d.Index, len(d.Name), maxPath)
	}
	for part := range strings.SplitSeq(d.Name, "/") {
		if len(part) > maxName {
			return broken("the name of file %d has a part of %d bytes; no file has a name of more than %d", d.Index, len(part), maxName)
		}
	}
	ok := false
	switch {
	case d.BufferPool():
		ok = plainName(base)
	case !d.Tablespace():
	case d.SpaceID == 0:
		ok = strings.HasSuffix(base, ".ibd") || plainName(base)
	case d.Undo():
		ok = undoName.MatchString(base) || strings.HasSuffix(base, ".ibu")
	default:
		ok = strings.HasSuffix(base, ".ibd")
	}
	if !ok {
		return broken("file %d is called %q, as no file of a clone is", d.Index, d.Name)
	}
	return nil
}

// foreign are the names, and the ends of names, of what mysqld, mysql and mysql_upgrade read in a data directory besides the
// files of InnoDB's tablespaces ("The MySQL Data Directory", "Using Option Files", "Caching SHA-2 Pluggable Authentication",
// "mysql_ssl_rsa_setup" and "The Binary Log" of the manual).
var foreign = regexp.MustCompile(`(?i)(^[.#]|\.(cnf|ini|my|pem|key|crt|so|index|sdi|csv|csm|frm|myd|myi|mrg|par|trg|trn|opt|log|err|pid|sock|lock|cfg|cfp|isl|ibu|ibt|dblwr|info|history|[0-9]{6,})$|^(mysql_upgrade.*|debian-.*\.flag|ib_logfile.*|ibtmp.*|undo_[0-9]{3}|runner-.*)$)`)

// plainName reports whether a name that an administrator may choose, of the system tablespace or the buffer pool's dump, is that
// of nothing else.
func plainName(base string) bool { return !foreign.MatchString(base) }
