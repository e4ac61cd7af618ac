package recipient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"runner/pkg/clone/internal/donor"
	"runner/pkg/clone/internal/wire"
)

// responsesToInit are those before EXECUTE: 4 plugins, 2 collations, 9 settings, locators and COMPLETE.
const responsesToInit = 17

// overcome has something happen to a session, once, and wants the copy to be whole all the same. It reports whether it
// has happened.
func overcome(t *testing.T, threads int, o Options, f *donor.Fault) (met bool) {
	t.Helper()
	t.Run(fmt.Sprintf("%s %d, response %d", f.Lane, f.Nth, f.Response), func(t *testing.T) {
		s := small()
		s.Workers = threads - 1
		s.KeepAlives = 50 * time.Millisecond
		o.Threads, o.CheckPages = threads, true
		f.Optional = true
		tr := &trial{play: s.Play(), donor: donor.Options{Faults: []*donor.Fault{f}}, o: o}
		r := tr.pull(t)
		same(t, tr.sink, outcome(s))
		if r.Resumed > 1 || len(r.Pages.Bad) > 0 {
			t.Errorf("resumed %d times; pages: %+v", r.Resumed, r.Pages)
		}
		met = f.Met()
	})
	return met
}

func TestASessionGoesOnAfterACutOfAnyConnectionAnywhere(t *testing.T) {
	for name, do := range map[string]func(*donor.Conn, wire.Response) error{
		"cut": donor.Cut, "cut within": donor.CutWithin(7), "cut behind a header": donor.CutWithin(4), "all cut": donor.CutAll,
	} {
		for _, threads := range []int{1, 3} {
			for _, lane := range []donor.Lane{donor.Main, donor.Aux, donor.Worker} {
				if lane == donor.Worker && threads == 1 {
					continue
				}
				t.Run(fmt.Sprintf("%s %s of %d", name, lane, threads), func(t *testing.T) {
					t.Parallel()
					first, rounds := 0, 0
					if lane == donor.Main {
						first = responsesToInit // what INIT was answered is not kept over a cut
					}
					for at := first; !t.Failed() && overcome(t, threads, Options{}, &donor.Fault{Lane: lane, Response: at, Do: do}); at++ {
						rounds++
					}
					if least := map[donor.Lane]int{donor.Main: 20, donor.Aux: 4, donor.Worker: 6}[lane]; rounds < least {
						t.Errorf("only %d responses", rounds)
					}
				})
			}
		}
	}
}

// Nothing was sent over it yet, so that nothing is lost with it.
func TestAWorkerThatCannotConnectYetCostsTheSessionNothing(t *testing.T) {
	s := small()
	s.Workers = 1
	tr := &trial{play: s.Play(), o: Options{Threads: 2}}
	var dials atomic.Int32
	tr.o.Dial = func(ctx context.Context) (*wire.Conn, error) {
		if n := dials.Add(1); n > 2 && n < 6 {
			return nil, fmt.Errorf("dial: %w", &wire.TimeoutError{After: time.Second})
		}
		return wire.Dial(ctx, tr.server.Config())
	}
	var notes atomic.Int32
	tr.o.Note = func(string) { notes.Add(1) }
	r := tr.pull(t)
	same(t, tr.sink, outcome(s))
	if r.Resumed != 0 || dials.Load() != 6 || notes.Load() != 1 {
		t.Errorf("resumed %d times, %d connections, %d notes", r.Resumed, dials.Load(), notes.Load())
	}
}

func TestASilentConnectionIsMadeAgain(t *testing.T) {
	starts := map[string]func(wire.Response) bool{
		"file data": donor.DataOf(wire.StateFileCopy), "page data": donor.DataOf(wire.StatePageCopy), "redo data": donor.DataOf(wire.StateRedoCopy),
		"bytes":      donor.KindOf(wire.ResponseData),
		"file start": donor.StateOf(wire.StateFileCopy, true), "page start": donor.StateOf(wire.StatePageCopy, true), "redo start": donor.StateOf(wire.StateRedoCopy, true),
		"init end": donor.StateOf(wire.StateInit, false), "file end": donor.StateOf(wire.StateFileCopy, false),
		"page end": donor.StateOf(wire.StatePageCopy, false), "redo end": donor.StateOf(wire.StateRedoCopy, false),
		"done": donor.StateOf(wire.StateDone, true), "a file": donor.FileOf("./d/a.ibd"), "a new file": donor.FileOf("./d/new.ibd"),
	}
	for name, when := range starts {
		for how, do := range map[string]func(*donor.Conn, wire.Response) error{"": donor.Stall(0), ", within": donor.StallWithin(9)} {
			t.Run(name+how, func(t *testing.T) {
				t.Parallel()
				f := &donor.Fault{Lane: donor.Main, Response: -1, When: when, Do: do}
				if !overcome(t, 1, Options{Idle: 800 * time.Millisecond}, f) {
					t.Error("nobody fell silent")
				}
			})
		}
	}
	for name, f := range map[string]*donor.Fault{
		"an acknowledgement": {Lane: donor.Aux, Response: 1, Do: donor.Stall(0)},
		"the last of them":   {Lane: donor.Aux, Response: 3, Do: donor.Stall(0)},
		"a worker":           {Lane: donor.Worker, Nth: -1, Response: -1, When: donor.KindOf(wire.ResponseData), Do: donor.Stall(0)},
		"a worker's end":     {Lane: donor.Worker, Nth: -1, Response: -1, When: donor.StateOf(wire.StatePageCopy, false), Do: donor.StallWithin(2)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !overcome(t, 3, Options{Idle: 800 * time.Millisecond}, f) {
				t.Error("nobody fell silent")
			}
		})
	}
}

func TestASlowDonorIsWaitedFor(t *testing.T) {
	s := small()
	tr := &trial{play: s.Play(), o: Options{Idle: 5 * time.Second}, donor: donor.Options{Faults: []*donor.Fault{
		{Lane: donor.Main, Response: -1, When: donor.DataOf(wire.StateFileCopy), Do: donor.Stall(300 * time.Millisecond)},
	}}}
	if r := tr.pull(t); r.Resumed != 0 {
		t.Errorf("resumed %d times", r.Resumed)
	}
	same(t, tr.sink, outcome(s))
}

func TestASessionIsCutSeveralTimes(t *testing.T) {
	s := small()
	tr := &trial{play: s.Play(), o: Options{CheckPages: true}}
	for i, when := range []func(wire.Response) bool{
		donor.FileOf("./d/gone.ibd"), donor.DataOf(wire.StateFileCopy), donor.KindOf(wire.ResponseData), donor.StateOf(wire.StateFileCopy, false),
		donor.FileOf("./d/name.ibd"), donor.DataOf(wire.StatePageCopy), donor.StateOf(wire.StatePageCopy, false), donor.DataOf(wire.StateRedoCopy),
		donor.StateOf(wire.StateDone, true),
	} {
		tr.donor.Faults = append(tr.donor.Faults, &donor.Fault{Lane: donor.Main, Nth: i, Response: -1, When: when, Do: donor.Cut})
	}
	r := tr.pull(t)
	same(t, tr.sink, outcome(s))
	if r.Resumed != len(tr.donor.Faults) {
		t.Errorf("resumed %d times, cut %d times", r.Resumed, len(tr.donor.Faults))
	}
}

// cutInFiles is a session that is cut while files are copied, and what happens to its next main connections.
func cutInFiles(next ...*donor.Fault) *trial {
	faults := append([]*donor.Fault{{Lane: donor.Main, Response: -1, When: donor.DataOf(wire.StateFileCopy), Do: donor.Cut}}, next...)
	return &trial{play: small().Play(), donor: donor.Options{Faults: faults}}
}

func lost(t *testing.T, err error) *LostError {
	t.Helper()
	var l *LostError
	if !errors.As(err, &l) {
		t.Fatalf("error is %v (%T)", err, err)
	}
	if !wire.Lost(l.First) {
		t.Errorf("it was lost by %v", l.First)
	}
	return l
}

func TestADonorThatHasNoSnapshotAnyMoreEndsTheSession(t *testing.T) {
	s := small()
	s.NoSnapshot = true
	tr := cutInFiles()
	tr.play = s.Play()
	_, err := tr.run(t)
	var e *wire.DonorError
	if l := lost(t, err); l.Within != 0 || !errors.As(l.Err, &e) || e.Number != 3862 {
		t.Errorf("error is %#v", l)
	}
}

func TestADonorThatIsBusyWithTheLostConnectionIsAskedAgain(t *testing.T) {
	for name, how := range map[string]func(*donor.Conn, wire.Response) error{
		"another clone":   donor.Fail(cloneInProgress, "Too many concurrent clone operations."),
		"its own of then": donor.Fail(internalError, "Internal error: Clone restart wait for idle state timed out"),
	} {
		refuse := func(nth int) *donor.Fault {
			return &donor.Fault{Lane: donor.Main, Nth: nth, Response: 0, Do: how}
		}
		tr := cutInFiles(refuse(1), refuse(2), refuse(3))
		r := tr.pull(t)
		same(t, tr.sink, outcome(small()))
		if r.Resumed != 1 {
			t.Errorf("%s: resumed %d times", name, r.Resumed)
		}
	}
}

// The connections that were lost count until the donor has noticed.
func TestADonorThatHasNoConnectionLeftIsAskedAgain(t *testing.T) {
	for _, number := range []uint16{tooManyConnections, tooManyOfTheUser, limitOfTheUser} {
		tr := cutInFiles()
		var dials atomic.Int32
		tr.o.Dial = func(ctx context.Context) (*wire.Conn, error) {
			if n := dials.Add(1); n > 2 && n < 8 {
				return nil, fmt.Errorf("dial: %w", &wire.ServerError{Number: number, State: "08004", Message: "Too many connections"})
			}
			return wire.Dial(ctx, tr.server.Config())
		}
		r := tr.pull(t)
		same(t, tr.sink, outcome(small()))
		if r.Resumed != 1 || dials.Load() != 9 {
			t.Errorf("%d: resumed %d times, %d connections", number, r.Resumed, dials.Load())
		}
	}
}

func TestADonorThatCannotBeReachedForAWhileIsTriedAgain(t *testing.T) {
	tr := cutInFiles()
	var dials atomic.Int32
	tr.o.Dial = func(ctx context.Context) (*wire.Conn, error) {
		if n := dials.Add(1); n > 2 && n < 8 {
			return nil, fmt.Errorf("dial: %w", refusedConnection(t))
		}
		return wire.Dial(ctx, tr.server.Config())
	}
	r := tr.pull(t)
	same(t, tr.sink, outcome(small()))
	if r.Resumed != 1 || dials.Load() != 9 {
		t.Errorf("resumed %d times, %d connections", r.Resumed, dials.Load())
	}
}

// refusedConnection is how it fails to connect to where nobody listens.
func refusedConnection(t *testing.T) error {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := l.Close(); err != nil {
		return err
	}
	_, err = new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	return err
}

// keptFor has the donor keep its snapshot for a shorter time than a donor can say.
func keptFor(d time.Duration) func(*session) {
	return func(s *session) {
		s.o.Note = func(string) { s.donor.ReconnectWithin = d } // a connection was lost
	}
}

func TestADonorThatStaysAwayIsGivenUp(t *testing.T) {
	for name, within := range map[string]time.Duration{"that keeps nothing": 0, "for a while": 100 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			tr := cutInFiles()
			tr.tune = keptFor(within)
			var dials atomic.Int32
			tr.o.Dial = func(ctx context.Context) (*wire.Conn, error) {
				if dials.Add(1) > 2 {
					return nil, refusedConnection(t)
				}
				return wire.Dial(ctx, tr.server.Config())
			}
			begin := time.Now()
			_, err := tr.run(t)
			if l := lost(t, err); !wire.Lost(l.Err) || l.Within != within || time.Since(begin) < within {
				t.Errorf("error is %#v after %v", l, time.Since(begin))
			}
			if n := dials.Load(); n < 3 || within == 0 && n > 3 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

// teasing is a donor that always promises to go on, and never does.
type teasing struct{ donor.Play }

func (d teasing) Serve(c *donor.Conn, first donor.Request) error {
	if first.Command != wire.CommandReinit {
		return d.Play.Serve(c, first)
	}
	if err := errors.Join(c.Send(wire.ResponseLocators, locators()), c.Complete()); err != nil {
		return err
	}
	if _, err := c.Expect(wire.CommandExecute); err != nil {
		return err
	}
	if err := c.Descriptor(&wire.Task{}); err != nil {
		return err
	}
	return c.Cut()
}

func TestADonorThatGoesOnAndNeverGetsAnywhereIsGivenUp(t *testing.T) {
	tr := cutInFiles()
	tr.play = teasing{tr.play}
	tr.tune = keptFor(100 * time.Millisecond)
	_, err := tr.run(t)
	if l := lost(t, err); !wire.Lost(l.Err) || l.Within == 0 {
		t.Errorf("error is %#v", l)
	}
	if n := len(tr.server.Requests()); n > 100 {
		t.Errorf("%d requests: it is asked without a pause", n)
	}
}

// A donor that gets on a little each time is not given up, however often it is lost.
func TestADonorThatGetsOnALittleEachTimeIsNotGivenUp(t *testing.T) {
	s := small()
	tr := &trial{play: s.Play(), tune: keptFor(0)}
	for i := range 20 {
		f := &donor.Fault{Lane: donor.Main, Nth: i, Response: -1, When: donor.KindOf(wire.ResponseData), Do: donor.Cut}
		if i > 0 {
			seen := 0
			f.When = func(r wire.Response) bool { // the second, so that one comes
				if r.Kind == wire.ResponseData {
					seen++
				}
				return seen == 2
			}
		}
		tr.donor.Faults = append(tr.donor.Faults, f)
	}
	r := tr.pull(t)
	same(t, tr.sink, outcome(s))
	if r.Resumed != 20 {
		t.Errorf("resumed %d times", r.Resumed)
	}
}

// What the donor refuses after it has gone on is its own error, not a loss.
func TestAnErrorAfterASessionWentOnIsTheDonors(t *testing.T) {
	tr := cutInFiles(&donor.Fault{Lane: donor.Main, Nth: 1, Response: -1, When: donor.DataOf(wire.StateFileCopy), Do: donor.Fail(3634, "odd, here")})
	_, err := tr.run(t)
	var l *LostError
	var e *wire.DonorError
	if errors.As(err, &l) || !errors.As(err, &e) {
		t.Errorf("error is %#v", err)
	}
}

func TestALossBeforeThereIsASnapshotIsNotResumed(t *testing.T) {
	for at := range responsesToInit {
		tr := &trial{play: small().Play(), donor: donor.Options{Faults: []*donor.Fault{{Lane: donor.Main, Response: at, Do: donor.Cut}}}}
		_, err := tr.run(t)
		if !wire.Lost(err) || len(tr.server.Requests()) != 1 {
			t.Errorf("response %d: %v, %d requests", at, err, len(tr.server.Requests()))
		}
	}
}

func TestLostErrorSaysHowItWasLostAndWhyItIsGivenUp(t *testing.T) {
	first, last := errors.New("first"), errors.New("last")
	for _, l := range []*LostError{{First: first, Err: last}, {First: first, Err: last, Within: time.Minute}} {
		text := l.Error()
		if !errors.Is(l, first) || !errors.Is(l, last) || !strings.Contains(text, "first") || !strings.Contains(text, "last") {
			t.Errorf("error is %q", text)
		}
		if strings.Contains(text, "1m0s") != (l.Within != 0) {
			t.Errorf("error is %q", text)
		}
	}
}
