package clone

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// answered gives a statement's connection what a server sends, and how reading it ends.
func answered(t *testing.T, sends func(net.Conn)) error {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = theirs.Close() }()
		request := make([]byte, 12)
		if _, err := io.ReadFull(theirs, request); err == nil {
			sends(theirs)
		}
	}()
	b := &bounded{Conn: ours}
	if _, err := b.Write([]byte("\x08\x00\x00\x00\x03SELECT1")); err != nil {
		t.Fatal(err)
	}
	_, err := io.Copy(io.Discard, onlyReader{b})
	_ = ours.Close()
	<-done
	return err
}

// onlyReader keeps io.Copy from other ways than Read.
type onlyReader struct{ io.Reader }

func packet(sequence byte, payload []byte) []byte {
	n := len(payload)
	return append([]byte{byte(n), byte(n >> 8), byte(n >> 16), sequence}, payload...)
}

func TestAnAnswerBeyondEveryBoundIsRefused(t *testing.T) {
	columns := func(n uint64) []byte { return binary.LittleEndian.AppendUint64([]byte{0xfe}, n) }
	row := packet(2, make([]byte, 1<<20))
	for name, c := range map[string]struct {
		refused bool
		sends   func(net.Conn)
	}{
		"a small one":     {false, func(c net.Conn) { _, _ = c.Write(packet(1, []byte{1})); _, _ = c.Write(row) }},
		"4096 columns":    {false, func(c net.Conn) { _, _ = c.Write(packet(1, []byte{0xfc, 0, 16})) }},
		"4097 columns":    {true, func(c net.Conn) { _, _ = c.Write(packet(1, []byte{0xfc, 1, 16})) }},
		"2^40 columns":    {true, func(c net.Conn) { _, _ = c.Write(packet(1, columns(1<<40))) }},
		"an error":        {false, func(c net.Conn) { _, _ = c.Write(packet(1, []byte("\xff\x48\x04#42000no"))) }},
		"a row of 16 MiB": {true, func(c net.Conn) { _, _ = c.Write(packet(1, []byte{1})); _, _ = c.Write([]byte{0xff, 0xff, 0xff, 2, 1}) }},
		"rows without an end": {true, func(c net.Conn) {
			for {
				if _, err := c.Write(row); err != nil {
					return
				}
			}
		}},
		"byte by byte": {true, func(c net.Conn) {
			for _, b := range packet(1, columns(5000)) {
				_, _ = c.Write([]byte{b})
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var beyond *errAnswer
			if err := answered(t, c.sends); errors.As(err, &beyond) != c.refused {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestAServerThatDoesNotAnswerIsGivenUp(t *testing.T) {
	ctx, late, cancel := limit(t.Context(), 10*time.Millisecond)
	defer cancel()
	<-ctx.Done()
	if err := late(ctx.Err()); ClassOf(err) != Uncertain || !errors.Is(err, errLate) {
		t.Errorf("%v", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	_, late, cancel = limit(ended, time.Hour)
	defer cancel()
	if err := late(ended.Err()); ClassOf(err) != Cancelled {
		t.Errorf("%v", err)
	}
}

func FuzzBounded(f *testing.F) {
	f.Add(packet(1, []byte{1}), 1)
	f.Add(bytes.Repeat(packet(1, nil), 4), 3)
	f.Fuzz(func(_ *testing.T, answer []byte, step int) {
		b := &bounded{command: true, first: true}
		for step = max(1, step); len(answer) > 0; answer = answer[min(step, len(answer)):] {
			if b.look(answer[:min(step, len(answer))]) != nil {
				return
			}
		}
	})
}
