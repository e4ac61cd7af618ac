package recipient

import (
	"errors"
	"fmt"
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

// The donor's errors that matter here.
const (
	cloneInProgress = 3634 // ER_CLONE_TOO_MANY_CONCURRENT_CLONES
)

func donorNumber(err error) uint32 {
	var e *wire.DonorError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

func busy(err error) bool { return donorNumber(err) == cloneInProgress }
