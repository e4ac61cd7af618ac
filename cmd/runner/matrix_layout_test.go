package main

import (
	"os"
	"path/filepath"
	"testing"
)

// layout is where a server has its files, and what they are read with. EXT/ stands for a folder outside its data directory.
type layout struct {
	name    string
	folders []string // made in EXT beside a, b and c/d
	shape   []string // options that donor and recipient share
	args    []string // options of the source alone
	tables  []string // statements; each table has the columns id and s
	keyring bool
	prepare func(t *testing.T, c *cell) // after the tables are there, before they are filled
	refused map[string]string           // mode → code of the finding; no entry: the mode works
	always  []string                    // modes that every run of the tests takes
}

const columns = " (id INT PRIMARY KEY, s VARCHAR(500)) "

// outside are the codes with which a server refuses to write tables from outside its data directory.
func outside() map[string]string { return map[string]string{"local": "RUN012", "remote": "RUN043"} }

func everywhere(code string) map[string]string {
	return map[string]string{"local": code, "stream": code, "remote": code}
}

func layouts() []layout {
	return slicesOf(systemLayouts(), folderLayouts(), tableLayouts(), readingLayouts())
}

func slicesOf(parts ...[]layout) (all []layout) {
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

// systemLayouts differ in the files of the system tablespace.
func systemLayouts() []layout {
	home := func(folder string) string { return "--innodb-data-home-dir=" + folder }
	files := func(path string) string { return "--innodb-data-file-path=" + path }
	return []layout{
		{name: "plain"},
		{name: "data home elsewhere", args: []string{home("EXT/a"), files("ibdata1:12M:autoextend")}, always: []string{"remote"}},
		{name: "data home elsewhere, file in a folder", args: []string{home("EXT/c"), files("d/system:12M:autoextend")}},
		{name: "two system files", args: []string{files("ibdata1:12M;ibdata2:12M:autoextend")}},
		{name: "three system files", args: []string{files("ibdata1:12M;second:12M;third:12M:autoextend")}},
		{name: "three system files elsewhere", args: []string{home("EXT/a"), files("ibdata1:12M;ibdata2:12M;ibdata3:12M:autoextend")}},
		{
			name: "two system files by absolute paths", args: []string{home(""), files("EXT/a/ibdata1:12M;EXT/b/ibdata2:12M:autoextend")},
			always: []string{"local"},
		},
		{name: "two system files of one name", args: []string{home(""), files("EXT/a/ibdata1:12M;EXT/b/ibdata1:12M:autoextend")}, refused: everywhere("RUN064")},
	}
}

// folderLayouts differ in the folders of undo and redo logs, doublewrite and temporary files.
func folderLayouts() []layout {
	temporary := []string{"--innodb-temp-data-file-path=../ext/a/ibtmp1:12M:autoextend", "--innodb-temp-tablespaces-dir=EXT/b", "--innodb-tmpdir=EXT/c"}
	undo, redo := "--innodb-undo-directory=EXT/undo", "--innodb-log-group-home-dir=EXT/redo"
	doublewrite := []string{"--innodb-doublewrite=ON", "--innodb-doublewrite-dir=EXT/doublewrite"}
	special := []string{"undo", "redo", "doublewrite"}
	return []layout{
		{name: "undo elsewhere", folders: special, args: []string{undo}},
		{name: "undo by absolute paths", args: []string{"--innodb-directories=EXT/a"}, tables: []string{"CREATE UNDO TABLESPACE undo_far ADD DATAFILE 'EXT/a/undo_far.ibu'"}},
		{
			name: "undo files of one name", args: []string{"--innodb-directories=EXT/a;EXT/b"}, refused: everywhere("RUN064"),
			tables: []string{"CREATE UNDO TABLESPACE u1 ADD DATAFILE 'EXT/a/u.ibu'", "CREATE UNDO TABLESPACE u2 ADD DATAFILE 'EXT/b/u.ibu'"},
		},
		{name: "redo elsewhere", folders: special, args: []string{redo}},
		{name: "doublewrite elsewhere", folders: special, args: doublewrite},
		{name: "temporary files elsewhere", args: temporary},
		{
			name: "all of these elsewhere", folders: special, always: []string{"stream"},
			args: append(append([]string{"--innodb-data-home-dir=EXT/a", "--innodb-data-file-path=ibdata1:12M:autoextend", undo, redo}, doublewrite...), temporary...),
		},
	}
}

// tableLayouts differ in where tables lie.
func tableLayouts() []layout {
	known := []string{"--innodb-directories=EXT/a;EXT/b"}
	return []layout{
		{name: "general tablespace inside", tables: []string{"CREATE TABLESPACE inside ADD DATAFILE 'inside.ibd'", "CREATE TABLE inside" + columns + "TABLESPACE inside"}},
		{
			name: "general tablespaces outside, of one name", args: known, refused: outside(), always: []string{"stream"},
			tables: []string{
				"CREATE TABLESPACE far ADD DATAFILE 'EXT/a/x.ibd'", "CREATE TABLE far" + columns + "TABLESPACE far",
				"CREATE TABLESPACE farther ADD DATAFILE 'EXT/b/x.ibd'", "CREATE TABLE farther" + columns + "TABLESPACE farther",
				"CREATE TABLESPACE inside ADD DATAFILE 'x.ibd'", "CREATE TABLE inside" + columns + "TABLESPACE inside",
			},
		},
		{
			name: "general tablespace inside, by an absolute path", refused: outside(), prepare: absolutePath,
		},
		{
			name: "general tablespace beside the data directory", args: []string{"--innodb-directories=../ext/a"}, refused: outside(),
			tables: []string{"CREATE TABLESPACE beside ADD DATAFILE '../ext/a/beside.ibd'", "CREATE TABLE beside" + columns + "TABLESPACE beside"},
		},
		{
			name: "DATA DIRECTORY", args: known, refused: outside(),
			tables: []string{
				"CREATE TABLE far" + columns + "DATA DIRECTORY = 'EXT/a'",
				"CREATE TABLE parts" + columns + "PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (100) DATA DIRECTORY = 'EXT/a', PARTITION p1 VALUES LESS THAN MAXVALUE DATA DIRECTORY = 'EXT/b')",
				"CREATE TABLE words (id INT PRIMARY KEY, s VARCHAR(500), FULLTEXT KEY (s)) DATA DIRECTORY = 'EXT/a'",
				"CREATE TABLE packed" + columns + "COMPRESSION = 'zlib' DATA DIRECTORY = 'EXT/b'",
			},
		},
		{name: "schema folder is a link", tables: []string{"CREATE DATABASE linked", "CREATE TABLE linked.t" + columns}, prepare: linkSchema},
		{
			name: "encrypted", keyring: true, tables: []string{
				"CREATE TABLE secret" + columns + "ENCRYPTION = 'Y'", "ALTER TABLESPACE mysql ENCRYPTION = 'Y'",
				"CREATE TABLESPACE sealed ADD DATAFILE 'sealed.ibd' ENCRYPTION = 'Y'", "CREATE TABLE sealed" + columns + "TABLESPACE sealed ENCRYPTION = 'Y'",
			},
		},
		{
			name: "encrypted outside", keyring: true, args: known, refused: outside(), tables: []string{
				"CREATE TABLESPACE sealed ADD DATAFILE 'EXT/a/sealed.ibd' ENCRYPTION = 'Y'", "CREATE TABLE sealed" + columns + "TABLESPACE sealed ENCRYPTION = 'Y'",
				"CREATE TABLE secret" + columns + "ENCRYPTION = 'Y' DATA DIRECTORY = 'EXT/b'",
			},
		},
	}
}

// readingLayouts differ in what files are written with.
func readingLayouts() []layout {
	all := []layout{
		{name: "lower_case_table_names=1", shape: []string{"--lower-case-table-names=1"}, tables: []string{"CREATE TABLE MixedCase" + columns}},
		{name: "redo without checksums", args: []string{"--innodb-log-checksums=OFF"}, always: []string{"local"}},
		{name: "pages without checksums", args: []string{"--innodb-checksum-algorithm=none"}},
		{name: "strict checksums of pages", args: []string{"--innodb-checksum-algorithm=strict_crc32"}},
	}
	for _, size := range []string{"4k", "8k", "32k", "64k"} {
		all = append(all, layout{name: "pages of " + size, shape: []string{"--innodb-page-size=" + size}})
	}
	return all
}

// linkSchema moves the folder of a schema out of the data directory and leaves a symbolic link in its place.
func linkSchema(t *testing.T, c *cell) {
	c.stop(t)
	inside, outside := filepath.Join(c.data, "linked"), filepath.Join(c.elsewhere, "linked")
	if err := os.Rename(inside, outside); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, inside); err != nil {
		t.Fatal(err)
	}
	c.start(t)
}

// absolutePath creates tablespaces in the data directory with absolute paths.
func absolutePath(t *testing.T, c *cell) {
	c.source.Exec(t, "CREATE TABLESPACE absolute ADD DATAFILE '"+c.data+"/absolute.ibd'", "CREATE TABLE shop.absolute"+columns+"TABLESPACE absolute",
		"CREATE UNDO TABLESPACE undo_absolute ADD DATAFILE '"+c.data+"/undo_absolute.ibu'")
}
