package innodb_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"runner/pkg/innodb"
	"runner/pkg/mysqld/mysqldtest"
)

// What a server makes of files in place must not be taken for pages of another tablespace: an import gives pages a new id,
// a truncation and a rebuild give a table a new file, and an undo tablespace gets a new id when it is truncated.
func TestPagesOfTablesThatWereImportedRebuiltAndTruncatedAreSound(t *testing.T) {
	s := mysqldtest.Start(t, mysqldtest.WithoutClone())
	dir := s.DataDir()
	s.Exec(t, "CREATE DATABASE shop", "SET SESSION cte_max_recursion_depth = 10000")
	for _, format := range []string{"DYNAMIC", "REDUNDANT", "COMPRESSED KEY_BLOCK_SIZE=16", "COMPRESSED KEY_BLOCK_SIZE=4"} {
		imported(t, s, dir, format)
	}
	s.Exec(t, "CREATE TABLE shop.t (a INT PRIMARY KEY, b LONGTEXT)", words("shop.t", 2000), "DELETE FROM shop.t WHERE a > 100", "TRUNCATE shop.t",
		words("shop.t", 500), "ALTER TABLE shop.t ENGINE=InnoDB", "ALTER TABLE shop.t ADD COLUMN c INT DEFAULT 1, ALGORITHM=INPLACE", "OPTIMIZE TABLE shop.t",
		"CREATE UNDO TABLESPACE more ADD DATAFILE 'more.ibu'", "ALTER UNDO TABLESPACE innodb_undo_001 SET INACTIVE",
		"UPDATE shop.t SET b = UPPER(b)", "SET GLOBAL innodb_fast_shutdown = 0")
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !innodb.IsTablespace(path) {
			return err
		}
		file, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		if s := check(t, file); len(s.bad) > 0 {
			t.Errorf("%s: pages %v are bad: %v", path, s.bad[:min(len(s.bad), 5)], s.reasons[0])
		}
		return nil
	})
	if err != nil || files < 12 {
		t.Errorf("%d files, %v", files, err)
	}
}

// imported makes a table, and another from its file.
func imported(t *testing.T, s *mysqldtest.Server, dir, format string) {
	t.Helper()
	name := "t" + string(rune('a'+len(format)%26))
	from, to := filepath.Join(dir, "shop", name+".ibd"), filepath.Join(dir, "shop", name+"i.ibd")
	s.Exec(t, "CREATE TABLE shop."+name+" (a INT PRIMARY KEY, b LONGTEXT) ROW_FORMAT="+format, words("shop."+name, 1000), "DELETE FROM shop."+name+" WHERE a > 300",
		"CREATE TABLE shop."+name+"i LIKE shop."+name, "ALTER TABLE shop."+name+"i DISCARD TABLESPACE", "FLUSH TABLES shop."+name+" FOR EXPORT")
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, content, 0o640)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Exec(t, "UNLOCK TABLES", "ALTER TABLE shop."+name+"i IMPORT TABLESPACE")
}
