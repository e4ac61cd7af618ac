package innodb

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// FileKind is what a file of a data directory is to InnoDB.
type FileKind int

// The kinds.
const (
	OtherFile      FileKind = iota // no tablespace file
	TableFile                      // of one table, or of a partition of one
	FullTextFile                   // an auxiliary table of a full-text index
	GeneralFile                    // a general tablespace, with any number of tables
	DictionaryFile                 // mysql.ibd: the data dictionary and the tables of the schema mysql
	SystemFile                     // the system tablespace, or a file of it
	UndoFile                       // an undo tablespace
)

// File is what the path of a tablespace file says of what is in it. Names are those of SQL, not as
// the file system writes them; where a server keeps names in lower case, they are in lower case.
type File struct {
	Kind         FileKind
	Path         string // in the data directory
	Schema       string // of a table or a full-text index
	Table        string // of a table; of a full-text index the auxiliary table's own
	Partition    string // empty: not partitioned
	Subpartition string // empty: not subpartitioned
	TableID      uint64 // of a full-text index: information_schema.innodb_tables.table_id of the table that it is of; else 0
	Leftover     bool   // an intermediate table of ALTER TABLE, which no user's statement names
}

// The parts of a file name that follow a table's, in the letters of 8.0.14 and later; earlier ones have
// upper case (storage/innobase/include/dict0dd.h, dict_name).
const (
	partitionMark    = "#p#"
	subpartitionMark = "#sp#"
	leftoverMark     = "#tmp#"
	leftoverPrefix   = "#sql"
)

// FileOf says what the tablespace file at a path is, slash-separated and relative to the data directory.
// Only names are looked at, and any path gives an answer.
func FileOf(path string) File {
	f := File{Path: path}
	folder, base := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		folder, base = path[:i], path[i+1:]
	}
	name, ibd := strings.CutSuffix(base, ".ibd")
	switch {
	case !IsTablespace(path):
		return f
	case !ibd && strings.HasPrefix(base, "ibdata"):
		f.Kind = SystemFile
	case !ibd:
		f.Kind = UndoFile
	case path == "mysql.ibd":
		f.Kind = DictionaryFile
	case folder == "" || strings.Contains(folder, "/"): // general tablespaces can't lie in a schema's folder
		f.Kind = GeneralFile
	default:
		f.Kind = TableFile
		f.Schema = DecodeName(folder)
		f.table(name)
	}
	return f
}

// table takes apart the name of the file of a table.
func (f *File) table(name string) {
	if indexFold(name, leftoverPrefix) == 0 {
		f.Table, f.Leftover = name, true // written as it is
		return
	}
	if i := len(name) - len(leftoverMark); i >= 0 && strings.EqualFold(name[i:], leftoverMark) {
		name, f.Leftover = name[:i], true
	}
	if i := indexFold(name, partitionMark); i >= 0 {
		partition := name[i+len(partitionMark):]
		name = name[:i]
		if i := indexFold(partition, subpartitionMark); i >= 0 {
			f.Subpartition = DecodeName(partition[i+len(subpartitionMark):])
			partition = partition[:i]
		}
		f.Partition = DecodeName(partition)
	}
	f.Table = DecodeName(name)
	if id, ok := fullTextOf(name); ok {
		f.Kind, f.TableID = FullTextFile, id
	}
}

// indexFold gives where sep, which is ASCII, begins in s in whatever case; -1 if nowhere.
func indexFold(s, sep string) int {
	for i := 0; i+len(sep) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(sep)], sep) {
			return i
		}
	}
	return -1
}

// fullTextOf gives the table of an auxiliary table of a full-text index: fts_ and the table's id in
// 16 hexadecimal digits, and after that which one it is.
func fullTextOf(name string) (tableID uint64, ok bool) {
	const prefix, digits = "fts_", 16
	if len(name) < len(prefix)+digits+2 || !strings.EqualFold(name[:len(prefix)], prefix) || name[len(prefix)+digits] != '_' {
		return 0, false
	}
	id, err := strconv.ParseUint(name[len(prefix):len(prefix)+digits], 16, 64)
	return id, err == nil
}

// String names what is in the file as a DBA calls it: table `shop`.`orders`, partition `p0`.
func (f File) String() string {
	switch f.Kind {
	case TableFile:
		s := "table " + quote(f.Schema) + "." + quote(f.Table)
		if f.Leftover {
			s = "intermediate " + s + " of an ALTER TABLE"
		}
		if f.Partition != "" {
			s += ", partition " + quote(f.Partition)
		}
		if f.Subpartition != "" {
			s += ", subpartition " + quote(f.Subpartition)
		}
		return s
	case FullTextFile:
		return fmt.Sprintf("full-text index of the table with TABLE_ID %d in schema %s", f.TableID, quote(f.Schema))
	case GeneralFile:
		return "general tablespace"
	case DictionaryFile:
		return "tablespace `mysql`, the data dictionary"
	case SystemFile:
		return "system tablespace"
	case UndoFile:
		return "undo tablespace"
	}
	return "no tablespace"
}

// CheckStatement gives the SQL statement to look further into damage with, on the server that the
// file is from: one that checks the table, or where the file's name does not tell the table, one that
// finds out which ones it may be. spaceID is the tablespace's. It is empty where no statement helps.
//
// CHECK TABLE makes a server exit when it meets a damaged page (the manual, "CHECK TABLE Usage Notes
// for InnoDB Tables").
func (f File) CheckStatement(spaceID uint32) string {
	switch f.Kind {
	case TableFile:
		if f.Leftover {
			return ""
		}
		return "CHECK TABLE " + quote(f.Schema) + "." + quote(f.Table) + " EXTENDED"
	case FullTextFile:
		return fmt.Sprintf("SELECT name FROM information_schema.innodb_tables WHERE table_id = %d", f.TableID)
	case GeneralFile, DictionaryFile:
		return fmt.Sprintf("SELECT name FROM information_schema.innodb_tables WHERE space = %d", spaceID)
	}
	return ""
}

// quote makes an identifier of SQL.
func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// The prefix of the name that a server gives a file whose name is no encoded one (sql/sql_table.cc,
// filename_to_tablename).
const notEncoded = "#mysql50#"

// DecodeName gives the identifier of SQL that a file or folder is named after, as it is before any mark of a
// partition and without an extension: MySQL writes letters and digits of ASCII and "_" as they are, letters of
// many alphabets as "@" and two characters, and everything else as "@" and four hexadecimal digits. A name that
// is not written like this gives #mysql50# and the name, by which a server knows it too.
func DecodeName(encoded string) string {
	var b strings.Builder
	for rest := encoded; rest != ""; {
		if rest == "@@@" && b.Len() > 0 { // keeps names of devices of Windows apart from these
			break
		}
		c, n := decodeLetter(rest)
		if n == 0 {
			return notEncoded + encoded
		}
		b.WriteRune(c)
		rest = rest[n:]
	}
	return b.String()
}

// decodeLetter reads one character, of n bytes; n is 0 if there is none.
func decodeLetter(s string) (c rune, n int) {
	switch first := s[0]; {
	case plainInName(first):
		return rune(first), 1
	case first != '@' || len(s) < 3:
		return 0, 0
	}
	if c := pairLetter(s[1], s[2]); c != 0 {
		return c, 3
	}
	if len(s) < 5 || strings.Trim(s[1:5], "0123456789abcdef") != "" {
		return 0, 0
	}
	code, err := strconv.ParseUint(s[1:5], 16, 16)
	if err != nil || code == 0 || !utf8.ValidRune(rune(code)) {
		return 0, 0
	}
	return rune(code), 5
}

func plainInName(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// pairLetter gives the letter of a pair; 0 if the pair is none.
func pairLetter(first, second byte) rune {
	for _, row := range fileLetters {
		if row.first != first {
			continue
		}
		at := strings.IndexByte(row.seconds, second)
		if at < 0 {
			return 0
		}
		for _, c := range row.stand {
			if at == 0 {
				return c
			}
			at--
		}
	}
	return 0
}
