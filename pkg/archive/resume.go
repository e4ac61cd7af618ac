package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"slices"

	"github.com/zeebo/blake3"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/digest"
	"runner/pkg/archive/store"
)

// Resumption tells what a [Pack] made of what an earlier one had left.
type Resumption struct {
	Frames      int64 // that are taken over; each was read back
	RawBytes    int64 // of these frames
	StoredBytes int64
	// Anew says why nothing is taken over, and the pack begins anew; empty where it goes on.
	Anew string
}

// Remainders are the names of the files that a resumable [Pack] in the format leaves, and goes on
// with. The folder of a backup has none of them once the data file is complete.
func Remainders(f codec.Format) []string {
	return []string{DataName(f) + store.PartialSuffix, checkpointName + store.PartialSuffix}
}

// errMisfit says that a checkpoint of the same tree has other frames than the layout gives, as
// another version of this package may have written it.
var errMisfit = errors.New("the checkpoint does not fit the tree")

// taken are the frames that were read back.
type taken struct {
	Resumption
	frames []Frame
	seek   []codec.SeekEntry
	sum    hash.Hash // of the data file so far
	lines  lineSum   // of the checkpoint so far
	log    int64     // bytes of the checkpoint up to the end of its last whole line
}

// fingerprint is the digest of all that the layout of a tree depends on: the tar headers of its
// entries. What a file takes on disk is left out: some file systems change it after the fact.
func fingerprint(ctx context.Context, t Tree) (digest.Hash, error) {
	var h hash.Hash = blake3.New()
	err := t.Walk(ctx, func(e Entry) error {
		if err := checkEntry(e); err != nil {
			return err
		}
		header, err := tarHeader(e)
		if err != nil {
			return err
		}
		h.Write(header)
		return nil
	})
	var sum digest.Hash
	h.Sum(sum[:0])
	return sum, err
}

// beginResumable opens the data file and the checkpoint: those of an earlier pack where it can be
// gone on with them, else new ones.
func (p *packer) beginResumable(ctx context.Context, dst store.Store) error {
	tree, err := fingerprint(ctx, p.tree)
	if err != nil {
		return err
	}
	p.layout.tree, p.fingerprint = blake3.New(), tree
	head := checkpointHead{
		Format: checkpointFormat, Codec: p.format, Level: p.options.Level, Pages: p.options.Pages,
		FrameSize: codec.FrameSize, Tree: tree,
	}
	resumed, err := p.goOn(ctx, dst, head)
	if resumed {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil && p.options.OnResume != nil {
		p.options.OnResume(Resumption{Anew: err.Error()})
	}
	return p.beginAnew(ctx, dst, head)
}

// beginAnew begins with the data file: the room that an earlier one takes may be all there is.
func (p *packer) beginAnew(ctx context.Context, dst store.Store, head checkpointHead) error {
	data, err := dst.Create(ctx, DataName(p.format))
	if err != nil {
		return err
	}
	log, err := dst.Create(ctx, checkpointName)
	if err != nil {
		return errors.Join(err, data.Abort())
	}
	p.saved = &checkpointer{data: data, log: log, bytes: p.checkpointBytes, wake: make(chan struct{}, 1)}
	line, err := p.saved.sum.appendLine(nil, head)
	if err == nil {
		err = writeAll(log, line)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write checkpoint: %w", err), data.Abort(), log.Abort())
	}
	p.out = inClear(DataName(p.format), p.limited(ctx, data), sha256.New(), 0)
	return nil
}

// goOn opens what an earlier pack left, once all of it that is durable was read back. The error
// says why it cannot be gone on with; where nothing was left, there is none.
func (p *packer) goOn(ctx context.Context, dst store.Store, head checkpointHead) (resumed bool, err error) {
	log, data, err := openRemainders(ctx, dst, p.format)
	if err != nil || log == nil {
		return false, err
	}
	t, err := p.readBack(ctx, log, data, head)
	if err = errors.Join(err, data.Close()); err != nil {
		return false, errors.Join(err, log.Close())
	}
	if err := p.reopen(ctx, dst, t); err != nil {
		return false, errors.Join(err, log.Close())
	}
	p.takeOver(t, log)
	return true, nil
}

// openRemainders gives nothing where both are absent.
func openRemainders(ctx context.Context, dst store.Store, f codec.Format) (log, data store.Reader, err error) {
	data, err = dst.Open(ctx, DataName(f)+store.PartialSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	log, err = dst.Open(ctx, checkpointName+store.PartialSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("there is no checkpoint")
	}
	if err != nil {
		return nil, nil, errors.Join(err, data.Close())
	}
	return log, data, nil
}

// readBack reads all frames that a checkpoint says are durable.
func (p *packer) readBack(ctx context.Context, log, data store.Reader, head checkpointHead) (*taken, error) {
	lines := newCheckpointReader(io.NewSectionReader(log, 0, log.Size()))
	found, err := lines.head()
	switch {
	case errors.Is(err, io.EOF):
		return nil, errors.New("nothing of it was durable")
	case err != nil:
		return nil, err
	case found.Tree != head.Tree:
		return nil, errors.New("what is to be packed has changed since")
	case found != head:
		return nil, errors.New("it was packed with other settings")
	}
	t := &taken{sum: sha256.New()}
	var stored []byte
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r, err := lines.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		stored = slices.Grow(stored[:0], int(r.Stored))[:r.Stored]
		if err := t.read(data, stored, r, p.format); err != nil {
			return nil, fmt.Errorf("frame %d: %w", t.Frames, err)
		}
		if p.options.Progress != nil {
			p.options.Progress(t.RawBytes)
		}
	}
	if t.Frames == 0 {
		return nil, errors.New("nothing of it was durable")
	}
	t.lines, t.log = lines.sum, lines.bytes
	return t, nil
}

// read reads one frame back into buf.
func (t *taken) read(data store.Reader, buf []byte, r *frameRecord, f codec.Format) error {
	if n, err := data.ReadAt(buf, t.StoredBytes); n < len(buf) {
		return fmt.Errorf("read back: %d of %d bytes: %w", n, len(buf), err)
	}
	if digest.Hash(blake3.Sum256(buf)) != r.Digest {
		return errors.New("read back with another digest")
	}
	t.sum.Write(buf)
	t.frames = append(t.frames, Frame{Offset: t.StoredBytes, Stored: r.Stored, Raw: r.Raw, Digest: r.Digest})
	if f == codec.Zstd {
		t.seek = append(t.seek, seekEntry(buf, r.Raw))
	}
	t.Frames++
	t.RawBytes += r.Raw
	t.StoredBytes += r.Stored
	return nil
}

// reopen opens data file and checkpoint for going on after the last durable frame.
func (p *packer) reopen(ctx context.Context, dst store.Store, t *taken) error {
	data, err := dst.Resume(ctx, DataName(p.format), t.StoredBytes)
	if err != nil {
		return err
	}
	log, err := dst.Resume(ctx, checkpointName, t.log)
	if err != nil {
		return errors.Join(err, data.Keep())
	}
	p.saved = &checkpointer{
		data: data, log: log, bytes: p.checkpointBytes, wake: make(chan struct{}, 1),
		sum: t.lines, durable: len(t.frames),
	}
	p.out = inClear(DataName(p.format), p.limited(ctx, data), t.sum, t.StoredBytes)
	return nil
}

// takeOver has the packer begin where the earlier one ended.
func (p *packer) takeOver(t *taken, log store.Reader) {
	p.frames, p.seek = t.frames, t.seek
	p.raw, p.stored = t.RawBytes, t.StoredBytes
	p.kept = len(t.frames)
	p.keptLog = log
	p.keptLines = newCheckpointReader(io.NewSectionReader(log, 0, t.log))
	if p.options.OnResume != nil {
		p.options.OnResume(t.Resumption)
	}
}

// keptRecord gives the record of a frame that is taken over; nil for one that has to be packed.
func (p *packer) keptRecord(number int, pieces []piece, raw int64) (*frameRecord, error) {
	if number >= p.kept {
		return nil, nil
	}
	if number == 0 {
		if _, err := p.keptLines.head(); err != nil {
			return nil, fmt.Errorf("take over frame: %w", err)
		}
	}
	r, err := p.keptLines.next()
	if err != nil {
		return nil, fmt.Errorf("take over frame %d: %w", number, err)
	}
	if !r.fits(pieces, raw) {
		return nil, fmt.Errorf("frame %d: %w", number, errMisfit)
	}
	return r, nil
}

// fits says whether the record is one of a frame of these pieces.
func (r *frameRecord) fits(pieces []piece, raw int64) bool {
	at := 0
	for _, piece := range pieces {
		if piece.source == nil {
			continue
		}
		if at == len(r.Pieces) {
			return false
		}
		p := r.Pieces[at]
		at++
		if (p.Facts != nil) != (piece.source.space != nil) || (p.Digest != digest.Hash{}) != piece.last {
			return false
		}
	}
	return at == len(r.Pieces) && raw == r.Raw
}

// spansCut says whether a frame that is taken over holds a piece of the one file that goes on
// behind the last of these frames: its digest needs all of its bytes. A piece that its file does
// not end with fills a frame of its own.
func (p *packer) spansCut(number int, pieces []piece) bool {
	last := pieces[len(pieces)-1]
	if last.source == nil || last.last {
		return false
	}
	left := last.source.entry.Size - last.off - last.n
	return int64(number)+(left+codec.FrameSize-1)/codec.FrameSize >= int64(p.kept)
}

// takeFacts gives the members of a frame that is taken over what its record knows of them.
func (p *packer) takeFacts(ctx context.Context, f *frame) error {
	select {
	case <-f.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	f.zero, f.holeBytes = f.kept.Zero, f.kept.Holes
	records := f.kept.Pieces
	for _, piece := range f.pieces {
		if piece.source == nil {
			continue
		}
		if facts := records[0].Facts; facts != nil {
			p.addFacts(f, piece.source.member, facts.facts())
		}
		if piece.last {
			piece.source.member.Digest = records[0].Digest
		}
		records = records[1:]
	}
	close(f.next)
	close(f.ready)
	return nil
}

// sameTree says, after the walk, whether the tree is still the one of the checkpoint.
func (p *packer) sameTree() error {
	if p.layout.tree == nil {
		return nil
	}
	var now digest.Hash
	p.layout.tree.Sum(now[:0])
	if now != p.fingerprint {
		return &ChangedError{Path: Root, What: "something was added, removed or written to"}
	}
	if p.planned < p.kept {
		return errMisfit
	}
	return nil
}

// leave ends a resumable pack that failed. What of it is durable stays, unless it can never be
// gone on with.
func (p *packer) leave(err error) error {
	lost := errors.Is(err, ErrChanged) || errors.Is(err, ErrUnsupported) || errors.Is(err, ErrIncompleteClone) || errors.Is(err, errMisfit)
	if !lost && !p.broken && !p.saved.failed {
		err = errors.Join(err, p.saved.flush())
	}
	if lost || p.saved.durable == 0 {
		return errors.Join(err, p.saved.data.Abort(), p.saved.log.Abort())
	}
	return errors.Join(err, p.saved.data.Keep(), p.saved.log.Keep())
}

// commitResumable makes the data file durable before it gets its name, so that an error does not
// cost what was durable before.
func (p *packer) commitResumable(ctx context.Context, dst store.Store) (Stored, error) {
	if err := p.out.file.Sync(); err != nil {
		p.broken = true
		return Stored{}, p.leave(err)
	}
	data, err := p.out.commit(p.raw)
	if err != nil {
		return Stored{}, errors.Join(err, p.saved.log.Abort())
	}
	return data, p.saved.remove(context.WithoutCancel(ctx), dst)
}

// tellSealed says that an encrypted archive is packed anew, where an earlier pack has left one: its key was in
// memory alone.
func (p *packer) tellSealed(ctx context.Context, dst store.Store) error {
	if p.options.OnResume == nil {
		return nil
	}
	left, err := dst.Open(ctx, storedName(DataName(p.format), true)+store.PartialSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	p.options.OnResume(Resumption{Anew: "it is encrypted, with a key that is stored nowhere"})
	return left.Close()
}
