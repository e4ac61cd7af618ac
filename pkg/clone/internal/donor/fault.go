package donor

import (
	"fmt"
	"sync/atomic"
	"time"

	"runner/pkg/clone/internal/wire"
)

// Fault does something else than to send a response: once, at the first response that it is for.
type Fault struct {
	Lane     Lane
	Nth      int                        // of the connections of the lane, from 0; -1: any
	Response int                        // of the connection, from 0; -1: any
	When     func(r wire.Response) bool // further says which; nil: any
	Do       func(c *Conn, r wire.Response) error
	Optional bool // that nothing meets it is no problem: of a test that goes on as long as there is a response

	met atomic.Bool
}

func (f *Fault) String() string {
	return fmt.Sprintf("at response %d of %s %d", f.Response, f.Lane, f.Nth)
}

// Met reports whether it has happened.
func (f *Fault) Met() bool { return f.met.Load() }

func (s *Server) faultAt(c *Conn, r wire.Response) *Fault {
	for _, f := range s.options.Faults {
		is := f.Lane == c.lane && (f.Nth < 0 || f.Nth == c.nth) && (f.Response < 0 || f.Response == c.sent) &&
			(f.When == nil || f.When(r))
		if is && f.met.CompareAndSwap(false, true) {
			return f
		}
	}
	return nil
}

// DataOf is for descriptors of data of a state.
func DataOf(state wire.StateKind) func(wire.Response) bool {
	return func(r wire.Response) bool {
		var d wire.Data
		is, err := wire.ParseDataInto(r.Body, &d)
		return r.Kind == wire.ResponseDescriptor && is && err == nil && d.State == state
	}
}

// StateOf is for the start of a state, or for its end.
func StateOf(state wire.StateKind, start bool) func(wire.Response) bool {
	return func(r wire.Response) bool {
		if r.Kind != wire.ResponseDescriptor {
			return false
		}
		_, _, d, err := wire.ParseDescriptor(r.Body)
		s, is := d.(*wire.State)
		return err == nil && is && s.State == state && s.Start == start && !s.Ack
	}
}

// FileOf is for the metadata of a file.
func FileOf(name string) func(wire.Response) bool {
	return func(r wire.Response) bool {
		if r.Kind != wire.ResponseDescriptor {
			return false
		}
		_, _, d, err := wire.ParseDescriptor(r.Body)
		f, is := d.(*wire.File)
		return err == nil && is && f.Name == name
	}
}

// KindOf is for responses of a kind.
func KindOf(kind wire.ResponseKind) func(wire.Response) bool {
	return func(r wire.Response) bool { return r.Kind == kind }
}

// Cut closes the connection instead.
func Cut(c *Conn, _ wire.Response) error { return c.Cut() }

// CutWithin closes the connection after so many bytes of the packet, whose header has four.
func CutWithin(bytes int) func(*Conn, wire.Response) error {
	return func(c *Conn, r wire.Response) error {
		b := c.responseFrame(r)
		if err := c.Raw(b[:min(bytes, len(b))]); err != nil {
			return err
		}
		return c.Cut()
	}
}

// CutAll closes every connection instead.
func CutAll(c *Conn, _ wire.Response) error {
	c.server.CutAll()
	return errCut
}

// Stall waits before it sends; 0: it never does.
func Stall(wait time.Duration) func(*Conn, wire.Response) error {
	return func(c *Conn, r wire.Response) error {
		if wait == 0 {
			return c.Stall()
		}
		select {
		case <-c.Stopped():
			return errCut
		case <-time.After(wait):
			return c.Respond(r)
		}
	}
}

// StallWithin sends so many bytes of the packet and no more.
func StallWithin(bytes int) func(*Conn, wire.Response) error {
	return func(c *Conn, r wire.Response) error {
		b := c.responseFrame(r)
		if err := c.Raw(b[:min(bytes, len(b))]); err != nil {
			return err
		}
		return c.Stall()
	}
}

// Sequence sends the packet with another sequence than 0.
func Sequence(n byte) func(*Conn, wire.Response) error {
	return func(c *Conn, r wire.Response) error {
		b := c.responseFrame(r)
		b[3] = n
		return c.Raw(b)
	}
}

// Length has the header of the packet tell more, or less, than there is.
func Length(more int) func(*Conn, wire.Response) error {
	return func(c *Conn, r wire.Response) error {
		b := c.responseFrame(r)
		n := len(b) - 4 + more
		b[0], b[1], b[2] = byte(n), byte(n>>8), byte(n>>16)
		return c.Raw(b)
	}
}

// Refuse sends an ERR packet and closes, as a server does that shuts down.
func Refuse(e *wire.ServerError) func(*Conn, wire.Response) error {
	return func(c *Conn, _ wire.Response) error {
		c.sequence = 0
		if err := c.ServerError(e); err != nil {
			return err
		}
		return c.Cut()
	}
}

// Fail ends the answer with an error of the donor's.
func Fail(number uint32, message string) func(*Conn, wire.Response) error {
	return func(c *Conn, _ wire.Response) error {
		err := c.Respond(wire.Response{Kind: wire.ResponseError, Body: wire.AppendError(nil, number, message)})
		if err != nil {
			return err
		}
		return errFailed
	}
}

// Change sends another response: another kind, or lies in it. It may change the body in place.
func Change(change func(*wire.Response)) func(*Conn, wire.Response) error {
	return func(c *Conn, r wire.Response) error {
		r.Body = append([]byte{}, r.Body...)
		change(&r)
		return c.Respond(r)
	}
}

// ChangeFile lies about a file.
func ChangeFile(change func(*wire.File)) func(*Conn, wire.Response) error {
	return changeDescriptor(change)
}

// ChangeData lies about data.
func ChangeData(change func(*wire.Data)) func(*Conn, wire.Response) error {
	return changeDescriptor(change)
}

// ChangeState lies about a state.
func ChangeState(change func(*wire.State)) func(*Conn, wire.Response) error {
	return changeDescriptor(change)
}

func changeDescriptor[T any, D interface {
	*T
	wire.Descriptor
}](change func(*T),
) func(*Conn, wire.Response) error {
	return func(c *Conn, r wire.Response) error {
		_, index, d, err := wire.ParseDescriptor(r.Body)
		described, is := d.(D)
		if err != nil || !is {
			c.Problem("the fault is for another kind of descriptor: %v", err)
			return c.Cut()
		}
		change((*T)(described))
		return c.Respond(wire.Response{Kind: r.Kind, Body: wire.AppendDescriptor(nil, index, described)})
	}
}

// Skip does not send it at all.
func Skip(*Conn, wire.Response) error { return nil }

// Also sends another response in front of it.
func Also(kind wire.ResponseKind, body []byte) func(*Conn, wire.Response) error {
	return func(c *Conn, r wire.Response) error {
		if err := c.Respond(wire.Response{Kind: kind, Body: body}); err != nil {
			return err
		}
		return c.Respond(r)
	}
}

func (c *Conn) responseFrame(r wire.Response) []byte {
	c.sequence = 0
	return c.frame(append([]byte{byte(r.Kind)}, r.Body...))
}
