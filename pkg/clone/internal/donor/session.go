package donor

import (
	"bytes"
	"slices"
	"time"

	"runner/pkg/clone/internal/wire"
)

// Session is a whole clone: what there is to copy, from which a donor is played that hands out its chunks to as many
// connections as there are, keeps its state when they are lost, and goes on at REINIT. It is for one clone; a second INIT
// is refused as a server refuses it, with 3634, until the connections of the first are gone.
//
// It holds a recipient to the rules: states are acknowledged once, on another connection than those of the data, with the
// descriptor of their end, when all connections have been told that end; a restart claims no more than was sent.
type Session struct {
	Protocol   uint32      // the highest version of the clone protocol; 0: wire.Version4
	Plugins    [][2]string // name and library; nil: a few
	Collations []string    // nil: a few
	Configs    [][2]string // further ones, and others in place of those that a server sends
	Late       bool        // settings follow LOCS, as of 8.0.17 to 8.0.19

	PageSize   int // bytes; 0: 16 KiB
	BlockPages int // pages of a DATA in FILE_COPY; 0: 64
	ChunkPages int // pages of a chunk; 0: 4096. A server's is fixed; small files have several of smaller ones

	Files []File
	// PageChanges and RedoChanges are what DDL did in FILE_COPY and in PAGE_COPY, told in front of the state after it.
	// Index must be set. Files that are new may have Pages in PageChanges.
	PageChanges, RedoChanges []File
	Redo                     []RedoFile // nil: one of 1 MiB
	RedoExtents              []Extent   // nil: some log, then the header of the first, then the end of the last

	Workers    int           // connections besides that of INIT that are awaited before the first byte
	KeepAlives time.Duration // between those that are sent while something is awaited; 0: 5 s
	NoSnapshot bool          // an interrupted clone is not kept: REINIT fails
}

// File is a file of the donor's.
type File struct {
	wire.File                   // of Files, State, Size, Index and chunks are set from the rest; Size only where it is 0
	Content   []byte            // as it is sent in FILE_COPY
	Pages     map[uint32][]byte // by number, as they are sent in PAGE_COPY
	Grown     uint64            // told as its size with page 0 in PAGE_COPY; 0: Size
	// Gone has the file be deleted during FILE_COPY: when a chunk of it is due, its deletion is told instead.
	Gone bool
}

// RedoFile is a file of the redo log.
type RedoFile struct{ Size uint64 } // bytes, as told

// Extent is a piece of redo log, a chunk of its own.
type Extent struct {
	File   uint32
	Offset uint64
	Bytes  []byte
}

// A redo log has a header of four blocks in front of each file, and ends with a block.
const (
	redoSize   = 1 << 20
	redoBlock  = 512
	redoHeader = 4 * redoBlock
)

// Ids that a session's locator has.
const (
	CloneID    = 91
	SnapshotID = 92
)

// pageSize is the file's own; of what is no tablespace, the server's.
func (s *Session) pageSize(f *wire.File) int {
	if size := f.PageSize(); size > 0 {
		return size
	}
	return orElse(s.PageSize, 16<<10)
}

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// piece is a chunk's block: a descriptor without its task, and what follows it.
type piece struct {
	data  wire.Data
	bytes []byte
	gone  *wire.File // instead: the file's deletion
}

// chunks are those of a state, in order.
type chunks [][]piece

// layout is what a session sends.
type layout struct {
	files     []wire.File
	redo      []wire.File
	states    map[wire.StateKind]chunks
	pages     uint32
	estimates map[wire.StateKind]uint64
}

func (s *Session) layout() *layout {
	l := &layout{states: map[wire.StateKind]chunks{}, estimates: map[wire.StateKind]uint64{}}
	s.layFiles(l)
	s.layPages(l)
	s.layRedo(l)
	for state, all := range l.states {
		for _, p := range slices.Concat(all...) {
			l.estimates[state] += uint64(len(p.bytes))
		}
	}
	return l
}

func (s *Session) layFiles(l *layout) {
	var all chunks
	for i := range s.Files {
		f := s.Files[i].File
		f.State, f.Index = wire.StateFileCopy, uint32(i)
		f.Size = orElse(f.Size, uint64(len(s.Files[i].Content)))
		f.Allocated = orElse(f.Allocated, f.Size)
		f.FirstChunk = uint32(len(all)) + 1
		page := s.pageSize(&f)
		block := orElse(s.BlockPages, 64) * page
		for part := range slices.Chunk(s.Files[i].Content, orElse(s.ChunkPages, 4096)*page) {
			all = append(all, s.layChunk(&f, uint32(len(all))+1, part, block))
		}
		f.LastChunk = uint32(len(all))
		l.files = append(l.files, f)
		if s.Files[i].Gone {
			gone := f
			gone.Flags |= wire.FlagDeleted
			for c := f.FirstChunk; c <= f.LastChunk; c++ {
				all[c-1] = []piece{{gone: &gone}}
			}
		}
	}
	l.states[wire.StateFileCopy] = all
}

func (s *Session) layChunk(f *wire.File, chunk uint32, part []byte, block int) []piece {
	offset := uint64(chunk-f.FirstChunk) * uint64(orElse(s.ChunkPages, 4096)*s.pageSize(f))
	var pieces []piece
	for b := range slices.Chunk(part, block) {
		pieces = append(pieces, piece{bytes: b, data: wire.Data{
			State: wire.StateFileCopy, Chunk: chunk, Block: uint32(len(pieces)) + 1, File: f.Index,
			Length: uint32(len(b)), Offset: offset, FileSize: f.Size,
		}})
		offset += uint64(len(b))
	}
	return pieces
}

// layPages sorts pages as a server does, by tablespace and number; all are one chunk.
func (s *Session) layPages(l *layout) {
	files := slices.Clone(s.Files)
	for i := range files {
		files[i].File = l.files[i]
	}
	files = append(files, s.PageChanges...)
	slices.SortStableFunc(files, func(a, b File) int { return int(int64(a.SpaceID) - int64(b.SpaceID)) })
	var pages []piece
	for i := range files {
		f := &files[i]
		numbers := make([]uint32, 0, len(f.Pages))
		for n := range f.Pages {
			numbers = append(numbers, n)
		}
		slices.Sort(numbers)
		for _, n := range numbers {
			size := f.Size
			if n == 0 {
				size = orElse(f.Grown, f.Size)
			}
			pages = append(pages, piece{bytes: f.Pages[n], data: wire.Data{
				State: wire.StatePageCopy, Chunk: 1, Block: uint32(len(pages)) + 1, File: f.Index,
				Length: uint32(len(f.Pages[n])), Offset: uint64(n) * uint64(s.pageSize(&f.File)), FileSize: size,
			}})
		}
	}
	if l.pages = uint32(len(pages)); len(pages) > 0 {
		l.states[wire.StatePageCopy] = chunks{pages}
	}
}

func (s *Session) layRedo(l *layout) {
	files, extents := s.Redo, s.RedoExtents
	if files == nil {
		files = []RedoFile{{Size: redoSize}}
	}
	if extents == nil {
		extents = []Extent{
			{0, redoHeader, bytes.Repeat([]byte{0xAB}, 4*redoBlock)},
			{0, 0, bytes.Repeat([]byte{0xCD}, redoHeader)},
			{uint32(len(files)) - 1, redoHeader + 4*redoBlock, bytes.Repeat([]byte{0xEF}, redoBlock)},
		}
	}
	for i, f := range files {
		l.redo = append(l.redo, wire.File{
			State: wire.StateRedoCopy, Size: f.Size, FSPFlags: wire.NoFSPFlags, SpaceID: wire.SpaceIDRedo, Index: uint32(i),
			FirstChunk: 1, LastChunk: 1,
		})
	}
	var all chunks
	for _, e := range extents {
		all = append(all, []piece{{bytes: e.Bytes, data: wire.Data{
			State: wire.StateRedoCopy, Chunk: uint32(len(all)) + 1, Block: 1, File: e.File,
			Length: uint32(len(e.Bytes)), Offset: e.Offset, FileSize: files[e.File].Size,
		}}})
	}
	l.states[wire.StateRedoCopy] = all
}
