package clone

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/go-sql-driver/mysql"

	"runner/pkg/clone/internal/recipient"
)

// Class says what a failure means for whoever has to decide what happens next.
type Class string

// The classes. Only Retry and Busy may be tried again without anybody's doing anything first;
// Uncertain must never be taken for a failure before the server has been asked what it did.
const (
	// Retry: the server refused for a reason that passes by itself.
	Retry Class = "retry"
	// UserMustFix: the same statement fails again until somebody changes something.
	UserMustFix Class = "user_must_fix"
	// Busy: another clone is running on the server.
	Busy Class = "busy"
	// Cancelled: the statement was killed, by us or by somebody else.
	Cancelled Class = "cancelled"
	// Uncertain: the connection was lost; the statement may still be running, or may have finished.
	Uncertain Class = "uncertain"
	// SuccessInDisguise: the work was done and only what follows it was not.
	SuccessInDisguise Class = "success_in_disguise"
	// Other: nothing is known about the error.
	Other Class = "other"
)

// Error is a failed statement. Its text never holds the statement, which may hold secrets.
type Error struct {
	Number uint16 // MySQL's error number; 0: the error did not come from the server
	Name   string // MySQL's symbol of the number; "" when Number is 0 or not in the table of this package
	Class  Class
	Op     string // what was being done, verb first: "read clone status"
	Err    error
}

// Error gives the operation, the number and what the server or the driver said.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: %v", e.Op, e.Err)
}

// Unwrap gives what the driver returned.
func (e *Error) Unwrap() error { return e.Err }

// Hint is what to do about it, a command or statement where there is one; "" when nothing is known.
func (e *Error) Hint() string {
	if k, ok := known(e.Number); ok {
		return k.hintFor(e.Err)
	}
	var own interface {
		error
		Hint() string
	}
	switch {
	case errors.As(e.Err, &own) && own.Hint() != "":
		return own.Hint()
	case errors.Is(e.Err, recipient.ErrEncrypted):
		return hintEncrypt
	case e.Class == Uncertain:
		return hintUncertain
	}
	return ""
}

// wrap classifies err and says what was being done; nil stays nil, and an error that is classified
// already keeps its class. A context's end stays visible to errors.Is, and is of class Cancelled.
func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	var inner *Error
	if errors.As(err, &inner) {
		return &Error{Number: inner.Number, Name: inner.Name, Class: inner.Class, Op: op, Err: err}
	}
	e := &Error{Op: op, Err: err, Class: ClassOf(err), Number: number(err)}
	if k, ok := known(e.Number); ok {
		e.Name = k.name
	}
	return e
}

// ClassOf classifies any error; nil is of class "".
func ClassOf(err error) Class {
	var classified *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &classified):
		return classified.Class
	case connectionLost(err):
		// Before the context's errors: when both are there, the loss is what must be acted on.
		return Uncertain
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Cancelled
	}
	if k, ok := known(number(err)); ok {
		return k.class
	}
	return Other
}

// IsNumber reports whether err is, or wraps, the server's error of that number.
func IsNumber(err error, n uint16) bool {
	return n != 0 && number(err) == n
}

func number(err error) uint16 {
	var fromServer *mysql.MySQLError
	if errors.As(err, &fromServer) {
		return fromServer.Number
	}
	return 0
}

// connectionLost reports whether the connection broke or cannot be made, so that nobody knows what the
// server did or is doing. The driver does not number its own failures as the C client does (2006, 2013): they arrive as
// these values, of which io.EOF and friends come unwrapped from a read in the middle of a packet.
func connectionLost(err error) bool {
	for _, lost := range []error{
		driver.ErrBadConn, mysql.ErrInvalidConn, mysql.ErrMalformPkt, mysql.ErrPktSync, mysql.ErrPktSyncMul,
		io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, errLate,
		syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED, syscall.ECONNREFUSED, syscall.ETIMEDOUT,
	} {
		if errors.Is(err, lost) {
			return true
		}
	}
	return false
}
