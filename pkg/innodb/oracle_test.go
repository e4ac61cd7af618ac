package innodb_test

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/innodb"
	"runner/pkg/mysqld/mysqldtest"
)

// oracle is MySQL's own innochecksum: it gives the pages of a file that are damaged.
func oracle(t *testing.T, path string, pages int) []uint32 {
	t.Helper()
	// Without a number of mismatches that are allowed it ends at the first.
	out, err := innochecksum(t, "--allow-mismatches=1000000", path)
	if err == nil {
		return failures(t, out)
	}
	// It gives up at a page that it cannot decompress: that one is damaged, and the others have to
	// be asked for one by one.
	if !strings.Contains(out, "Page decompress failed") {
		t.Fatalf("innochecksum %s: %v: %s", path, err, out)
	}
	var bad []uint32
	for n := range uint32(pages) {
		if _, err := innochecksum(t, fmt.Sprintf("--page=%d", n), path); err != nil {
			bad = append(bad, n)
		}
	}
	return bad
}

func innochecksum(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.Command(mysqldtest.Tool(t, "innochecksum"), args...).CombinedOutput()
	return string(out), err
}

func failures(t *testing.T, out string) []uint32 {
	t.Helper()
	var bad []uint32
	for _, found := range regexp.MustCompile(`Fail: page (\d+) invalid`).FindAllStringSubmatch(out, -1) {
		n, err := strconv.ParseUint(found[1], 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		bad = append(bad, uint32(n))
	}
	return bad
}

// seen is what our checks make of a file.
type seen struct {
	space      innodb.Space
	bad        []uint32
	reasons    []string
	states     map[innodb.State]int
	algorithms map[innodb.Algorithm]int
}

// withoutMisplaced leaves out the pages whose checksum holds and whose number or tablespace is another one,
// which innochecksum does not look at.
func (s seen) withoutMisplaced() []uint32 {
	var bad []uint32
	for i, n := range s.bad {
		if !strings.HasPrefix(s.reasons[i], "page says that it is ") {
			bad = append(bad, n)
		}
	}
	return bad
}

func check(t *testing.T, file []byte) seen {
	t.Helper()
	space, err := innodb.ReadSpace(file)
	if err != nil {
		t.Fatal(err)
	}
	s := seen{space: space, states: map[innodb.State]int{}, algorithms: map[innodb.Algorithm]int{}}
	for n := 0; n*space.PageSize < len(file); n++ {
		r := space.Check(uint32(n), file[n*space.PageSize:min((n+1)*space.PageSize, len(file))])
		s.states[r.State]++
		s.algorithms[r.Algorithm]++
		if r.State == innodb.Bad {
			s.bad = append(s.bad, uint32(n))
			s.reasons = append(s.reasons, r.Reason)
		}
	}
	return s
}

// words is a statement that fills a table with rows, some long enough to lie in pages of their own.
func words(table string, rows int) string {
	return fmt.Sprintf(`INSERT INTO %s (a, b) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < %d)
		SELECT i, CONCAT(REPEAT('the quick brown fox ', i %% 50), IF(i %% 50 = 0, REPEAT(SHA2(i, 256), 500), '')) FROM n`, table, rows)
}

// kinds are the row formats and tablespaces of a server with pages of a size.
func kinds(pageSize int) map[string]string {
	k := map[string]string{
		"dynamic":   "ROW_FORMAT=DYNAMIC",
		"compact":   "ROW_FORMAT=COMPACT",
		"redundant": "ROW_FORMAT=REDUNDANT",
	}
	if pageSize > 4<<10 { // holes are blocks of the file system, and a page of one block has none
		k["zlib"], k["lz4"] = "COMPRESSION='zlib'", "COMPRESSION='lz4'"
	}
	if pageSize <= 16<<10 { // the manual, innodb_page_size: no compressed rows in larger pages
		for size := 1; size<<10 <= pageSize; size *= 2 {
			k[fmt.Sprintf("rows%d", size)] = fmt.Sprintf("ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=%d", size)
		}
	}
	return k
}

// A real server writes every kind of page; ours and the server's own checker must agree on every
// file, as it is and with bits flipped all over it.
func TestChecksAgreeWithInnochecksum(t *testing.T) {
	for _, size := range []int{4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel() // each waits for its server more than it computes
			dir := everyKind(t, size)
			rewrite(t, dir)
			compare(t, dir, size)
		})
	}
}

// everyKind makes a data directory that has all kinds of tablespaces, and stops its server.
func everyKind(t *testing.T, size int) string {
	t.Helper()
	args := []string{fmt.Sprintf("--innodb-page-size=%d", size), "--innodb-data-file-path=ibdata1:12M;ibdata2:12M:autoextend"}
	s := mysqldtest.Start(t, mysqldtest.WithArgs(args...), mysqldtest.WithoutClone())
	s.Exec(t, "CREATE DATABASE shop", "CREATE TABLESPACE general ADD DATAFILE 'general.ibd'", "SET SESSION cte_max_recursion_depth = 10000")
	s.Exec(t, "CREATE TABLE shop.general (a INT PRIMARY KEY, b LONGTEXT) TABLESPACE general", words("shop.general", 1000))
	s.Exec(t, "CREATE TABLE shop.general_too (a INT PRIMARY KEY, b LONGTEXT) ROW_FORMAT=REDUNDANT TABLESPACE general", words("shop.general_too", 300))
	if size <= 16<<10 {
		s.Exec(t, fmt.Sprintf("CREATE TABLESPACE zip ADD DATAFILE 'zip.ibd' FILE_BLOCK_SIZE = %d", size/2),
			fmt.Sprintf("CREATE TABLE shop.zip (a INT PRIMARY KEY, b LONGTEXT) ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=%d TABLESPACE zip", size/2048), words("shop.zip", 300))
	}
	s.Exec(t, "CREATE TABLE shop.search (a INT PRIMARY KEY, b LONGTEXT, FULLTEXT KEY (b))", words("shop.search", 200))
	s.Exec(t, "CREATE TABLE shop.place (a INT PRIMARY KEY, g POINT NOT NULL SRID 0, SPATIAL KEY (g))",
		"INSERT INTO shop.place WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 1000) SELECT i, POINT(i, i*i) FROM n")
	for name, option := range kinds(size) {
		rows := 500
		if strings.Contains(option, "COMPRESSION") {
			rows = 120 // innochecksum has to be asked for each of its pages
		}
		s.Exec(t, "CREATE TABLE shop."+name+" (a INT PRIMARY KEY, b LONGTEXT) "+option, words("shop."+name, rows), "UPDATE shop."+name+" SET b = UPPER(b) WHERE a % 7 = 0")
	}
	// A slow shutdown writes all pages, and empties the change buffer and what is to be purged.
	s.Exec(t, "SET GLOBAL innodb_fast_shutdown = 0")
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s.DataDir()
}

// rewrite has innochecksum give a file the checksums of each algorithm, which servers no longer
// write and still read.
func rewrite(t *testing.T, dir string) {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(dir, "shop", "dynamic.ibd"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []innodb.Algorithm{innodb.CRC32C, innodb.Legacy, innodb.NoChecksum} {
		path := filepath.Join(t.TempDir(), "t.ibd")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := innochecksum(t, "--no-check", "--write="+want.String(), path); err != nil {
			t.Fatalf("innochecksum --write=%v: %v: %s", want, err, out)
		}
		rewritten, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := check(t, rewritten)
		if len(s.bad) != 0 || s.algorithms[want] != s.states[innodb.OK] || s.states[innodb.OK] == 0 {
			t.Errorf("%v: bad pages %v %v, algorithms %v", want, s.bad, s.reasons, s.algorithms)
		}
	}
}

func compare(t *testing.T, dir string, size int) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !innodb.IsTablespace(path) || d.Name() == "ibdata2" {
			return err
		}
		files++
		file, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, dir)
		s := check(t, file)
		pages := len(file) / s.space.PageSize
		if says := oracle(t, path, pages); len(s.bad) != 0 || len(says) != 0 {
			t.Errorf("%s: damaged pages %v %v, innochecksum says %v", name, s.bad, s.reasons, says)
		}
		if s.space.Logical != size {
			t.Errorf("%s: pages of %d bytes", name, s.space.Logical)
		}
		damaged, touched := damage(file, s.space.PageSize)
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			return err
		}
		ours := check(t, damaged)
		if diff := cmp.Diff(oracle(t, path, pages), ours.withoutMisplaced()); diff != "" {
			t.Errorf("%s: %d pages were damaged; innochecksum and we differ on: %s", name, len(touched), diff)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 10 {
		t.Errorf("only %d files were compared", files)
	}
}

// damage flips a bit in every third page but the first, each time at another offset, and writes random bytes over
// others.
func damage(file []byte, size int) (damaged []byte, pages []int) {
	damaged = slices.Clone(file)
	offsets := []int{0, 4, 5, 10, 16, 20, 24, 26, 30, 34, 37, 38, 100, size / 2, size - 9, size - 8, size - 5, size - 4, size - 1}
	for page := 2; page*size < len(file)-size; page += 3 {
		offset := offsets[page/3%len(offsets)]
		damaged[page*size+offset] ^= 1 << (page % 8)
		pages = append(pages, page)
	}
	return damaged, append(pages, overwrite(damaged, size)...)
}

// overwrite writes up to 600 random bytes into every sixth page, one of those that no bit was flipped in, each time
// somewhere else.
func overwrite(file []byte, size int) (pages []int) {
	random := rand.New(rand.NewPCG(1, uint64(len(file)))) // the same each time
	for page := 3; page*size < len(file)-size; page += 6 {
		n := 1 + random.IntN(600)
		at := page*size + 38 + random.IntN(size-38-n) // after the header, which single bits are flipped in
		for i := range n {
			file[at+i] = byte(random.Uint32())
		}
		pages = append(pages, page)
	}
	return pages
}
