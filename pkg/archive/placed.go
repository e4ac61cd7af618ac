package archive

import (
	"fmt"
	"sort"
	"strings"
)

// placed tells what of a tar with patches is in which file.
type placed struct {
	whole   map[int64]*Member // by the offset of their content: whole members that are in the tree as they are
	extents []placedExtent    // of all files, sorted by their offset in the tar
}

// placedExtent is an extent and the file that it is of.
type placedExtent struct {
	Extent
	member *Member
}

func placeFiles(idx *Index) *placed {
	p := &placed{whole: map[int64]*Member{}}
	for _, m := range idx.Files {
		if m.Extents == nil {
			p.whole[m.Offset] = m
		}
		for _, e := range m.Extents {
			p.extents = append(p.extents, placedExtent{e, m})
		}
	}
	sort.Slice(p.extents, func(i, j int) bool { return p.extents[i].At < p.extents[j].At })
	return p
}

// checkPatched is checkMembers for a tar with patches.
func (idx *Index) checkPatched(starts []int64) error {
	if err := idx.checkTree(); err != nil {
		return err
	}
	if err := idx.checkTar(starts); err != nil {
		return err
	}
	for _, m := range idx.Files {
		if err := m.checkExtents(starts); err != nil {
			return fmt.Errorf("%s: %w", m.Path, err)
		}
	}
	return placeFiles(idx).check(idx, starts)
}

// checkTar wants the members of the tar one after the other, and the script last.
func (idx *Index) checkTar(starts []int64) error {
	end, patches := int64(0), int64(0)
	for i, t := range idx.Tar {
		if err := checkContent(t.Header, t.Offset, t.Size, end, starts); err != nil {
			return fmt.Errorf("member %d of the tar: %w", i, err)
		}
		end = t.Offset + padded(t.Size)
		switch last := i == len(idx.Tar)-1; {
		case last != (t.Name == scriptPath):
			return errNoScript
		case last:
		case strings.HasPrefix(t.Name, patchPrefix):
			if t.Name != patchName(patches) {
				return fmt.Errorf("member %d of the tar is called %q, and is patch %d", i, t.Name, patches)
			}
			if t.Size > 0 && frameOf(starts, t.Offset) != frameOf(starts, end-1) {
				return fmt.Errorf("patch %d lies in more than one frame", patches)
			}
			patches++
		default:
			if what := pathFault(t.Name); what != "" {
				return &UnsafeError{Member: t.Name, What: what}
			}
		}
	}
	switch {
	case len(idx.Tar) == 0:
		return errNoScript
	case end+tarEnd != idx.Raw:
		return fmt.Errorf("members end at byte %d of a tar of %d", end, idx.Raw)
	}
	return nil
}

// checkExtents wants the extents of a file sorted, apart from one another, and within its size.
func (m *Member) checkExtents(starts []int64) error {
	if m.Extents == nil {
		return nil
	}
	raw, end := starts[len(starts)-1], int64(0)
	for _, e := range m.Extents {
		switch {
		case e.N <= 0 || e.Off < end || e.Off > m.Size || e.N > m.Size-e.Off:
			return fmt.Errorf("an extent has %d bytes at byte %d of %d, the one before it ends at %d", e.N, e.Off, m.Size, end)
		case e.At < 0 || e.At > raw || e.N > raw-e.At:
			return fmt.Errorf("an extent has %d bytes at byte %d of a tar of %d", e.N, e.At, raw)
		}
		end = e.Off + e.N
	}
	if first, last := frameRange(m.Extents, starts); m.First != first || m.Last != last {
		return fmt.Errorf("content is in frames %d to %d, not %d to %d", first, last, m.First, m.Last)
	}
	if live := liveBytes(m.Extents); m.Allocated != live {
		return fmt.Errorf("extents have %d bytes, of which %d are allocated", live, m.Allocated)
	}
	return nil
}

// check wants each byte of the tar in one file at most, and only content to be in files.
func (p *placed) check(idx *Index, starts []int64) error {
	next, found := 0, 0
	for _, t := range idx.Tar {
		end := t.Offset + t.Size
		m := p.whole[t.Offset]
		if m != nil {
			found++
			if err := m.checkWhole(t, starts); err != nil {
				return err
			}
		}
		for ; next < len(p.extents) && p.extents[next].At < end; next++ {
			e := p.extents[next]
			switch {
			case e.At < t.Offset || e.N > end-e.At || m != nil || t.Name == scriptPath:
				return fmt.Errorf("%s: an extent is at byte %d of the tar, which is no content for it", e.member.Path, e.At)
			case next > 0 && e.At < p.extents[next-1].At+p.extents[next-1].N:
				return fmt.Errorf("%s: an extent is at byte %d of the tar, which is that of another", e.member.Path, e.At)
			}
		}
	}
	whole := 0
	for _, m := range idx.Files {
		if m.Extents == nil {
			whole++
		}
	}
	switch {
	case next < len(p.extents):
		return fmt.Errorf("%s: an extent is at byte %d, after all content", p.extents[next].member.Path, p.extents[next].At)
	case found != whole:
		return fmt.Errorf("%d of %d whole members are in the tar", found, whole)
	}
	return nil
}

// checkWhole compares a whole member that is in the tree, or a folder or link that a patch made, with its place in the tar.
func (m *Member) checkWhole(t *TarMember, starts []int64) error {
	if m.Header != t.Header || m.Size != t.Size || t.Name == scriptPath || m.Type == TypeFile && isReserved(t.Name) {
		return fmt.Errorf("%s: it is not what the tar has at byte %d", m.Path, t.Header)
	}
	if first, last := contentFrames(starts, m); m.First != first || m.Last != last {
		return fmt.Errorf("%s: content is in frames %d to %d, not %d to %d", m.Path, first, last, m.First, m.Last)
	}
	return nil
}

// checkMapped wants the extents in the content of a member to go where its patch says; p is nil for a whole member. It is for those
// who do not read all headers, and so cannot tell whether a later patch wins.
func (p *placed) checkMapped(t *TarMember, patch *patch) error {
	ranges := []byteRange{{0, t.Size}}
	if patch != nil {
		ranges = patch.ranges
	}
	end := t.Offset // of the range, in the tar
	i := sort.Search(len(p.extents), func(i int) bool { return p.extents[i].At >= t.Offset })
	for _, r := range ranges {
		begin := end
		end += r.n
		for i < len(p.extents) && p.extents[i].At < end {
			e := p.extents[i]
			at := max(e.At, begin) // an extent may go on from the range before
			if e.Off+at-e.At != r.off+at-begin {
				return fmt.Errorf("the index has byte %d of %s here, and the patch writes byte %d", e.Off+at-e.At, e.member.Path, r.off+at-begin)
			}
			if e.At+e.N > end {
				break
			}
			i++
		}
	}
	return nil
}

// patchedSpans calls fn for all that lies in the frame from start to end of a tar with patches.
func (b *Backup) patchedSpans(start, end int64, fn func(span) error) error {
	tar := b.index.Tar
	i := sort.Search(len(tar), func(i int) bool { return tar[i].Offset+padded(tar[i].Size) > start })
	for ; i < len(tar) && tar[i].Header < end; i++ {
		t := tar[i]
		whole := b.placed.whole[t.Offset]
		m := whole
		if m == nil {
			m = &Member{Type: TypeFile, Header: t.Header, Offset: t.Offset, Size: t.Size}
		}
		err := m.spans(start, end, func(s span) error {
			s.member, s.tar = whole, t
			if s.part == partContent && whole == nil {
				return b.placed.split(s, start, fn)
			}
			return fn(s)
		})
		if err != nil {
			return err
		}
	}
	return b.endSpan(start, end, fn)
}

// split gives the extents in the content of a member of the tar that is in no file as a whole, and what is
// between them; start is where the frame begins.
func (p *placed) split(s span, start int64, fn func(span) error) error {
	at := s.lo
	dead := func(to int64) error {
		if at >= to {
			return nil
		}
		return fn(span{part: partDead, tar: s.tar, lo: at, hi: to})
	}
	i := sort.Search(len(p.extents), func(i int) bool { return p.extents[i].At+p.extents[i].N > start+s.lo })
	for ; i < len(p.extents) && p.extents[i].At < start+s.hi; i++ {
		e := p.extents[i]
		lo, hi := max(e.At-start, s.lo), min(e.At+e.N-start, s.hi)
		if err := dead(lo); err != nil {
			return err
		}
		live := span{part: partExtent, member: e.member, tar: s.tar, off: e.Off + start + lo - e.At, lo: lo, hi: hi}
		if err := fn(live); err != nil {
			return err
		}
		at = hi
	}
	return dead(s.hi)
}

// pieces gives how many spans of a file there are in all frames.
func (b *Backup) pieces(m *Member) int {
	if m.Extents == nil {
		return m.Last - m.First + 1
	}
	n := 0
	for _, e := range m.Extents {
		n += frameOf(b.starts, e.At+e.N-1) - frameOf(b.starts, e.At) + 1
	}
	return n
}

// markFrames marks the frames that hold content of files.
func (b *Backup) markFrames(chosen map[*Member]bool, holds []bool) {
	mark := func(first, last int) {
		for k := first; k <= last; k++ {
			holds[k] = true
		}
	}
	for m := range chosen {
		if m.Extents == nil && m.Type == TypeFile {
			mark(m.First, m.Last)
		}
		for _, e := range m.Extents {
			mark(frameOf(b.starts, e.At), frameOf(b.starts, e.At+e.N-1))
		}
	}
}
