package clone

import (
	"strings"
	"testing"
)

func TestFilesThatWouldBeOneInTheCopyAreRefused(t *testing.T) {
	undo := func(paths ...string) (spaces []Tablespace) {
		for _, p := range paths {
			spaces = append(spaces, Tablespace{Type: spaceUndo, Path: p})
		}
		return spaces
	}
	for name, c := range map[string]struct {
		system string
		spaces []Tablespace
		want   Severity
		says   string
	}{
		"names of their own":           {"/a/ibdata1:12M;/b/ibdata2:12M:autoextend", undo("./undo_001", "/u/more.ibu"), SeverityOK, "4 names"},
		"one name, two folders":        {"/a/ibdata1:12M;/b/ibdata1:12M:autoextend:max:1G", nil, SeverityError, "/a/ibdata1 and /b/ibdata1"},
		"two undo tablespaces":         {"ibdata1:12M:autoextend", undo("/u/x.ibu", "./undo_001", "/v/x.ibu"), SeverityError, "/u/x.ibu and /v/x.ibu"},
		"system and undo tablespace":   {"sub/x.ibu:12M:autoextend", undo("/u/x.ibu"), SeverityError, "sub/x.ibu and /u/x.ibu"},
		"a disk partition":             {"/dev/sdb1:3Graw", nil, SeverityError, "/dev/sdb1"},
		"a new disk partition":         {"ibdata1:12M;/dev/sdb1:3Gnewraw", nil, SeverityError, "/dev/sdb1"},
		"a table of the same name":     {"ibdata1:12M:autoextend", []Tablespace{{Type: "Single", Path: "./a/ibdata1"}}, SeverityOK, "1 names"},
		"a general tablespace outside": {"ts.ibd:12M:autoextend", []Tablespace{{Type: "General", Path: "/x/ts.ibd"}}, SeverityOK, "1 names"},
		"a general tablespace inside":  {"/x/ts.ibd:12M:autoextend", []Tablespace{{Type: "General", Path: "./ts.ibd"}}, SeverityError, "/x/ts.ibd and ./ts.ibd"},
		"the dictionary":               {"/x/mysql.ibd:12M:autoextend", []Tablespace{{Type: "General", Name: "mysql", Path: "mysql.ibd"}}, SeverityError, "/x/mysql.ibd and mysql.ibd"},
	} {
		for _, mode := range []string{ModeLocal, ModeStream} {
			s := healthy(t)
			s.target.Mode = mode
			s.facts.Variables[varDataFilePath], s.facts.Spaces = c.system, c.spaces
			if f := s.check(t, CodeSystemFiles); f.Severity != c.want || !strings.Contains(f.Detail, c.says) {
				t.Errorf("%s, mode %s: got %+v", name, mode, f)
			}
		}
	}
}

func TestNoPathOfTheOptionFileLeadsOutOfTheCopy(t *testing.T) {
	f := &Facts{Variables: map[string]string{
		"innodb_page_size": "4096", "innodb_data_home_dir": "/ib", "innodb_data_file_path": "/ib/ibdata1:12M;sub/ib#2:12M:autoextend:max:1G",
		"innodb_undo_directory": "/u", "innodb_log_group_home_dir": "/r", "innodb_doublewrite_dir": "/d", "innodb_directories": "/x;/y",
		"innodb_temp_data_file_path": "/t/ibtmp1:12M:autoextend", "innodb_temp_tablespaces_dir": "/t", "innodb_tmpdir": "/t", "tmpdir": "/t",
		"datadir": "/var/lib/mysql/", "innodb_log_checksums": "OFF", "innodb_checksum_algorithm": "strict_crc32", "lower_case_table_names": "1",
	}}
	_, got, _ := strings.Cut(restoreCNF(f, "source"), "\n")
	const want = `[mysqld]
innodb_page_size = 4096
innodb_data_file_path = "ibdata1:12M;ib#2:12M:autoextend:max:1G"
innodb_checksum_algorithm = strict_crc32
innodb_log_checksums = OFF
lower_case_table_names = 1
`
	if got != want {
		t.Errorf("got\n%s", got)
	}
}
