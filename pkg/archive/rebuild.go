package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/zeebo/blake3"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store"
	"runner/pkg/innodb"
)

// RebuildOptions say how to rebuild an index.
type RebuildOptions struct {
	Threads  int // frames decoded at once; 0 = one per CPU
	Progress func(done, total int64)
}

// RebuiltIndex is what [RebuildIndex] made.
type RebuiltIndex struct {
	Name   string // file that was written: [IndexName] or [RebuiltIndexName]; empty if the index is sound
	Lost   error  // what is wrong with the index; nil if it is sound, and nothing was done
	Tail   string // what is wrong with what follows the frames; empty if nothing is
	Files  int64  // members
	Frames int64
	Bytes  int64 // of the tar
}

// RebuildIndex makes the index of a backup anew from its manifest and its data file, if the index is lost or
// damaged. All of the data file is read, and must be what the manifest says; of a zstd file the seek
// table may be lost too.
//
// The tar does not tell Allocated of members. Where the index that the writer made had none either, the
// rebuilt one is the same, and takes its place. Elsewhere it is written as [RebuiltIndexName], for [Open]
// to fall back to.
//
// Errors are those of [manifest.Read]; [ErrNotRebuilt]; [*CorruptError] and [*UnsafeError] for a data file that is not what was
// written; and those of the store and the context.
func RebuildIndex(ctx context.Context, s store.Store, o RebuildOptions) (*RebuiltIndex, error) {
	m, err := manifest.Read(ctx, s)
	if err != nil {
		return nil, err
	}
	lost := checkIndexFile(ctx, s, m)
	if lost == nil || !errors.Is(lost, ErrCorrupt) {
		return &RebuiltIndex{}, lost
	}
	if isSealed(m) {
		return nil, fmt.Errorf("%w: it is encrypted, and the recipients of its writer are not known: %w", ErrNotRebuilt, lost)
	}
	format, err := codec.Parse(m.Archive.Compression)
	if err != nil {
		return nil, &CorruptError{File: manifest.Name, Offset: -1, What: "archive", Err: err}
	}
	r := &rebuilder{
		store: s, manifest: m, options: o, files: blake3.New(),
		index: &Index{Format: IndexFormat, Codec: format, Digest: DigestName},
	}
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	name, err := r.write(ctx)
	if err != nil {
		return nil, err
	}
	return &RebuiltIndex{
		Name: name, Lost: lost, Tail: r.tail, Files: int64(len(r.index.Files)), Frames: int64(len(r.index.Frames)), Bytes: r.index.Raw,
	}, nil
}

// rebuilder makes an index from a data file.
type rebuilder struct {
	store    store.Store
	manifest *manifest.Manifest
	options  RebuildOptions
	index    *Index
	starts   []int64
	tail     string // see [RebuiltIndex]

	// What follows belongs to the frame whose turn it is.
	pos       int64 // in the tar
	member    *Member
	left      int64 // bytes of its content that are still to come
	padding   int64 // zeros that come after that
	ended     bool  // there was a block of zeros in place of a header
	files     *blake3.Hasher
	space     innodb.Space
	checksums []codec.SeekEntry
}

func (r *rebuilder) dataName() string { return DataName(r.index.Codec) }

func (r *rebuilder) damage(offset int64, format string, args ...any) error {
	e := &CorruptError{File: r.dataName(), Offset: offset, What: fmt.Sprintf(format, args...)}
	if r.member != nil {
		e.Member = r.member.Path
	}
	return e
}

func (r *rebuilder) run(ctx context.Context) error {
	data, err := r.store.Open(ctx, r.dataName())
	if errors.Is(err, fs.ErrNotExist) {
		return r.damage(-1, "missing")
	}
	if err != nil {
		return err
	}
	err = r.findFrames(ctx, data)
	if err == nil {
		err = r.readFrames(ctx, data)
	}
	return errors.Join(err, data.Close())
}

// readFrames decodes all frames and takes members and digests from them.
func (r *rebuilder) readFrames(ctx context.Context, data store.Reader) error {
	all := make([]int, len(r.index.Frames))
	for i := range all {
		all[i] = i
	}
	sum := sha256.New()
	stored := func(_ context.Context, u *unpacked) error {
		_, err := sum.Write(u.stored)
		return err
	}
	s := &scan{
		backup:  &Backup{store: r.store, manifest: r.manifest, index: &Index{Codec: r.index.Codec, Frames: r.index.Frames, Raw: r.index.Raw}, starts: r.starts},
		data:    data,
		threads: r.options.Threads, frames: all, learn: true, sum: stored, inOrder: r.inOrder,
	}
	if err := s.run(ctx); err != nil {
		return err
	}
	if r.member != nil || !r.ended {
		return r.damage(-1, "the tar has no end")
	}
	if r.index.Codec == codec.Zstd {
		table, err := codec.AppendSeekTable(nil, r.checksums)
		if err != nil {
			return err
		}
		sum.Write(table)
		if err := r.compareTail(data, table); err != nil {
			return err
		}
	}
	// This proves that all frames are the writer's, also where the seek table that should follow them is lost.
	if got := hex.EncodeToString(sum.Sum(nil)); got != r.manifest.Archive.Data.SHA256 {
		return r.damage(-1, "SHA-256 is %s, the manifest says %s", got, r.manifest.Archive.Data.SHA256)
	}
	if _, err := r.index.check(); err != nil {
		if errors.Is(err, ErrUnsafe) {
			return err
		}
		return &CorruptError{File: r.dataName(), Offset: -1, What: "no archive of this format", Err: err}
	}
	if what := contradiction(r.manifest, r.index); what != "" {
		return r.damage(-1, "%s", what)
	}
	return nil
}

// compareTail notes whether the seek table is the one that belongs to the frames.
func (r *rebuilder) compareTail(data store.Reader, table []byte) error {
	at := r.index.Stored - int64(len(table))
	tail := make([]byte, min(max(data.Size()-at, 0), int64(len(table)+1)))
	if n, err := data.ReadAt(tail, at); n < len(tail) {
		return fmt.Errorf("read %s: %w", r.dataName(), err)
	}
	if !bytes.Equal(tail, table) {
		r.tail = "seek table is lost or damaged"
	}
	return nil
}

// inOrder takes from a frame what is in it.
func (r *rebuilder) inOrder(u *unpacked) error {
	if u.err != nil {
		return u.err
	}
	r.index.Frames[u.number].Digest = u.frame.Digest
	r.checksums = append(r.checksums, codec.SeekEntry{
		Stored: uint32(u.frame.Stored), Raw: uint32(u.frame.Raw), Checksum: codec.FrameChecksum(u.stored),
	})
	for raw := u.raw; len(raw) > 0; {
		n, err := r.next(raw)
		if err != nil {
			var damage *CorruptError
			if errors.As(err, &damage) && damage.Offset < 0 {
				damage.Offset = u.frame.Offset
			}
			return err
		}
		raw, r.pos = raw[n:], r.pos+n
	}
	if r.options.Progress != nil {
		r.options.Progress(r.pos, r.index.Raw)
	}
	return nil
}

// next takes the next piece of the tar and gives its length, which is not 0.
func (r *rebuilder) next(raw []byte) (int64, error) {
	switch {
	case r.left > 0:
		n := min(r.left, int64(len(raw)))
		r.content(raw[:n])
		return n, nil
	case r.padding > 0:
		n := min(r.padding, int64(len(raw)))
		if !isZero(raw[:n]) {
			return 0, r.damage(-1, "what fills up the tar is not zero")
		}
		if r.padding -= n; r.padding == 0 {
			r.member = nil
		}
		return n, nil
	}
	r.member = nil
	n := min(int64(len(raw)), tarBlock)
	if r.ended || isZero(raw[:n]) {
		r.ended = true
		if !isZero(raw) {
			return 0, r.damage(-1, "there is something after the end of the tar")
		}
		return int64(len(raw)), nil
	}
	header, err := headerBlocks(raw)
	if err != nil {
		return 0, r.damage(-1, "%v", err)
	}
	e, err := parseRebuiltHeader(header)
	if err != nil {
		if errors.Is(err, ErrUnsafe) || errors.Is(err, ErrNotRebuilt) {
			return 0, err
		}
		return 0, r.damage(-1, "%v", err)
	}
	n = int64(len(header))
	return n, r.begin(e, r.pos, r.pos+n)
}

// parseRebuiltHeader is [parseTarHeader], and tells a tar with patches from one that is damaged.
func parseRebuiltHeader(blocks []byte) (Entry, error) {
	e, p, err := parsePatchedHeader(blocks)
	if err == nil && (p != nil || strings.HasPrefix(e.Path, reserved+"/")) {
		return e, fmt.Errorf("%w: its archive has patches", ErrNotRebuilt)
	}
	return parseTarHeader(blocks)
}

// begin makes a member of a header, which is from one offset to another in the tar.
func (r *rebuilder) begin(e Entry, header, offset int64) error {
	m := memberOf(e)
	m.Header, m.Offset = header, offset
	if err := m.checkSelf(); err != nil {
		return err
	}
	if m.Size > r.index.Raw-offset {
		return r.damage(-1, "%s: %d bytes at byte %d do not fit into a tar of %d", m.Path, m.Size, offset, r.index.Raw)
	}
	m.First = frameOf(r.starts, header)
	m.Last = m.First
	if m.Size > 0 {
		m.First, m.Last = frameOf(r.starts, offset), frameOf(r.starts, offset+m.Size-1)
	}
	r.index.Files = append(r.index.Files, m)
	r.member, r.left, r.padding = m, m.Size, padded(m.Size)-m.Size
	r.files.Reset()
	if m.Type == TypeFile && m.Size == 0 {
		r.files.Sum(m.Digest[:0])
	}
	return nil
}

// content takes a piece of the content of a member.
func (r *rebuilder) content(piece []byte) {
	m := r.member
	off := m.Size - r.left
	r.left -= int64(len(piece))
	_, _ = r.files.Write(piece) // a hash takes all
	if r.left == 0 {
		r.files.Sum(m.Digest[:0])
	}
	if !r.manifest.Archive.Pages.Checked || !innodb.IsTablespace(m.Path) {
		return
	}
	if off == 0 {
		r.space = spaceOf(piece)
		m.InnoDB = &Pages{}
		m.InnoDB.describe(r.space)
	}
	m.InnoDB.merge(checkPages(r.space, piece, off, false))
}

// write gives the index the name that it deserves, and gives that name.
func (r *rebuilder) write(ctx context.Context) (string, error) {
	want := r.manifest.Archive.Index
	sum := sha256.New()
	if _, err := encodeIndex(ctx, sum, r.index); err != nil {
		return "", fmt.Errorf("encode index: %w", err)
	}
	if hex.EncodeToString(sum.Sum(nil)) == want.SHA256 {
		_, err := WriteIndex(ctx, r.store, &Packed{Index: r.index})
		return IndexName, err
	}
	r.index.Rebuilt = &Rebuilt{Data: r.manifest.Archive.Data.SHA256}
	return RebuiltIndexName, writeRebuiltIndex(ctx, r.store, r.index)
}
