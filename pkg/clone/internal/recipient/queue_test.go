package recipient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"runner/pkg/clone/internal/donor"
	"runner/pkg/clone/internal/wire"
)

// valve is a sink's door: shut, every call waits.
type valve struct {
	once sync.Once
	open chan struct{}
}

func newValve(t testing.TB) *valve {
	v := &valve{open: make(chan struct{})}
	t.Cleanup(v.release) // so that a test that fails does not hang
	return v
}

func (v *valve) release() { v.once.Do(func() { close(v.open) }) }

func (v *valve) wait(string) error {
	<-v.open
	return nil
}

// startQueue runs a queue, and gives how to end it.
func startQueue(t *testing.T, sink Sink, spill int64, trickle time.Duration) (q *queue, end func() error) {
	t.Helper()
	q = newQueue(sink, spill)
	q.trickle = trickle
	done := make(chan error, 1)
	go func() { done <- q.run() }()
	return q, func() error {
		q.close()
		return <-done
	}
}

func TestAQueueKeepsItsOrder(t *testing.T) {
	m := newMemory(t)
	q, end := startQueue(t, m, DefaultSpill, usualTrickle)
	q.do(func(s Sink) error { return s.Create("a", 4) })
	for i := range 100 {
		b := []byte{byte(i), byte(i)}
		if err := q.write(t.Context(), "a", b, int64(i%3)); err != nil {
			t.Fatal(err)
		}
		b[0], b[1] = 0xFF, 0xFF // it is the caller's again
	}
	q.do(func(s Sink) error { return s.Rename("a", "b") })
	if err := q.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := m.files["b"]; !bytes.Equal(got, []byte{99, 99, 98, 98}) || len(m.calls) != 102 {
		t.Errorf("%v after %d calls", got, len(m.calls))
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestAFullQueueHoldsUpWhoWritesAndLetsOneBlockInNowAndThen(t *testing.T) {
	m, v := newMemory(t), newValve(t)
	m.before = v.wait
	q, end := startQueue(t, m, 3<<20, 30*time.Millisecond)
	q.do(func(s Sink) error { return s.Create("a", 0) })
	block := make([]byte, 1<<20)
	write := func() time.Duration {
		begin := time.Now()
		if err := q.write(t.Context(), "a", block, 0); err != nil {
			t.Fatal(err)
		}
		return time.Since(begin)
	}
	for range onItsWay >> 20 {
		write()
	}
	for i := range 3 {
		if waited := write(); waited < 30*time.Millisecond {
			t.Errorf("block %d beyond the limit waited only %v", i, waited)
		}
	}
	// The spill is full: only the sink can make room now.
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := q.write(ctx, "a", block, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a block that has no room: %v", err)
	}
	if spilled, stalled := q.spilled(); spilled != 3<<20 || stalled < 30*time.Millisecond {
		t.Errorf("spilled %d, stalled %v", spilled, stalled)
	}
	v.release()
	write()
	if err := errors.Join(q.drain(t.Context()), end()); err != nil {
		t.Error(err)
	}
	if len(m.calls) != 1+onItsWay>>20+3+1 {
		t.Errorf("%d calls", len(m.calls))
	}
}

// A trickle of pages is let in by the megabyte: a window that opens by one page is not told to the sender.
func TestSmallBlocksAreLetInByTheMegabyte(t *testing.T) {
	m, v := newMemory(t), newValve(t)
	m.before = v.wait
	q, end := startQueue(t, m, DefaultSpill, 20*time.Millisecond)
	q.do(func(s Sink) error { return s.Create("a", 0) })
	for range 8 {
		if err := q.write(t.Context(), "a", make([]byte, 1<<20), 0); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	for range trickled / (16 << 10) {
		if err := q.write(t.Context(), "a", make([]byte, 16<<10), 0); err != nil {
			t.Fatal(err)
		}
	}
	if waited := time.Since(begin); waited < 20*time.Millisecond || waited > 30*20*time.Millisecond {
		t.Errorf("a megabyte of pages waited %v", waited)
	}
	v.release()
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestManyWritersKeepTheBoundOnMemory(t *testing.T) {
	const spill, writers, size = 2 << 20, 64, 700 << 10
	m := newMemory(t)
	m.before = func(string) error {
		time.Sleep(100 * time.Microsecond)
		return nil
	}
	q, end := startQueue(t, m, spill, time.Millisecond)
	q.do(func(s Sink) error { return s.Create("a", 0) })
	var work sync.WaitGroup
	for range writers {
		work.Go(func() {
			for range 10 {
				if err := q.write(t.Context(), "a", make([]byte, size), 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	if err := errors.Join(q.drain(t.Context()), end()); err != nil {
		t.Error(err)
	}
	if q.most > onItsWay+spill || q.bytes != 0 || len(m.calls) != 1+writers*10 {
		t.Errorf("%d bytes waited at most, %d are left, %d calls", q.most, q.bytes, len(m.calls))
	}
}

// A block larger than all that may wait is let in alone.
func TestABlockThatNeverFitsIsLetIntoAnEmptyQueue(t *testing.T) {
	m := newMemory(t)
	q, end := startQueue(t, m, 1, usualTrickle)
	q.do(func(s Sink) error { return s.Create("a", 0) })
	for range 3 {
		if err := q.write(t.Context(), "a", make([]byte, onItsWay+1), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestAQueueOfABrokenSinkTakesNothingMore(t *testing.T) {
	m := newMemory(t)
	broke := errors.New("broke")
	m.before = func(call string) error {
		if strings.HasPrefix(call, "write") {
			return broke
		}
		return nil
	}
	q, end := startQueue(t, m, DefaultSpill, usualTrickle)
	q.do(func(s Sink) error { return s.Create("a", 0) })
	if err := q.write(t.Context(), "a", []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	if err := q.drain(t.Context()); !errors.Is(err, broke) {
		t.Errorf("drain: %v", err)
	}
	if err := q.write(t.Context(), "a", []byte("x"), 0); !errors.Is(err, broke) {
		t.Errorf("write: %v", err)
	}
	if err := end(); !errors.Is(err, broke) {
		t.Errorf("end: %v", err)
	}
}

func TestWhoWaitsInAQueueIsCancelled(t *testing.T) {
	m, v := newMemory(t), newValve(t)
	m.before = v.wait
	q, end := startQueue(t, m, DefaultSpill, usualTrickle)
	q.do(func(s Sink) error { return s.Create("a", 0) })
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("cause")
	go func() {
		time.Sleep(20 * time.Millisecond)
		cancel(cause)
	}()
	if err := q.drain(ctx); !errors.Is(err, cause) {
		t.Errorf("drain: %v", err)
	}
	v.release()
	if err := end(); err != nil {
		t.Error(err)
	}
}

// large is a session of which one file has blocks of 4 MiB, another those of 256 KiB.
func large() *donor.Session {
	big, small := tablespace(1, "./d/big.ibd", 0), tablespace(2, "./d/small.ibd", 0)
	big.FSPFlags, big.Content = 0x4021|7<<6, bytes.Repeat([]byte("big file"), 20<<20/8)
	small.Content = bytes.Repeat([]byte("small"), 4<<20/4)[:4<<20]
	return &donor.Session{Files: []donor.File{big, small}}
}

// What waits for a slow sink while another connection is lost has not arrived.
func TestABlockThatWaitedWhenAnotherConnectionWasLostIsSentAgain(t *testing.T) {
	s := large()
	s.Workers = 1
	v := newValve(t)
	cut := func(c *donor.Conn, _ wire.Response) error {
		time.Sleep(50 * time.Millisecond) // the other one fills the queue
		time.AfterFunc(100*time.Millisecond, v.release)
		return c.Cut()
	}
	tr := &trial{play: s.Play(), o: Options{Threads: 2}, sink: newMemory(t)}
	for _, lane := range []donor.Lane{donor.Main, donor.Worker} {
		tr.donor.Faults = append(tr.donor.Faults, &donor.Fault{Lane: lane, Response: -1, When: dataOfFile(1, 3*256<<10), Do: cut, Optional: true})
	}
	tr.sink.before = func(call string) error {
		if strings.HasPrefix(call, "write") {
			<-v.open
		}
		return nil
	}
	r := tr.pull(t)
	if r.Resumed == 0 {
		t.Error("nothing was cut")
	}
	same(t, tr.sink, map[string][]byte{"d/big.ibd": s.Files[0].Content, "d/small.ibd": s.Files[1].Content, "#innodb_redo/#ib_redo0": redo()})
}

func TestASlowSinkCostsNoConnectionAndNoMoreMemoryThanItMay(t *testing.T) {
	s := large()
	const spill = 4 << 20
	tr := &trial{play: s.Play(), o: Options{Threads: 2, Spill: spill}, sink: newMemory(t), tune: func(s *session) { s.queue.trickle = 20 * time.Millisecond }}
	s.Workers = 1
	var writes atomic.Int32
	tr.sink.before = func(call string) error {
		if strings.HasPrefix(call, "write") && writes.Add(1) < 4 {
			time.Sleep(150 * time.Millisecond)
		}
		return nil
	}
	r := tr.pull(t)
	same(t, tr.sink, map[string][]byte{"d/big.ibd": s.Files[0].Content, "d/small.ibd": s.Files[1].Content, "#innodb_redo/#ib_redo0": redo()})
	if r.Resumed != 0 || r.Spilled <= 0 || r.Spilled > spill || r.Stalled < 20*time.Millisecond {
		t.Errorf("resumed %d times, spilled %d bytes, stalled %v", r.Resumed, r.Spilled, r.Stalled)
	}
}

func TestASinkThatFailsEndsTheSessionAtOnce(t *testing.T) {
	for _, call := range []string{"folder mysql", "create d/a.ibd", "write d/a.ibd", "rename d/renamed.ibd", "remove dropped/t.ibd", "create #innodb_redo", "write #innodb_redo"} {
		for _, threads := range []int{1, 3} {
			t.Run(fmt.Sprint(call, threads), func(t *testing.T) {
				s := small()
				s.Workers = threads - 1
				play := s.Play()
				tr := &trial{play: play, o: Options{Threads: threads}, sink: newMemory(t)}
				broke := errors.New("broke")
				tr.sink.before = func(c string) error {
					if strings.HasPrefix(c, call) {
						return broke
					}
					return nil
				}
				_, err := tr.run(t)
				if !errors.Is(err, broke) {
					t.Errorf("error is %v", err)
				}
				if n := play.Aborted(); n != wire.ErrnoInterrupted && call != "folder mysql" { // by then the donor may not have been asked yet
					t.Errorf("the donor was told %d", n)
				}
			})
		}
	}
}

// The donor may have nothing to say for minutes; a disk that is full is known now.
func TestASinkThatFailsWhileTheDonorIsSilentEndsTheSessionAtOnce(t *testing.T) {
	s := small()
	play := s.Play()
	broke := errors.New("broke")
	tr := &trial{play: play, sink: newMemory(t), donor: donor.Options{Faults: []*donor.Fault{{
		Lane: donor.Main, Response: -1, When: donor.FileOf("mysql.ibd"), Do: donor.Stall(0),
	}}}}
	tr.sink.before = func(c string) error {
		if strings.HasPrefix(c, "create d/a.ibd") {
			time.Sleep(50 * time.Millisecond)
			return broke
		}
		return nil
	}
	begin := time.Now()
	_, err := tr.run(t)
	if !errors.Is(err, broke) || time.Since(begin) > deadline/2 || play.Aborted() != wire.ErrnoInterrupted {
		t.Errorf("error is %v after %v; the donor was told %d", err, time.Since(begin), play.Aborted())
	}
}
