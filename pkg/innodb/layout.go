// Package innodb knows the layout of InnoDB's tablespace files as far as a backup needs it:
// how large pages are, which tablespace they belong to, and whether their checksums hold. It
// reads pages and nothing else; it opens no files.
//
// The numbers are those of MySQL 8.0 and later: storage/innobase/include/fil0types.h (page
// header and trailer), fsp0types.h (header of a tablespace and its flags), and
// buf/checksum.cc (checksums).
package innodb

import (
	"encoding/binary"
	"strings"
)

// Sizes of pages in bytes. Tablespaces of row format COMPRESSED have pages from 1 KiB on.
const (
	MinPageSize     = 4 << 10
	MaxPageSize     = 64 << 10
	MinZipSize      = 1 << 10
	MaxZipSize      = 16 << 10
	DefaultPageSize = 16 << 10
)

// HeaderSize is how many bytes of the first page of a tablespace [ReadSpace] needs.
const HeaderSize = fspHeader + 112

// The page header, offsets in bytes.
const (
	filChecksum     = 0  // 4: checksum; in old tablespaces the space id
	filNumber       = 4  // 4: page number
	filLSN          = 16 // 8: LSN of the last change
	filType         = 24 // 2: page type
	filFlushLSN     = 26 // 8: reused by compressed and encrypted pages
	filSpaceID      = 34 // 4: tablespace
	filData         = 38 // content begins
	trailerSize     = 8  // 4 checksum, 4 low half of the LSN
	trailerChecksum = 8  // from the end
	trailerLSN      = 4  // from the end
)

// The tablespace header on page 0, offsets in bytes.
const (
	fspHeader  = filData
	fspSpaceID = fspHeader + 0  // 4
	fspSize    = fspHeader + 8  // 4: pages
	fspFlags   = fspHeader + 16 // 4
)

// Extents are 1 MiB, or 64 pages where those are larger (the manual, InnoDB file space management).
const (
	extentSize     = 1 << 20
	minExtentPages = 64
)

// Page types that matter here.
const (
	TypeFSPHeader              = 8  // page 0 of a tablespace
	TypeCompressed             = 14 // page compression
	TypeEncrypted              = 15
	TypeCompressedAndEncrypted = 16
	TypeEncryptedRTree         = 17
)

// noChecksum is what innodb_checksum_algorithm=none wrote in place of a checksum.
const noChecksum = 0xDEADBEEF

// Flags of a tablespace: widths and positions of the fields.
const (
	flagsZipShift     = 1 // 4 bits: size of compressed pages, 512 << n; 0 = not compressed
	flagsZipMask      = 0xF
	flagsPageShift    = 6 // 4 bits: size of pages, 512 << n; 0 = 16 KiB
	flagsPageMask     = 0xF
	flagAntelope      = 1 << 0
	flagAtomicBlobs   = 1 << 5
	flagShared        = 1 << 11 // the tablespace may hold several tables
	flagEncrypted     = 1 << 13
	flagsKnown        = 1<<15 - 1
	smallestSizeShift = 9
)

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
func be64(b []byte) uint64 { return binary.BigEndian.Uint64(b) }

// IsTablespace says whether a file of a data directory, by the last element of its path, is
// made of pages: *.ibd and the system and undo tablespaces under the names that mysqld gives
// them. Redo logs, the buffer pool's dump and doublewrite files are not.
func IsTablespace(name string) bool {
	name = name[strings.LastIndexByte(name, '/')+1:]
	switch {
	case strings.HasSuffix(name, ".ibd"), strings.HasSuffix(name, ".ibu"):
		return true
	case strings.HasPrefix(name, "ibdata"):
		return digits(name[len("ibdata"):])
	case strings.HasPrefix(name, "undo_"):
		return digits(name[len("undo_"):])
	}
	return false
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
