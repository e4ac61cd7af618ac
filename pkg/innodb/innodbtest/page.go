// Package innodbtest makes tablespace files for tests: pages with checksums that hold.
package innodbtest

import (
	"encoding/binary"
	"hash/crc32"
)

// Page gives a page of size bytes whose content is filled with fill, and which has the checksum
// that a server writes.
func Page(space, number uint32, lsn uint64, size int, fill byte) []byte {
	p := make([]byte, size)
	for i := 38; i < size-8; i++ {
		p[i] = fill + byte(i*int(number+1)>>5)
	}
	be := binary.BigEndian
	be.PutUint32(p[4:], number)
	be.PutUint64(p[16:], lsn)
	be.PutUint16(p[24:], 17855) // an index page
	be.PutUint32(p[34:], space)
	Seal(p)
	return p
}

// Header gives page 0 of a tablespace of so many pages. size is 4096 to 65536.
func Header(space, pages uint32, lsn uint64, size int) []byte {
	p := Page(space, 0, lsn, size, 0)
	clear(p[38 : size-8])
	be := binary.BigEndian
	be.PutUint16(p[24:], 8)
	be.PutUint32(p[38:], space)
	be.PutUint32(p[46:], pages)
	flags := uint32(1<<14 | 1<<5 | 1) // SDI, atomic blobs, post-antelope
	if size != 16<<10 {
		shift := uint32(0)
		for n := 512; n < size; n *= 2 {
			shift++
		}
		flags |= shift << 6
	}
	be.PutUint32(p[54:], flags)
	Seal(p)
	return p
}

// File gives a tablespace file: a header and pages-1 index pages.
func File(space, pages uint32, size int) []byte {
	f := Header(space, pages, 1000, size)
	for n := uint32(1); n < pages; n++ {
		f = append(f, Page(space, n, 1000+uint64(n), size, byte(n))...)
	}
	return f
}

// Seal writes the checksums and the end of a page.
func Seal(p []byte) {
	be := binary.BigEndian
	end := p[len(p)-8:]
	copy(end[4:], p[20:24])
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Checksum(p[4:26], table) ^ crc32.Checksum(p[38:len(p)-8], table)
	be.PutUint32(p, sum)
	be.PutUint32(end, sum)
}
