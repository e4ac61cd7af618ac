package archive

import (
	"context"

	"golang.org/x/time/rate"

	"runner/pkg/archive/store"
)

// throttleStep is how many bytes are let through at once: small enough for an even flow at a few
// MB/s, large enough to cost nothing at hundreds.
const throttleStep = 256 << 10

// throttle limits a rate of bytes over all goroutines. nil does not limit.
type throttle struct{ limiter *rate.Limiter }

// newThrottle limits to so many bytes per second; 0 gives no limit.
func newThrottle(bytesPerSecond int64) *throttle {
	if bytesPerSecond <= 0 {
		return nil
	}
	return &throttle{limiter: rate.NewLimiter(rate.Limit(bytesPerSecond), throttleStep)}
}

// allow waits until some of n bytes may pass, and says how many.
func (t *throttle) allow(ctx context.Context, n int) (int, error) {
	if t == nil {
		return n, ctx.Err()
	}
	n = min(n, throttleStep)
	err := t.limiter.WaitN(ctx, n)
	if err != nil && ctx.Err() == nil {
		// The limiter refuses at once what would come after the deadline; what ends the work is the deadline.
		<-ctx.Done()
	}
	if err != nil {
		return 0, ctx.Err()
	}
	return n, nil
}

// throttledWriter limits the rate at which a file is written. ctx is that of the pack, since a
// Writer is given none.
type throttledWriter struct {
	store.Writer
	ctx  context.Context
	rate *throttle
}

func (w *throttledWriter) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		n, err := w.rate.allow(w.ctx, len(p)-written)
		if err != nil {
			return written, err
		}
		m, err := w.Writer.Write(p[written : written+n])
		written += m
		if err != nil || m < n {
			return written, err
		}
	}
	return written, nil
}
