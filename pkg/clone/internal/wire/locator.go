package wire

import (
	"encoding/binary"
	"slices"
)

// Locator is InnoDB's name of a clone.
type Locator struct {
	CloneID, SnapshotID uint64
	Index               uint32    // in the donor's list of clones
	State               StateKind // 0: none
	AllFiles            bool      // the metadata of all files has been received
	Raw                 []byte    // as it came, with what follows the fields; nil in one that was made
}

// versionLocatorLength is that of the locator that a server as a recipient sends with INIT: the fields, all zero, and
// zeros up to this.
const versionLocatorLength = 128

// VersionLocator is the locator with which a server as a recipient begins: it names no clone, and tells the donor the
// version of descriptors.
func VersionLocator() EngineLocator {
	raw := make([]byte, versionLocatorLength)
	new(Locator).Append(raw[:0])
	return EngineLocator{Engine: EngineInnoDB, Raw: raw}
}

// ParseLocator reads a locator of InnoDB's. What follows its fields is in Raw alone. Errors are *ProtocolError.
func ParseLocator(b []byte) (Locator, error) {
	if len(b) < locatorLength {
		return Locator{}, malformed("locator", "%d bytes are too short for one", len(b))
	}
	f := fields(b)
	length, kind, state, all := f.u32(4), f.u32(8), b[32], b[33]
	switch {
	case f.u32(0) != descriptorVersion:
		return Locator{}, malformed("locator", "version %d is not %d", f.u32(0), descriptorVersion)
	case length < locatorLength || uint64(length) > uint64(len(b)):
		return Locator{}, malformed("locator", "it says %d bytes and has %d", length, len(b))
	case kind != typeLocator:
		return Locator{}, malformed("locator", "type %d is not %d", kind, typeLocator)
	case state > byte(StateDone):
		return Locator{}, malformed("locator", "state %d is none", state)
	case all > 1:
		return Locator{}, malformed("locator", "%d is no truth value", all)
	}
	return Locator{
		CloneID: f.u64(12), SnapshotID: f.u64(20), Index: f.u32(28), State: StateKind(state), AllFiles: all == 1,
		Raw: clone(b),
	}, nil
}

func (*Locator) kind() uint32 { return typeLocator }

// Append appends the fields, not Raw.
func (l *Locator) Append(b []byte) []byte { return l.appendWith(b, locatorLength) }

func (l *Locator) appendWith(b []byte, length int) []byte {
	b = appendHeader(b, typeLocator, length)
	b = binary.BigEndian.AppendUint64(b, l.CloneID)
	b = binary.BigEndian.AppendUint64(b, l.SnapshotID)
	b = binary.BigEndian.AppendUint32(b, l.Index)
	var all byte
	if l.AllFiles {
		all = 1
	}
	return append(b, byte(l.State), all)
}

// Progress is a chunk that has been received in part.
type Progress struct {
	Chunk  uint32 // from 1
	Blocks uint32 // done
}

// Bitmap is a set of chunks: chunk c, from 1, is bit (c-1) mod 32 of word (c-1)/32.
type Bitmap []uint32

// NewBitmap is empty, with room for chunks 1 to n.
func NewBitmap(n uint32) Bitmap { return make(Bitmap, (uint64(n)+31)/32) }

// Set adds a chunk; it panics where there is no room for it, as for chunk 0.
func (b Bitmap) Set(chunk uint32) { b[(chunk-1)/32] |= 1 << ((chunk - 1) % 32) }

// Has reports whether a chunk is in the set; one that there is no room for is not.
func (b Bitmap) Has(chunk uint32) bool {
	return chunk > 0 && uint64(chunk-1)/32 < uint64(len(b)) && b[(chunk-1)/32]>>((chunk-1)%32)&1 != 0
}

// Restart gives the locator with which REINIT goes on with a clone after its connections were lost: in what state the
// recipient is, whether it has the metadata of all files of it, which chunks it has in part, and the set of those that
// it has begun or done, to which those in part are added. Of states INIT and DONE there are no chunks to tell.
func (l Locator) Restart(state StateKind, allFiles bool, incomplete []Progress, done Bitmap) EngineLocator {
	l.State, l.AllFiles = state, allFiles
	if state == StateInit || state == StateDone {
		return EngineLocator{Engine: EngineInnoDB, Raw: l.Append(nil)}
	}
	begun := slices.Clone(done)
	for _, p := range incomplete {
		if need := int(p.Chunk-1)/32 + 1; p.Chunk > 0 && need > len(begun) {
			begun = append(begun, make(Bitmap, need-len(begun))...)
		}
		if p.Chunk > 0 {
			begun.Set(p.Chunk)
		}
	}
	length := locatorLength + 4 + 8*len(incomplete) + 4 + 4*len(begun)
	b := l.appendWith(make([]byte, 0, length), length)
	b = binary.BigEndian.AppendUint32(b, uint32(len(incomplete)))
	for _, p := range incomplete {
		b = binary.BigEndian.AppendUint32(b, p.Chunk)
		b = binary.BigEndian.AppendUint32(b, p.Blocks)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(begun)))
	for _, word := range begun {
		b = binary.BigEndian.AppendUint32(b, word)
	}
	return EngineLocator{Engine: EngineInnoDB, Raw: b}
}

// ParseRestart reads a locator that Restart made, as a donor does. Errors are *ProtocolError.
func ParseRestart(raw []byte) (l Locator, incomplete []Progress, done Bitmap, err error) {
	if l, err = ParseLocator(raw); err != nil {
		return Locator{}, nil, nil, err
	}
	rest := raw[locatorLength:fields(raw).u32(4)]
	if len(rest) == 0 {
		return l, nil, nil, nil
	}
	pairs, rest, err := words(rest, 2)
	if err != nil {
		return Locator{}, nil, nil, err
	}
	for i := 0; i < len(pairs); i += 2 {
		incomplete = append(incomplete, Progress{Chunk: pairs[i], Blocks: pairs[i+1]})
	}
	done, rest, err = words(rest, 1)
	if err == nil && len(rest) > 0 {
		err = malformed("restart locator", "it goes on for %d bytes after its end", len(rest))
	}
	if err != nil {
		return Locator{}, nil, nil, err
	}
	return l, incomplete, done, nil
}

// words reads a number of entries, each of so many words, and gives what follows them.
func words(b []byte, each int) ([]uint32, []byte, error) {
	if len(b) < 4 {
		return nil, nil, malformed("restart locator", "it ends within a number")
	}
	n, b := uint64(fields(b).u32(0))*uint64(each), b[4:]
	if n*4 > uint64(len(b)) {
		return nil, nil, malformed("restart locator", "it says %d words and has %d bytes", n, len(b))
	}
	read := make([]uint32, n)
	for i := range read {
		read[i] = fields(b).u32(4 * i)
	}
	return read, b[4*n:], nil
}
