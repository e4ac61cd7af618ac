package archive

import (
	"bytes"
	"context"
	"fmt"

	"github.com/zeebo/blake3"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/digest"
)

// frame is one on its way through the pipeline.
type frame struct {
	slot   *slot
	pieces []piece
	size   int64 // raw bytes

	turn <-chan struct{} // closed when all frames before it were digested
	next chan struct{}   // closed when this one was

	kept   *frameRecord // of one that an earlier pack has stored; nil for one that has to be packed
	reread bool         // its content is read all the same

	facts []*pieceFacts // for each piece; nil where it is not of a tablespace file

	// Set when ready is closed.
	ready     chan struct{}
	stored    []byte
	digest    digest.Hash
	zero      bool // nothing but zeros
	holeBytes int64
	bad       []BadPage
}

// zeroFrame is the frame of nothing but zeros, made once.
type zeroFrame struct {
	raw    []byte
	stored []byte
	digest digest.Hash
}

func (p *packer) makeZeroFrame() error {
	e, err := codec.NewEncoder(p.format, p.options.Level)
	if err != nil {
		return err
	}
	p.zero.raw = make([]byte, codec.FrameSize)
	if p.zero.stored, err = e.Encode(nil, p.zero.raw); err != nil {
		return err
	}
	p.zero.digest = blake3.Sum256(p.zero.stored)
	return nil
}

// pack is one worker.
func (p *packer) pack(ctx context.Context) error {
	encoder, err := codec.NewEncoder(p.format, p.options.Level)
	if err != nil {
		return err
	}
	for f := range p.work {
		if err := p.packOne(ctx, f, encoder); err != nil {
			return err
		}
	}
	return nil
}

func (p *packer) packOne(ctx context.Context, f *frame, encoder codec.Encoder) error {
	if f.kept != nil && !f.reread {
		return p.takeFacts(ctx, f)
	}
	raw, err := p.fill(ctx, f)
	if err != nil {
		return err
	}
	// Digests of files need the frames in order; what waits here is short, since all that comes
	// before it in other frames was read at the same time.
	select {
	case <-f.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	p.digestFiles(f, raw)
	close(f.next)
	if f.kept != nil {
		close(f.ready)
		return nil
	}
	if f.zero {
		f.stored, f.digest = p.zero.stored, p.zero.digest
		close(f.ready)
		return nil
	}
	if p.format == codec.None {
		f.stored = raw
	} else {
		if f.slot.out == nil {
			f.slot.out = make([]byte, 0, codec.MaxStored)
		}
		if f.stored, err = encoder.Encode(f.slot.out[:0], raw); err != nil {
			return err
		}
		f.slot.out = f.stored
	}
	if len(f.stored) > codec.MaxStored {
		return fmt.Errorf("encode frame: %d bytes are more than %d", len(f.stored), codec.MaxStored)
	}
	f.digest = blake3.Sum256(f.stored)
	close(f.ready)
	return nil
}

// fill gathers the raw bytes of a frame and checks the pages among them.
func (p *packer) fill(ctx context.Context, f *frame) ([]byte, error) {
	if f.slot.raw == nil {
		f.slot.raw = make([]byte, codec.FrameSize)
	}
	raw := f.slot.raw[:f.size]
	f.facts = make([]*pieceFacts, len(f.pieces))
	hole, at := false, int64(0)
	for i, piece := range f.pieces {
		buf := raw[at : at+piece.n]
		at += piece.n
		switch {
		case piece.ready != nil:
			copy(buf, piece.ready)
		case piece.source == nil:
			clear(buf)
		case piece.n > 0:
			var err error
			if hole, err = p.read(ctx, piece, buf); err != nil {
				return nil, err
			}
			if hole {
				f.holeBytes += piece.n
			}
			if f.facts[i], err = checkPiece(ctx, piece, buf, hole); err != nil {
				return nil, err
			}
		}
	}
	f.zero = f.size == codec.FrameSize && (hole && len(f.pieces) == 1 || bytes.Equal(raw, p.zero.raw))
	return raw, nil
}

// read keeps account of the files that span frames, which somebody has to close if the pack fails.
func (p *packer) read(ctx context.Context, piece piece, buf []byte) (hole bool, err error) {
	if piece.first && piece.last {
		return piece.source.read(ctx, p.tree, buf, piece.off, p.rate)
	}
	p.mu.Lock()
	p.open[piece.source] = struct{}{}
	p.mu.Unlock()
	hole, err = piece.source.read(ctx, p.tree, buf, piece.off, p.rate)
	if piece.source.closed() {
		p.mu.Lock()
		delete(p.open, piece.source)
		p.mu.Unlock()
	}
	return hole, err
}

func checkPiece(ctx context.Context, piece piece, buf []byte, hole bool) (*pieceFacts, error) {
	space := piece.source.space
	if space == nil {
		return nil, nil
	}
	if piece.first {
		space.learn(buf)
	}
	return space.check(ctx, buf, piece.off, hole)
}

// digestFiles carries on with the digests of the files that the frame has pieces of, and with
// their InnoDB facts.
func (p *packer) digestFiles(f *frame, raw []byte) {
	at := int64(0)
	for i, piece := range f.pieces {
		content := raw[at : at+piece.n]
		at += piece.n
		if piece.source == nil {
			continue
		}
		member := piece.source.member
		if piece.first {
			p.files.Reset()
		}
		p.files.Write(content)
		if facts := f.facts[i]; facts != nil {
			p.addFacts(f, member, facts)
		}
		if piece.last {
			p.files.Sum(member.Digest[:0])
		}
	}
}

func (p *packer) addFacts(f *frame, member *Member, facts *pieceFacts) {
	if member.InnoDB == nil {
		member.InnoDB = &Pages{}
		member.InnoDB.describe(facts.space)
	}
	member.InnoDB.merge(facts)
	for _, b := range facts.bad {
		f.bad = append(f.bad, BadPage{Path: member.Path, Page: b.number, SpaceID: facts.space.ID, Reason: b.reason})
	}
}
