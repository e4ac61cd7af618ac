package wire

import (
	"bytes"
	"encoding/binary"
	"math"
)

// FileFlags say what a file is, or what DDL did to it.
type FileFlags uint16

// The flags.
const (
	FlagZlib    FileFlags = 0x01 // pages are compressed with zlib, with holes behind them
	FlagLZ4     FileFlags = 0x02 // the same with LZ4
	FlagAES     FileFlags = 0x04 // encrypted
	FlagRenamed FileFlags = 0x08
	FlagDeleted FileFlags = 0x10
	FlagKey     FileFlags = 0x20 // Key and IV are there

	allFileFlags = FlagZlib | FlagLZ4 | FlagAES | FlagRenamed | FlagDeleted | FlagKey
)

// Numbers of a file that mean something else than a number.
const (
	NoFSPFlags        uint32 = math.MaxUint32 // FSPFlags of what is no tablespace: redo, ib_buffer_pool
	SpaceIDBufferPool uint32 = math.MaxUint32 // SpaceID of ib_buffer_pool, the dump of the buffer pool's page numbers
	SpaceIDDictionary uint32 = 0xFFFFFFFE     // SpaceID of mysql.ibd
	SpaceIDRedo       uint32 = 0xFFFFFFF0     // SpaceID of redo
	SpaceIDSystem     uint32 = 0              // SpaceID of the system tablespace

	undoSpaces  = 127                             // the most undo tablespaces ("Undo Tablespaces" in the manual)
	undoLowest  = SpaceIDRedo - undoSpaces*400000 // each has a range of ids, of which truncation takes the next
	undoHighest = SpaceIDRedo - 1
)

// Limits of a file.
const (
	MaxName  = 4096    // bytes of a name, without its zero byte: PATH_MAX of Linux
	MaxSize  = 1 << 48 // bytes of a file: 2^32 pages of 64 KiB ("InnoDB Limits" in the manual)
	keySize  = 32      // bytes of a key, and of an initialisation vector (AES-256)
	keysSize = 2 * keySize
)

// File is the metadata of a file: an announcement, or, of the state after the present one, what DDL did to it.
type File struct {
	State     StateKind
	Size      uint64 // bytes
	Allocated uint64 // bytes without holes
	FSPFlags  uint32 // of the tablespace; NoFSPFlags: it is none
	BlockSize uint32 // bytes, of the donor's file system; 0: not told
	Flags     FileFlags
	SpaceID   uint32
	Index     uint32 // of data files and of redo files, each from 0

	FirstChunk, LastChunk uint32 // from 1; the first after the last: the file is empty

	Name    string // as on the donor, without the zero byte; "" for redo
	Key, IV []byte // in clear; 32 bytes each, or nil
}

func (*File) kind() uint32 { return typeFile }

// Tablespace reports whether it is one, and not redo or ib_buffer_pool.
func (f *File) Tablespace() bool { return f.FSPFlags != NoFSPFlags }

// Redo reports whether it is a redo log file.
func (f *File) Redo() bool { return f.SpaceID == SpaceIDRedo }

// BufferPool reports whether it is ib_buffer_pool.
func (f *File) BufferPool() bool { return f.SpaceID == SpaceIDBufferPool }

// Undo reports whether it is an undo tablespace.
func (f *File) Undo() bool { return f.SpaceID >= undoLowest && f.SpaceID <= undoHighest }

// Deleted reports whether DDL has deleted it.
func (f *File) Deleted() bool { return f.Flags&FlagDeleted != 0 }

// Renamed reports whether DDL has renamed it, to Name.
func (f *File) Renamed() bool { return f.Flags&FlagRenamed != 0 }

// Encrypted reports whether its pages are.
func (f *File) Encrypted() bool { return f.Flags&FlagAES != 0 }

// PageCompressed reports whether its pages are compressed with holes behind them.
func (f *File) PageCompressed() bool { return f.Flags&(FlagZlib|FlagLZ4) != 0 }

// Compressed reports whether it is of ROW_FORMAT=COMPRESSED, so that its pages are smaller than the server's.
func (f *File) Compressed() bool { return f.Tablespace() && f.FSPFlags>>1&15 != 0 }

// Empty reports whether it has no chunk, so that no data will come.
func (f *File) Empty() bool { return f.FirstChunk > f.LastChunk }

// PageSize is that of the file's pages in bytes, 1 KiB to 64 KiB; 0: it is no tablespace, or no size is so coded.
func (f *File) PageSize() int {
	if !f.Tablespace() {
		return 0
	}
	const (
		base       = 512 // a shift of it is a size
		zip, page  = 1, 6
		mask       = 15
		maxZip     = 5    // 16 KiB
		min4K, max = 3, 7 // 4 KiB, 64 KiB
	)
	z, p := f.FSPFlags>>zip&mask, f.FSPFlags>>page&mask
	switch {
	case z > maxZip, p != 0 && (p < min4K || p > max):
		return 0
	case z != 0:
		return base << z
	case p != 0:
		return base << p
	}
	return 16 << 10
}

// Append appends the descriptor. FlagKey is set when there is a Key and only then.
func (f *File) Append(b []byte) []byte {
	length, name := fileLength, 0
	if f.Name != "" {
		name = len(f.Name) + 1
	}
	flags := f.Flags &^ FlagKey
	if len(f.Key) == keySize && len(f.IV) == keySize {
		flags |= FlagKey
		length += keysSize
	}
	b = appendHeader(b, typeFile, length+name)
	b = binary.BigEndian.AppendUint32(b, uint32(f.State))
	b = binary.BigEndian.AppendUint64(b, f.Size)
	b = binary.BigEndian.AppendUint64(b, f.Allocated)
	b = binary.BigEndian.AppendUint32(b, f.FSPFlags)
	b = binary.BigEndian.AppendUint32(b, f.BlockSize)
	b = binary.BigEndian.AppendUint16(b, uint16(flags))
	b = binary.BigEndian.AppendUint32(b, f.SpaceID)
	b = binary.BigEndian.AppendUint32(b, f.Index)
	b = binary.BigEndian.AppendUint32(b, f.FirstChunk)
	b = binary.BigEndian.AppendUint32(b, f.LastChunk)
	b = binary.BigEndian.AppendUint32(b, uint32(name))
	if name > 0 {
		b = append(append(b, f.Name...), 0)
	}
	if flags&FlagKey != 0 {
		b = append(append(b, f.Key...), f.IV...)
	}
	return b
}

func parseFile(b []byte) (File, error) {
	if len(b) < fileLength {
		return File{}, malformed("file", "%d bytes are too short for one", len(b))
	}
	at := fields(b)
	state, err := at.state("file", 12)
	if err != nil {
		return File{}, err
	}
	f := File{
		State: state, Size: at.u64(16), Allocated: at.u64(24), FSPFlags: at.u32(32), BlockSize: at.u32(36),
		Flags: FileFlags(at.u16(40)), SpaceID: at.u32(42), Index: at.u32(46), FirstChunk: at.u32(50), LastChunk: at.u32(54),
	}
	if err := f.nameAndKey(b[fileLength:], at.u32(58)); err != nil {
		return File{}, err
	}
	if err := f.check(); err != nil {
		return File{}, err
	}
	return f, nil
}

func (f *File) nameAndKey(b []byte, name uint32) error {
	if name > MaxName+1 {
		return malformed("file", "a name of %d bytes is too long", name)
	}
	want := int(name)
	if f.Flags&FlagKey != 0 {
		want += keysSize
	}
	if len(b) != want {
		return malformed("file", "%d bytes of name and key are not %d", len(b), want)
	}
	if name > 0 {
		if zero := bytes.IndexByte(b[:name], 0); zero != int(name)-1 {
			return malformed("file", "the zero byte of the name is not where it ends")
		}
		f.Name = string(b[:name-1])
	}
	if keys := b[name:]; len(keys) > 0 {
		f.Key, f.IV = clone(keys[:keySize]), clone(keys[keySize:])
	}
	return nil
}

func (f *File) check() error {
	switch {
	case f.Flags&^allFileFlags != 0:
		return malformed("file", "flags %#x are unknown", uint16(f.Flags))
	case f.Size > MaxSize:
		return malformed("file", "a size of %d bytes is too large", f.Size)
	case f.Allocated > math.MaxInt64:
		return malformed("file", "%d bytes of allocated space are too many", f.Allocated)
	case f.Name == "" && !f.Redo() && !f.Deleted():
		return malformed("file", "tablespace %d has no name", f.SpaceID)
	case f.Tablespace() && f.PageSize() == 0:
		return malformed("file", "flags %#x of tablespace %d code no page size", f.FSPFlags, f.SpaceID)
	}
	return nil
}
