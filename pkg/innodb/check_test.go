package innodb_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"runner/pkg/innodb"
	"runner/pkg/innodb/innodbtest"
)

func TestPageSizeOfFlags(t *testing.T) {
	tests := []struct {
		flags             uint32
		physical, logical int // 0: refused
	}{
		{0x4021, 16 << 10, 16 << 10},        // dynamic, what 8.0 and later make
		{0x0, 16 << 10, 16 << 10},           // redundant or compact
		{0x4021 | 3<<6, 4 << 10, 4 << 10},   // innodb_page_size=4k
		{0x4021 | 4<<6, 8 << 10, 8 << 10},   //
		{0x4021 | 6<<6, 32 << 10, 32 << 10}, //
		{0x4021 | 7<<6, 64 << 10, 64 << 10}, //
		{0x4021 | 1<<1, 1 << 10, 16 << 10},  // KEY_BLOCK_SIZE=1
		{0x4021 | 4<<1, 8 << 10, 16 << 10},  // KEY_BLOCK_SIZE=8
		{0x4021 | 5<<1, 16 << 10, 16 << 10}, // KEY_BLOCK_SIZE=16
		{0x4021 | 3<<1 | 3<<6, 4096, 4096},  // KEY_BLOCK_SIZE=4 with pages of 4 KiB
		{0x6021, 16 << 10, 16 << 10},        // encrypted
		{0x4021 | 8<<6, 0, 0},               // 128 KiB
		{0x4021 | 2<<6, 0, 0},               // 2 KiB
		{0x4021 | 6<<1 | 6<<6, 0, 0},        // compressed pages of 32 KiB
		{0x4021 | 4<<1 | 3<<6, 0, 0},        // compressed pages larger than pages
		{1 << 1, 0, 0},                      // compressed, without what that needs
		{0x8000, 0, 0},                      // a bit nobody knows
		{0xFFFFFFFF, 0, 0},                  //
	}
	for _, test := range tests {
		physical, logical, err := innodb.PageSize(test.flags)
		if physical != test.physical || logical != test.logical || (err == nil) != (test.physical != 0) {
			t.Errorf("flags %#x: %d, %d, %v", test.flags, physical, logical, err)
		}
		if err != nil && !errors.Is(err, innodb.ErrNoSpace) {
			t.Errorf("flags %#x: error is %v", test.flags, err)
		}
	}
}

func TestIsTablespace(t *testing.T) {
	for name, want := range map[string]bool{
		"ibdata1": true, "ibdata12": true, "undo_001": true, "mysql.ibd": true, "shop/t.ibd": true, "#innodb_temp/temp_1.ibt": false,
		"shop/undo_9": true, "undo_x": false, "ibdata": false, "ibdata1.bak": false, "#innodb_redo/#ib_redo0": false,
		"ib_buffer_pool": false, "#ib_16384_0.dblwr": false, "auto.cnf": false, "": false, "ibd": false, "x.IBD": false,
	} {
		if got := innodb.IsTablespace(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}

func space(t *testing.T, file []byte) innodb.Space {
	t.Helper()
	s, err := innodb.ReadSpace(file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestReadSpace(t *testing.T) {
	s := space(t, innodbtest.Header(42, 7, 99, 8192))
	want := innodb.Space{ID: 42, Flags: 0x4021 | 4<<6, Pages: 7, PageSize: 8192, Logical: 8192}
	if s != want {
		t.Errorf("space is %+v", s)
	}
}

func TestReadSpaceRefuses(t *testing.T) {
	header := innodbtest.Header(42, 7, 99, 16384)
	with := func(at int, b byte) []byte {
		h := bytes.Clone(header)
		h[at] = b
		return h
	}
	for name, page := range map[string][]byte{
		"nothing":             nil,
		"too little":          header[:innodb.HeaderSize-1],
		"another page number": with(7, 1),
		"another space id":    with(37, 43),
		"another page type":   with(25, 9),
		"unknown flags":       with(54, 0x80),
		"zeros":               make([]byte, 16384), // page type 0
	} {
		if _, err := innodb.ReadSpace(page); !errors.Is(err, innodb.ErrNoSpace) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A single bit that is wrong anywhere in a page is noticed, but for those that no checksum covers.
func TestEveryFlippedBitOfAPageIsNoticed(t *testing.T) {
	page := innodbtest.Page(42, 3, 1<<40+77, 4096, 9)
	s := innodb.Space{ID: 42, PageSize: 4096, Logical: 4096}
	if r := s.Check(3, page); r.State != innodb.OK || r.LSN != 1<<40+77 || r.Algorithm != innodb.CRC32C {
		t.Fatalf("the page itself: %+v", r)
	}
	for at := range page {
		uncovered := at >= 26 && at < 34 // the flush LSN is written later
		for bit := range 8 {
			page[at] ^= 1 << bit
			if got := s.Check(3, page).State; (got == innodb.Bad) == uncovered {
				t.Errorf("bit %d of byte %d: %v", bit, at, got)
			}
			page[at] ^= 1 << bit
		}
	}
}

func TestAPageOfAnotherTablespaceIsBad(t *testing.T) {
	page := innodbtest.Page(43, 3, 77, 16384, 9)
	if r := (innodb.Space{ID: 42, PageSize: 16384}).Check(3, page); r.State != innodb.Bad || !strings.Contains(r.Reason, "43") {
		t.Errorf("a page of tablespace 43 in one of 42: %+v", r)
	}
	if r := (innodb.Space{AnyID: true, PageSize: 16384}).Check(3, page); r.State != innodb.OK {
		t.Errorf("where the tablespace is not known: %+v", r)
	}
}

// With KEY_BLOCK_SIZE equal to the page size, the sizes do not say that rows are compressed.
func TestFlagsDecideThatRowsAreCompressed(t *testing.T) {
	for flags, compressed := range map[uint32]bool{
		0x4021: false, 0x4021 | 5<<1: true, 0x4021 | 4<<1: true, 0x4021 | 3<<1 | 3<<6: true, 0x4021 | 3<<6: false,
	} {
		if s, err := innodb.SpaceOf(42, flags); err != nil || s.Compressed != compressed || s.ID != 42 {
			t.Errorf("flags %#x: %+v, %v", flags, s, err)
		}
	}
}

func TestAPageInAnotherPlaceIsBad(t *testing.T) {
	page := innodbtest.Page(42, 3, 77, 16384, 9)
	if r := (innodb.Space{ID: 42, PageSize: 16384}).Check(4, page); r.State != innodb.Bad {
		t.Errorf("page 3 in the place of page 4: %+v", r)
	}
	// The second file of a system tablespace carries on with the numbers of the first.
	if r := (innodb.Space{ID: 42, PageSize: 16384, First: 3}).Check(0, page); r.State != innodb.OK {
		t.Errorf("page 3 in the place of the first page of a second file: %+v", r)
	}
}

func TestZeroPages(t *testing.T) {
	page := make([]byte, 16384)
	s := innodb.Space{ID: 42, PageSize: 16384, Logical: 16384}
	if got := s.Check(9, page).State; got != innodb.Zero {
		t.Errorf("zeros: %v", got)
	}
	for _, at := range []int{0, 4, 16, 38, 8000, 16383} {
		page[at] = 1
		if got := s.Check(9, page).State; got != innodb.Bad {
			t.Errorf("zeros but for byte %d: %v", at, got)
		}
		page[at] = 0
	}
	s = innodb.Space{ID: 42, PageSize: 1024, Logical: 16384, Compressed: true}
	for _, at := range []int{0, 4, 16, 26, 38, 800, 1023} {
		page[at] = 1
		if got := s.Check(9, page[:1024]).State; got != innodb.Bad {
			t.Errorf("zeros but for byte %d, compressed rows: %v", at, got)
		}
		page[at] = 0
	}
}

func TestAPageThatIsCutOffIsBad(t *testing.T) {
	page := innodbtest.Page(42, 3, 77, 16384, 9)
	s := innodb.Space{ID: 42, PageSize: 16384, Logical: 16384}
	for _, n := range []int{0, 1, 37, 38, 100, 16383} {
		if got := s.Check(3, page[:n]).State; got != innodb.Bad {
			t.Errorf("%d bytes: %v", n, got)
		}
	}
}

// What the old doublewrite buffer holds are pages of other places; servers do not read it.
func TestTheOldDoublewriteBufferIsNotChecked(t *testing.T) {
	system := innodb.Space{ID: 0, PageSize: 16384, Logical: 16384}
	other := innodbtest.Page(42, 3, 77, 16384, 9)
	for n, want := range map[uint32]innodb.State{63: innodb.Bad, 64: innodb.Uncheckable, 191: innodb.Uncheckable, 192: innodb.Bad} {
		if got := system.Check(n, other).State; got != want {
			t.Errorf("page %d: %v", n, got)
		}
	}
	if got := (innodb.Space{ID: 1, PageSize: 16384, Logical: 16384}).Check(64, other).State; got != innodb.Bad {
		t.Errorf("page 64 of another tablespace: %v", got)
	}
}

func TestGuessSpace(t *testing.T) {
	for size := innodb.MinPageSize; size <= innodb.MaxPageSize; size *= 2 {
		var second []byte // file of a system tablespace whose first has 768 pages
		for n := range uint32(5) {
			second = append(second, innodbtest.Page(0, 768+n, 99, size, byte(n))...)
		}
		s, err := innodb.GuessSpace(second)
		if err != nil || s.PageSize != size || s.First != 768 {
			t.Errorf("%d: %+v, %v", size, s, err)
		}
		file := innodbtest.File(42, 5, size)
		file[60] ^= 1 // damages the header
		s, err = innodb.GuessSpace(file)
		if err != nil || s.PageSize != size || s.First != 0 || s.ID != 42 {
			t.Errorf("%d, header damaged: %+v, %v", size, s, err)
		}
	}
	for name, start := range map[string][]byte{"nothing": nil, "zeros": make([]byte, 1<<20), "text": bytes.Repeat([]byte("text"), 1<<18)} {
		if s, err := innodb.GuessSpace(start); !errors.Is(err, innodb.ErrNoSpace) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

// The files are of a MySQL 9.7.4 with component_keyring_file: tables with ENCRYPTION='Y', and besides
// that COMPRESSION='zlib', a spatial key, ROW_FORMAT=COMPRESSED.
func TestEncryptedPagesAreCountedAsUncheckable(t *testing.T) {
	for name, want := range map[string][3]int{ // ok, zero, uncheckable
		"encrypted":                  {1, 2, 4},
		"encrypted-compressed-pages": {1, 1, 13},
		"encrypted-spatial":          {1, 2, 5},
		"encrypted-compressed-rows":  {1, 1, 5},
	} {
		s := check(t, golden(t, name))
		got := [3]int{s.states[innodb.OK], s.states[innodb.Zero], s.states[innodb.Uncheckable]}
		if got != want || len(s.bad) != 0 || !s.space.Encrypted {
			t.Errorf("%s: %v, %+v", name, got, s)
		}
	}
}

func golden(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".ibd.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	file, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// FuzzCheck looks for a page that makes a check panic, or read beyond it.
func FuzzCheck(f *testing.F) {
	for size := 1 << 10; size <= 8<<10; size *= 2 {
		f.Add(innodbtest.Page(42, 3, 77, size, 1), size, false)
		f.Add(innodbtest.Page(42, 3, 77, size, 1), size, true)
	}
	page := innodbtest.Page(42, 3, 77, 4096, 1)
	for algorithm := range byte(4) {
		binary.BigEndian.PutUint16(page[24:], innodb.TypeCompressed)
		page[26], page[27] = 2, algorithm
		binary.BigEndian.PutUint16(page[30:], 4096-38)
		binary.BigEndian.PutUint16(page[32:], 1000)
		f.Add(bytes.Clone(page), 4096, false)
	}
	f.Fuzz(func(t *testing.T, page []byte, size int, compressed bool) {
		s := innodb.Space{ID: 42, PageSize: size, Logical: size, Compressed: compressed}
		if size < 1<<10 || size > innodb.MaxPageSize {
			return
		}
		r := s.Check(3, page)
		if r.State == innodb.OK && len(page) != size {
			t.Errorf("%d bytes of %d are %+v", len(page), size, r)
		}
		if _, err := innodb.ReadSpace(page); err != nil && !errors.Is(err, innodb.ErrNoSpace) {
			t.Error(err)
		}
		if _, err := innodb.GuessSpace(page); err != nil && !errors.Is(err, innodb.ErrNoSpace) {
			t.Error(err)
		}
	})
}
