package codec

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// zstdEncoder chooses frame by frame how to search for what repeats: one frame of a data
// directory holds pictures or encrypted pages, in which nothing does, the next one text. What it
// chooses depends on the bytes of the frame alone. FORMAT.md has the measurements.
type zstdEncoder struct {
	byKind [kinds]*zstd.Encoder
	sample sample
}

// newZstdEncoder maps zstd's scale: 1 and 2 are the fastest, 3 to 5 search more thoroughly where that pays, and
// from 6 on the level means the same for each frame.
func newZstdEncoder(level int) (Encoder, error) {
	z := &zstdEncoder{}
	for kind, how := range searches(level) {
		e, err := newZstd(how)
		if err != nil {
			return nil, err
		}
		z.byKind[kind] = e
	}
	return z, nil
}

// search is how an encoder looks for what repeats, and whether it counts how often each byte occurs.
type search struct {
	level    zstd.EncoderLevel
	literals bool // compressed too
}

func searches(level int) map[kind]search {
	switch {
	case level < 3:
		return map[kind]search{
			noise:   {zstd.SpeedFastest, false},
			digits:  {zstd.SpeedFastest, true},
			numbers: {zstd.SpeedFastest, true},
			text:    {zstd.SpeedDefault, true},
		}
	case level < 6:
		return map[kind]search{
			noise:   {zstd.SpeedDefault, false},
			digits:  {zstd.SpeedFastest, true},
			numbers: {zstd.SpeedFastest, true},
			text:    {zstd.SpeedBetterCompression, true},
		}
	}
	all := search{zstd.EncoderLevelFromZstd(level), true}
	return map[kind]search{noise: all, digits: all, numbers: all, text: all}
}

// newZstd makes an encoder that runs on the caller's goroutine alone; the checksum and,
// since EncodeAll knows it, the size of the content go into each frame.
func newZstd(how search) (*zstd.Encoder, error) {
	e, err := zstd.NewWriter(nil,
		zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(true),
		zstd.WithEncoderLevel(how.level),
		zstd.WithNoEntropyCompression(!how.literals),
		zstd.WithWindowSize(FrameSize),
		zstd.WithSingleSegment(true))
	if err != nil {
		return nil, fmt.Errorf("make zstd encoder: %w", err)
	}
	return e, nil
}

func (z *zstdEncoder) Encode(dst, raw []byte) ([]byte, error) {
	if err := checkRaw(raw); err != nil {
		return dst, err
	}
	return z.byKind[z.sample.kind(raw)].EncodeAll(raw, dst), nil
}
