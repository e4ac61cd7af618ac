package wire_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"runner/pkg/clone/internal/donor"
	"runner/pkg/clone/internal/wire"
)

// playing is a connection to a donor whose first connection answers INIT with steps.
func playing(t *testing.T, faults []*donor.Fault, steps ...donor.Step) *wire.Conn {
	t.Helper()
	steps = append([]donor.Step{donor.Expect(wire.CommandInit, nil)}, steps...)
	d := donor.Start(t, donor.Options{Play: &donor.Script{Main: [][]donor.Step{steps}}, Faults: faults})
	c := speaking(t, d.Config())
	send(t, c, wire.CommandInit, toInit().Append(nil))
	return c
}

func TestResponsesOfAnySizeComeWhole(t *testing.T) {
	const frame = 1<<24 - 1
	for _, size := range []int{0, 1, 63 << 10, 64 << 10, 64<<10 + 1, 1<<20 + 1, frame - 2, frame - 1, frame, 2*frame - 1, 2 * frame} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(i * 7 >> 3)
		}
		c := playing(t, nil, donor.Send(wire.ResponseData, want), donor.Send(wire.ResponseComplete, nil))
		r, err := c.Receive(t.Context(), patience)
		if err != nil || r.Kind != wire.ResponseData || !bytes.Equal(r.Body, want) {
			t.Fatalf("%d bytes: got %d, %v", size, len(r.Body), err)
		}
		if r, err = c.Receive(t.Context(), patience); err != nil || r.Kind != wire.ResponseComplete || len(r.Body) != 0 {
			t.Fatalf("after %d bytes: %v, %v", size, r.Kind, err)
		}
		if c.BytesRead() < int64(size) {
			t.Errorf("%d bytes were counted as %d", size, c.BytesRead())
		}
	}
}

func TestFaultsOfTheDonorAreErrorsOfTheirKind(t *testing.T) {
	protocol := func(err error) bool { var e *wire.ProtocolError; return errors.As(err, &e) && !wire.Lost(err) }
	cut := func(want error) func(error) bool {
		return func(err error) bool { return errors.Is(err, want) && wire.Lost(err) }
	}
	late := func(err error) bool {
		var e *wire.TimeoutError
		return errors.As(err, &e) && e.After == 300*time.Millisecond && e.Timeout() && wire.Lost(err) && errors.Is(err, os.ErrDeadlineExceeded)
	}
	shutdown := &wire.ServerError{Number: 1053, State: "08S01", Message: "Server shutdown in progress"}
	for name, test := range map[string]struct {
		do     func(*donor.Conn, wire.Response) error
		is     func(error) bool
		silent bool // an end is put to it by the limit, else by what comes
	}{
		"cut":                     {donor.Cut, cut(io.EOF), false},
		"cut in the header":       {donor.CutWithin(3), cut(io.ErrUnexpectedEOF), false},
		"cut after the header":    {donor.CutWithin(4), cut(io.ErrUnexpectedEOF), false},
		"cut in the body":         {donor.CutWithin(7), cut(io.ErrUnexpectedEOF), false},
		"silence":                 {donor.Stall(0), late, true},
		"silence in the header":   {donor.StallWithin(2), late, true},
		"silence in the body":     {donor.StallWithin(9), late, true},
		"sequence 1":              {donor.Sequence(1), protocol, false},
		"sequence 255":            {donor.Sequence(255), protocol, false},
		"a length that is short":  {donor.Length(-1), late, true},
		"a length that is long":   {donor.Length(1 << 10), late, true},
		"kind 50":                 {donor.Change(func(r *wire.Response) { r.Kind = 50 }), protocol, false},
		"an empty packet":         {func(c *donor.Conn, _ wire.Response) error { return c.Raw([]byte{0, 0, 0, 0}) }, protocol, false},
		"more than any response":  {flood, protocol, false},
		"a split out of sequence": {splitBadly, protocol, false},
		"the server says good-bye": {donor.Refuse(shutdown), func(err error) bool {
			var e *wire.ServerError
			return errors.As(err, &e) && *e == *shutdown && !wire.Lost(err)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := playing(t, []*donor.Fault{{Lane: donor.Main, Response: 1, Do: test.do}},
				donor.Send(wire.ResponseCollation, wire.AppendStrings(nil, "one")),
				donor.Send(wire.ResponseCollation, wire.AppendStrings(nil, "two")),
				donor.Send(wire.ResponseCollation, wire.AppendStrings(nil, "three")),
			)
			if _, err := c.Receive(t.Context(), patience); err != nil {
				t.Fatal(err)
			}
			idle := patience
			if test.silent {
				idle = 300 * time.Millisecond
			}
			var err error
			for err == nil { // a length that is short shows in the next header, which is none
				_, err = c.Receive(t.Context(), idle)
			}
			if !test.is(err) {
				t.Errorf("%T: %v", err, err)
			}
			var refused *wire.ServerError
			if _, again := c.Receive(t.Context(), patience); !errors.As(err, &refused) && !errors.Is(again, err) {
				t.Errorf("afterwards: %v", again)
			}
			if sent := c.Send(t.Context(), wire.CommandExit, nil); !errors.As(err, &refused) && !errors.Is(sent, err) {
				t.Errorf("sending afterwards: %v", sent)
			}
		})
	}
}

// flood sends frames that are full, one after the other.
func flood(c *donor.Conn, _ wire.Response) error {
	full := append([]byte{0xff, 0xff, 0xff, 0}, make([]byte, 1<<24-1)...)
	full[4] = byte(wire.ResponseData)
	for {
		if err := c.Raw(full); err != nil {
			return err
		}
		full[3]++
	}
}

// splitBadly sends a full frame, and what follows with sequence 0.
func splitBadly(c *donor.Conn, _ wire.Response) error {
	full := append([]byte{0xff, 0xff, 0xff, 0}, make([]byte, 1<<24-1)...)
	full[4] = byte(wire.ResponseData)
	return c.Raw(append(full, 1, 0, 0, 0, 'x'))
}

func TestASlowDonorIsAwaitedAsLongAsItIsNotSilent(t *testing.T) {
	c := playing(t, []*donor.Fault{{Lane: donor.Main, Response: 0, Do: func(c *donor.Conn, r wire.Response) error {
		for _, b := range append([]byte{byte(len(r.Body)) + 1, 0, 0, 0, byte(r.Kind)}, r.Body...) {
			time.Sleep(150 * time.Millisecond)
			if err := c.Raw([]byte{b}); err != nil {
				return err
			}
		}
		return nil
	}}}, donor.Send(wire.ResponseCollation, wire.AppendStrings(nil, "a name")))
	const limit = 2 * time.Second
	start := time.Now()
	r, err := c.Receive(t.Context(), limit)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := wire.ParseString(r.Body); s != "a name" || err != nil {
		t.Errorf("%q, %v", s, err)
	}
	if time.Since(start) < limit {
		t.Error("it was not slow at all")
	}
}

func TestAnIdleLimitIsOfOneCallAlone(t *testing.T) {
	c := playing(t, []*donor.Fault{{Lane: donor.Main, Response: 1, Do: donor.Stall(1500 * time.Millisecond)}},
		donor.Send(wire.ResponseComplete, nil), donor.Send(wire.ResponseComplete, nil))
	if _, err := c.Receive(t.Context(), time.Second); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Receive(t.Context(), 0); err != nil {
		t.Errorf("without a limit: %v", err)
	}
}

func TestReceiveEndsWithItsContext(t *testing.T) {
	for name, within := range map[string]int{"before a packet": 0, "in a header": 3, "in a body": 6} {
		t.Run(name, func(t *testing.T) {
			c := playing(t, []*donor.Fault{{Lane: donor.Main, Response: 0, Do: donor.StallWithin(within)}},
				donor.Send(wire.ResponseCollation, wire.AppendStrings(nil, "a name")))
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(100*time.Millisecond, cancel)
			if _, err := c.Receive(ctx, patience); !errors.Is(err, context.Canceled) || wire.Lost(err) {
				t.Fatalf("got %v", err)
			}
			if _, err := c.Receive(t.Context(), patience); !errors.Is(err, context.Canceled) {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
	t.Run("by its deadline", func(t *testing.T) {
		c := playing(t, []*donor.Fault{{Lane: donor.Main, Response: 0, Do: donor.Stall(0)}}, donor.Send(wire.ResponseComplete, nil))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := c.Receive(ctx, patience); !errors.Is(err, context.DeadlineExceeded) || wire.Lost(err) {
			t.Fatalf("got %v", err)
		}
	})
}

func TestAContextThatEndsBetweenCallsDoesNoHarmToTheNext(t *testing.T) {
	c := playing(t, nil, donor.Send(wire.ResponseComplete, nil), donor.Send(wire.ResponseComplete, nil),
		donor.Send(wire.ResponseComplete, nil), donor.Expect(wire.CommandExecute, nil), donor.Send(wire.ResponseComplete, nil))
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := c.Receive(ctx, patience); err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := c.Receive(ctx, patience); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		time.Sleep(20 * time.Millisecond) // long enough for what watches to have seen it
	}
	send(t, c, wire.CommandExecute, nil)
	if _, err := c.Receive(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
}

func TestCloseEndsACallThatWaits(t *testing.T) {
	c := playing(t, []*donor.Fault{{Lane: donor.Main, Response: 0, Do: donor.Stall(0)}}, donor.Send(wire.ResponseComplete, nil))
	time.AfterFunc(100*time.Millisecond, func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := c.Receive(t.Context(), 0); !errors.Is(err, net.ErrClosed) || wire.Lost(err) {
		t.Errorf("got %v", err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if err := c.Quit(); err != nil {
		t.Errorf("quit: %v", err)
	}
}

func TestARefusedCommandLeavesTheConnectionAsItWas(t *testing.T) {
	refused := &wire.ServerError{Number: 1227, State: "42000", Message: "Access denied; you need BACKUP_ADMIN"}
	d := donor.Start(t, donor.Options{AtClone: func(c *donor.Conn) error { return c.ServerError(refused) }})
	c := dial(t, d.Config())
	var got *wire.ServerError
	if err := c.Clone(t.Context()); !errors.As(err, &got) || *got != *refused {
		t.Fatalf("got %v", err)
	}
	if err := c.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Quit(); err != nil {
		t.Fatal(err)
	}
}

func TestAnswersToClassicCommandsHaveATimeLimit(t *testing.T) {
	d := donor.Start(t, donor.Options{AtClone: func(c *donor.Conn) error { return c.Stall() }})
	cfg := d.Config()
	cfg.Timeout = time.Second
	c := dial(t, cfg)
	var late *wire.TimeoutError
	if err := c.Clone(t.Context()); !errors.As(err, &late) || late.After != cfg.Timeout {
		t.Errorf("got %v", err)
	}
}

func TestALongRequestIsSplitAsTheProtocolHasIt(t *testing.T) {
	body := make([]byte, 1<<24+5)
	body[len(body)-1] = 9
	script := &donor.Script{Main: [][]donor.Step{{donor.Expect(wire.CommandReinit, func(got []byte) error {
		if !bytes.Equal(got, body) {
			return errors.New("not what was sent")
		}
		return nil
	}), donor.Send(wire.ResponseComplete, nil)}}}
	d := donor.Start(t, donor.Options{Play: script})
	c := speaking(t, d.Config())
	send(t, c, wire.CommandReinit, body)
	if _, err := c.Receive(t.Context(), patience); err != nil {
		t.Fatal(err)
	}
}
