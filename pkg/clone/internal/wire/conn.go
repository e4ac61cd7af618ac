package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// Conn is a connection to a donor, logged in. One goroutine at a time may use it, except for Close and BytesRead, which
// any may call at any time. After an error that is no *ServerError the connection is broken: all further calls give the same error.
type Conn struct {
	socket  *socket
	packets packets
	reader  *bufio.Reader
	zip     *deflater     // nil: not compressed
	unzip   *inflater     // nil: not compressed
	timeout time.Duration // of an answer to a command that is not of the clone protocol

	version   string
	thread    uint32
	encrypted bool
	broken    error
}

// readBuffer is what is read from the socket at once, at least.
const readBuffer = 64 << 10

// ServerVersion is the donor's version as it says in its greeting: "9.7.4-2".
func (c *Conn) ServerVersion() string { return c.version }

// ThreadID is the connection's number on the donor, as in its PROCESSLIST.
func (c *Conn) ThreadID() uint32 { return c.thread }

// Encrypted reports whether the connection is TLS.
func (c *Conn) Encrypted() bool { return c.encrypted }

// BytesRead is how many bytes have come from the network: compressed where the connection is, encrypted where it is.
func (c *Conn) BytesRead() int64 { return c.socket.bytes.Load() }

// Commands of the classic protocol ("Command Phase" in the protocol documentation).
const (
	comQuit            = 0x01
	comResetConnection = 0x1f
	comClone           = 0x20
)

// Clone makes the connection one of the clone protocol with COM_CLONE. A *ServerError says why the server refuses: 1227
// without BACKUP_ADMIN, 1524 without the plugin.
func (c *Conn) Clone(ctx context.Context) error { return c.simple(ctx, "COM_CLONE", comClone) }

// Reset takes the connection back to how it was after the login with COM_RESET_CONNECTION, after EXIT.
func (c *Conn) Reset(ctx context.Context) error {
	return c.simple(ctx, "COM_RESET_CONNECTION", comResetConnection)
}

// simple sends a command of the classic protocol and awaits OK.
func (c *Conn) simple(ctx context.Context, name string, command byte) error {
	if err := c.send(ctx, []byte{command}); err != nil {
		return fmt.Errorf("send %s: %w", name, err)
	}
	payload, err := c.next(ctx, c.timeout)
	if err != nil {
		return fmt.Errorf("answer to %s: %w", name, err)
	}
	if err = parseOK(payload); err != nil {
		return fmt.Errorf("answer to %s: %w", name, c.failed(ctx, err))
	}
	return nil
}

// Send sends a command of the clone protocol.
func (c *Conn) Send(ctx context.Context, command Command, body []byte) error {
	if err := c.send(ctx, append([]byte{byte(command)}, body...)); err != nil {
		return fmt.Errorf("send %s: %w", command, err)
	}
	return nil
}

func (c *Conn) send(ctx context.Context, payload []byte) error {
	if c.broken != nil {
		return c.broken
	}
	if err := c.socket.watch(ctx); err != nil {
		return err
	}
	c.restart()
	if err := c.packets.write(payload); err != nil {
		return c.failed(ctx, writing(err))
	}
	if c.zip != nil {
		c.unzip.sequence = c.zip.sequence
	}
	return nil
}

// restart begins to count packets anew.
func (c *Conn) restart() {
	c.packets.sequence = 0
	if c.zip != nil {
		c.zip.sequence = 0
	}
}

// Receive gives the next response. Its body is valid until the next call. idle is the longest wait for the first or
// any further byte, after which a *TimeoutError comes; 0: none. When ctx ends its error comes. A *ServerError comes when
// the server gives up the connection.
func (c *Conn) Receive(ctx context.Context, idle time.Duration) (Response, error) {
	// A donor numbers each of its packets 0.
	c.packets.sequence = 0
	payload, err := c.next(ctx, idle)
	if err != nil {
		return Response{}, err
	}
	r, err := parseResponse(payload)
	if err != nil {
		return Response{}, c.failed(ctx, err)
	}
	return r, nil
}

func (c *Conn) next(ctx context.Context, idle time.Duration) ([]byte, error) {
	if c.broken != nil {
		return nil, c.broken
	}
	if err := c.socket.watch(ctx); err != nil {
		return nil, err
	}
	c.socket.idle = idle
	payload, err := c.packets.read()
	if err != nil {
		return nil, c.failed(ctx, reading(err))
	}
	return payload, nil
}

// failed remembers what broke the connection, in the words of whoever ended it: the context, the wait, or the network.
func (c *Conn) failed(ctx context.Context, err error) error {
	var refused *ServerError
	switch {
	case errors.As(err, &refused):
		return err
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = &TimeoutError{After: c.socket.idle}
	}
	c.broken = err
	return err
}

// Quit says good-bye with COM_QUIT and closes. A connection that speaks clone must have been through EXIT and Reset: to it,
// COM_QUIT would be INIT.
func (c *Conn) Quit() error {
	var err error
	if c.broken == nil {
		c.restart()
		if err = c.socket.watch(context.Background()); err == nil {
			err = c.packets.write([]byte{comQuit})
		}
		if err != nil {
			err = fmt.Errorf("send COM_QUIT: %w", err)
		}
	}
	return errors.Join(err, c.Close())
}

// Close cuts the connection; a call that waits on another goroutine returns with net.ErrClosed. A second Close does nothing.
func (c *Conn) Close() error {
	if err := c.socket.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close connection: %w", err)
	}
	return nil
}
