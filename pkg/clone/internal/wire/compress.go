package wire

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// compressedHeader is three bytes of length, one of sequence, three of length once decompressed, 0 of what is
// not compressed ("Compressed Packet" in the protocol documentation).
const compressedHeader = 7

// inflater reads what a server sends compressed with zstd: a stream of packets, cut anywhere.
type inflater struct {
	r        io.Reader
	decoder  *zstd.Decoder
	sequence byte // of the next
	header   [compressedHeader]byte
	src, dst []byte
	left     []byte // of dst or src, not given out yet
}

func newInflater(r io.Reader) (*inflater, error) {
	// One goroutine decompresses, in its own time; no frame may hold more than a compressed packet can.
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxFrame), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, fmt.Errorf("make decompressor: %w", err)
	}
	return &inflater{r: r, decoder: d}, nil
}

func (z *inflater) Read(p []byte) (int, error) {
	for len(z.left) == 0 {
		if err := z.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, z.left)
	z.left = z.left[n:]
	return n, nil
}

func (z *inflater) next() error {
	if _, err := io.ReadFull(z.r, z.header[:]); err != nil {
		return err // io.EOF: between two
	}
	h := z.header
	stored, raw := int(h[0])|int(h[1])<<8|int(h[2])<<16, int(h[4])|int(h[5])<<8|int(h[6])<<16
	// A server that begins to count anew with each packet does so here too.
	if h[3] != z.sequence && h[3] != 0 {
		return malformed("compressed packet", "sequence %d is not %d", h[3], z.sequence)
	}
	z.sequence = h[3] + 1
	if stored == 0 {
		return malformed("compressed packet", "it is empty")
	}
	var err error
	if z.src, err = readGrowing(z.r, z.src[:0], stored); err != nil {
		return err
	}
	if raw == 0 {
		z.left = z.src
		return nil
	}
	if z.dst, err = z.decoder.DecodeAll(z.src, z.dst[:0]); err != nil {
		return malformed("compressed packet", "%v", err)
	}
	if len(z.dst) != raw {
		return malformed("compressed packet", "it says %d bytes and has %d", raw, len(z.dst))
	}
	z.left = z.dst
	return nil
}

// deflater wraps what is written into compressed packets without compressing it: what a recipient sends is tiny.
type deflater struct {
	w        io.Writer
	sequence byte
	out      []byte
}

func (d *deflater) Write(p []byte) (int, error) {
	total := len(p)
	d.out = d.out[:0]
	for len(p) > 0 {
		n := min(len(p), maxFrame)
		d.out = append(d.out, byte(n), byte(n>>8), byte(n>>16), d.sequence, 0, 0, 0)
		d.out = append(d.out, p[:n]...)
		d.sequence++
		p = p[n:]
	}
	if _, err := d.w.Write(d.out); err != nil {
		return 0, err
	}
	return total, nil
}
