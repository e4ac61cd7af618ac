package clone_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"runner/pkg/clone"
	"runner/pkg/mysqld/mysqldtest"
)

// folder is a sink that makes a data directory, and wants every call to be one that can be made.
type folder struct{ dir string }

func newFolder(t *testing.T) folder {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	return folder{dir}
}

func (f folder) path(p string) string { return filepath.Join(f.dir, filepath.FromSlash(p)) }

func (f folder) Folder(p string) error { return os.Mkdir(f.path(p), 0o750) }

func (f folder) Create(p string, size int64) error {
	file, err := os.OpenFile(f.path(p), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	return errors.Join(file.Truncate(size), file.Close())
}

func (f folder) WriteAt(p string, data []byte, off int64) error {
	file, err := os.OpenFile(f.path(p), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(data, off)
	return errors.Join(err, file.Close())
}

func (f folder) Resize(p string, size int64) error {
	if _, err := os.Stat(f.path(p)); err != nil {
		return err
	}
	return os.Truncate(f.path(p), size)
}

func (f folder) Rename(from, to string) error {
	if _, err := os.Lstat(f.path(to)); err == nil {
		return fmt.Errorf("%s is there", to)
	}
	return os.Rename(f.path(from), f.path(to))
}

func (f folder) Remove(p string) error { return os.Remove(f.path(p)) }

// boot starts a server on what was streamed, as on a clone.
func (f folder) boot(t *testing.T, options ...mysqldtest.Option) *mysqldtest.Server {
	t.Helper()
	return f.bootWith(t, append(options, mysqldtest.WithQuiet())...)
}

// bootWith is boot, with a network, a binary log and all that a server has.
func (f folder) bootWith(t *testing.T, options ...mysqldtest.Option) *mysqldtest.Server {
	t.Helper()
	if err := os.Mkdir(f.path("#clone"), 0o750); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"#status_fix": "", "#replace_files": "", "#view_status": "2 1\n1 0\nstream\n0\n\n\n0\n"} {
		if err := os.WriteFile(f.path("#clone/"+name), []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	keyring, err := clone.KeyringFiles(f.dir)
	if _, there := os.Stat(f.path(clone.KeyringStore)); there != nil || err != nil {
		keyring = nil
	}
	for name, content := range keyring {
		if err := os.WriteFile(f.path(name), content, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return mysqldtest.Start(t, append([]mysqldtest.Option{mysqldtest.WithDataDir(f.dir)}, options...)...)
}

// streamed pulls a copy, and boots a server on it.
func streamed(t *testing.T, my *mysqldtest.Server, o clone.StreamOptions, options ...mysqldtest.Option) (*mysqldtest.Server, *clone.Result) {
	t.Helper()
	sink := newFolder(t)
	o.CheckPages = true
	result, err := connect(t, my).CloneStream(t.Context(), o, sink, hooks(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Stream.BadPages) > 0 {
		t.Errorf("bad pages: %v", result.Stream.BadPages)
	}
	return sink.boot(t, options...), result
}

func hooks(t *testing.T) clone.Hooks {
	return clone.Hooks{Note: func(text string) { t.Log(text) }}
}

// checksums are those of all tables.
func checksums(t testing.TB, my *mysqldtest.Server) string {
	t.Helper()
	var b strings.Builder
	for _, name := range mysqldtest.Tables(t, my) {
		fmt.Fprintln(&b, my.Query(t, "CHECKSUM TABLE "+name))
	}
	return b.String()
}

// fill makes tables of every kind.
func fill(t testing.TB, my *mysqldtest.Server) {
	t.Helper()
	my.Exec(
		t,
		"CREATE DATABASE shop", "USE shop", "SET SESSION cte_max_recursion_depth = 100000",
		"CREATE TABLE plain (id INT PRIMARY KEY, s VARCHAR(200), KEY (s))",
		"CREATE TABLE packed (id INT PRIMARY KEY, s VARCHAR(200)) ROW_FORMAT = COMPRESSED KEY_BLOCK_SIZE = 8",
		"CREATE TABLE holes (id INT PRIMARY KEY, s VARCHAR(200)) COMPRESSION = 'zlib'",
		"CREATE TABLE parts (id INT PRIMARY KEY, s VARCHAR(200)) PARTITION BY HASH (id) PARTITIONS 3",
		"CREATE TABLESPACE general ADD DATAFILE 'general.ibd'",
		"CREATE TABLE inside (id INT PRIMARY KEY, s VARCHAR(200)) TABLESPACE general",
		"CREATE TABLE `odd-name @ café` (id INT PRIMARY KEY, s VARCHAR(200))",
		"CREATE TABLE words (id INT PRIMARY KEY, s VARCHAR(200), FULLTEXT KEY (s))",
		"CREATE TABLE gone (id INT PRIMARY KEY) ENGINE = MyISAM",
	)
	for _, name := range []string{"plain", "packed", "holes", "parts", "inside", "`odd-name @ café`", "words"} {
		my.Exec(t, "USE shop", "SET SESSION cte_max_recursion_depth = 100000",
			"INSERT INTO "+name+" WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT i, CONCAT(SHA2(i, 512), ' row ', i) FROM n")
	}
}
