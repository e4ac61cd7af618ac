package clone

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// Bounds of what a server may answer to one statement. The longest answer that is asked for has a row for each tablespace or
// table, of some 150 bytes; a server holds less than a million of them.
const (
	maxAnswer  = 128 << 20 // bytes on the wire
	maxPacket  = 1<<24 - 2 // bytes of a row, where it can be seen: a longer one goes on in a further packet
	maxColumns = 4096      // of a table, in MySQL ("Column Count Limits" of the manual)
)

// How long a server may take: over one row of a table that it keeps in memory, and over a list of its tables.
const (
	rowTimeout  = 5 * time.Minute
	listTimeout = 10 * time.Minute
)

// errAnswer says that what a server sends is beyond every answer.
type errAnswer struct{ what string }

func (e *errAnswer) Error() string {
	return "the server's answer has no end that can be taken: " + e.what
}

// Hint says what such a server is.
func (*errAnswer) Hint() string {
	return "look at what answers at this address: no MySQL server sends that, and something between here and the server may"
}

// bounded is a connection to a server that ends where an answer is too long. Through TLS only the number of bytes is seen.
type bounded struct {
	net.Conn
	answer  int64 // bytes since the last request
	command bool  // the last request was a statement, whose answer begins with the number of columns
	first   bool  // the next packet is the first of an answer
	header  []byte
	left    int // bytes of a packet that are still to come, beyond what is in header
	opaque  bool
}

// The first byte of commands whose answers begin with the number of columns ("Command Phase" in the protocol documentation).
const (
	comQuery       = 0x03
	comStmtExecute = 0x17
)

// Write sends, and begins to count anew.
func (b *bounded) Write(p []byte) (int, error) {
	b.answer = 0
	if len(p) > 4 && !b.opaque {
		switch {
		case p[3] == 0:
			b.command, b.first = p[4] == comQuery || p[4] == comStmtExecute, true
		case len(p) == 36 && p[3] == 1: // SSLRequest: the login's first 32 bytes and no more
			b.opaque = true
		}
	}
	return b.Conn.Write(p)
}

// Read receives, and fails where the answer is beyond the bounds.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	b.answer += int64(n)
	if b.answer > maxAnswer {
		return 0, errors.Join(&errAnswer{fmt.Sprintf("it has more than %d MiB", maxAnswer>>20)}, b.Close())
	}
	if refused := b.look(p[:n]); refused != nil {
		return 0, errors.Join(refused, b.Close())
	}
	return n, err
}

// headerBytes are those of a packet that are looked at: its own four, and the number of columns.
const headerBytes = 4 + 9

// look follows the packets in what was read.
func (b *bounded) look(p []byte) error {
	for !b.opaque && len(p) > 0 {
		if b.left > 0 {
			n := min(b.left, len(p))
			b.left, p = b.left-n, p[n:]
			continue
		}
		n := min(b.wanted()-len(b.header), len(p))
		b.header, p = append(b.header, p[:n]...), p[n:]
		if len(b.header) < b.wanted() {
			continue
		}
		if err := b.packet(); err != nil {
			return err
		}
	}
	return nil
}

// wanted is how many bytes of a packet are kept to look at.
func (b *bounded) wanted() int {
	if len(b.header) < 4 || b.length() > maxPacket {
		return 4
	}
	return min(4+b.length(), headerBytes)
}

func (b *bounded) length() int {
	return int(b.header[0]) | int(b.header[1])<<8 | int(b.header[2])<<16
}

// packet looks at the beginning of a packet.
func (b *bounded) packet() error {
	length, payload := b.length(), b.header[4:]
	first := b.first && b.command
	b.first, b.left, b.header = false, length-len(payload), b.header[:0]
	if length > maxPacket {
		return &errAnswer{fmt.Sprintf("it has a row of %d MiB or more", (maxPacket+2)>>20)}
	}
	if first && columns(payload) > maxColumns {
		return &errAnswer{fmt.Sprintf("it has more than %d columns", maxColumns)}
	}
	return nil
}

// columns is the number that the first packet of an answer with rows begins with, and 0 of other answers.
func columns(payload []byte) uint64 {
	if len(payload) == 0 {
		return 0
	}
	var wide [8]byte
	switch copy(wide[:], payload[1:]); payload[0] {
	case 0xfb, 0xff:
		return 0
	case 0xfc:
		return uint64(binary.LittleEndian.Uint16(wide[:]))
	case 0xfd:
		return uint64(binary.LittleEndian.Uint32(wide[:]) & 0xffffff)
	case 0xfe:
		return binary.LittleEndian.Uint64(wide[:])
	}
	return uint64(payload[0])
}

// limit bounds the time of a statement. late makes of the error that this gives one that says so.
func limit(ctx context.Context, most time.Duration) (limited context.Context, late func(error) error, cancel context.CancelFunc) {
	limited, cancel = context.WithTimeout(ctx, most)
	return limited, func(err error) error {
		if err != nil && ctx.Err() == nil && limited.Err() != nil {
			return fmt.Errorf("the server did not answer within %v: %w", most, errLate)
		}
		return err
	}, cancel
}

// errLate says that a server did not answer in time: nobody knows what it does.
var errLate = errors.New("the connection was given up")

// SyscallConn lets the driver see, before it uses a connection again, whether the server has closed it.
func (b *bounded) SyscallConn() (syscall.RawConn, error) {
	c, ok := b.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return c.SyscallConn()
}

// oneRow asks for one row, in bounded time.
func oneRow(ctx context.Context, q rowQuerier, query string, args ...any) row {
	return row{ctx: ctx, q: q, query: query, args: args}
}

// row is one row that a query is to give.
type row struct {
	ctx   context.Context //nolint:containedctx // of the call that Scan ends, as with sql.Row
	q     rowQuerier
	query string
	args  []any
}

// Scan asks, and puts the columns into dest. The error is sql.ErrNoRows where there is no row.
func (r row) Scan(dest ...any) error {
	ctx, late, cancel := limit(r.ctx, rowTimeout)
	defer cancel()
	return late(r.q.QueryRowContext(ctx, r.query, r.args...).Scan(dest...))
}
