package archive

import (
	"runner/pkg/archive/codec"
	"runner/pkg/innodb"
)

const (
	// maxPayload is the most bytes of ranges in one patch, so that it fits into a frame with its header: whole
	// pages of every size.
	maxPayload = codec.FrameSize - innodb.MaxPageSize
	// maxRanges is the most ranges of one patch: a map of them takes less than 16 KiB, so that header blocks
	// with two paths besides stay within maxHeader.
	maxRanges = 512
)

// gather is the patch that ranges of one file are put together in.
type gather struct {
	file    *node // nil: there is none
	ranges  []byteRange
	payload []byte
	size    int64 // that the file is given after the ranges; -1: its own
}

// streamed is what a [Stream] knows of a file besides the tree.
type streamed struct {
	unmade  bool          // the tar has no member yet that creates it
	facts   Member        // of a whole member: digest, allocated, InnoDB facts
	damaged []uint32      // pages that were damaged when they came
	space   *innodb.Space // what the first page says, as it is now; nil: not known
}

// write puts a range into the patch, and what does not fit into further ones.
func (s *Stream) write(n *node, data []byte, off int64) error {
	for len(data) > 0 {
		take := s.fitting(n, off, len(data))
		if take == 0 {
			if err := s.flush(); err != nil {
				return err
			}
			if s.files[n].unmade && off != 0 {
				// A patch that creates a file is its beginning, or nothing.
				if err := s.make(n); err != nil {
					return err
				}
			}
			continue
		}
		s.gather.append(n, data[:take], off)
		data, off = data[take:], off+int64(take)
	}
	return nil
}

// fitting gives how many of the bytes at off fit into the patch that is being gathered: no page is cut.
func (s *Stream) fitting(n *node, off int64, size int) int {
	g := &s.gather
	if g.file != nil && g.file != n {
		return 0
	}
	if s.files[n].unmade && off != int64(len(g.payload)) {
		return 0
	}
	if g.isNew(off) && len(g.ranges) == maxRanges {
		return 0
	}
	room := maxPayload - len(g.payload)
	if size <= room {
		return size
	}
	return max(0, room-int((off+int64(room))%innodb.MaxPageSize))
}

// isNew says whether bytes at off begin another range.
func (g *gather) isNew(off int64) bool {
	n := len(g.ranges)
	return n == 0 || g.ranges[n-1].off+g.ranges[n-1].n != off
}

func (g *gather) append(file *node, data []byte, off int64) {
	if g.isNew(off) {
		g.ranges = append(g.ranges, byteRange{off: off})
	}
	g.ranges[len(g.ranges)-1].n += int64(len(data))
	if g.payload == nil {
		g.payload = make([]byte, 0, maxPayload)
	}
	g.payload = append(g.payload, data...)
	if g.file == nil {
		g.file, g.size = file, -1
	}
}

// flush writes the patch that was gathered.
func (s *Stream) flush() error {
	g := &s.gather
	if g.file == nil {
		return nil
	}
	n := g.file
	p := &patch{path: n.entry.Path, ranges: g.ranges, size: g.size}
	if s.files[n].unmade {
		s.creates(n, p)
	}
	payload := g.payload
	g.file, g.ranges, g.payload = nil, g.ranges[:0], g.payload[:0]
	return s.putPatch(n, p, payload)
}

// make writes the member that creates a file without content.
func (s *Stream) make(n *node) error {
	p := &patch{path: n.entry.Path, size: -1}
	s.creates(n, p)
	return s.putPatch(n, p, nil)
}

// creates makes a patch the one that creates the file, with the size that it was given when it was
// told, unless the patch itself gives it one.
func (s *Stream) creates(n *node, p *patch) {
	p.create = true
	if p.size < 0 && n.entry.Size > p.payload() {
		p.size = n.entry.Size
	}
	s.files[n].unmade = false
}

// learn looks at what is written to the first page of a tablespace, and of a system tablespace's later file, which has no
// header, at the first pages that say what they are.
func (f *streamed) learn(pages bool, path string, data []byte, off int64) {
	if !pages || !innodb.IsTablespace(path) || f.space != nil && (f.space.First > 0 || off >= int64(f.space.PageSize)) {
		return
	}
	if f.space == nil && innodb.FileOf(path).Kind == innodb.SystemFile && f.guess(data, off) || off >= innodb.MaxPageSize {
		return
	}
	f.space = nil
	if off != 0 {
		return
	}
	space, err := innodb.ReadSpace(data)
	if err != nil || len(data) < space.PageSize || space.Check(0, data[:space.PageSize]).State == innodb.Bad {
		return
	}
	f.space = &space
}

// guess reports whether pages at off tell that the file is a later one of the system tablespace.
func (f *streamed) guess(data []byte, off int64) bool {
	space, err := innodb.GuessSpace(data)
	if err != nil || space.ID != 0 || off%int64(space.PageSize) != 0 {
		return false
	}
	at := uint32(off / int64(space.PageSize))
	if space.First <= at {
		return false
	}
	space.First -= at
	f.space = &space
	return true
}

// forget is for a file that is cut off.
func (f *streamed) forget(size int64) {
	if f.space != nil && size < int64(f.space.PageSize) {
		f.space = nil
	}
}
