package codec

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/pierrec/lz4/v4"
)

// NewEncoder makes an encoder. Errors are [*FormatError] and [*LevelError].
func NewEncoder(f Format, level int) (Encoder, error) {
	if _, err := Parse(string(f)); err != nil {
		return nil, err
	}
	if err := f.CheckLevel(level); err != nil {
		return nil, err
	}
	switch f {
	case Gzip:
		w, err := gzip.NewWriterLevel(nil, level)
		if err != nil {
			return nil, fmt.Errorf("make gzip encoder: %w", err)
		}
		return &streamEncoder{w: w}, nil
	case Zstd:
		return newZstdEncoder(level)
	case LZ4:
		return &lz4Encoder{w: lz4.NewWriter(nil), level: lz4Level(level)}, nil
	}
	return copyEncoder{}, nil
}

func checkRaw(raw []byte) error {
	if len(raw) == 0 || len(raw) > FrameSize {
		return fmt.Errorf("encode frame: %d raw bytes are not between 1 and %d", len(raw), FrameSize)
	}
	return nil
}

type copyEncoder struct{}

func (copyEncoder) Encode(dst, raw []byte) ([]byte, error) {
	if err := checkRaw(raw); err != nil {
		return dst, err
	}
	return append(dst, raw...), nil
}

// resetWriter is what the stream writers have in common.
type resetWriter interface {
	io.WriteCloser
	Reset(io.Writer)
}

type streamEncoder struct{ w resetWriter }

func (s *streamEncoder) Encode(dst, raw []byte) ([]byte, error) {
	if err := checkRaw(raw); err != nil {
		return dst, err
	}
	out := appender{b: dst}
	s.w.Reset(&out)
	if _, err := s.w.Write(raw); err != nil {
		return dst, fmt.Errorf("encode frame: %w", err)
	}
	if err := s.w.Close(); err != nil {
		return dst, fmt.Errorf("encode frame: %w", err)
	}
	return out.b, nil
}

type lz4Encoder struct {
	w     *lz4.Writer
	level lz4.CompressionLevel
}

func (l *lz4Encoder) Encode(dst, raw []byte) ([]byte, error) {
	if err := checkRaw(raw); err != nil {
		return dst, err
	}
	out := appender{b: dst}
	l.w.Reset(&out)
	// Options can be applied after a Reset only, and the size is another one for each frame.
	err := l.w.Apply(
		lz4.ConcurrencyOption(1),
		lz4.BlockSizeOption(lz4.Block4Mb),
		lz4.ChecksumOption(true),
		lz4.SizeOption(uint64(len(raw))),
		lz4.CompressionLevelOption(l.level))
	if err != nil {
		return dst, fmt.Errorf("encode frame: %w", err)
	}
	if _, err := l.w.Write(raw); err != nil {
		return dst, fmt.Errorf("encode frame: %w", err)
	}
	if err := l.w.Close(); err != nil {
		return dst, fmt.Errorf("encode frame: %w", err)
	}
	return out.b, nil
}

// lz4Level maps the scale of the lz4 program, where 1 and 2 are the fast compressor and 3 to 12
// the thorough one, to that of the library, whose thorough one has nine levels.
func lz4Level(level int) lz4.CompressionLevel {
	levels := [...]lz4.CompressionLevel{
		lz4.Level1, lz4.Level2, lz4.Level3, lz4.Level4, lz4.Level5, lz4.Level6, lz4.Level7, lz4.Level8, lz4.Level9,
	}
	if level < 3 {
		return lz4.Fast
	}
	return levels[min(level-3, len(levels)-1)]
}

type appender struct{ b []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}
