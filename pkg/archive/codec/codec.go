// Package codec packs and unpacks single frames: pieces of at most [FrameSize] raw bytes, each
// compressed on its own, so that frames can be packed, read and checked in any order.
package codec

import (
	"errors"
	"fmt"
)

// FrameSize is the most raw bytes that a frame holds.
const FrameSize = 4 << 20

// MaxStored is the most bytes that a stored frame of any format takes: incompressible data
// grows by a few bytes a block in all of them.
const MaxStored = FrameSize + 64<<10

// Format is a way to compress.
type Format string

// The formats.
const (
	None Format = "none"
	Gzip Format = "gzip"
	Zstd Format = "zstd"
	LZ4  Format = "lz4"
)

// Formats lists all of them.
func Formats() []Format { return []Format{None, Gzip, Zstd, LZ4} }

// ErrCorrupt says that a frame is not what its encoder wrote.
var ErrCorrupt = errors.New("frame is corrupt")

// FormatError is given for a format that there is not.
type FormatError struct{ Name string }

func (e *FormatError) Error() string {
	return fmt.Sprintf("unknown format %q: it is one of none, gzip, zstd, lz4", e.Name)
}

// LevelError is given for a level that is not on the format's scale.
type LevelError struct {
	Format          Format
	Level, Min, Max int
}

func (e *LevelError) Error() string {
	return fmt.Sprintf("level %d of %s is not between %d and %d", e.Level, e.Format, e.Min, e.Max)
}

// Parse gives the format of a name, or a [*FormatError].
func Parse(name string) (Format, error) {
	for _, f := range Formats() {
		if string(f) == name {
			return f, nil
		}
	}
	return "", &FormatError{Name: name}
}

// Extension of a tar in this format: "tar.zst", "tar.gz", "tar.lz4", "tar".
func (f Format) Extension() string {
	switch f {
	case Gzip:
		return "tar.gz"
	case Zstd:
		return "tar.zst"
	case LZ4:
		return "tar.lz4"
	}
	return "tar"
}

// Levels gives the ends of the format's own scale. The format none has the level 0 only.
func (f Format) Levels() (lowest, highest int) {
	switch f {
	case Gzip:
		return 0, 9
	case Zstd:
		return 1, 22
	case LZ4:
		return 1, 12
	}
	return 0, 0
}

// DefaultLevel is the level for a plan that names none. For zstd it is the one that costs the least time: the
// size is that of `zstd -3` within half a percent, at nearly twice its speed; FORMAT.md has the measurement.
func (f Format) DefaultLevel() int {
	switch f {
	case Gzip:
		return 6
	case Zstd, LZ4:
		return 1
	}
	return 0
}

// CheckLevel gives a [*LevelError] for a level that is not on the format's scale.
func (f Format) CheckLevel(level int) error {
	lowest, highest := f.Levels()
	if level < lowest || level > highest {
		return &LevelError{Format: f, Level: level, Min: lowest, Max: highest}
	}
	return nil
}

// Encoder makes frames. What it makes depends on nothing but the format, the level and the raw
// bytes. It is for one goroutine.
type Encoder interface {
	// Encode appends to dst the frame of raw, which holds 1 to [FrameSize] bytes.
	Encode(dst, raw []byte) ([]byte, error)
}

// Decoder reads frames. It is for one goroutine.
type Decoder interface {
	// Decode appends to dst the raw bytes of one frame, which must be size. Anything else,
	// bytes after the frame included, gives an error that is [ErrCorrupt]; no more than size
	// bytes are ever made.
	Decode(dst, frame []byte, size int) ([]byte, error)
	// Close gives back what the decoder holds.
	Close()
}
