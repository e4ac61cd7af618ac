package archive

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/zeebo/blake3"

	"runner/pkg/archive/codec"
	"runner/pkg/innodb"
)

// emit hands the frame that layout has ended to the pipeline.
func (s *Stream) emit(pieces []piece, raw int64) error {
	if err := s.settle(pieces); err != nil {
		return err
	}
	f := &frame{slot: s.slot, size: raw}
	s.slot, s.set = nil, 0
	select {
	case s.filled <- f:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// settle copies what layout has put into the frame: the callers use their buffers again.
func (s *Stream) settle(pieces []piece) error {
	if s.slot == nil {
		slot, err := s.packer.freeSlot(s.ctx)
		if err != nil {
			return err
		}
		if slot.raw == nil {
			slot.raw = make([]byte, codec.FrameSize)
		}
		s.slot = slot
	}
	for _, p := range pieces {
		b := s.slot.raw[s.set : s.set+p.n]
		if p.ready == nil {
			clear(b)
		} else {
			copy(b, p.ready)
		}
		s.set += p.n
	}
	return nil
}

// room gives the next bytes of the frame to be filled: at most n, and 1 or more.
func (s *Stream) room(n int64) ([]byte, error) {
	if s.layout.filled == codec.FrameSize {
		if err := s.layout.flush(); err != nil {
			return nil, err
		}
	}
	if err := s.settle(s.layout.pieces); err != nil {
		return nil, err
	}
	s.layout.pieces = nil
	n = min(n, codec.FrameSize-s.set)
	b := s.slot.raw[s.set : s.set+n]
	s.set += n
	s.layout.filled += n
	s.layout.pos += n
	return b, nil
}

// pad fills up the last block of a member.
func (s *Stream) pad(size int64) {
	if pad := padded(size) - size; pad > 0 {
		s.layout.put(piece{n: pad})
	}
}

// fail makes the stream unusable, with the error that the pipeline ended with if that was first.
func (s *Stream) fail(err error) error {
	first := s.ctx.Err() != nil
	s.cancel()
	<-s.done
	if first && s.err != nil {
		err = s.err
	}
	s.broken = err
	return err
}

// putPatch writes a patch, which must fit into a frame, and gives the file what it says.
func (s *Stream) putPatch(n *node, p *patch, payload []byte) error {
	number := s.tree.patches
	header, err := patchHeader(number, p, n.entry)
	if err != nil {
		return s.fail(err)
	}
	s.tree.patches++
	at, err := s.putMember(patchName(number), header, int64(len(payload)))
	if err != nil {
		return err
	}
	for len(payload) > 0 {
		b, err := s.room(int64(len(payload)))
		if err != nil {
			return s.fail(err)
		}
		payload = payload[copy(b, payload):]
	}
	s.pad(p.payload())
	if p.create {
		n.unpacked, n.base, n.whole = patchName(number), at, p.payload()
	}
	n.alter(p, at.offset)
	return nil
}

func (s *Stream) putMember(name string, header []byte, size int64) (place, error) {
	at, err := s.layout.begin(header, size)
	if err != nil {
		return at, s.fail(err)
	}
	s.tree.tar = append(s.tree.tar, &TarMember{Name: name, Header: at.header, Offset: at.offset, Size: size})
	return at, nil
}

func (s *Stream) addWhole(e Entry, content io.Reader) error {
	header, err := tarHeader(e)
	if err != nil {
		return s.fail(err)
	}
	at, err := s.putMember(e.Path, header, e.Size)
	if err != nil {
		return err
	}
	n := s.tree.add(e, false)
	n.base, n.whole = at, e.Size
	f := &streamed{facts: Member{Path: e.Path, Allocated: e.Allocated}}
	s.files[n] = f
	if e.Type != TypeFile {
		return nil
	}
	if err := s.addContent(e, content, f); err != nil {
		return s.fail(err)
	}
	return nil
}

// addContent reads a whole file into frames, and digests and checks it on the way.
func (s *Stream) addContent(e Entry, content io.Reader, f *streamed) error {
	sum := blake3.New()
	var space innodb.Space
	for off := int64(0); off < e.Size; {
		b, err := s.room(e.Size - off)
		if err != nil {
			return err
		}
		if err := readContent(e, content, b, off); err != nil {
			return err
		}
		sum.Write(b)
		if s.packer.options.Pages && innodb.IsTablespace(e.Path) {
			if off == 0 {
				space = spaceOf(b) // guessed where the page does not say it
				f.learn(true, e.Path, b, 0)
			}
			s.tellPages(f, checkPages(space, b, off, false))
		}
		off += int64(len(b))
	}
	sum.Sum(f.facts.Digest[:0])
	s.pad(e.Size)
	return contentEnds(e, content)
}

func (s *Stream) tellPages(f *streamed, facts *pieceFacts) {
	var told frame
	s.packer.addFacts(&told, &f.facts, facts)
	if s.packer.options.OnBadPage != nil {
		for _, b := range told.bad {
			s.packer.options.OnBadPage(b)
		}
	}
}

func readContent(e Entry, content io.Reader, b []byte, off int64) error {
	n, err := io.ReadFull(content, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &ChangedError{Path: e.Path, What: fmt.Sprintf("it ends at byte %d of %d", off+int64(n), e.Size)}
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", e.Path, err)
	}
	return nil
}

// contentEnds wants nothing after the content.
func contentEnds(e Entry, content io.Reader) error {
	_, err := io.ReadFull(content, make([]byte, 1))
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return fmt.Errorf("read %s: %w", e.Path, err)
	}
	return &ChangedError{Path: e.Path, What: fmt.Sprintf("it goes on after byte %d", e.Size)}
}

// addByRanges adds a file whose name an operation has used: as a whole member, tar would unpack it before
// that operation.
func (s *Stream) addByRanges(e Entry, content io.Reader) error {
	s.create(e)
	b := make([]byte, min(e.Size, innodb.MaxPageSize))
	for off := int64(0); off < e.Size; off += int64(len(b)) {
		b = b[:min(e.Size-off, int64(len(b)))]
		if err := readContent(e, content, b, off); err != nil {
			return s.fail(err)
		}
		if err := s.WriteAt(e.Path, b, off); err != nil {
			return err
		}
	}
	if err := contentEnds(e, content); err != nil {
		return s.fail(err)
	}
	return nil
}

// finish writes what is still to be written, and waits until the pipeline has written it.
func (s *Stream) finish() error {
	if err := s.flush(); err != nil {
		return err
	}
	for _, n := range s.tree.all {
		if s.files[n].unmade && !n.removed {
			if err := s.make(n); err != nil {
				return err
			}
		}
	}
	if err := s.putScript(); err != nil {
		return s.fail(err)
	}
	if err := s.layout.end(); err != nil {
		return s.fail(err)
	}
	close(s.filled)
	<-s.done
	return s.err
}

// putScript writes the script at the end of the tar, once for its size, which the header says, and once
// for its text: it may be too large for memory.
func (s *Stream) putScript() error {
	nodes := s.tree.sorted()
	size := &countingWriter{w: io.Discard}
	if err := writeScript(size, s.tree, nodes); err != nil {
		return err
	}
	e := Entry{Path: scriptPath, Type: TypeFile, Mode: 0o700, ModTime: s.latest, Size: size.n}
	if root := s.tree.nodes[Root]; root != nil {
		e.UID, e.GID = root.entry.UID, root.entry.GID
	}
	header, err := tarHeader(e)
	if err != nil {
		return err
	}
	if _, err := s.putMember(scriptPath, header, size.n); err != nil {
		return err
	}
	text := bufio.NewWriter(frameWriter{s})
	if err := errors.Join(writeScript(text, s.tree, nodes), text.Flush()); err != nil {
		return err
	}
	s.pad(size.n)
	s.tree.ended = true
	return nil
}

// frameWriter writes content of a member.
type frameWriter struct{ s *Stream }

func (w frameWriter) Write(p []byte) (n int, err error) {
	for n < len(p) {
		b, err := w.s.room(int64(len(p) - n))
		if err != nil {
			return n, err
		}
		n += copy(b, p[n:])
	}
	return n, nil
}

// members are those of the index.
func (s *Stream) members() ([]*Member, error) {
	starts := []int64{0}
	for _, f := range s.packer.frames {
		starts = append(starts, starts[len(starts)-1]+f.Raw)
	}
	members, err := s.tree.end(starts)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		s.files[s.tree.nodes[m.Path]].describe(m, s.packer.options.Pages)
	}
	return members, nil
}

// describe gives the index what headers do not say.
func (f *streamed) describe(m *Member, pages bool) {
	switch {
	case m.Extents == nil:
		m.Digest, m.Allocated, m.InnoDB = f.facts.Digest, f.facts.Allocated, f.facts.InnoDB
	case pages && f.space != nil && m.Size > 0:
		m.InnoDB = pagesOfExtents(*f.space, m)
		m.InnoDB.damagedPages(f.damaged)
	}
}

// pagesOfExtents gives what is known of the pages of a file that patches wrote: which were never written to.
func pagesOfExtents(space innodb.Space, m *Member) *Pages {
	p := &Pages{}
	p.describe(space)
	size := int64(space.PageSize)
	p.Total = (m.Size + size - 1) / size
	p.Zero = holePages(m, size)
	p.Unknown = p.Total - p.Zero
	return p
}

// damagedPages takes those of the file that were damaged when they came out of what is not known.
func (p *Pages) damagedPages(numbers []uint32) {
	inFile := slices.DeleteFunc(slices.Clone(numbers), func(n uint32) bool { return int64(n) >= p.Total })
	p.Bad = min(int64(len(inFile)), p.Unknown)
	p.Unknown -= p.Bad
	p.BadPages = inFile[:min(p.Bad, MaxBadPages)]
}

// holePages counts the pages that lie between the extents of a file.
func holePages(m *Member, size int64) int64 {
	pages, at := int64(0), int64(0)
	hole := func(from, to int64) {
		pages += max(0, to/size-(from+size-1)/size)
	}
	for _, e := range m.Extents {
		hole(at, e.Off)
		at = e.Off + e.N
	}
	hole(at, m.Size)
	return pages
}
