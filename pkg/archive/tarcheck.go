package archive

import (
	"fmt"
	"hash"
	"reflect"

	"github.com/zeebo/blake3"

	"runner/pkg/archive/digest"
)

// tarCheck compares what the frames of the tar hold, one after the other, with the index: headers, what fills up
// blocks, and of a tar with patches the tree that they make. Verify and Restore share it, so that both refuse the same
// archives. Its methods return nil where nothing is wrong.
type tarCheck struct {
	backup *Backup
	replay *replay // of a tar with patches of which every header is read; else nil
	broken bool    // a header was not readable, or its operation not possible: the rest cannot be replayed

	script      hash.Hash // of the content of the script so far
	scriptBytes int64
}

// newTarCheck prepares a check. With whole every frame is handed to it; else only some, of which each header is
// compared by itself.
func newTarCheck(b *Backup, whole bool) *tarCheck {
	c := &tarCheck{backup: b, script: blake3.New()}
	if whole && b.index.Patched() {
		c.replay = newReplay()
	}
	return c
}

func (c *tarCheck) fault(offset int64, m *Member, format string, args ...any) *CorruptError {
	e := &CorruptError{File: c.backup.dataName(), Offset: offset, What: fmt.Sprintf(format, args...)}
	if m != nil {
		e.Member = m.Path
	}
	return e
}

// header compares the header of a member.
func (c *tarCheck) header(u *unpacked, s span) *CorruptError {
	if s.tar != nil {
		return c.patchedHeader(u, s)
	}
	e, err := parseTarHeader(u.raw[s.lo:s.hi])
	if err != nil {
		return c.fault(u.frame.Offset, s.member, "%v", err)
	}
	if what := entryMatches(e, s.member); what != "" {
		return c.fault(u.frame.Offset, s.member, "in the tar its %s, which is not what the index says", what)
	}
	return nil
}

// patchedHeader does what the header of a member of a tar with patches says.
func (c *tarCheck) patchedHeader(u *unpacked, s span) *CorruptError {
	t := s.tar
	if c.broken {
		return nil
	}
	e, patch, err := parsePatchedHeader(u.raw[s.lo:s.hi])
	if err == nil && (e.Path != t.Name || e.Size != t.Size) {
		err = fmt.Errorf("in the tar it is %q of %d bytes, which is not what the index says", e.Path, e.Size)
	}
	switch {
	case err != nil:
	case c.replay != nil:
		err = c.replay.member(e, patch, place{header: t.Header, offset: t.Offset})
	default:
		err = c.backup.placed.checkMapped(t, patch)
	}
	if err != nil {
		c.broken = true
		return c.fault(u.frame.Offset, s.member, "member %q: %v", t.Name, err)
	}
	return nil
}

// zeros looks at what fills up blocks, and at the end of the tar.
func (c *tarCheck) zeros(u *unpacked, s span) *CorruptError {
	if isZero(u.raw[s.lo:s.hi]) {
		return nil
	}
	return c.fault(u.frame.Offset, s.member, "what fills up the tar is not zero")
}

// dead takes content that is in no file, which the script is.
func (c *tarCheck) dead(u *unpacked, s span) {
	if s.tar != nil && s.tar.Name == scriptPath {
		_, _ = c.script.Write(u.raw[s.lo:s.hi]) // a hash takes all
		c.scriptBytes += s.hi - s.lo
	}
}

// end compares the tree that all headers make with the index, once all frames were looked at.
func (c *tarCheck) end() []*CorruptError {
	if c.replay == nil || c.broken {
		return nil
	}
	members, err := c.replay.end(c.backup.starts)
	if err != nil {
		return []*CorruptError{c.fault(-1, nil, "%v", err)}
	}
	return c.compareTrees(members)
}

// compareTrees compares the index with the tree that the headers made.
func (c *tarCheck) compareTrees(members []*Member) (faults []*CorruptError) {
	differs := func(path, what string) {
		faults = append(faults, &CorruptError{File: c.backup.manifest.Archive.Index.Name, Offset: -1, Member: path, What: what})
	}
	files := c.backup.index.Files
	if len(files) != len(members) {
		differs("", fmt.Sprintf("the tar makes %d members, the index has %d", len(members), len(files)))
		return faults
	}
	for i, m := range members {
		want := *files[i]
		want.InnoDB, want.Digest, want.Allocated = nil, m.Digest, m.Allocated // headers do not say them
		if !reflect.DeepEqual(m, &want) {
			differs(files[i].Path, "it is not what the members of the tar make")
		}
	}
	return faults
}

// checkScript compares the script with the one that the patches make, byte for byte: tools that know no patches get
// their tree from it. It follows end.
func (c *tarCheck) checkScript() *CorruptError {
	if c.replay == nil || c.broken || !c.replay.ended {
		return nil
	}
	want := &countingWriter{w: blake3.New()}
	if err := writeScript(want, c.replay, c.replay.sorted()); err != nil {
		return c.fault(-1, nil, "%s: %v", scriptPath, err)
	}
	if want.n != c.scriptBytes || hashOf(want.w.(hash.Hash)) != hashOf(c.script) {
		return c.fault(-1, nil, "%s is not the script that the patches make: with tar, the archive becomes another tree", scriptPath)
	}
	return nil
}

func hashOf(h hash.Hash) (sum digest.Hash) {
	h.Sum(sum[:0])
	return sum
}
