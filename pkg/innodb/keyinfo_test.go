package innodb_test

import (
	"bytes"
	"crypto/aes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"runner/pkg/innodb"
)

// sizes are all sizes of pages, on disk and in memory, and where page 0 has the information about its key: behind the
// header of 150 bytes, and as many descriptors as a page has extents, each of 24 bytes and two bits a page.
var sizes = []struct { //nolint:gochecknoglobals // a table
	physical, logical, key int
}{
	{4 << 10, 4 << 10, 1558},    // 16 × (24 + 64)
	{8 << 10, 8 << 10, 3734},    // 64 × (24 + 32)
	{16 << 10, 16 << 10, 10390}, // 256 × (24 + 16)
	{32 << 10, 32 << 10, 20630}, // 512 × (24 + 16)
	{64 << 10, 64 << 10, 41110}, // 1024 × (24 + 16)
	{1 << 10, 16 << 10, 790},
	{2 << 10, 16 << 10, 1430},
	{4 << 10, 16 << 10, 2710},
	{8 << 10, 16 << 10, 5270},
	{1 << 10, 8 << 10, 598},
	{2 << 10, 8 << 10, 1046},
	{4 << 10, 8 << 10, 1942},
	{1 << 10, 4 << 10, 502},
	{2 << 10, 4 << 10, 854},
}

// flagsOf are those of a tablespace with pages of a size.
func flagsOf(physical, logical int) uint32 {
	code := func(size int) (n uint32) {
		for ; size > 512; size /= 2 {
			n++
		}
		return n
	}
	flags := uint32(1<<14 | 1<<13 | 1<<5 | 1)
	if logical != 16<<10 {
		flags |= code(logical) << 6
	}
	if physical != logical {
		flags |= code(physical) << 1
	}
	return flags
}

func spaceOf(physical, logical int) innodb.Space {
	return innodb.Space{ID: 77, Flags: flagsOf(physical, logical), PageSize: physical, Logical: logical, Compressed: physical != logical}
}

// sumCRC is the checksum of a page, by CLONE-PROTOCOL, section 7.
func sumCRC(page []byte, compressed bool) uint32 {
	c := func(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
	if compressed {
		return c(page[4:16]) ^ c(page[24:26]) ^ c(page[34:])
	}
	return c(page[4:26]) ^ c(page[38:len(page)-8])
}

func TestFirstPageSaysWhichTablespaceItIsAndNothingElse(t *testing.T) {
	for _, size := range sizes {
		s := spaceOf(size.physical, size.logical)
		if physical, logical, err := innodb.PageSize(s.Flags); err != nil || physical != s.PageSize || logical != s.Logical {
			t.Fatalf("flags %#x are of %d, %d: %v", s.Flags, physical, logical, err)
		}
		page := s.FirstPage(80036)
		want := make([]byte, size.physical)
		be := binary.BigEndian
		be.PutUint32(want[8:], 80036)
		be.PutUint32(want[12:], 1)
		be.PutUint32(want[34:], 77)
		be.PutUint32(want[38:], 77)
		be.PutUint32(want[54:], s.Flags)
		sum := sumCRC(want, s.Compressed)
		be.PutUint32(want, sum)
		if !s.Compressed {
			be.PutUint32(want[len(want)-8:], sum)
		}
		if !bytes.Equal(page, want) {
			t.Errorf("%+v: the page differs", size)
		}
		if r := s.Check(0, page); r.State != innodb.OK {
			t.Errorf("%+v: %+v", size, r)
		}
	}
}

// MySQL's own tool takes first pages, of files as DDL makes them while a clone runs, for sound, and for damaged where we do.
func TestInnochecksumFindsFirstPagesSound(t *testing.T) {
	for _, size := range sizes {
		s := spaceOf(size.physical, size.logical)
		s.Flags &^= 1 << 13 // it has no key
		file := append(s.FirstPage(90704), make([]byte, 6*size.physical)...)
		path := filepath.Join(t.TempDir(), "t.ibd")
		for _, damage := range []bool{false, true} {
			if damage {
				file[60] ^= 1
			}
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := innochecksum(t, path)
			if state := s.Check(0, file[:size.physical]).State; (err != nil) != damage || (state == innodb.Bad) != damage {
				t.Errorf("%+v, damaged: %v: innochecksum says %v: %s; we say %v", size, damage, err, out, state)
			}
		}
	}
}

func TestStampGivesAPageTheChecksumThatItIsCheckedFor(t *testing.T) {
	for _, size := range sizes {
		s := spaceOf(size.physical, size.logical)
		page := make([]byte, size.physical)
		for i := range page {
			page[i] = byte(i * 7)
		}
		binary.BigEndian.PutUint32(page[4:], 3)
		binary.BigEndian.PutUint16(page[24:], 17855)
		binary.BigEndian.PutUint32(page[34:], 77)
		if s.Check(3, page).State == innodb.OK {
			t.Fatal("the checksum holds before")
		}
		s.Stamp(page)
		if r := s.Check(3, page); r.State != innodb.OK {
			t.Errorf("%+v: %+v", size, r)
		}
		again := bytes.Clone(page)
		if s.Stamp(again); !bytes.Equal(again, page) {
			t.Errorf("%+v: a second stamp changes it", size)
		}
	}
}

func master() innodb.MasterKey {
	k := innodb.MasterKey{UUID: "8fb36092-e66b-11f1-b802-02fc00000001", ID: 7}
	for i := range k.Key {
		k.Key[i] = byte(i * 11)
	}
	return k
}

// block is the information about a key in clear.
func block(key, iv []byte) []byte {
	b := append([]byte("lCC\x00\x00\x00\x00"), make([]byte, 36)...)
	b = append(append(b, key...), iv...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[43:107], crc32.MakeTable(crc32.Castagnoli)))
}

// unsealed takes a sealed block back to one in clear, as a server does.
func unsealed(t *testing.T, sealed []byte, k innodb.MasterKey) []byte {
	t.Helper()
	b := bytes.Clone(sealed)
	if !bytes.HasPrefix(b, []byte("lCC")) || binary.BigEndian.Uint32(b[3:]) != k.ID || string(b[7:43]) != k.UUID {
		t.Fatalf("it begins with %q", b[:43])
	}
	clear(b[3:43])
	c, err := aes.NewCipher(k.Key[:])
	if err != nil {
		t.Fatal(err)
	}
	for at := 43; at < 107; at += 16 {
		c.Decrypt(b[at:], b[at:])
	}
	return b
}

func keyAndVector() (key, iv []byte) {
	return []byte(strings.Repeat("key!", 8)), []byte(strings.Repeat("vect", 8))
}

func TestAKeyIsPutAndSealedWhereAServerLooksForIt(t *testing.T) {
	key, iv := keyAndVector()
	k := master()
	for _, size := range sizes {
		s := spaceOf(size.physical, size.logical)
		put, sealed := s.FirstPage(90704), s.FirstPage(90704)
		if err := s.PutKey(put, key, iv, k); err != nil {
			t.Fatal(err)
		}
		copy(sealed[size.key:], block(key, iv))
		if err := s.SealFirstPage(sealed, k); err != nil {
			t.Errorf("%+v: %v", size, err)
			continue
		}
		if !bytes.Equal(put, sealed) {
			t.Errorf("%+v: a key that is put differs from one that came", size)
		}
		if got := unsealed(t, sealed[size.key:][:111], k); !bytes.Equal(got, block(key, iv)) {
			t.Errorf("%+v: the key is another", size)
		}
		if r := s.Check(0, sealed); r.State != innodb.OK {
			t.Errorf("%+v: %+v", size, r)
		}
		before := bytes.Clone(sealed)
		if err := s.SealFirstPage(sealed, k); !errors.Is(err, innodb.ErrNoKey) || !bytes.Equal(sealed, before) {
			t.Errorf("%+v: sealed a second time: %v", size, err)
		}
	}
}

// The places that a server of 9.7 has chosen, in files that it made.
func TestAServersOwnFilesHaveTheKeyInTheSamePlace(t *testing.T) {
	k := master()
	key, iv := keyAndVector()
	for name, at := range map[string]int{"encrypted": 10390, "encrypted-compressed-pages": 10390, "encrypted-spatial": 10390, "encrypted-compressed-rows": 5270} {
		file := golden(t, name)
		s := space(t, file)
		page := file[:s.PageSize]
		if !bytes.Equal(page[at:at+3], []byte("lCC")) {
			t.Fatalf("%s has no key at %d", name, at)
		}
		if err := s.SealFirstPage(page, k); !errors.Is(err, innodb.ErrNoKey) {
			t.Errorf("%s is sealed already: %v", name, err)
		}
		copy(page[at:], block(key, iv))
		if err := s.SealFirstPage(page, k); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := unsealed(t, page[at:][:111], k); !bytes.Equal(got, block(key, iv)) {
			t.Errorf("%s: the key is another", name)
		}
		if r := s.Check(0, page); r.State != innodb.OK {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestWhatFollowsTheFirstPageIsLeftAlone(t *testing.T) {
	key, iv := keyAndVector()
	s := spaceOf(4<<10, 4<<10)
	for name, do := range map[string]func(page []byte) error{
		"put": func(page []byte) error { return s.PutKey(page, key, iv, master()) },
		"seal": func(page []byte) error {
			copy(page[1558:], block(key, iv))
			return s.SealFirstPage(page, master())
		},
	} {
		pages := append(s.FirstPage(90704), bytes.Repeat([]byte{9}, 4<<10)...)
		if err := do(pages); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(pages[4<<10:], bytes.Repeat([]byte{9}, 4<<10)) {
			t.Errorf("%s: the second page was changed", name)
		}
		if r := s.Check(0, pages[:4<<10]); r.State != innodb.OK {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestWhatHasNoKeyIsNotSealed(t *testing.T) {
	key, iv := keyAndVector()
	s := spaceOf(16<<10, 16<<10)
	page := func(change func(b []byte)) []byte {
		p := s.FirstPage(90704)
		copy(p[10390:], block(key, iv))
		change(p[10390:][:111])
		return p
	}
	for name, p := range map[string][]byte{
		"nothing":            nil,
		"no information":     s.FirstPage(90704),
		"a page that is cut": page(func([]byte) {})[:16<<10-1],
		"another magic":      page(func(b []byte) { b[2] = 'B' }),
		"sealed":             page(func(b []byte) { b[6] = 1 }),
	} {
		before := bytes.Clone(p)
		if err := s.SealFirstPage(p, master()); !errors.Is(err, innodb.ErrNoKey) || !bytes.Equal(p, before) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, p := range map[string][]byte{
		"a key":             page(func(b []byte) { b[50] ^= 1 }),
		"a vector":          page(func(b []byte) { b[106] ^= 1 }),
		"a checksum":        page(func(b []byte) { b[110] ^= 1 }),
		"a block of a name": page(func(b []byte) { clear(b[43:]) }),
	} {
		before := bytes.Clone(p)
		if err := s.SealFirstPage(p, master()); !errors.Is(err, innodb.ErrBadKey) || !bytes.Equal(p, before) {
			t.Errorf("%s that is damaged: %v", name, err)
		}
	}
	if err := (innodb.Space{}).SealFirstPage(page(func([]byte) {}), master()); !errors.Is(err, innodb.ErrNoKey) {
		t.Errorf("a tablespace of no page size: %v", err)
	}
}

func TestAKeyOfAnotherLengthIsNotPut(t *testing.T) {
	key, iv := keyAndVector()
	s := spaceOf(4<<10, 4<<10)
	for name, put := range map[string]func() error{
		"no key":            func() error { return s.PutKey(s.FirstPage(1), nil, iv, master()) },
		"a short key":       func() error { return s.PutKey(s.FirstPage(1), key[:31], iv, master()) },
		"no vector":         func() error { return s.PutKey(s.FirstPage(1), key, nil, master()) },
		"a long vector":     func() error { return s.PutKey(s.FirstPage(1), key, append(iv, 0), master()) },
		"a page that ends":  func() error { return s.PutKey(s.FirstPage(1)[:1558+110], key, iv, master()) },
		"a page that is so": func() error { return s.PutKey(s.FirstPage(1)[:4<<10-1], key, iv, master()) },
		"no page":           func() error { return s.PutKey(nil, key, iv, master()) },
		"no page size":      func() error { return innodb.Space{}.PutKey(s.FirstPage(1), key, iv, master()) },
	} {
		if err := put(); !errors.Is(err, innodb.ErrNoKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheKeyOfARedoLogIsSealed(t *testing.T) {
	key, iv := keyAndVector()
	header := bytes.Repeat([]byte{3}, 2048)
	copy(header[1072:], block(key, iv))
	before := bytes.Clone(header)
	if err := innodb.SealRedo(header, master()); err != nil {
		t.Fatal(err)
	}
	if got := unsealed(t, header[1072:][:111], master()); !bytes.Equal(got, block(key, iv)) {
		t.Error("the key is another")
	}
	if !bytes.Equal(header[:1072], before[:1072]) || !bytes.Equal(header[1183:], before[1183:]) {
		t.Error("what lies around it was changed")
	}
	for name, h := range map[string][]byte{"sealed": header, "without a key": make([]byte, 2048), "cut": before[:1072+110], "empty": nil} {
		if err := innodb.SealRedo(h, master()); !errors.Is(err, innodb.ErrNoKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	before[1072+60] ^= 1
	if err := innodb.SealRedo(before, master()); !errors.Is(err, innodb.ErrBadKey) {
		t.Errorf("damaged: %v", err)
	}
}

func TestAMasterKeyIsCalledAsAServerCallsIt(t *testing.T) {
	if name := master().Name(); name != "INNODBKey-8fb36092-e66b-11f1-b802-02fc00000001-7" {
		t.Errorf("it is called %s", name)
	}
}

func FuzzSealFirstPage(f *testing.F) {
	key, iv := keyAndVector()
	p := spaceOf(4<<10, 4<<10).FirstPage(1)
	copy(p[1558:], block(key, iv))
	f.Add(p, uint32(0x4021|3<<6))
	f.Add([]byte{}, uint32(0))
	f.Fuzz(func(t *testing.T, page []byte, flags uint32) {
		physical, logical, err := innodb.PageSize(flags)
		if err != nil {
			return
		}
		s := innodb.Space{PageSize: physical, Logical: logical, Compressed: physical != logical}
		before := bytes.Clone(page)
		err = s.SealFirstPage(page, master())
		refused := errors.Is(err, innodb.ErrNoKey) || errors.Is(err, innodb.ErrBadKey)
		if err != nil && (!refused || !bytes.Equal(page, before)) {
			t.Errorf("%v", err)
		}
		if err == nil && binary.BigEndian.Uint32(page) != sumCRC(page[:physical], s.Compressed) {
			t.Error("the checksum does not hold")
		}
	})
}
