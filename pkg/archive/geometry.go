package archive

import (
	"fmt"
	"path"
	"sort"
	"strings"

	"runner/pkg/archive/codec"
	"runner/pkg/innodb"
)

// check says where the index contradicts itself: sizes that don't add up, members in the wrong
// order, frames larger than a frame. What it passes can be read without a look at sizes. It
// gives the offset in the tar of each frame, and of the end.
func (idx *Index) check() ([]int64, error) {
	if _, err := codec.Parse(string(idx.Codec)); err != nil {
		return nil, err
	}
	if idx.Digest != DigestName {
		return nil, fmt.Errorf("digests are %q, not %q", idx.Digest, DigestName)
	}
	starts, err := idx.checkFrames()
	if err != nil {
		return nil, err
	}
	if idx.Patched() {
		return starts, idx.checkPatched(starts)
	}
	return starts, idx.checkMembers(starts)
}

func (idx *Index) checkFrames() ([]int64, error) {
	starts := make([]int64, 0, len(idx.Frames)+1)
	raw, stored := int64(0), int64(0)
	for i, f := range idx.Frames {
		if err := f.check(i, stored); err != nil {
			return nil, err
		}
		starts = append(starts, raw)
		raw, stored = raw+f.Raw, stored+f.Stored
	}
	if idx.Codec == codec.Zstd {
		stored += codec.SeekTableSize(len(idx.Frames))
	}
	if raw != idx.Raw || stored != idx.Stored {
		return nil, fmt.Errorf("frames have %d bytes raw and %d stored, the index says %d and %d", raw, stored, idx.Raw, idx.Stored)
	}
	return append(starts, raw), nil
}

// check wants frame number i where the one before it ends.
func (f Frame) check(i int, end int64) error {
	if f.Offset != end || f.Stored <= 0 || f.Stored > codec.MaxStored || f.Raw <= 0 || f.Raw > codec.FrameSize {
		return fmt.Errorf("frame %d is at %d with %d bytes stored and %d raw", i, f.Offset, f.Stored, f.Raw)
	}
	return nil
}

func (idx *Index) checkMembers(starts []int64) error {
	if err := idx.checkTree(); err != nil {
		return err
	}
	end := int64(0)
	for _, m := range idx.Files {
		if m.Extents != nil {
			return fmt.Errorf("%s: it has extents, but the tar has no patches", m.Path)
		}
		if err := m.checkPlace(end, starts); err != nil {
			return fmt.Errorf("%s: %w", m.Path, err)
		}
		end = m.Offset + padded(m.Size)
	}
	if idx.Tar != nil {
		return fmt.Errorf("the index lists a tar with patches, but says that there are none")
	}
	if end+tarEnd != idx.Raw {
		return fmt.Errorf("members end at byte %d of a tar of %d", end, idx.Raw)
	}
	return nil
}

// checkTree looks at what members say of themselves, and whether they make a tree.
func (idx *Index) checkTree() error {
	var folders folderStack
	total, allocated := int64(0), int64(0)
	for i, m := range idx.Files {
		if err := m.checkSelf(); err != nil {
			return err
		}
		if i > 0 {
			if err := sortedAfter(idx.Files[i-1], m); err != nil {
				return err
			}
		}
		if !folders.enter(m) {
			return &UnsafeError{Member: m.Path, What: "what it lies in is no folder of the archive"}
		}
		if total += m.Size; total > maxTotal {
			return fmt.Errorf("%s: files have more than %d bytes", m.Path, int64(maxTotal))
		}
		if allocated += m.Allocated; allocated > maxTotal {
			return fmt.Errorf("%s: files have more than %d allocated bytes", m.Path, int64(maxTotal))
		}
	}
	if m, what := checkLinks(idx.Files); what != "" {
		return &UnsafeError{Member: m.Path, What: what}
	}
	return nil
}

const (
	// maxTotal bounds the sizes of all files together, in bytes, so that sums do not overflow.
	maxTotal = 1 << 62
	// maxOwner is the largest number of a user or group; the one after it stands for none (chown(2)).
	maxOwner = 1<<32 - 2
)

// sortedAfter wants members in the order of a tree.
func sortedAfter(before, m *Member) error {
	switch {
	case pathLess(before.Path, m.Path):
		return nil
	case before.Path == m.Path:
		return &UnsafeError{Member: m.Path, What: "it occurs twice"}
	}
	return &UnsafeError{Member: m.Path, What: "members are not sorted"}
}

// checkSelf refuses what leads out of the target or is no member at all.
func (m *Member) checkSelf() error {
	what := pathFault(m.Path)
	switch {
	case what != "":
	case m.Path == Marker:
		what = "it is the mark of an unfinished clone"
	case (m.Path == Root || m.Path == markerDir) && m.Type != TypeDir:
		what = "it is no folder"
	case m.Type == TypeSymlink:
		what = linkFault(m.Path, m.Link)
	case m.Type != TypeFile && m.Type != TypeDir:
		what = fmt.Sprintf("it is of type %q", m.Type)
	}
	if what != "" {
		return &UnsafeError{Member: m.Path, What: what}
	}
	file := m.Type == TypeFile
	switch {
	case sizeFault(m.Size) != "":
		return fmt.Errorf("%s: %s", m.Path, sizeFault(m.Size))
	case m.Allocated < 0 || m.Allocated > maxSize || m.UID < 0 || m.UID > maxOwner || m.GID < 0 || m.GID > maxOwner || m.Mode > modeAll:
		return fmt.Errorf("%s: a number is out of its range", m.Path)
	case !file && (m.Size != 0 || m.InnoDB != nil || m.Digest != [32]byte{} || m.Extents != nil):
		return fmt.Errorf("%s: it has content, but is no file", m.Path)
	case m.Type != TypeSymlink && m.Link != "":
		return fmt.Errorf("%s: it has a link, but is none", m.Path)
	case m.Extents != nil && (m.Digest != [32]byte{} || m.Header != 0 || m.Offset != 0):
		return fmt.Errorf("%s: patches made it, but it is a whole member", m.Path)
	case m.InnoDB != nil:
		return m.InnoDB.checkSelf(m)
	}
	return nil
}

func (p *Pages) checkSelf(m *Member) error {
	size := int64(p.PageSize)
	switch {
	case size < innodb.MinZipSize || size > innodb.MaxPageSize || size&(size-1) != 0:
		return fmt.Errorf("%s: page size %d", m.Path, size)
	case p.Total != (m.Size+size-1)/size, p.Zero < 0, p.Bad < 0, p.Uncheckable < 0, p.Unknown < 0, p.Unknown > 0 && m.Extents == nil,
		p.Zero > p.Total, p.Bad > p.Total, p.Uncheckable > p.Total, p.Unknown > p.Total, // so that the sum is one
		p.Zero+p.Bad+p.Uncheckable+p.Unknown > p.Total:
		return fmt.Errorf("%s: numbers of pages don't add up", m.Path)
	case int64(len(p.BadPages)) != min(p.Bad, MaxBadPages):
		return fmt.Errorf("%s: %d bad pages, %d of them listed", m.Path, p.Bad, len(p.BadPages))
	}
	return nil
}

// folderStack holds the folders from the root down to the last member. Members are sorted, so
// that no others need to be known to tell whether each member lies in one.
type folderStack []string

// enter says whether the member lies in a folder; one that lies in a symbolic link does not.
func (s *folderStack) enter(m *Member) bool {
	if m.Path == Root {
		return true
	}
	for len(*s) > 0 && !strings.HasPrefix(m.Path, (*s)[len(*s)-1]+"/") {
		*s = (*s)[:len(*s)-1]
	}
	parent := Root
	if len(*s) > 0 {
		parent = (*s)[len(*s)-1]
	}
	if m.Type == TypeDir {
		*s = append(*s, m.Path)
	}
	return path.Dir(m.Path) == parent
}

// checkPlace wants the member where checkContent does, and the frames that it says.
func (m *Member) checkPlace(end int64, starts []int64) error {
	if err := checkContent(m.Header, m.Offset, m.Size, end, starts); err != nil {
		return err
	}
	if first, last := contentFrames(starts, m); m.First != first || m.Last != last {
		return fmt.Errorf("content is in frames %d to %d, not %d to %d", first, last, m.First, m.Last)
	}
	return nil
}

// checkContent wants a member of the tar right after the one before it, its header in one frame, and frame
// boundaries in its content only where pages begin.
func checkContent(header, offset, size, end int64, starts []int64) error {
	raw := starts[len(starts)-1]
	switch {
	case header != end || offset <= header || offset-header > maxHeader || (offset-header)%tarBlock != 0:
		return fmt.Errorf("header is from byte %d to %d of the tar, the member before it ends at %d", header, offset, end)
	case size < 0 || offset > raw || size > raw-offset:
		return fmt.Errorf("%d bytes at byte %d do not fit into a tar of %d", size, offset, raw)
	}
	at := frameOf(starts, header)
	if offset > starts[at+1] {
		return fmt.Errorf("header lies in more than one frame")
	}
	if size == 0 {
		return nil
	}
	for i := frameOf(starts, offset) + 1; i <= frameOf(starts, offset+size-1); i++ {
		if (starts[i]-offset)%innodb.MaxPageSize != 0 {
			return fmt.Errorf("frame %d begins in the middle of a page", i)
		}
	}
	return nil
}

// contentFrames gives the frames that hold the content of a member, or the header where there is none.
func contentFrames(starts []int64, m *Member) (first, last int) {
	if m.Size == 0 {
		at := frameOf(starts, m.Header)
		return at, at
	}
	return frameOf(starts, m.Offset), frameOf(starts, m.Offset+m.Size-1)
}

// frameOf gives the frame that holds a byte of the tar.
func frameOf(starts []int64, at int64) int {
	return sort.Search(len(starts), func(i int) bool { return starts[i] > at }) - 1
}
