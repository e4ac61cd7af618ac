package codec

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Extent is where a frame lies in a file.
type Extent struct {
	Offset, Stored int64 // bytes of the file
	Raw            int64 // bytes once decompressed, as the frame says or as it was decompressed to
}

// ScanError says where a file has something else than a frame. It is [ErrCorrupt].
type ScanError struct {
	Offset int64 // of the frame that cannot be told from what follows it
	What   string
}

func (e *ScanError) Error() string { return fmt.Sprintf("no frame at byte %d: %s", e.Offset, e.What) }

// Is makes every ScanError an [ErrCorrupt].
func (e *ScanError) Is(target error) bool { return target == ErrCorrupt }

// ErrNoFrames says that the format none has no frames that could be told apart.
var ErrNoFrames = errors.New("the format none has no frames of its own")

// Scan finds the frames of a file of size bytes from what the frames say of themselves; of gzip, whose
// members don't tell where they end, all is decompressed. What the frames hold is not checked. It gives
// where the frames end: at the end of the file, or, of zstd, where the seek table begins or the remainder
// of one. It ends with the first error of fn; the others are [*ScanError], [ErrNoFrames] and those of
// reading.
func Scan(f Format, r io.ReaderAt, size int64, fn func(Extent) error) (end int64, err error) {
	switch f {
	case Zstd:
		return scanZstd(r, size, fn)
	case LZ4:
		return size, scanWith(r, size, lz4Frame, fn)
	case Gzip:
		return size, scanGzip(r, size, fn)
	case None:
		return 0, ErrNoFrames
	}
	return 0, &FormatError{Name: string(f)}
}

// window reads a few bytes at a time of a file, out of a buffer.
type window struct {
	r    io.ReaderAt
	size int64 // of the file
	at   int64 // of the buffer
	buf  []byte
	room [4 << 10]byte
}

// bytes gives up to n bytes at an offset; fewer at the end of the file. n is at most the buffer's size.
func (w *window) bytes(off int64, n int) ([]byte, error) {
	n = int(max(min(int64(n), w.size-off), 0))
	if off < w.at || off+int64(n) > w.at+int64(len(w.buf)) {
		want := min(int64(len(w.room)), w.size-off)
		got, err := w.r.ReadAt(w.room[:max(want, 0)], off)
		if got < n {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		w.at, w.buf = off, w.room[:got]
	}
	return w.buf[off-w.at:][:n], nil
}

// scanWith walks over frames whose length next tells without decompressing.
func scanWith(r io.ReaderAt, size int64, next func(w *window, off int64) (Extent, error), fn func(Extent) error) error {
	w := &window{r: r, size: size}
	for off := int64(0); off < size; {
		e, err := next(w, off)
		if err != nil {
			return err
		}
		if err := fn(e); err != nil {
			return err
		}
		off += e.Stored
	}
	return nil
}

func scanZstd(r io.ReaderAt, size int64, fn func(Extent) error) (int64, error) {
	w := &window{r: r, size: size}
	off, frames := int64(0), 0
	for off < size {
		start, err := w.bytes(off, 4)
		if err != nil {
			return off, err
		}
		// What is no frame is the seek table, damaged or not, if it is not longer than that would be.
		const frameMagic = 0xFD2FB528
		isFrame := len(start) == 4 && binary.LittleEndian.Uint32(start) == frameMagic
		if !isFrame && size-off <= SeekTableSize(frames) {
			break
		}
		e, err := zstdFrame(w, off)
		if err != nil {
			return off, err
		}
		if err := fn(e); err != nil {
			return off, err
		}
		off += e.Stored
		frames++
	}
	return off, nil
}

// zstdFrame reads the header of a frame and the three bytes in front of each of its blocks (RFC 8878, 3.1.1).
func zstdFrame(w *window, off int64) (Extent, error) {
	start, err := w.bytes(off, zstd.HeaderMaxSize)
	if err != nil {
		return Extent{}, err
	}
	var h zstd.Header
	if err := h.Decode(start); err != nil {
		return Extent{}, &ScanError{off, fmt.Sprintf("zstd header: %v", err)}
	}
	if h.Skippable || !h.HasFCS || !h.HasCheckSum || h.DictionaryID != 0 {
		return Extent{}, &ScanError{off, "zstd frame of another kind"}
	}
	if h.FrameContentSize == 0 || h.FrameContentSize > FrameSize {
		return Extent{}, &ScanError{off, fmt.Sprintf("zstd frame of %d bytes", h.FrameContentSize)}
	}
	at := off + int64(h.HeaderSize)
	for last := false; !last; {
		b, err := w.bytes(at, 3)
		if err != nil {
			return Extent{}, err
		}
		if len(b) < 3 {
			return Extent{}, &ScanError{off, "zstd frame is cut off"}
		}
		header := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
		last = header&1 != 0
		n := int64(header >> 3)
		switch header >> 1 & 3 {
		case 1: // a byte that is repeated n times
			n = 1
		case 3:
			return Extent{}, &ScanError{off, "zstd block of an unknown type"}
		}
		if at += 3 + n; at-off > MaxStored {
			return Extent{}, &ScanError{off, "zstd frame is too long"}
		}
	}
	return extent(w, off, at+4, int64(h.FrameContentSize)) // its checksum comes last
}

// lz4Frame reads the header of a frame and the four bytes in front of each of its blocks (LZ4 Frame
// Format 1.6.1).
func lz4Frame(w *window, off int64) (Extent, error) {
	const (
		magic                                             = 0x184D2204
		version, blockSums, contentSize, contentSum, dict = 0x40, 0x10, 0x08, 0x04, 0x01
		header                                            = 4 + 1 + 1 + 8 + 1
	)
	b, err := w.bytes(off, header)
	if err != nil {
		return Extent{}, err
	}
	if len(b) < header || binary.LittleEndian.Uint32(b) != magic {
		return Extent{}, &ScanError{off, "no lz4 frame"}
	}
	flags := b[4]
	if flags&0xC0 != version || flags&contentSize == 0 || flags&contentSum == 0 || flags&dict != 0 {
		return Extent{}, &ScanError{off, "lz4 frame of another kind"}
	}
	raw := binary.LittleEndian.Uint64(b[6:])
	if raw == 0 || raw > FrameSize {
		return Extent{}, &ScanError{off, fmt.Sprintf("lz4 frame of %d bytes", raw)}
	}
	at := off + header
	for {
		b, err := w.bytes(at, 4)
		if err != nil {
			return Extent{}, err
		}
		if len(b) < 4 {
			return Extent{}, &ScanError{off, "lz4 frame is cut off"}
		}
		n := int64(binary.LittleEndian.Uint32(b) & math.MaxInt32) // the highest bit: it is not compressed
		at += 4
		if n == 0 {
			return extent(w, off, at+4, int64(raw)) // its checksum comes last
		}
		if flags&blockSums != 0 {
			n += 4
		}
		if at += n; at-off > MaxStored {
			return Extent{}, &ScanError{off, "lz4 frame is too long"}
		}
	}
}

func extent(w *window, off, end, raw int64) (Extent, error) {
	switch {
	case end > w.size:
		return Extent{}, &ScanError{off, "frame is cut off"}
	case end-off > MaxStored:
		return Extent{}, &ScanError{off, "frame is too long"}
	}
	return Extent{Offset: off, Stored: end - off, Raw: raw}, nil
}

// countingReader tells how far a decompressor has read, which takes no byte more than it needs from a
// reader of bytes.
type countingReader struct {
	*bufio.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *countingReader) ReadByte() (byte, error) {
	b, err := c.Reader.ReadByte()
	if err == nil {
		c.n++
	}
	return b, err
}

func scanGzip(r io.ReaderAt, size int64, fn func(Extent) error) error {
	source := &sourceErrors{r: io.NewSectionReader(r, 0, size)}
	in := &countingReader{Reader: bufio.NewReaderSize(source, 1<<20)}
	var z gzip.Reader
	for in.n < size {
		off := in.n
		raw, err := gzipMember(&z, in)
		switch {
		case source.err != nil:
			return source.err
		case err != nil:
			return &ScanError{off, fmt.Sprintf("gzip: %v", err)}
		case raw == 0 || raw > FrameSize || in.n-off > MaxStored:
			return &ScanError{off, "gzip member is empty or too long"}
		}
		if err := fn(Extent{Offset: off, Stored: in.n - off, Raw: raw}); err != nil {
			return err
		}
	}
	return nil
}

// gzipMember gives the raw bytes of one member, or more than there can be if it goes on after that.
func gzipMember(z *gzip.Reader, in *countingReader) (int64, error) {
	if err := z.Reset(in); err != nil {
		return 0, err
	}
	z.Multistream(false)
	return io.Copy(io.Discard, io.LimitReader(z, FrameSize+1))
}

// sourceErrors keeps an error of reading apart from those of decompressing.
type sourceErrors struct {
	r   io.Reader
	err error
}

func (s *sourceErrors) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
