package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"

	"github.com/zeebo/blake3"
	"golang.org/x/sync/errgroup"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/digest"
	"runner/pkg/archive/store"
)

// scan reads frames of the data file, several at once.
type scan struct {
	backup  *Backup
	data    store.Reader
	threads int   // 0 = one per CPU
	frames  []int // which, ascending
	learn   bool  // the digests of frames are not known yet, and are set

	// sum is called for one frame after the other once its stored bytes were read, by one goroutine; nil if nobody
	// wants it. What it returns ends the scan.
	sum func(ctx context.Context, u *unpacked) error

	// decoded is called by the workers, in any order and several at once.
	decoded func(ctx context.Context, u *unpacked) error
	// inOrder is called for one frame after the other, after decoded. What it returns ends the
	// scan.
	inOrder func(u *unpacked) error

	maxStored, maxRaw int64 // of the frames
}

// unpacked is a frame on its way through a scan.
type unpacked struct {
	number int
	frame  Frame
	raw    []byte // nil if damaged
	stored []byte // nil if it could not be read
	err    error  // a [*CorruptError] if damaged
	facts  map[*Member]*pieceFacts

	slot *scanSlot
	turn <-chan struct{}
	next chan struct{}
	read chan struct{} // closed when stored is set
}

// scanSlot holds the buffers of one frame; whoever of its two users is done last gives it back.
type scanSlot struct {
	stored, raw []byte
	users       atomic.Int32
}

func (s *scan) run(ctx context.Context) error {
	if s.threads <= 0 {
		s.threads = runtime.GOMAXPROCS(0)
	}
	for _, k := range s.frames {
		s.maxStored = max(s.maxStored, s.backup.index.Frames[k].Stored)
		s.maxRaw = max(s.maxRaw, s.backup.index.Frames[k].Raw)
	}
	slots := min(s.threads+spareSlots, len(s.frames))
	free := make(chan *scanSlot, slots)
	for range slots {
		free <- &scanSlot{}
	}
	work := make(chan *unpacked, slots)
	ordered := make(chan *unpacked, slots)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(work)
		defer close(ordered)
		return s.plan(ctx, free, work, ordered)
	})
	for range s.threads {
		g.Go(func() error { return s.unpack(ctx, free, work) })
	}
	g.Go(func() error { return s.sumUp(ctx, free, ordered) })
	return g.Wait()
}

func (s *scan) plan(ctx context.Context, free <-chan *scanSlot, work, ordered chan<- *unpacked) error {
	turn := make(chan struct{})
	close(turn)
	for _, k := range s.frames {
		select {
		case slot := <-free:
			slot.users.Store(2)
			u := &unpacked{
				number: k, frame: s.backup.index.Frames[k], slot: slot,
				turn: turn, next: make(chan struct{}), read: make(chan struct{}),
			}
			turn = u.next
			work <- u // never blocks: there are no more frames than slots
			ordered <- u
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (slot *scanSlot) done(free chan<- *scanSlot) {
	if slot.users.Add(-1) == 0 {
		free <- slot
	}
}

// sumUp feeds the stored bytes to the sum in their order.
func (s *scan) sumUp(ctx context.Context, free chan<- *scanSlot, ordered <-chan *unpacked) error {
	for u := range ordered {
		select {
		case <-u.read:
		case <-ctx.Done():
			return ctx.Err()
		}
		if s.sum != nil {
			if err := s.sum(ctx, u); err != nil {
				return err
			}
		}
		u.slot.done(free)
	}
	return nil
}

// unpack is one worker.
func (s *scan) unpack(ctx context.Context, free chan<- *scanSlot, work <-chan *unpacked) error {
	decoder, err := codec.NewDecoder(s.backup.index.Codec)
	if err != nil {
		return err
	}
	defer decoder.Close()
	for u := range work {
		if err := s.unpackOne(ctx, u, decoder); err != nil {
			return err
		}
		u.slot.done(free)
	}
	return nil
}

func (s *scan) unpackOne(ctx context.Context, u *unpacked, decoder codec.Decoder) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.readStored(u)
	close(u.read)
	if err != nil && !errors.Is(err, ErrCorrupt) {
		return err
	}
	if u.err = err; err == nil {
		u.err = s.decode(u, decoder)
	}
	if s.decoded != nil {
		if err := s.decoded(ctx, u); err != nil {
			return err
		}
	}
	select {
	case <-u.turn:
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil { // select may take the turn all the same
		return err
	}
	if err := s.inOrder(u); err != nil {
		return err
	}
	close(u.next)
	return nil
}

// damage names a damaged frame and the member that it begins with.
func (s *scan) damage(u *unpacked, what string, err error) error {
	e := &CorruptError{File: s.backup.dataName(), Offset: u.frame.Offset, What: what, Err: err}
	errMember := errors.New("found")
	_ = s.backup.spans(u.number, func(sp span) error {
		if sp.member != nil {
			e.Member = sp.member.Path
			return errMember
		}
		return nil
	})
	return e
}

func (s *scan) readStored(u *unpacked) error {
	if u.slot.stored == nil {
		u.slot.stored = make([]byte, s.maxStored)
	}
	stored := u.slot.stored[:u.frame.Stored]
	n, err := s.data.ReadAt(stored, u.frame.Offset)
	if n < len(stored) {
		u.stored = stored[:n]
		if err == nil || errors.Is(err, io.EOF) {
			return s.damage(u, fmt.Sprintf("frame %d is cut off: %d of %d bytes", u.number, n, len(stored)), nil)
		}
		if errors.Is(err, errSeal) {
			return s.damage(u, fmt.Sprintf("frame %d", u.number), err)
		}
		return fmt.Errorf("read %s: %w", s.backup.dataName(), err)
	}
	u.stored = stored
	return nil
}

func (s *scan) decode(u *unpacked, decoder codec.Decoder) error {
	sum := digest.Hash(blake3.Sum256(u.stored))
	if s.learn {
		u.frame.Digest = sum
	}
	if sum != u.frame.Digest {
		return s.damage(u, fmt.Sprintf("frame %d has another digest than the index says", u.number), nil)
	}
	if u.slot.raw == nil {
		u.slot.raw = make([]byte, 0, s.maxRaw+codec.DecodeSlack)
	}
	raw, err := decoder.Decode(u.slot.raw[:0], u.stored, int(u.frame.Raw))
	if err != nil {
		return s.damage(u, fmt.Sprintf("frame %d", u.number), err)
	}
	u.raw = raw
	return nil
}
