package archive

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/store/storetest"
)

// The limiter behind it refuses in words of its own what it could not let through in time, and at once.
func TestAThrottledReaderEndsAtItsDeadlineWithTheErrorOfIt(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	throttle := newThrottle(1)
	if n, err := throttle.allow(ctx, throttleStep); n != throttleStep || err != nil {
		t.Fatalf("the first step: %d, %v", n, err)
	}
	if _, err := throttle.allow(ctx, throttleStep); !errors.Is(err, context.DeadlineExceeded) || ctx.Err() == nil {
		t.Errorf("the second: %v, with the deadline at %v", err, ctx.Err())
	}
}

// The limits are checked by what they do to the clock of the limiter, not by a stopwatch: two
// seconds' worth of bytes pass no sooner than a second.
func TestBandwidthIsLimited(t *testing.T) {
	f := newFolder(t)
	f.file("x", bytes.Repeat([]byte("x"), 2<<20), 0o640)
	f.done()
	for name, limit := range map[string]func(o *PackOptions){
		"reading":                     func(o *PackOptions) { o.Bandwidth = 1 << 20 },
		"writing":                     func(o *PackOptions) { o.WriteBandwidth = 1 << 20 },
		"writing what can be resumed": func(o *PackOptions) { o.WriteBandwidth, o.Resumable = 1<<20, true },
	} {
		t.Run(name, func(t *testing.T) {
			o := options(codec.None)
			limit(&o)
			start := time.Now()
			pack(t, Dir(f.path), storetest.NewMemory(), o)
			if took := time.Since(start); took < time.Second {
				t.Errorf("2 MiB at 1 MiB/s took %v", took)
			}
		})
	}
}

// What is written counts, not what is read.
func TestALimitOnWritingIsOneOfStoredBytes(t *testing.T) {
	f := newFolder(t)
	f.file("x", make([]byte, 20<<20), 0o640)
	o := options(codec.Zstd)
	o.WriteBandwidth = 10 << 10 // the 20 MiB would take half an hour
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := Pack(ctx, Dir(f.done()), storetest.NewMemory(), o); err != nil {
		t.Fatal(err)
	}
}

func TestAPackHeldUpByItsLimitOnWritingEndsWhenItIsCancelled(t *testing.T) {
	dir := framesFolder(t)
	want, _ := packWhole(t, Dir(dir), codec.None)
	m := storetest.NewMemory()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	o := options(codec.None)
	o.Resumable, o.WriteBandwidth = true, 4<<20
	if _, err := Pack(ctx, Dir(dir), m, o); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v", err)
	}
	a := &attempt{every: 1}
	same(t, want, finish(t, a, Dir(dir), m, codec.None))
	if len(a.resumed) != 1 || a.resumed[0].Frames == 0 {
		t.Errorf("it went on at %+v", a.resumed)
	}
}
