package recipient

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"runner/pkg/clone/internal/wire"
)

// LostError says that a connection to the donor was lost and could not be made again.
type LostError struct {
	First  error         // how it was lost
	Err    error         // why it was given up
	Within time.Duration // that the donor keeps a snapshot; 0: it was not for the time
}

// Error says how it was lost and why it was not made again.
func (e *LostError) Error() string {
	if e.Within > 0 {
		return fmt.Sprintf("connection to the donor was lost (%v) and not made again within %s: %v", e.First, e.Within, e.Err)
	}
	return fmt.Sprintf("connection to the donor was lost (%v), and the donor does not go on: %v", e.First, e.Err)
}

// Unwrap gives both.
func (e *LostError) Unwrap() []error { return []error{e.First, e.Err} }

// ErrEncrypted says that something is encrypted, whose key the donor sends in clear, and that Options refuse that.
var ErrEncrypted = errors.New("something is encrypted, and its key would be in the copy")

// ErrOutside is the error for a file from outside the donor's data directory that Options refuse.
var ErrOutside = errors.New("a tablespace lies outside the data directory, and DDL is not held back")

// The donor's errors that matter here, and those of its server.
const (
	cloneInProgress = 3634 // ER_CLONE_TOO_MANY_CONCURRENT_CLONES
	internalError   = 1815 // ER_INTERNAL_ERROR

	tooManyConnections = 1040 // ER_CON_COUNT_ERROR
	tooManyOfTheUser   = 1203 // ER_TOO_MANY_USER_CONNECTIONS
	limitOfTheUser     = 1226 // ER_USER_LIMIT_REACHED
)

// notIdle is in what a donor says to REINIT that has waited 30 s in vain for the connections of before to end
// (CLONE-PROTOCOL, section 9).
const notIdle = "wait for idle state timed out"

func donorNumber(err error) uint32 {
	var e *wire.DonorError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

func busy(err error) bool { return donorNumber(err) == cloneInProgress }

// unnoticed says whether a donor can't go on because it has not noticed yet that connections were lost: it keeps the snapshot, and
// the connections count.
func unnoticed(err error) bool {
	var donor *wire.DonorError
	var server *wire.ServerError
	switch {
	case busy(err):
		return true
	case errors.As(err, &donor):
		return donor.Number == internalError && strings.Contains(donor.Message, notIdle)
	case errors.As(err, &server):
		return slices.Contains([]uint16{tooManyConnections, tooManyOfTheUser, limitOfTheUser}, server.Number)
	}
	return false
}
