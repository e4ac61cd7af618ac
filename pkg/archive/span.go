package archive

import (
	"bytes"
	"sort"

	"runner/pkg/archive/codec"
)

// part is what a run of bytes of the tar is.
type part int

const (
	partHeader  part = iota // header blocks of a member, all of them
	partContent             // content of a whole member that is in the tree, or a piece of it
	partExtent              // bytes of a file that patches made, or a piece of them
	partDead                // content of a tar with patches that is in no file: written over, removed, or the script
	partZeros               // what fills up blocks, and the end of the tar
)

// span is a run of bytes of one frame that belong to one part of one member.
type span struct {
	part   part
	member *Member    // nil where there is none, as at the end of the tar
	tar    *TarMember // of a tar with patches; nil at its end
	off    int64      // in the content, or in the file of an extent
	lo, hi int64      // in the frame
}

// first and last say whether content begins or ends with the span.
func (s span) first() bool { return s.off == 0 }
func (s span) last() bool  { return s.off+s.hi-s.lo == s.member.Size }

// spans calls fn for all that lies in frame k, in order, until it gives an error. A file
// without content has an empty span of it.
func (b *Backup) spans(k int, fn func(span) error) error {
	start, end := b.starts[k], b.starts[k+1]
	if b.placed != nil {
		return b.patchedSpans(start, end, fn)
	}
	files := b.index.Files
	i := sort.Search(len(files), func(i int) bool { return files[i].Offset+padded(files[i].Size) > start })
	for ; i < len(files) && files[i].Header < end; i++ {
		if err := files[i].spans(start, end, fn); err != nil {
			return err
		}
	}
	return b.endSpan(start, end, fn)
}

func (b *Backup) endSpan(start, end int64, fn func(span) error) error {
	if lo := max(b.index.Raw-tarEnd, start); lo < end {
		return fn(span{part: partZeros, lo: lo - start, hi: end - start})
	}
	return nil
}

// spans of one member in the frame that holds the bytes of the tar from start to end.
func (m *Member) spans(start, end int64, fn func(span) error) error {
	if m.Header >= start {
		if err := fn(span{part: partHeader, member: m, lo: m.Header - start, hi: m.Offset - start}); err != nil {
			return err
		}
	}
	done := m.Offset + m.Size
	lo, hi := max(m.Offset, start), min(done, end)
	if m.Type == TypeFile && (lo < hi || m.Size == 0 && m.Header >= start) {
		if err := fn(span{part: partContent, member: m, off: lo - m.Offset, lo: lo - start, hi: hi - start}); err != nil {
			return err
		}
	}
	lo, hi = max(done, start), min(m.Offset+padded(m.Size), end)
	if lo < hi {
		return fn(span{part: partZeros, member: m, lo: lo - start, hi: hi - start})
	}
	return nil
}

var zeros [codec.FrameSize]byte

func isZero(b []byte) bool { return bytes.Equal(b, zeros[:len(b)]) }
