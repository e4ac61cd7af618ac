package wire

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// Limits of packets ("MySQL Packets" in the protocol documentation).
const (
	maxFrame   = 1<<24 - 1 // bytes of a frame; a payload of as many or more goes on in a next one
	maxPayload = 64 << 20  // bytes of a payload that is read: far above the 4 MiB + 1 of the largest DATA
	maxLogin   = 64 << 10  // bytes of a payload before the login
	growth     = 64 << 10  // bytes that are read before more room is made, since a length may lie
	keepBuffer = 8 << 20   // bytes of room that is kept for the next payload
)

// packets reads and writes packets: three bytes of length, one of sequence, payload.
type packets struct {
	r io.Reader
	w io.Writer

	sequence byte // of the next frame, in either direction
	limit    int  // of a payload that is read
	header   [4]byte
	in, out  []byte
}

// read gives the next payload, valid until the next call. Only an ERR packet may have another sequence than the
// expected one: a server that gives up starts counting where it likes. io.EOF is an end between packets.
func (p *packets) read() ([]byte, error) {
	if cap(p.in) > keepBuffer {
		p.in = nil
	}
	p.in = p.in[:0]
	for first := true; ; first = false {
		if _, err := io.ReadFull(p.r, p.header[:]); err != nil {
			return nil, cut(err, first)
		}
		n := int(p.header[0]) | int(p.header[1])<<8 | int(p.header[2])<<16
		if len(p.in)+n > p.limit {
			return nil, malformed("packet", "%d bytes are too long", len(p.in)+n)
		}
		var err error
		if p.in, err = readGrowing(p.r, p.in, n); err != nil {
			return nil, err
		}
		if got := p.header[3]; got != p.sequence && (!first || !isError(p.in)) {
			return nil, malformed("packet", "sequence %d is not %d", got, p.sequence)
		}
		p.sequence = p.header[3] + 1
		if n < maxFrame {
			return p.in, nil
		}
	}
}

// cut makes an end within a packet io.ErrUnexpectedEOF.
func cut(err error, between bool) error {
	if errors.Is(err, io.EOF) && !between {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readGrowing reads n bytes onto b. Room is made as bytes come, since a length may lie. An end before the
// last of them is io.ErrUnexpectedEOF.
func readGrowing(r io.Reader, b []byte, n int) ([]byte, error) {
	for n > 0 {
		step := n
		if room := cap(b) - len(b); step > room {
			step = min(n, max(room, len(b), growth))
		}
		at := len(b)
		b = slices.Grow(b, step)[:at+step]
		if _, err := io.ReadFull(r, b[at:]); err != nil {
			return b, cut(err, false)
		}
		n -= step
	}
	return b, nil
}

// write sends a payload, in as many frames as it takes.
func (p *packets) write(payload []byte) error {
	p.out = p.out[:0]
	for more := true; more; {
		n := min(len(payload), maxFrame)
		p.out = append(p.out, byte(n), byte(n>>8), byte(n>>16), p.sequence)
		p.out = append(p.out, payload[:n]...)
		p.sequence++
		payload = payload[n:]
		more = n == maxFrame
	}
	_, err := p.w.Write(p.out)
	return err
}

// First bytes of answers ("Generic Response Packets" in the protocol documentation).
const (
	packetOK     = 0x00
	packetMore   = 0x01
	packetSwitch = 0xfe
	packetError  = 0xff
)

func isError(payload []byte) bool { return len(payload) >= 3 && payload[0] == packetError }

// parseServerError reads an ERR packet, whose SQLSTATE is missing before the login.
func parseServerError(payload []byte) error {
	c := cursor{what: "ERR packet", b: payload}
	c.u8()
	e := &ServerError{Number: c.u16()}
	if len(c.b) >= 6 && c.b[0] == '#' {
		e.State = string(c.take(6)[1:])
	}
	if c.err != nil {
		return c.err
	}
	e.Message = string(c.b)
	return e
}

// parseOK takes an OK packet for one and gives the error of an ERR packet.
func parseOK(payload []byte) error {
	switch {
	case len(payload) == 0:
		return malformed("answer", "it is empty")
	case payload[0] == packetOK:
		return nil
	case payload[0] == packetError:
		return parseServerError(payload)
	}
	return malformed("answer", "it begins with %#x and is neither OK nor ERR", payload[0])
}

// reading and writing say what was being done.
func reading(err error) error { return fmt.Errorf("read packet: %w", err) }
func writing(err error) error { return fmt.Errorf("write packet: %w", err) }
