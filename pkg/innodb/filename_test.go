package innodb_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/innodb"
	"runner/pkg/mysqld/mysqldtest"
)

func TestFileOf(t *testing.T) {
	tests := []struct {
		path string
		want innodb.File
		says string
	}{
		{"shop/orders.ibd", innodb.File{Kind: innodb.TableFile, Schema: "shop", Table: "orders"}, "table `shop`.`orders`"},
		{
			"we@002dird/we@002dird@0020name.ibd",
			innodb.File{Kind: innodb.TableFile, Schema: "we-ird", Table: "we-ird name"},
			"table `we-ird`.`we-ird name`",
		},
		{"shop/@0K@0k.ibd", innodb.File{Kind: innodb.TableFile, Schema: "shop", Table: "Ää"}, "table `shop`.`Ää`"},
		{"shop/@65e5@672c.ibd", innodb.File{Kind: innodb.TableFile, Schema: "shop", Table: "日本"}, "table `shop`.`日本`"},
		{"shop/con@@@.ibd", innodb.File{Kind: innodb.TableFile, Schema: "shop", Table: "con"}, "table `shop`.`con`"},
		{"shop/a@0060b.ibd", innodb.File{Kind: innodb.TableFile, Schema: "shop", Table: "a`b"}, "table `shop`.`a``b`"},
		{"shop/t#p#p0.ibd", innodb.File{Kind: innodb.TableFile, Schema: "shop", Table: "t", Partition: "p0"}, "table `shop`.`t`, partition `p0`"},
		{
			"shop/t#P#p@002d0#SP#p@002d0sp1.ibd",
			innodb.File{Kind: innodb.TableFile, Schema: "shop", Table: "t", Partition: "p-0", Subpartition: "p-0sp1"},
			"table `shop`.`t`, partition `p-0`, subpartition `p-0sp1`",
		},
		{
			"shop/t#p#p0#tmp#.ibd",
			innodb.File{Kind: innodb.TableFile, Schema: "shop", Table: "t", Partition: "p0", Leftover: true},
			"intermediate table `shop`.`t` of an ALTER TABLE, partition `p0`",
		},
		{
			"shop/#sql-ib1065-3021.ibd",
			innodb.File{Kind: innodb.TableFile, Schema: "shop", Table: "#sql-ib1065-3021", Leftover: true},
			"intermediate table `shop`.`#sql-ib1065-3021` of an ALTER TABLE",
		},
		{
			"shop/a@0023p@0023b.ibd", innodb.File{Kind: innodb.TableFile, Schema: "shop", Table: "a#p#b"}, "table `shop`.`a#p#b`",
		},
		{
			"shop/fts_000000000000042d_00000000000000a6_index_1.ibd",
			innodb.File{Kind: innodb.FullTextFile, Schema: "shop", Table: "fts_000000000000042d_00000000000000a6_index_1", TableID: 1069},
			"full-text index of the table with TABLE_ID 1069 in schema `shop`",
		},
		{
			"shop/FTS_000000000000042d_CONFIG.ibd",
			innodb.File{Kind: innodb.FullTextFile, Schema: "shop", Table: "FTS_000000000000042d_CONFIG", TableID: 1069},
			"full-text index of the table with TABLE_ID 1069 in schema `shop`",
		},
		{"shop/fts_notes.ibd", innodb.File{Kind: innodb.TableFile, Schema: "shop", Table: "fts_notes"}, "table `shop`.`fts_notes`"},
		{"shop/old-name.ibd", innodb.File{Kind: innodb.TableFile, Schema: "shop", Table: "#mysql50#old-name"}, "table `shop`.`#mysql50#old-name`"},
		{"shop/undo_001.ibd", innodb.File{Kind: innodb.TableFile, Schema: "shop", Table: "undo_001"}, "table `shop`.`undo_001`"},
		{"gen x.ibd", innodb.File{Kind: innodb.GeneralFile}, "general tablespace"},
		{"elsewhere/deep/g.ibd", innodb.File{Kind: innodb.GeneralFile}, "general tablespace"},
		{"mysql.ibd", innodb.File{Kind: innodb.DictionaryFile}, "tablespace `mysql`, the data dictionary"},
		{"ibdata1", innodb.File{Kind: innodb.SystemFile}, "system tablespace"},
		{"undo_001", innodb.File{Kind: innodb.UndoFile}, "undo tablespace"},
		{"u2.ibu", innodb.File{Kind: innodb.UndoFile}, "undo tablespace"},
		{"#innodb_redo/#ib_redo5", innodb.File{}, "no tablespace"},
		{"", innodb.File{}, "no tablespace"},
	}
	for _, test := range tests {
		test.want.Path = test.path
		got := innodb.FileOf(test.path)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q: %s", test.path, diff)
		}
		if got.String() != test.says {
			t.Errorf("%q is called %q, not %q", test.path, got, test.says)
		}
	}
}

func TestCheckStatement(t *testing.T) {
	for path, want := range map[string]string{
		"shop/a@0060b.ibd":                     "CHECK TABLE `shop`.`a``b` EXTENDED",
		"shop/t#p#p0.ibd":                      "CHECK TABLE `shop`.`t` EXTENDED",
		"shop/fts_000000000000042d_config.ibd": "SELECT name FROM information_schema.innodb_tables WHERE table_id = 1069",
		"general.ibd":                          "SELECT name FROM information_schema.innodb_tables WHERE space = 27",
		"mysql.ibd":                            "SELECT name FROM information_schema.innodb_tables WHERE space = 27",
		"shop/#sql-ib1-2.ibd":                  "",
		"ibdata1":                              "",
		"undo_001":                             "",
		"auto.cnf":                             "",
	} {
		if got := innodb.FileOf(path).CheckStatement(27); got != want {
			t.Errorf("%s: %q, not %q", path, got, want)
		}
	}
}

func TestNamesThatNoServerWrites(t *testing.T) {
	for _, name := range []string{"a b", "@", "@0", "@00", "@002", "@002D", "@d800", "@0000", "@@@", "@@A@", "ä", "a@", "a.b", "a@@@b", "\xff"} {
		if got := innodb.DecodeName(name); got != "#mysql50#"+name {
			t.Errorf("%q is decoded to %q", name, got)
		}
	}
}

// A real server names folders after every character that an identifier can have.
func TestNamesOfAllCharactersAreThoseOfTheServer(t *testing.T) {
	s := mysqldtest.Start(t, mysqldtest.WithoutClone())
	const most = 40 // of the 64 characters that a name can have: they must fit into a file name of 255 bytes
	seen := 0
	for first := 1; first <= 0xFFFF; first += most {
		var name strings.Builder
		for c := rune(first); c < rune(first+most) && c <= 0xFFFF; c++ {
			if c < 0xD800 || c > 0xDFFF { // surrogates are no characters
				name.WriteRune(c)
				seen++
			}
		}
		if name.Len() == 0 {
			continue
		}
		name.WriteByte('_') // a name must not end in a space
		quoted := "`" + strings.ReplaceAll(name.String(), "`", "``") + "`"
		s.Exec(t, "CREATE DATABASE "+quoted)
		folder := folderOfSchema(t, s.DataDir())
		if got := innodb.DecodeName(folder); got != name.String() {
			t.Errorf("from U+%04X on: %s is decoded to %q, not %q", first, folder, got, name.String())
		}
		if got := encode(name.String()); got != folder {
			t.Errorf("from U+%04X on: the test's own encoder gives %s, not %s", first, got, folder)
		}
		s.Exec(t, "DROP DATABASE "+quoted)
	}
	if seen != 0xFFFF-0x800 {
		t.Errorf("%d characters were looked at", seen)
	}
}

// folderOfSchema gives the only folder of a data directory that is not the server's own.
func folderOfSchema(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), "#") && !slices.Contains([]string{"mysql", "sys", "performance_schema"}, e.Name()) {
			return e.Name()
		}
	}
	t.Fatal("no folder of a schema")
	return ""
}

// A real server writes files of all kinds, and information_schema.files says what they are.
func TestFilesAreWhatTheServerSaysTheyAre(t *testing.T) {
	s := mysqldtest.Start(t, mysqldtest.WithoutClone())
	s.Exec(t, "CREATE DATABASE `we-ird ``q`", "USE `we-ird ``q`",
		"CREATE TABLE `di r$.ibd` (a INT) PARTITION BY RANGE (a) SUBPARTITION BY HASH (a) SUBPARTITIONS 2 (PARTITION `P-ä` VALUES LESS THAN (9), PARTITION p1 VALUES LESS THAN MAXVALUE)",
		"CREATE TABLE CamelCase (a INT) PARTITION BY HASH (a) PARTITIONS 2",
		"CREATE TABLE con (a INT)", "CREATE TABLE `Ää/ῼ日本` (a INT)", "CREATE TABLE `a#p#b` (a INT)", "CREATE TABLE undo_001 (a INT)",
		"CREATE TABLE `#sql-x` (a INT)", "CREATE TABLE words (a INT, b TEXT, FULLTEXT KEY (b))",
		"CREATE TABLESPACE `Gen-eral` ADD DATAFILE 'gen x.ibd'", "CREATE UNDO TABLESPACE u2 ADD DATAFILE 'u2.ibu'")
	kinds := map[innodb.FileKind]int{}
	for _, row := range s.Query(t, "SELECT file_name, tablespace_name, file_type FROM information_schema.files WHERE file_type <> 'TEMPORARY'") {
		file := innodb.FileOf(filepath.ToSlash(filepath.Clean(row[0])))
		kinds[file.Kind]++
		if got, want := tablespaceName(file), row[1]; got != want {
			t.Errorf("%s: %q, the server says %q", row[0], got, want)
		}
		if got := file.Kind == innodb.UndoFile; got != (row[2] == "UNDO LOG") {
			t.Errorf("%s: %v, the server says %s", row[0], file, row[2])
		}
		if file.Kind == innodb.FullTextFile {
			want := s.Value(t, "SELECT table_id FROM information_schema.innodb_tables WHERE name LIKE '%/words'")
			if fmt.Sprint(file.TableID) != want {
				t.Errorf("%s: of the table %d, the server says %s", row[0], file.TableID, want)
			}
		}
	}
	for kind, least := range map[innodb.FileKind]int{
		innodb.TableFile: 12, innodb.FullTextFile: 11, innodb.GeneralFile: 1, innodb.DictionaryFile: 1, innodb.SystemFile: 1, innodb.UndoFile: 3,
	} {
		if kinds[kind] < least {
			t.Errorf("%d files of kind %d, want %d", kinds[kind], kind, least)
		}
	}
}

// tablespaceName is the server's name of a tablespace, where the name of its file tells.
func tablespaceName(f innodb.File) string {
	switch f.Kind {
	case innodb.TableFile, innodb.FullTextFile:
		name := f.Schema + "/" + f.Table
		if f.Partition != "" {
			name += "#p#" + f.Partition
		}
		if f.Subpartition != "" {
			name += "#sp#" + f.Subpartition
		}
		return name
	case innodb.DictionaryFile:
		return "mysql"
	case innodb.SystemFile:
		return "innodb_system"
	case innodb.UndoFile:
		if f.Path == "u2.ibu" {
			return "u2"
		}
		return "innodb_" + f.Path
	}
	return "Gen-eral"
}

// pairs are all letters that have three bytes in a file name.
var pairs = func() map[rune]string {
	all := map[rune]string{}
	for a := '0'; a <= 'z'; a++ {
		for b := '0'; b <= 'z'; b++ {
			encoded := fmt.Sprintf("@%c%c", a, b)
			if c := []rune(innodb.DecodeName(encoded)); len(c) == 1 {
				all[c[0]] = encoded
			}
		}
	}
	return all
}()

// encode gives the file name of an identifier.
func encode(name string) string {
	var b strings.Builder
	for _, c := range name {
		switch {
		case c < 0x80 && (c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'):
			b.WriteRune(c)
		case pairs[c] != "":
			b.WriteString(pairs[c])
		default:
			fmt.Fprintf(&b, "@%04x", c)
		}
	}
	return b.String()
}

// FuzzFileOf looks for a path that makes it panic, and a name that does not survive the way through a file name.
func FuzzFileOf(f *testing.F) {
	for _, seed := range []string{"shop/t#p#p0#sp#p0sp0.ibd", "we-ird name", "Ää", "日本", "@@@", "@0", "#sql-1", "fts_000000000000042d_x", "a/b/c.ibd", "ibdata1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		file := innodb.FileOf(name)
		if file.Kind == innodb.OtherFile && file != (innodb.File{Path: name}) {
			t.Errorf("%q: %+v", name, file)
		}
		_ = file.String() + file.CheckStatement(1)
		if strings.ContainsFunc(name, func(c rune) bool { return c == 0 || c > 0xFFFF || c == 0xFFFD }) || name == "" {
			return // not an identifier
		}
		table := innodb.FileOf("shop/" + encode(name) + "#p#" + encode(name) + ".ibd")
		if table.Schema != "shop" || table.Table != name || table.Partition != name || table.Kind == innodb.OtherFile {
			t.Errorf("%q: %+v", name, table)
		}
	})
}
