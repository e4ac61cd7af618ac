package recipient

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"runner/pkg/clone/internal/donor"
	"runner/pkg/clone/internal/wire"
)

var errEnough = errors.New("enough")

// cancelled pulls a session whose context ends when a response is due.
func cancelled(t *testing.T, threads int, f *donor.Fault) (*donor.Playing, error) {
	t.Helper()
	s := small()
	s.Workers, s.KeepAlives = threads-1, 20*time.Millisecond
	play := s.Play()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	f.Response = -1
	then := f.Do
	f.Do = func(c *donor.Conn, r wire.Response) error {
		time.AfterFunc(20*time.Millisecond, func() { cancel(errEnough) })
		return then(c, r)
	}
	begin := time.Now()
	_, err := (&trial{play: play, donor: donor.Options{Faults: []*donor.Fault{f}}, o: Options{Threads: threads}, ctx: ctx}).run(t)
	if d := time.Since(begin); d > 3*time.Second {
		t.Errorf("it took %v", d)
	}
	return play, err
}

// patiently sends a response somewhat later, again and again kept alive meanwhile.
func patiently(c *donor.Conn, r wire.Response) error {
	return donor.Stall(200*time.Millisecond)(c, r)
}

func TestACancelledSessionTellsTheDonorInEveryState(t *testing.T) {
	for name, when := range map[string]func(wire.Response) bool{
		"the end of INIT": donor.StateOf(wire.StateInit, false), "the start of FILE_COPY": donor.StateOf(wire.StateFileCopy, true), "a file": donor.FileOf("./d/empty.ibd"),
		"data of a file": donor.DataOf(wire.StateFileCopy), "bytes": donor.KindOf(wire.ResponseData), "the end of FILE_COPY": donor.StateOf(wire.StateFileCopy, false),
		"DDL": donor.FileOf("./d/name.ibd"), "the start of PAGE_COPY": donor.StateOf(wire.StatePageCopy, true), "a page": donor.DataOf(wire.StatePageCopy),
		"the end of PAGE_COPY": donor.StateOf(wire.StatePageCopy, false), "the start of REDO_COPY": donor.StateOf(wire.StateRedoCopy, true),
		"redo": donor.DataOf(wire.StateRedoCopy), "the end of REDO_COPY": donor.StateOf(wire.StateRedoCopy, false), "DONE": donor.StateOf(wire.StateDone, true),
	} {
		for _, threads := range []int{1, 3} {
			t.Run(fmt.Sprint(name, ", ", threads), func(t *testing.T) {
				f := &donor.Fault{Lane: donor.Main, When: when, Do: patiently, Optional: threads > 1}
				play, err := cancelled(t, threads, f)
				if !f.Met() { // the workers were quicker, and what main was to be cancelled at is over
					return
				}
				if !errors.Is(err, errEnough) {
					t.Errorf("error is %v", err)
				}
				if n := play.Aborted(); n != wire.ErrnoInterrupted {
					t.Errorf("the donor was told %d", n)
				}
			})
		}
	}
}

// While a donor makes a snapshot, or has been told of a state's end and not answered, there is nobody to tell. The error is the context's all the same.
func TestASessionIsCancelledWhileTheDonorOwesAnAnswer(t *testing.T) {
	for name, f := range map[string]*donor.Fault{
		"to INIT":             {Lane: donor.Main, When: donor.KindOf(wire.ResponseCollation), Do: patiently},
		"to INIT, at the end": {Lane: donor.Main, When: donor.KindOf(wire.ResponseComplete), Do: patiently},
		"to ACK":              {Lane: donor.Aux, When: donor.KindOf(wire.ResponseComplete), Do: patiently},
		"for good":            {Lane: donor.Main, When: donor.KindOf(wire.ResponseCollation), Do: donor.Stall(0)},
		"for good, to ACK":    {Lane: donor.Aux, When: donor.KindOf(wire.ResponseComplete), Do: donor.Stall(0)},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := cancelled(t, 1, f); !errors.Is(err, errEnough) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestASessionIsCancelledWhileItWaitsToGoOn(t *testing.T) {
	tr := cutInFiles()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var dials atomic.Int32
	tr.ctx = ctx
	tr.tune = func(s *session) { s.pause = time.Hour }
	tr.o.Dial = func(ctx context.Context) (*wire.Conn, error) {
		if dials.Add(1) > 2 {
			time.AfterFunc(20*time.Millisecond, func() { cancel(errEnough) })
			return nil, refusedConnection(t)
		}
		return wire.Dial(ctx, tr.server.Config())
	}
	if _, err := tr.run(t); !errors.Is(err, errEnough) {
		t.Errorf("error is %v", err)
	}
}

func TestASessionIsCancelledWhileADonorIsBusy(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	tr := &trial{
		play: &occupied{small().Play(), 1000}, ctx: ctx, tune: func(s *session) { s.pause = time.Hour },
		o: Options{Patience: time.Hour, Note: func(string) { cancel(errEnough) }},
	}
	if _, err := tr.run(t); !errors.Is(err, errEnough) {
		t.Errorf("error is %v", err)
	}
}

func TestASessionIsCancelledAtAMoment(t *testing.T) {
	for _, m := range []Moment{BeforeSnapshot, AfterSnapshot} {
		ctx, cancel := context.WithCancelCause(t.Context())
		play := small().Play()
		tr := &trial{play: play, ctx: ctx, o: Options{At: func(_ context.Context, at Moment) {
			if at == m {
				cancel(errEnough)
			}
		}}}
		if _, err := tr.run(t); !errors.Is(err, errEnough) || play.Aborted() != wire.ErrnoInterrupted {
			t.Errorf("moment %d: error is %v; the donor was told %d", m, err, play.Aborted())
		}
	}
}

func TestARecipientThatRefusesItsConnectionNumberAsksForNothing(t *testing.T) {
	play := small().Play()
	tr := &trial{play: play, o: Options{Connected: func(_ context.Context, thread uint32) error {
		if thread != 1 {
			t.Errorf("connection %d", thread)
		}
		return errEnough
	}}}
	if _, err := tr.run(t); !errors.Is(err, errEnough) || len(tr.server.Requests()) != 0 {
		t.Errorf("error is %v, after %d requests", err, len(tr.server.Requests()))
	}
}

// Writes that nobody wants any more would hold up whoever has cancelled.
func TestACancelledSessionDoesNotGiveTheSinkWhatIsLeft(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	play := large().Play()
	tr := &trial{play: play, ctx: ctx, sink: newMemory(t)}
	writes := 0
	tr.sink.before = func(string) error {
		if writes++; writes > 3 {
			time.Sleep(100 * time.Millisecond)
			cancel(errEnough)
		}
		return nil
	}
	if _, err := tr.run(t); !errors.Is(err, errEnough) || play.Aborted() != wire.ErrnoInterrupted {
		t.Errorf("error is %v; the donor was told %d", err, play.Aborted())
	}
	if writes > 8 {
		t.Errorf("%d calls of the sink", writes)
	}
}

func TestABandwidthIsKeptWhileFilesAreCopiedAndTheDeadlineToo(t *testing.T) {
	t.Run("files", func(t *testing.T) {
		s := &donor.Session{Files: []donor.File{tablespace(1, "./d/t.ibd", 0)}}
		s.Files[0].Content = make([]byte, 6<<20)
		begin := time.Now()
		r := (&trial{play: s.Play(), o: Options{Bandwidth: 4 << 20}}).pull(t)
		// The limiter begins with one block of the largest kind in hand.
		if d := time.Since(begin); d < 350*time.Millisecond || d > 10*time.Second || r.Files != 2 {
			t.Errorf("6 MiB at 4 MiB/s took %v", d)
		}
	})
	t.Run("pages", func(t *testing.T) {
		s := &donor.Session{PageSize: page, Files: []donor.File{tablespace(1, "./d/t.ibd", 1)}}
		s.Files[0].Size = 2000 * page
		for n := range uint32(2000) {
			s.Files[0].Pages[n] = make([]byte, page)
		}
		begin := time.Now()
		(&trial{play: s.Play(), o: Options{Bandwidth: 100 << 10}}).pull(t)
		if d := time.Since(begin); d > 10*time.Second {
			t.Errorf("pages were held up: %v", d)
		}
	})
	t.Run("deadline", func(t *testing.T) {
		play := large().Play()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := (&trial{play: play, o: Options{Bandwidth: 1 << 10}, ctx: ctx}).run(t)
		if !errors.Is(err, context.DeadlineExceeded) || play.Aborted() != wire.ErrnoInterrupted {
			t.Errorf("error is %v; the donor was told %d", err, play.Aborted())
		}
	})
}
