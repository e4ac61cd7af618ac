package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"filippo.io/age"
	"github.com/zeebo/blake3"
	"golang.org/x/sync/errgroup"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/digest"
	"runner/pkg/archive/store"
)

// DataName gives the name of the data file in a format: data.tar.zst and so on. Encrypted, it has [SealedSuffix] after it.
func DataName(f codec.Format) string { return "data." + f.Extension() }

// spareSlots is how many frames there are besides one a worker: one that is being written and one
// that waits, so that no worker has to.
const spareSlots = 2

// Pack packs a tree into the data file of dst, durable when it returns. With Pages set, damaged
// InnoDB pages are told and counted, and packed as they are.
//
// Errors are [*codec.FormatError], [*codec.LevelError] and [*RecipientError] for the options, [*EntryError]
// for what an archive cannot hold, [*ChangedError] for a file that is not what it was when the walk saw it,
// [ErrIncompleteClone], and those of the tree, the store and the context. After an error dst has
// no new file; with Resumable set it may have the remainders that [Remainders] names.
func Pack(ctx context.Context, t Tree, dst store.Store, o PackOptions) (*Packed, error) {
	p, err := preparePacker(t, o)
	if err != nil {
		return nil, err
	}
	return p.packTo(ctx, dst)
}

// preparePacker checks the options.
func preparePacker(t Tree, o PackOptions) (*packer, error) {
	format, err := codec.Parse(o.Format)
	if err != nil {
		return nil, err
	}
	recipients, err := parseRecipients(o.Recipients)
	if err != nil {
		return nil, err
	}
	p := newPacker(t, format, o)
	p.recipients = recipients
	return p, nil
}

func newPacker(t Tree, format codec.Format, o PackOptions) *packer {
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	return &packer{
		tree: t, options: o, format: format, rate: newThrottle(o.Bandwidth), checkpointBytes: checkpointBytes,
		open: map[*source]struct{}{}, files: blake3.New(),
	}
}

func (p *packer) packTo(ctx context.Context, dst store.Store) (*Packed, error) {
	if err := p.begin(ctx, dst); err != nil {
		return nil, err
	}
	if err := errors.Join(p.run(ctx, p.plan), p.closeSources()); err != nil {
		return nil, p.fail(err)
	}
	data, err := p.commit(ctx, dst)
	if err != nil {
		return nil, err
	}
	return p.packed(data, p.layout.members), nil
}

// begin makes the frame of zeros, which tells a level that there is not, and opens the data file.
func (p *packer) begin(ctx context.Context, dst store.Store) error {
	if err := p.makeZeroFrame(); err != nil {
		return err
	}
	if p.options.Resumable && len(p.recipients) == 0 {
		return p.beginResumable(ctx, dst)
	}
	if p.options.Resumable {
		if err := p.tellSealed(ctx, dst); err != nil {
			return err
		}
	}
	name := storedName(DataName(p.format), len(p.recipients) > 0)
	w, err := dst.Create(ctx, name)
	if err != nil {
		return err
	}
	p.out, err = seal(name, p.limited(ctx, w), p.recipients)
	return err
}

// limited holds the data file to WriteBandwidth.
func (p *packer) limited(ctx context.Context, w store.Writer) store.Writer {
	if p.options.WriteBandwidth <= 0 {
		return w
	}
	return &throttledWriter{Writer: w, ctx: ctx, rate: newThrottle(p.options.WriteBandwidth)}
}

func (p *packer) fail(err error) error {
	if p.saved != nil {
		return p.leave(err)
	}
	return errors.Join(err, p.out.abort())
}

func (p *packer) commit(ctx context.Context, dst store.Store) (Stored, error) {
	if p.saved != nil {
		return p.commitResumable(ctx, dst)
	}
	return p.out.commit(p.raw)
}

// packer runs the pipeline: one goroutine lays out frames, workers fill, check, digest and
// compress them, one goroutine writes them in order.
type packer struct {
	tree    Tree
	options PackOptions
	format  codec.Format
	rate    *throttle
	zero    zeroFrame

	recipients []age.Recipient // none: not encrypted

	free    chan *slot    // buffers: as many frames as there can be in flight
	work    chan *frame   // to the workers
	ordered chan *frame   // to the writer
	turn    chan struct{} // closed when all frames that were submitted are digested

	mu   sync.Mutex
	open map[*source]struct{} // files that span frames

	files *blake3.Hasher // of the file whose turn it is

	// The writer's, and after it has ended the packer's.
	out        *sealer
	raw        int64
	stored     int64 // bytes written, before they are encrypted
	frames     []Frame
	seek       []codec.SeekEntry
	zeroFrames int64
	holeBytes  int64
	broken     bool // out has failed, not for the context

	layout  layout
	planned int // frames that were laid out

	// Of a pack that is resumable; see resume.go.
	saved           *checkpointer
	checkpointBytes int64
	fingerprint     digest.Hash // of the tree before it was packed
	kept            int         // frames that are taken over, the first ones
	keptLog         store.Reader
	keptLines       *checkpointReader
}

// slot holds the buffers of one frame.
type slot struct{ raw, out []byte }

// run packs the frames that plan submits, until it returns.
func (p *packer) run(ctx context.Context, plan func(context.Context) error) error {
	slots := p.options.Threads + spareSlots
	p.free = make(chan *slot, slots)
	p.work = make(chan *frame, slots)
	p.ordered = make(chan *frame, slots)
	for range slots {
		p.free <- &slot{}
	}
	p.turn = make(chan struct{})
	close(p.turn)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(p.work)
		defer close(p.ordered)
		return plan(ctx)
	})
	for range p.options.Threads {
		g.Go(func() error { return p.pack(ctx) })
	}
	written := make(chan struct{})
	g.Go(func() error {
		defer close(written)
		return p.write(ctx)
	})
	if p.saved != nil {
		g.Go(func() error { return p.saved.run(ctx, written) })
	}
	err := g.Wait()
	if p.keptLog != nil {
		err = errors.Join(err, p.keptLog.Close())
	}
	return err
}

// plan walks the tree and hands out frames as slots come free.
func (p *packer) plan(ctx context.Context) error {
	p.layout.pages = p.options.Pages
	p.layout.emit = func(pieces []piece, raw int64) error {
		kept, err := p.keptRecord(p.planned, pieces, raw)
		if err != nil {
			return err
		}
		s, err := p.freeSlot(ctx)
		if err != nil {
			return err
		}
		p.submit(&frame{slot: s, pieces: pieces, size: raw, kept: kept, reread: kept != nil && p.spansCut(p.planned, pieces)})
		p.planned++
		return nil
	}
	if err := p.tree.Walk(ctx, p.layout.add); err != nil {
		return err
	}
	if err := p.layout.end(); err != nil {
		return err
	}
	return p.sameTree()
}

// freeSlot waits for the buffers of a frame.
func (p *packer) freeSlot(ctx context.Context) (*slot, error) {
	select {
	case s := <-p.free:
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// submit hands the next frame to the workers and to the writer. It never blocks: there are no more
// frames than slots.
func (p *packer) submit(f *frame) {
	f.turn, f.next, f.ready = p.turn, make(chan struct{}), make(chan struct{})
	p.turn = f.next
	p.work <- f
	p.ordered <- f
}

// write puts frames into the data file in order, and after them the seek table.
func (p *packer) write(ctx context.Context) error {
	for f := range p.ordered {
		select {
		case <-f.ready:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := p.writeFrame(f); err != nil {
			return err
		}
		p.free <- f.slot
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if p.format != codec.Zstd {
		return nil
	}
	table, err := codec.AppendSeekTable(nil, p.seek)
	if err != nil {
		return err
	}
	return p.emit(table)
}

func (p *packer) writeFrame(f *frame) error {
	if f.kept == nil {
		if err := p.store(f); err != nil {
			return err
		}
	}
	p.holeBytes += f.holeBytes
	if f.zero {
		p.zeroFrames++
	}
	if p.options.OnBadPage != nil {
		for _, b := range f.bad {
			p.options.OnBadPage(b)
		}
	}
	if f.kept == nil && p.options.Progress != nil {
		p.options.Progress(p.raw)
	}
	return nil
}

// store puts a frame after those that the data file has.
func (p *packer) store(f *frame) error {
	stored := f.stored
	p.frames = append(p.frames, Frame{Offset: p.stored, Stored: int64(len(stored)), Raw: f.size, Digest: f.digest})
	if p.format == codec.Zstd {
		p.seek = append(p.seek, seekEntry(stored, f.size))
	}
	if err := p.emit(stored); err != nil {
		return err
	}
	p.raw += f.size
	if p.saved == nil {
		return nil
	}
	return p.saved.add(recordOf(f))
}

func seekEntry(stored []byte, raw int64) codec.SeekEntry {
	return codec.SeekEntry{Stored: uint32(len(stored)), Raw: uint32(raw), Checksum: codec.FrameChecksum(stored)}
}

func (p *packer) emit(b []byte) error {
	p.stored += int64(len(b))
	if err := writeAll(p.out, b); err != nil {
		p.broken = !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
		return fmt.Errorf("write %s: %w", DataName(p.format), err)
	}
	return nil
}

// writeAll takes a short write for an error, even where the writer does not.
func writeAll(w io.Writer, b []byte) error {
	n, err := w.Write(b)
	if err == nil && n != len(b) {
		err = fmt.Errorf("%d of %d bytes: %w", n, len(b), io.ErrShortWrite)
	}
	return err
}

func (p *packer) closeSources() error {
	var errs []error
	for s := range p.open {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}

// packed tells what was packed; members are those of the index.
func (p *packer) packed(data Stored, members []*Member) *Packed {
	result := &Packed{
		Index: &Index{
			Format: IndexFormat, Codec: p.format, Digest: DigestName,
			Raw: p.raw, Stored: p.stored, Files: members, Frames: p.frames,
		},
		Format: p.format, Level: p.options.Level,
		Data: data, Recipients: len(p.recipients), recipients: p.recipients,
		RawBytes: p.raw, Files: int64(len(members)),
		ZeroFrames: p.zeroFrames, HoleBytes: p.holeBytes, Checked: p.options.Pages,
	}
	for _, m := range members {
		if m.InnoDB != nil {
			result.Pages.add(m.InnoDB)
		}
	}
	return result
}
