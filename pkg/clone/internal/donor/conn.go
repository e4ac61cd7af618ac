package donor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"runner/pkg/clone/internal/wire"
)

// Conn is one connection of a recipient's, for whoever serves it.
type Conn struct {
	server   *Server
	raw      net.Conn
	conn     net.Conn // raw, or TLS on it
	thread   uint32
	sequence byte // of the next frame
	begun    byte // sequence of the first frame of the last payload that was read

	lane Lane
	nth  int
	sent int // responses

	task    uint32 // of a session
	master  int    // of a session: under which first connection
	resumed bool   // of a session: after REINIT, in a state that the recipient knows

	peeked *Request // the first command, which told the lane, until a script asks for it
}

// Lane says what the connection is for, and the how many-th of its lane it is, from 0.
func (c *Conn) Lane() (Lane, int) { return c.lane, c.nth }

// Stopped is closed when the test ends.
func (c *Conn) Stopped() <-chan struct{} { return c.server.ctx.Done() }

// Problem has the test fail at its end.
func (c *Conn) Problem(format string, args ...any) {
	c.server.Problem("%s %d: %s", c.lane, c.nth, fmt.Sprintf(format, args...))
}

// maxFrame is what a frame can hold; a payload of as much goes on in the next.
const maxFrame = 1<<24 - 1

// ReadPacket reads a payload; the next that is written follows in sequence.
func (c *Conn) ReadPacket() ([]byte, error) {
	var payload []byte
	for {
		var header [4]byte
		if _, err := io.ReadFull(c.conn, header[:]); err != nil {
			return nil, err
		}
		n := int(header[0]) | int(header[1])<<8 | int(header[2])<<16
		at := len(payload)
		if at == 0 {
			c.begun = header[3]
		}
		payload = append(payload, make([]byte, n)...)
		if _, err := io.ReadFull(c.conn, payload[at:]); err != nil {
			return nil, err
		}
		c.sequence = header[3] + 1
		if n < maxFrame {
			return payload, nil
		}
	}
}

// Packet writes a payload in sequence.
func (c *Conn) Packet(payload []byte) error {
	_, err := c.conn.Write(c.frame(payload))
	return err
}

// Raw writes bytes as they are.
func (c *Conn) Raw(b []byte) error {
	_, err := c.conn.Write(b)
	return err
}

func (c *Conn) frame(payload []byte) []byte {
	var b []byte
	for {
		n := min(len(payload), maxFrame)
		b = append(b, byte(n), byte(n>>8), byte(n>>16), c.sequence)
		b = append(b, payload[:n]...)
		c.sequence++
		payload = payload[n:]
		if n < maxFrame {
			return b
		}
	}
}

// OK writes an OK packet.
func (c *Conn) OK() error { return c.Packet([]byte{0, 0, 0, autocommit, 0, 0, 0}) }

// ServerError writes an ERR packet.
func (c *Conn) ServerError(e *wire.ServerError) error {
	p := binary.LittleEndian.AppendUint16([]byte{0xff}, e.Number)
	if e.State != "" {
		p = append(append(p, '#'), e.State...)
	}
	return c.Packet(append(p, e.Message...))
}

// Send writes a response, or does what a fault says instead.
func (c *Conn) Send(kind wire.ResponseKind, body []byte) error {
	r := wire.Response{Kind: kind, Body: body}
	f := c.server.faultAt(c, r)
	c.sent++
	if f != nil {
		return f.Do(c, r)
	}
	return c.Respond(r)
}

// Respond writes a response; faults do not touch it.
func (c *Conn) Respond(r wire.Response) error {
	c.sequence = 0
	return c.Packet(append([]byte{byte(r.Kind)}, r.Body...))
}

// Descriptor sends a descriptor.
func (c *Conn) Descriptor(d wire.Descriptor) error {
	return c.Send(wire.ResponseDescriptor, wire.AppendDescriptor(nil, 0, d))
}

// Data sends a descriptor of data, and the data.
func (c *Conn) Data(d *wire.Data, b []byte) error {
	if err := c.Descriptor(d); err != nil {
		return err
	}
	return c.Send(wire.ResponseData, b)
}

// Complete ends an answer.
func (c *Conn) Complete() error { return c.Send(wire.ResponseComplete, nil) }

// Fail ends an answer with an error.
func (c *Conn) Fail(number uint32, message string) error {
	return c.Send(wire.ResponseError, wire.AppendError(nil, number, message))
}

// Cut closes the connection. Its error has whoever serves the connection end.
func (c *Conn) Cut() error { return errors.Join(errCut, c.raw.Close()) }

var errCut = errors.New("cut")

// Stall says nothing more until the test ends.
func (c *Conn) Stall() error {
	<-c.Stopped()
	return errCut
}

// Commands of the classic protocol ("Command Phase" in the protocol documentation).
const (
	comQuit            = 0x01
	comResetConnection = 0x1f
	comClone           = 0x20
)

// serve is a connection from its greeting to its end.
func (c *Conn) serve() error {
	if err := c.login(); err != nil {
		return err
	}
	for {
		payload, err := c.ReadPacket()
		if err != nil {
			return err
		}
		switch {
		case len(payload) == 1 && payload[0] == comQuit:
			return nil
		case len(payload) == 1 && payload[0] == comResetConnection:
			err = c.OK()
		case len(payload) == 1 && payload[0] == comClone && c.server.options.AtClone != nil:
			err = c.server.options.AtClone(c)
		case len(payload) == 1 && payload[0] == comClone:
			err = c.clone()
		default:
			c.Problem("%x is no command of the classic protocol that is known", payload)
			err = errors.New("unknown command")
		}
		if err != nil {
			return err
		}
	}
}

// clone is what happens from COM_CLONE to EXIT.
func (c *Conn) clone() error {
	if err := c.OK(); err != nil {
		return err
	}
	first, err := c.request(true)
	if err != nil {
		return err
	}
	if first.Command == wire.CommandExit {
		return c.Complete()
	}
	return c.server.options.Play.Serve(c, first)
}

// Request awaits the next command of the clone protocol.
func (c *Conn) Request() (Request, error) {
	if r := c.peeked; r != nil {
		c.peeked = nil
		return *r, nil
	}
	return c.request(false)
}

func (c *Conn) request(first bool) (Request, error) {
	payload, err := c.ReadPacket()
	if err != nil {
		return Request{}, err
	}
	if len(payload) == 0 || c.begun != 0 {
		c.Problem("a command of %d bytes with sequence %d", len(payload), c.begun)
		return Request{}, errors.New("no command")
	}
	command := wire.Command(payload[0])
	if first {
		c.server.enlist(c, command)
	}
	r := Request{Lane: c.lane, Nth: c.nth, Command: command, Body: payload[1:]}
	c.server.remember(r)
	return r, nil
}

// Expect awaits a command and gives its body; another one is a problem.
func (c *Conn) Expect(command wire.Command) ([]byte, error) {
	r, err := c.Request()
	if err != nil {
		return nil, err
	}
	return r.expect(c, command)
}

func (r Request) expect(c *Conn, command wire.Command) ([]byte, error) {
	if r.Command != command {
		c.Problem("%s came, %s was expected", r.Command, command)
		return nil, fmt.Errorf("unexpected %s", r.Command)
	}
	return r.Body, nil
}
