package innodb

import "encoding/binary"

// What page 0 of a tablespace has besides: fil0types.h.
const (
	filServerVersion = 8  // 4, on page 0: version of the server that made it
	filSpaceVersion  = 12 // 4, on page 0: version of the layout
	spaceVersion     = 1
)

// FirstPage makes page 0 of a tablespace in which nothing is yet, as recovery of a clone expects it: who it
// is, and nothing else. version is the server's, 80036 for 8.0.36.
func (s Space) FirstPage(version uint32) []byte {
	page := make([]byte, s.PageSize)
	binary.BigEndian.PutUint32(page[filServerVersion:], version)
	binary.BigEndian.PutUint32(page[filSpaceVersion:], spaceVersion)
	binary.BigEndian.PutUint32(page[filSpaceID:], s.ID)
	binary.BigEndian.PutUint32(page[fspSpaceID:], s.ID)
	binary.BigEndian.PutUint32(page[fspFlags:], s.Flags)
	s.Stamp(page)
	return page
}

// Stamp gives a page, s.PageSize bytes long, the CRC-32C that its content has, and the low half of its LSN at its end.
func (s Space) Stamp(page []byte) {
	if s.Compressed {
		binary.BigEndian.PutUint32(page[filChecksum:], zipCRC(page))
		return
	}
	copy(page[len(page)-trailerLSN:], page[filLSN+4:filLSN+8])
	crc := crcOf(page)
	binary.BigEndian.PutUint32(page[filChecksum:], crc)
	binary.BigEndian.PutUint32(page[len(page)-trailerChecksum:], crc)
}
