package clone

import "testing"

func TestVersionsAreRead(t *testing.T) {
	for _, c := range []struct {
		version, comment    string
		flavour             Flavour
		major, minor, patch int
		hasClone, tried     bool
	}{
		{"8.0.16", "MySQL Community Server - GPL", MySQL, 8, 0, 16, false, true},
		{"8.0.17", "MySQL Community Server - GPL", MySQL, 8, 0, 17, true, true},
		{"5.7.44-log", "MySQL Community Server (GPL)", MySQL, 5, 7, 44, false, true},
		{"8.0.36-0ubuntu0.22.04.1", "(Ubuntu)", MySQL, 8, 0, 36, true, true},
		{"8.4.5-commercial", "MySQL Enterprise Server - Commercial", MySQL, 8, 4, 5, true, true},
		{"9.7.4-2", "(Debian)", MySQL, 9, 7, 4, true, true},
		{"8.0.36-28", "Percona Server (GPL), Release 28, Revision 47601f19", Percona, 8, 0, 36, true, true},
		{"8.0.36-28.1", "Percona XtraDB Cluster (GPL)", Percona, 8, 0, 36, true, true},
		// Numbering by the calendar: newer than 9.7, and not a MariaDB.
		{"26.7", "MySQL Community Server - GPL", MySQL, 26, 7, 0, true, false},
		{"26.7.1", "MySQL Community Server - GPL", MySQL, 26, 7, 1, true, false},
		{"26.10.0-debug", "Source distribution", MySQL, 26, 10, 0, true, false},
		{"28.4.0", "MySQL Community Server - GPL", MySQL, 28, 4, 0, true, false},
		// Others whose numbers are larger than 8.0.17.
		{"10.11.6-MariaDB-1:10.11.6+maria~deb12", "mariadb.org binary distribution", MariaDB, 10, 11, 6, false, false},
		{"5.5.5-10.6.12-MariaDB", "", MariaDB, 10, 6, 12, false, false},
		{"11.4.2", "MariaDB Server", MariaDB, 11, 4, 2, false, false},
		{"10.11.6", "Source distribution", MySQL, 10, 11, 6, false, false},
		{"8.0.28", "aurora_version 3.04", Aurora, 8, 0, 28, false, true},
		{"8.0.11-TiDB-v7.5.0", "TiDB Server (Apache License 2.0)", TiDB, 8, 0, 11, false, true},
		{"8.0.30-Vitess", "Version: 19.0.4", Vitess, 8, 0, 30, false, true},
		{"5.7.25-OceanBase-v4.2.1.0", "OceanBase 4.2", OceanBase, 5, 7, 25, false, true},
	} {
		v, err := ParseVersion(c.version, c.comment)
		if err != nil {
			t.Errorf("%s: %v", c.version, err)
			continue
		}
		if v.Flavour != c.flavour || v.Major != c.major || v.Minor != c.minor || v.Patch != c.patch {
			t.Errorf("%s (%s) is read as %+v", c.version, c.comment, v)
		}
		if v.HasClone() != c.hasClone {
			t.Errorf("%s (%s): HasClone is %t", c.version, c.comment, v.HasClone())
		}
		if v.Tried() != c.tried {
			t.Errorf("%s (%s): Tried is %t", c.version, c.comment, v.Tried())
		}
	}
}

func TestWhatIsNoVersionIsAnError(t *testing.T) {
	for _, text := range []string{"", "8", "mysql", "8.", "8..0", ".8.0", "8.0.17.1", "99999999999999999999.0.1"} {
		if v, err := ParseVersion(text, ""); err == nil {
			t.Errorf("%q is read as %+v", text, v)
		}
	}
}

func TestBlockDDLCameWith8027(t *testing.T) {
	for text, want := range map[string]bool{"8.0.26": false, "8.0.27": true, "8.1.0": true, "9.7.4": true, "26.7": true} {
		v, err := ParseVersion(text, "")
		if err != nil || v.HasBlockDDL() != want {
			t.Errorf("%s: %t, %v", text, v.HasBlockDDL(), err)
		}
	}
}

func FuzzParseVersion(f *testing.F) {
	for _, text := range []string{"9.7.4-2", "5.5.5-10.6.12-MariaDB", "26.7", "", "...", "8.0.-1"} {
		f.Add(text, "")
	}
	f.Fuzz(func(t *testing.T, version, comment string) {
		v, err := ParseVersion(version, comment)
		if err == nil && (v.Major < 0 || v.Minor < 0 || v.Patch < 0) {
			t.Errorf("%q is read as %+v", version, v)
		}
	})
}
