package archive

import (
	"fmt"
	"hash"

	"runner/pkg/archive/codec"
	"runner/pkg/innodb"
)

// piece is a run of bytes of a frame that come from one place.
type piece struct {
	n      int64   // bytes
	ready  []byte  // they are these; n long
	source *source // or content of this file from off on; neither: zeros
	off    int64
	first  bool // content begins with it
	last   bool // content ends with it
}

// layout turns entries into frames: which bytes of which member lie in which frame depends on
// names and sizes alone.
//
// A member that fits into a frame lies in one. A larger one has its header at the end of a frame
// and its content cut from the start of the next on into pieces of exactly a frame, so that a
// frame holds whole pages, and the same file gives the same frames wherever it lies in the tar.
type layout struct {
	emit  func(pieces []piece, raw int64) error
	pages bool
	// anyOrder leaves it to others to say that members are not sorted.
	anyOrder bool
	tree     hash.Hash // is given all headers; nil if nobody wants it

	members []*Member
	pos     int64 // in the tar
	frame   int   // number of the one being filled
	filled  int64 // raw bytes in it
	pieces  []piece
}

func (l *layout) add(e Entry) error {
	if err := checkEntry(e); err != nil {
		return err
	}
	if n := len(l.members); n > 0 && !l.anyOrder && !pathLess(l.members[n-1].Path, e.Path) {
		return fmt.Errorf("walk tree: %s came after %s", e.Path, l.members[n-1].Path)
	}
	header, err := tarHeader(e)
	if err != nil {
		return err
	}
	if l.tree != nil {
		l.tree.Write(header)
	}
	at, err := l.begin(header, e.Size)
	if err != nil {
		return err
	}
	m := memberOf(e)
	m.Header, m.Offset, m.First, m.Last = at.header, at.offset, at.frame, at.frame
	l.members = append(l.members, m)
	if e.Type == TypeFile {
		return l.content(newSource(e, m, l.pages && innodb.IsTablespace(e.Path)))
	}
	return nil
}

// place is where a member lies in the tar.
type place struct {
	header int64 // offset of the first header block
	offset int64 // of the content
	frame  int   // that the content begins in, or the header where there is none
}

// begin puts the header of a member whose content is size bytes long, so that the content can follow.
func (l *layout) begin(header []byte, size int64) (place, error) {
	whole := int64(len(header)) + padded(size)
	need := whole
	if whole > codec.FrameSize {
		need = int64(len(header))
	}
	if err := l.makeRoom(need); err != nil {
		return place{}, err
	}
	at := place{header: l.pos}
	l.put(piece{n: int64(len(header)), ready: header})
	if whole > codec.FrameSize {
		if err := l.flush(); err != nil {
			return place{}, err
		}
	}
	at.offset, at.frame = l.pos, l.frame
	return at, nil
}

// makeRoom ends the frame if need bytes do not fit into what is left of it.
func (l *layout) makeRoom(need int64) error {
	if l.filled+need > codec.FrameSize {
		return l.flush()
	}
	return nil
}

func (l *layout) content(s *source) error {
	size := s.entry.Size
	if size == 0 {
		l.put(piece{source: s, first: true, last: true})
	}
	for off := int64(0); off < size; {
		n := min(size-off, codec.FrameSize-l.filled)
		s.member.Last = l.frame
		l.put(piece{n: n, source: s, off: off, first: off == 0, last: off+n == size})
		off += n
		if off < size {
			if err := l.flush(); err != nil {
				return err
			}
		}
	}
	if pad := padded(size) - size; pad > 0 {
		l.put(piece{n: pad})
	}
	return nil
}

func (l *layout) end() error {
	if m, what := checkLinks(l.members); what != "" {
		return &EntryError{Path: m.Path, What: what}
	}
	if err := l.makeRoom(tarEnd); err != nil {
		return err
	}
	l.put(piece{n: tarEnd})
	return l.flush()
}

func (l *layout) put(p piece) {
	l.pieces = append(l.pieces, p)
	l.filled += p.n
	l.pos += p.n
}

func (l *layout) flush() error {
	if l.filled == 0 {
		return nil
	}
	pieces, raw := l.pieces, l.filled
	l.pieces, l.filled = nil, 0
	l.frame++
	return l.emit(pieces, raw)
}

func memberOf(e Entry) *Member {
	m := &Member{
		Path: e.Path, Type: e.Type, Mode: modeOf(e.Mode), UID: e.UID, GID: e.GID,
		ModTime: e.ModTime.UTC(), Size: e.Size, Link: e.Link,
	}
	if e.Type == TypeFile {
		m.Allocated = e.Allocated
	}
	return m
}

// checkEntry refuses what a reader would.
func checkEntry(e Entry) error {
	what := pathFault(e.Path)
	if what == "" && e.Type == TypeSymlink {
		what = linkFault(e.Path, e.Link)
	}
	switch {
	case what != "":
		return &EntryError{Path: e.Path, What: what}
	case e.Path == Marker:
		return fmt.Errorf("pack %s: %w", e.Path, ErrIncompleteClone)
	case (e.Path == Root || e.Path == markerDir) && e.Type != TypeDir:
		return &EntryError{Path: e.Path, What: "it is no folder"}
	case sizeFault(e.Size) != "":
		return &EntryError{Path: e.Path, What: sizeFault(e.Size)}
	}
	return nil
}
