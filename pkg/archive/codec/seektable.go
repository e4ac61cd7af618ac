package codec

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// The seek table of zstd's seekable format (contrib/seekable_format of the zstd project,
// version 0.1.0): a skippable frame at the end of the file.
const (
	seekMagic       = 0x184D2A5E // of a skippable frame of kind 14
	seekFooterMagic = 0x8F92EAB1
	seekHeader      = 8 // magic, size of what follows
	seekFooter      = 9 // number of frames, descriptor, magic
	seekEntry       = 12
	seekChecksums   = 0x80 // in the descriptor: each entry has a checksum
)

// MaxFrames is the most frames that a seek table holds.
const MaxFrames = 0x8000000

// SeekEntry describes a frame.
type SeekEntry struct {
	Stored, Raw uint32 // bytes
	Checksum    uint32 // low half of the XXH64 of the raw bytes; the last 4 bytes of the frame
}

// SeekTableSize gives the bytes of a seek table of so many frames.
func SeekTableSize(frames int) int64 { return seekHeader + int64(frames)*seekEntry + seekFooter }

// FrameChecksum gives the checksum that a zstd frame ends with.
func FrameChecksum(frame []byte) uint32 {
	if len(frame) < 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(frame[len(frame)-4:])
}

// AppendSeekTable appends the seek table of entries, at most [MaxFrames].
func AppendSeekTable(dst []byte, entries []SeekEntry) ([]byte, error) {
	if len(entries) > MaxFrames {
		return dst, fmt.Errorf("write seek table: %d frames are more than %d", len(entries), MaxFrames)
	}
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, seekMagic)
	dst = le.AppendUint32(dst, uint32(SeekTableSize(len(entries))-seekHeader))
	for _, e := range entries {
		dst = le.AppendUint32(dst, e.Stored)
		dst = le.AppendUint32(dst, e.Raw)
		dst = le.AppendUint32(dst, e.Checksum)
	}
	dst = le.AppendUint32(dst, uint32(len(entries)))
	dst = append(dst, seekChecksums)
	return le.AppendUint32(dst, seekFooterMagic), nil
}

// ParseSeekTable reads a whole seek table, as [AppendSeekTable] wrote it, and nothing else. What
// is wrong with it is told by an error that is [ErrCorrupt].
func ParseSeekTable(table []byte) ([]SeekEntry, error) {
	le := binary.LittleEndian
	if len(table) < seekHeader+seekFooter {
		return nil, corrupt("seek table is cut off")
	}
	footer := table[len(table)-seekFooter:]
	frames := le.Uint32(footer)
	switch {
	case le.Uint32(table) != seekMagic || le.Uint32(footer[5:]) != seekFooterMagic:
		return nil, corrupt("no seek table")
	case footer[4] != seekChecksums:
		return nil, corrupt("seek table has the unknown descriptor %#02x", footer[4])
	case frames > MaxFrames || int64(len(table)) != SeekTableSize(int(frames)):
		return nil, corrupt("seek table of %d frames has %d bytes", frames, len(table))
	case int64(le.Uint32(table[4:])) != int64(len(table)-seekHeader):
		return nil, corrupt("seek table says another size of itself")
	}
	entries := make([]SeekEntry, frames)
	for i := range entries {
		e := table[seekHeader+i*seekEntry:]
		entries[i] = SeekEntry{Stored: le.Uint32(e), Raw: le.Uint32(e[4:]), Checksum: le.Uint32(e[8:])}
	}
	return entries, nil
}

// ReadSeekTable finds the frames of a zstd file of size bytes by its seek table. One that is lost, damaged, or
// does not fit the frames gives an error that is [ErrCorrupt]; others are those of reading.
func ReadSeekTable(r io.ReaderAt, size int64) ([]Extent, error) {
	footer, err := readAt(r, size, size-seekFooter, seekFooter)
	if err != nil {
		return nil, err
	}
	n := SeekTableSize(int(min(binary.LittleEndian.Uint32(footer), MaxFrames)))
	table, err := readAt(r, size, size-n, n)
	if err != nil {
		return nil, err
	}
	entries, err := ParseSeekTable(table)
	if err != nil {
		return nil, err
	}
	extents := make([]Extent, len(entries))
	at := int64(0)
	for i, e := range entries {
		if e.Stored == 0 || e.Stored > MaxStored || e.Raw == 0 || e.Raw > FrameSize {
			return nil, corrupt("seek table has a frame of %d bytes stored and %d raw", e.Stored, e.Raw)
		}
		extents[i] = Extent{Offset: at, Stored: int64(e.Stored), Raw: int64(e.Raw)}
		at += int64(e.Stored)
	}
	if at+n != size {
		return nil, corrupt("seek table has %d bytes of frames, the file %d", at, size-n)
	}
	return extents, checkStarts(r, size, extents)
}

// checkStarts wants a frame that says its raw size at each place.
func checkStarts(r io.ReaderAt, size int64, extents []Extent) error {
	for i, e := range extents {
		start, err := readAt(r, size, e.Offset, min(zstd.HeaderMaxSize, e.Stored))
		if err != nil {
			return err
		}
		var h zstd.Header
		if err := h.Decode(start); err != nil || h.Skippable || !h.HasFCS || h.FrameContentSize != uint64(e.Raw) {
			return corrupt("seek table has a frame %d that is not there", i)
		}
	}
	return nil
}

func readAt(r io.ReaderAt, size, off, n int64) ([]byte, error) {
	if off < 0 || off+n > size {
		return nil, corrupt("seek table is cut off")
	}
	b := make([]byte, n)
	if got, err := r.ReadAt(b, off); got < len(b) {
		return nil, err
	}
	return b, nil
}
