package codec

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// DecodeSlack is how much room beyond the raw size dst should have: the zstd decoder copies in
// steps of that many bytes, and is slower where they would not fit.
const DecodeSlack = 64

// NewDecoder makes a decoder; an unknown format gives a [*FormatError]. Close it when done.
func NewDecoder(f Format) (Decoder, error) {
	switch f {
	case None:
		return copyDecoder{}, nil
	case Gzip:
		return &gzipDecoder{}, nil
	case Zstd:
		return newZstdDecoder()
	case LZ4:
		return &lz4Decoder{r: lz4.NewReader(nil)}, nil
	}
	return nil, &FormatError{Name: string(f)}
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// checkSizes refuses what no encoder makes before anything is decoded.
func checkSizes(frame []byte, size int) error {
	switch {
	case size <= 0 || size > FrameSize:
		return corrupt("raw size %d is not between 1 and %d", size, FrameSize)
	case len(frame) > MaxStored:
		return corrupt("stored size %d is more than %d", len(frame), MaxStored)
	}
	return nil
}

type copyDecoder struct{}

func (copyDecoder) Close() {}

func (copyDecoder) Decode(dst, frame []byte, size int) ([]byte, error) {
	if err := checkSizes(frame, size); err != nil {
		return dst, err
	}
	if len(frame) != size {
		return dst, corrupt("%d bytes stored, %d expected", len(frame), size)
	}
	return append(dst, frame...), nil
}

type zstdDecoder struct{ d *zstd.Decoder }

func newZstdDecoder() (Decoder, error) {
	d, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderMaxMemory(FrameSize),
		zstd.WithDecoderMaxWindow(2*FrameSize))
	if err != nil {
		return nil, fmt.Errorf("make zstd decoder: %w", err)
	}
	return zstdDecoder{d: d}, nil
}

func (z zstdDecoder) Close() { z.d.Close() }

func (z zstdDecoder) Decode(dst, frame []byte, size int) ([]byte, error) {
	if err := checkSizes(frame, size); err != nil {
		return dst, err
	}
	var h zstd.Header
	if err := h.Decode(frame); err != nil {
		return dst, corrupt("zstd header: %v", err)
	}
	switch {
	case h.Skippable:
		return dst, corrupt("zstd frame is a skippable one")
	case !h.HasFCS || !h.HasCheckSum:
		return dst, corrupt("zstd frame lacks its size or its checksum")
	case h.FrameContentSize != uint64(size):
		return dst, corrupt("zstd frame holds %d bytes, %d expected", h.FrameContentSize, size)
	case h.DictionaryID != 0:
		return dst, corrupt("zstd frame needs a dictionary")
	}
	dst = withRoom(dst, size)
	// The library counts what is in front of a frame against the limit for its size.
	out, err := z.d.DecodeAll(frame, dst[len(dst):])
	if err != nil {
		return dst, corrupt("zstd: %v", err)
	}
	if len(out) != size {
		return dst, corrupt("zstd frame gave %d bytes, %d expected", len(out), size)
	}
	if dst = dst[:len(dst)+size]; &out[0] != &dst[len(dst)-size] {
		copy(dst[len(dst)-size:], out) // never, as long as the library uses the room that it is given
	}
	return dst, nil
}

// withRoom gives dst room for size bytes more, and for what decoders write beyond them.
func withRoom(dst []byte, size int) []byte {
	if cap(dst)-len(dst) >= size {
		return dst
	}
	grown := make([]byte, len(dst), len(dst)+size+DecodeSlack)
	copy(grown, dst)
	return grown
}

type gzipDecoder struct{ r *gzip.Reader }

func (g *gzipDecoder) Close() {}

func (g *gzipDecoder) Decode(dst, frame []byte, size int) ([]byte, error) {
	if err := checkSizes(frame, size); err != nil {
		return dst, err
	}
	in := bytes.NewReader(frame)
	var err error
	if g.r == nil {
		g.r, err = gzip.NewReader(in)
	} else {
		err = g.r.Reset(in)
	}
	if err != nil {
		return dst, corrupt("gzip: %v", err)
	}
	g.r.Multistream(false)
	return readExactly(g.r, in, dst, size, Gzip)
}

type lz4Decoder struct{ r *lz4.Reader }

func (l *lz4Decoder) Close() {}

func (l *lz4Decoder) Decode(dst, frame []byte, size int) ([]byte, error) {
	if err := checkSizes(frame, size); err != nil {
		return dst, err
	}
	in := bytes.NewReader(frame)
	l.r.Reset(in)
	if err := l.r.Apply(lz4.ConcurrencyOption(1)); err != nil {
		return dst, corrupt("lz4: %v", err)
	}
	return readExactly(l.r, in, dst, size, LZ4)
}

// readExactly reads size bytes, the end after them, and all of the frame.
func readExactly(r io.Reader, in *bytes.Reader, dst []byte, size int, f Format) ([]byte, error) {
	dst = withRoom(dst, size)
	start := len(dst)
	out := dst[:start+size]
	if n, err := io.ReadFull(r, out[start:]); err != nil {
		return dst, corrupt("%s: %d of %d bytes: %v", f, n, size, err)
	}
	var more [1]byte
	if n, err := io.ReadFull(r, more[:]); n != 0 || err != io.EOF {
		return dst, corrupt("%s: no end after %d bytes: %v", f, size, err)
	}
	if in.Len() != 0 {
		return dst, corrupt("%s: %d bytes after the end of the frame", f, in.Len())
	}
	return out, nil
}
