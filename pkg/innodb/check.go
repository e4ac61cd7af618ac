package innodb

import (
	"bytes"
	"fmt"
	"hash/adler32"
	"hash/crc32"
)

// State is what [Space.Check] finds about a page.
type State int

// The states.
const (
	OK          State = iota
	Zero              // every byte is zero: allocated, never written to
	Bad               // the checksum or the structure is wrong
	Uncheckable       // encrypted: the checksum is of what the page was before
)

func (s State) String() string {
	return [...]string{"ok", "zero", "bad", "uncheckable"}[s]
}

// Algorithm is how the checksum of a page was made: innodb_checksum_algorithm.
type Algorithm int

// The algorithms.
const (
	Unknown    Algorithm = iota
	CRC32C               // "crc32", the default since 5.7.7
	Legacy               // "innodb"
	NoChecksum           // "none"
)

func (a Algorithm) String() string {
	return [...]string{"unknown", "crc32", "innodb", "none"}[a]
}

// Result is what a page says and whether it can be believed.
type Result struct {
	State     State
	Algorithm Algorithm // Unknown unless State is OK
	LSN       uint64    // of the last change; 0 for a zero page
	Reason    string    // why the page is Bad
}

// castagnoli is read only; MakeTable gives the table that the hardware instruction is bound to.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var zeroPage [MaxPageSize]byte

// Check verifies page n of a file, counted from 0, which must be s.PageSize bytes long. Besides
// its checksum, a page must bear the number of its place and the id of its tablespace: one that was
// written to the wrong place, or into the wrong file, has a checksum that holds.
//
// A page that page compression made smaller is rebuilt first, since its checksum is of the page
// as it is in memory.
func (s Space) Check(n uint32, page []byte) Result {
	if len(page) != s.PageSize {
		return Result{State: Bad, Reason: fmt.Sprintf("%d bytes of a page of %d", len(page), s.PageSize)}
	}
	if s.isEmpty(page) {
		return Result{State: Zero}
	}
	if s.isDoublewrite(n) {
		return Result{State: Uncheckable, LSN: be64(page[filLSN:])}
	}
	r := s.check(page)
	if r.State == Bad {
		return r
	}
	if number := be32(page[filNumber:]); number != s.First+n {
		return Result{State: Bad, LSN: r.LSN, Reason: fmt.Sprintf("page says that it is page %d", number)}
	}
	if id := be32(page[filSpaceID:]); id != s.ID && !s.AnyID {
		return Result{State: Bad, LSN: r.LSN, Reason: fmt.Sprintf("page says that it is of tablespace %d, and not of %d", id, s.ID)}
	}
	return r
}

// isEmpty says whether all bytes are zero, those aside that the server does not count either: the
// flush LSN may be set in a page that is empty otherwise.
func (s Space) isEmpty(page []byte) bool {
	if be64(page) != 0 {
		return false
	}
	if s.Compressed {
		return bytes.Equal(page, zeroPage[:len(page)])
	}
	return bytes.Equal(page[:filFlushLSN], zeroPage[:filFlushLSN]) &&
		bytes.Equal(page[filSpaceID:], zeroPage[filSpaceID:len(page)])
}

// isDoublewrite says whether page n lies where the system tablespace had the doublewrite buffer
// until MySQL 8.0.20: the second and third extent. What is there are copies of pages of other
// places, whole or torn, which no server reads any more.
func (s Space) isDoublewrite(n uint32) bool {
	if s.ID != 0 || s.AnyID || s.First != 0 || s.Compressed {
		return false
	}
	extent := max(uint32(extentSize/s.PageSize), minExtentPages)
	return n >= extent && n < 3*extent
}

func (s Space) check(page []byte) Result {
	switch be16(page[filType:]) {
	case TypeEncrypted, TypeCompressedAndEncrypted, TypeEncryptedRTree:
		return Result{State: Uncheckable, LSN: be64(page[filLSN:])}
	}
	switch {
	case s.Compressed:
		return checkZip(page)
	case be16(page[filType:]) == TypeCompressed:
		return checkCompressed(page)
	}
	return checkPlain(page)
}

func checkPlain(page []byte) Result {
	lsn := be64(page[filLSN:])
	end := page[len(page)-trailerSize:]
	if low := be32(end[trailerLSN:]); low != uint32(lsn) {
		return Result{State: Bad, LSN: lsn, Reason: fmt.Sprintf("LSN %d at its start, low half %d at its end", lsn, low)}
	}
	first, last := be32(page[filChecksum:]), be32(end)
	crc := crcOf(page)
	if first == crc && last == crc {
		return Result{State: OK, Algorithm: CRC32C, LSN: lsn}
	}
	if first == noChecksum && last == noChecksum {
		return Result{State: OK, Algorithm: NoChecksum, LSN: lsn}
	}
	if legacyMatches(page, first, last) {
		return Result{State: OK, Algorithm: Legacy, LSN: lsn}
	}
	return Result{State: Bad, LSN: lsn, Reason: fmt.Sprintf("checksum %#08x at its start, %#08x at its end, computed %#08x", first, last, crc)}
}

// crcOf covers all but what is written after the checksum was made: the checksums themselves,
// the flush LSN, the space id and the trailer.
func crcOf(page []byte) uint32 {
	return crc32.Checksum(page[filNumber:filFlushLSN], castagnoli) ^
		crc32.Checksum(page[filData:len(page)-trailerSize], castagnoli)
}

// legacyMatches wants both checksums: the one at the end is of the header alone. The forms that
// servers before 5.0 left behind cannot occur in a server that knows CLONE.
func legacyMatches(page []byte, first, last uint32) bool {
	return last == fold(page[:filFlushLSN]) &&
		first == fold(page[filNumber:filFlushLSN])+fold(page[filData:len(page)-trailerSize])
}

// fold is the hash of bytes that InnoDB used before CRC-32C (ut_fold_binary). Only the low 32
// bits of its words are ever used, and they depend on low bits alone.
func fold(b []byte) uint32 {
	const mask1, mask2 = 1463735687, 1653893711
	var f uint32
	for _, c := range b {
		f = ((f^uint32(c)^mask2)<<8 + f) ^ mask1 + uint32(c)
	}
	return f
}

func checkZip(page []byte) Result {
	lsn := be64(page[filLSN:])
	stored := be32(page[filChecksum:])
	// Adler-32 of zeros is zero: without this a page with a few bits set would pass. The first page of a table that was just
	// made has no LSN either, and a checksum all the same.
	if lsn == 0 && stored == 0 {
		return Result{State: Bad, Reason: "page is not empty, but was never written to"}
	}
	switch stored {
	case zipCRC(page):
		return Result{State: OK, Algorithm: CRC32C, LSN: lsn}
	case noChecksum:
		return Result{State: OK, Algorithm: NoChecksum, LSN: lsn}
	case zipAdler(page):
		return Result{State: OK, Algorithm: Legacy, LSN: lsn}
	}
	return Result{State: Bad, LSN: lsn, Reason: fmt.Sprintf("checksum %#08x, computed %#08x", stored, zipCRC(page))}
}

// A compressed page has no trailer, and its LSN is not covered.
func zipCRC(page []byte) uint32 {
	return crc32.Checksum(page[filNumber:filLSN], castagnoli) ^
		crc32.Checksum(page[filType:filFlushLSN], castagnoli) ^
		crc32.Checksum(page[filSpaceID:], castagnoli)
}

// zipAdler is Adler-32 with the start value 0, where hash/adler32 starts at 1: that makes its
// low half 1, and its high half the number of bytes, larger.
func zipAdler(page []byte) uint32 {
	const modulus = 65521
	h := adler32.New()
	n := 0
	for _, part := range [][]byte{page[filNumber:filLSN], page[filType:filFlushLSN], page[filSpaceID:]} {
		h.Write(part)
		n += len(part)
	}
	sum := h.Sum32()
	low := (sum&0xFFFF + modulus - 1) % modulus
	high := (sum>>16 + modulus - uint32(n%modulus)) % modulus
	return high<<16 | low
}
