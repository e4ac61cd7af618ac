package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// ErrNoTLS says that TLS was asked for and the server has none.
var ErrNoTLS = errors.New("the server offers no TLS")

// ErrNoCompression says that compression was asked for and the server doesn't offer it: protocol_compression_algorithms
// of the server lacks it, or the server is older than 8.0.18.
var ErrNoCompression = errors.New("the server does not offer zstd compression")

// ServerError is an ERR packet: the server refused, and the connection is as usable as it was before.
type ServerError struct {
	Number  uint16 // MySQL's error number
	State   string // SQLSTATE, five characters; "" before the login, where the server sends none
	Message string
}

func (e *ServerError) Error() string {
	if e.State == "" {
		return fmt.Sprintf("Error %d: %s", e.Number, e.Message)
	}
	return fmt.Sprintf("Error %d (%s): %s", e.Number, e.State, e.Message)
}

// DonorError is the clone protocol's response ERROR: the command failed on the donor.
type DonorError struct {
	Number  uint32 // MySQL's error number; 0: the response was too short for one
	Message string
}

func (e *DonorError) Error() string { return fmt.Sprintf("donor: Error %d: %s", e.Number, e.Message) }

// ProtocolError is something that a server must not send. What comes after it on the connection means nothing.
type ProtocolError struct {
	What string // which part of which message
	Why  string
}

func (e *ProtocolError) Error() string { return "protocol: " + e.What + ": " + e.Why }

func malformed(what, format string, args ...any) *ProtocolError {
	return &ProtocolError{What: what, Why: fmt.Sprintf(format, args...)}
}

// PluginError is an authentication plugin that this package doesn't speak.
type PluginError struct{ Plugin string }

func (e *PluginError) Error() string {
	return fmt.Sprintf("authentication plugin %q is not supported", e.Plugin)
}

// TimeoutError is a server that said nothing for too long. It is an [os.ErrDeadlineExceeded].
type TimeoutError struct{ After time.Duration }

func (e *TimeoutError) Error() string { return fmt.Sprintf("nothing came for %v", e.After) }

// Timeout makes it one of the timeouts of [net.Error].
func (e *TimeoutError) Timeout() bool { return true }

// Is makes every TimeoutError an [os.ErrDeadlineExceeded].
func (e *TimeoutError) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// Lost reports whether an error means that the connection broke, or that the server can't be reached or has gone
// silent: what a new connection may mend. A donor also cuts the connection when it doesn't understand a command. An
// error of the server's or the donor's, a protocol error, the end of a context and our own Close are not losses.
func Lost(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, net.ErrClosed) {
		return false
	}
	var name *net.DNSError
	if errors.As(err, &name) {
		return name.IsTemporary || name.IsTimeout
	}
	for _, lost := range []error{
		io.EOF, io.ErrUnexpectedEOF, os.ErrDeadlineExceeded,
		syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED, syscall.ECONNREFUSED, syscall.ETIMEDOUT,
		syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.ENETDOWN, syscall.ENETRESET, syscall.ENOENT,
	} {
		if errors.Is(err, lost) {
			return true
		}
	}
	return false
}
