package innodb

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The header of a page that page compression made smaller, offsets in bytes. It lies where a
// plain page has its flush LSN and space id (storage/innobase/include/os0file.h, Compression).
const (
	compVersion   = 26 // 1
	compAlgorithm = 27 // 1
	compType      = 28 // 2: page type before
	compOriginal  = 30 // 2: bytes of content before
	compSize      = 32 // 2: bytes of content now
)

// Values of the fields.
const (
	compVersion1 = 1 // until 5.7.12
	compVersion2 = 2
	compZlib     = 1
	compLZ4      = 2
)

// checkCompressed rebuilds the page as it is in memory and checks that.
func checkCompressed(page []byte) Result {
	lsn := be64(page[filLSN:])
	algorithm := page[compAlgorithm]
	known := page[compVersion] == compVersion1 || page[compVersion] == compVersion2
	if !known || (algorithm != compZlib && algorithm != compLZ4) {
		return Result{State: Bad, LSN: lsn, Reason: fmt.Sprintf("compressed in version %d with algorithm %d, which are unknown", page[compVersion], algorithm)}
	}
	size, original := int(be16(page[compSize:])), int(be16(page[compOriginal:]))
	// The field has 16 bits: the content of a 64 KiB page fits since its header is not counted.
	if size == 0 || filData+size > len(page) || filData+original != len(page) {
		return Result{State: Bad, LSN: lsn, Reason: "sizes in the header of the compressed page are wrong"}
	}
	plain := make([]byte, len(page))
	copy(plain, page[:filData])
	binary.BigEndian.PutUint16(plain[filType:], be16(page[compType:]))
	content := page[filData : filData+size]
	var err error
	if algorithm == compZlib {
		err = inflate(plain[filData:], content)
	} else {
		err = unLZ4(plain[filData:], content)
	}
	if err != nil {
		return Result{State: Bad, LSN: lsn, Reason: "compressed page cannot be decompressed"}
	}
	return checkPlain(plain)
}

var errContent = errors.New("content is damaged")

func inflate(dst, src []byte) error {
	r, err := zlib.NewReader(bytes.NewReader(src))
	if err != nil {
		return err
	}
	if _, err := io.ReadFull(r, dst); err != nil {
		return err
	}
	return r.Close()
}

// unLZ4 decodes one LZ4 block that fills dst (lz4_Block_format.md of the LZ4 project).
func unLZ4(dst, src []byte) error {
	at, in := 0, 0
	for in < len(src) {
		token := src[in]
		in++
		literals, next, ok := lz4Length(src, in, int(token>>4))
		if !ok || next+literals > len(src) || at+literals > len(dst) {
			return errContent
		}
		at += copy(dst[at:], src[next:next+literals])
		in = next + literals
		if in == len(src) {
			break // the last sequence has literals only
		}
		if in+2 > len(src) {
			return errContent
		}
		offset := int(binary.LittleEndian.Uint16(src[in:]))
		match, next, ok := lz4Length(src, in+2, int(token&0xF))
		match += 4 // shortest match
		if !ok || offset == 0 || offset > at || at+match > len(dst) {
			return errContent
		}
		for range match {
			dst[at] = dst[at-offset]
			at++
		}
		in = next
	}
	if at != len(dst) {
		return errContent
	}
	return nil
}

// lz4Length reads the bytes that lengthen a length of 15.
func lz4Length(src []byte, in, length int) (total, next int, ok bool) {
	if length < 15 {
		return length, in, true
	}
	for in < len(src) {
		c := src[in]
		in++
		length += int(c)
		if c != 255 {
			return length, in, true
		}
	}
	return 0, 0, false
}
