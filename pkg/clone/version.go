package clone

import (
	"fmt"
	"strconv"
	"strings"
)

// Flavour is whose server it is.
type Flavour string

// The flavours that are told apart. Only MySQL and Percona have MySQL's clone plugin.
const (
	MySQL       Flavour = "MySQL"
	Percona     Flavour = "Percona Server"
	MariaDB     Flavour = "MariaDB"
	Aurora      Flavour = "Amazon Aurora"
	TiDB        Flavour = "TiDB"
	Vitess      Flavour = "Vitess"
	OceanBase   Flavour = "OceanBase"
	SingleStore Flavour = "SingleStore"
)

// foreignMarks are the words by which servers that speak MySQL's protocol name themselves in version or
// version_comment, in lower case.
var foreignMarks = []struct {
	word    string
	flavour Flavour
}{
	{"mariadb", MariaDB},
	{"aurora", Aurora},
	{"tidb", TiDB},
	{"vitess", Vitess},
	{"oceanbase", OceanBase},
	{"singlestore", SingleStore},
	{"memsql", SingleStore},
	// After the others: a proxy or a fork may quote the name of what it was made from.
	{"percona", Percona},
}

// Version is a server's version. Its numbers alone say nothing: MariaDB 10.11 is not newer than MySQL
// 9.7, and MySQL 26.7 (calendar numbering) is.
type Version struct {
	Flavour             Flavour
	Major, Minor, Patch int
	Text                string // as the server says it
}

// ParseVersion reads @@version and @@version_comment. A calendar version may come without a patch
// number. An error means that the text does not begin with numbers as a version does.
func ParseVersion(version, comment string) (Version, error) {
	v := Version{Flavour: flavourOf(version, comment), Text: version}
	text := version
	if v.Flavour == MariaDB {
		// MariaDB puts a number before its own where old replicas look for one.
		text = strings.TrimPrefix(text, "5.5.5-")
	}
	numbers := text
	if i := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); i >= 0 {
		numbers = strings.TrimSuffix(text[:i], ".")
	}
	parts := strings.Split(numbers, ".")
	if len(parts) < 2 || len(parts) > 3 {
		return v, fmt.Errorf("read version %q: it does not begin with two or three numbers", version)
	}
	for i, into := range []*int{&v.Major, &v.Minor, &v.Patch}[:len(parts)] {
		n, err := strconv.Atoi(parts[i])
		if err != nil {
			return v, fmt.Errorf("read version %q: %w", version, err)
		}
		*into = n
	}
	return v, nil
}

func flavourOf(version, comment string) Flavour {
	text := strings.ToLower(version + " " + comment)
	for _, mark := range foreignMarks {
		if strings.Contains(text, mark.word) {
			return mark.flavour
		}
	}
	return MySQL
}

// Series is the release series: "8.0", "9.7", "26.7".
func (v Version) Series() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// AtLeast compares within MySQL's numbering only; false for any other flavour.
func (v Version) AtLeast(major, minor, patch int) bool {
	if v.Flavour != MySQL && v.Flavour != Percona {
		return false
	}
	switch {
	case v.Major != major:
		return v.Major > major
	case v.Minor != minor:
		return v.Minor > minor
	}
	return v.Patch >= patch
}

// The first release with the plugin ("Clone Plugin" in the manual: 8.0.17), the last series that this
// version of runner was tried on, and where calendar numbering begins.
const (
	newestTriedMajor, newestTriedMinor = 9, 7
	firstCalendarMajor                 = 26
)

// exists is false for numbers that no MySQL has: the series are 8.0 to 8.4, 9.x, and the calendar's
// from 26 on. A server that says 10 to 25 is something else, whatever it calls itself.
func (v Version) exists() bool {
	return v.Major <= 9 || v.Major >= firstCalendarMajor
}

// HasClone reports whether a server of this version can have MySQL's clone plugin.
func (v Version) HasClone() bool { return v.AtLeast(8, 0, 17) && v.exists() }

// HasBlockDDL reports whether clone_block_ddl is there: before it every clone blocked DDL ("Clone System
// Variables": introduced in 8.0.27).
func (v Version) HasBlockDDL() bool { return v.HasClone() && v.AtLeast(8, 0, 27) }

// Tried reports whether this version is no newer than what runner was tried on.
func (v Version) Tried() bool {
	return v.Major < newestTriedMajor || v.Major == newestTriedMajor && v.Minor <= newestTriedMinor
}
