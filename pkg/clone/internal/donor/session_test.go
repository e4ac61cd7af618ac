package donor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"runner/pkg/clone/internal/wire"
)

const page = 4 << 10

// fsp4K are FSP flags of a tablespace with pages of 4 KiB.
const fsp4K = 3 << 6

func space(id uint32, name string, pages int, change ...uint32) File {
	f := File{
		File:    wire.File{Name: name, SpaceID: id, FSPFlags: fsp4K, BlockSize: 4096},
		Content: make([]byte, pages*page), Pages: map[uint32][]byte{},
	}
	for i := range f.Content {
		f.Content[i] = byte(id) + byte(i/page)
	}
	for _, n := range change {
		f.Pages[n] = bytes.Repeat([]byte{0xF0 | byte(n)}, page)
	}
	return f
}

// small is a session with chunks of four pages and blocks of two, that has one of everything.
func small() *Session {
	s := &Session{
		PageSize: page, BlockPages: 2, ChunkPages: 4,
		Files: []File{
			{File: wire.File{Name: "ib_buffer_pool", SpaceID: wire.SpaceIDBufferPool, FSPFlags: wire.NoFSPFlags}, Content: []byte("1,2\n3,4\n")},
			space(0, "ibdata1", 9, 0, 5),
			space(1, "./d/a.ibd", 13, 12, 13),
			space(2, "./d/renamed.ibd", 3),
			space(3, "./d/dropped.ibd", 3),
			space(4, "./d/gone.ibd", 6),
			{File: wire.File{Name: "./d/empty.ibd", SpaceID: 5, FSPFlags: fsp4K}},
			space(wire.SpaceIDDictionary, "mysql.ibd", 2, 1),
		},
	}
	s.Files[2].Grown = 14 * page
	s.Files[2].Pages[0] = s.Files[2].Content[:page]
	s.Files[5].Gone = true
	renamed, dropped, gone := s.Files[3].File, s.Files[4].File, s.Files[5].File
	renamed.Index, renamed.Name, renamed.Flags, renamed.Size = 3, "./d/name.ibd", wire.FlagRenamed, 3*page
	dropped.Index, dropped.Flags = 4, wire.FlagDeleted
	gone.Index, gone.Flags = 5, wire.FlagDeleted
	created := space(6, "./d/new.ibd", 0, 0, 3)
	created.Index, created.Size = 8, 7*page
	s.PageChanges = []File{{File: renamed}, {File: dropped}, {File: gone}, created}
	return s
}

// outcome is what a recipient of small must have.
func outcome(s *Session) map[string][]byte {
	all := map[string][]byte{}
	for i, f := range s.Files {
		name, b := f.Name, bytes.Clone(f.Content)
		switch i {
		case 2:
			b = append(b, make([]byte, page)...)
		case 3:
			name = "./d/name.ibd"
		case 4, 5:
			continue
		}
		for n, p := range f.Pages {
			copy(b[int(n)*page:], p)
		}
		all[name] = b
	}
	created := make([]byte, 7*page)
	for n, p := range s.PageChanges[3].Pages {
		copy(created[int(n)*page:], p)
	}
	all["./d/new.ibd"] = created
	redo := make([]byte, redoSize)
	copy(redo, bytes.Repeat([]byte{0xCD}, redoHeader))
	copy(redo[redoHeader:], bytes.Repeat([]byte{0xAB}, 4*redoBlock))
	copy(redo[redoHeader+4*redoBlock:], bytes.Repeat([]byte{0xEF}, redoBlock))
	all["redo 0"] = redo
	return all
}

func compare(t *testing.T, got, want map[string][]byte) {
	t.Helper()
	for name := range got {
		if _, is := want[name]; !is {
			t.Errorf("%s should not be there", name)
		}
	}
	for name, b := range want {
		if !bytes.Equal(got[name], b) {
			t.Errorf("%s: got %d bytes, want %d, or they differ", name, len(got[name]), len(b))
		}
	}
}

func TestASessionIsTakenOverByAnyNumberOfConnections(t *testing.T) {
	for _, workers := range []int{0, 1, 3, 16} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			s := small()
			s.Workers = workers
			d := Start(t, Options{Play: s.Play()})
			r := newRecipient(d.Config(), workers)
			if err := r.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			compare(t, r.result(), outcome(s))
		})
	}
}

func TestOnAUnixSocket(t *testing.T) {
	s := small()
	d := Start(t, Options{Play: s.Play(), Unix: true})
	r := newRecipient(d.Config(), 0)
	if err := r.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	compare(t, r.result(), outcome(s))
}

// TestASessionGoesOnAfterACutAnywhere cuts the first connection, or all, instead of each of its responses, one in each round.
func TestASessionGoesOnAfterACutAnywhere(t *testing.T) {
	for name, do := range map[string]func(*Conn, wire.Response) error{"first": Cut, "within": CutWithin(7), "all": CutAll} {
		for _, workers := range []int{0, 2} {
			t.Run(fmt.Sprint(name, workers), func(t *testing.T) {
				rounds := 0
				// The responses to INIT are not kept over a cut.
				for at := responsesToInit; !t.Failed() && cutAt(t, workers, at, do); at++ {
					rounds++
				}
				// Of several connections, any may be quicker than the first.
				if workers == 0 && rounds < 60 || rounds == 0 {
					t.Errorf("only %d responses", rounds)
				}
			})
		}
	}
}

// responsesToInit are 4 plugins, 2 collations, 9 settings, locators and COMPLETE.
const responsesToInit = 17

// cutAt reports whether there is such a response before EXECUTE has ended.
func cutAt(t *testing.T, workers, at int, do func(*Conn, wire.Response) error) (there bool) {
	t.Run(fmt.Sprint(at), func(t *testing.T) {
		s := small()
		s.Workers = workers
		play := s.Play()
		fault := &Fault{Lane: Main, Response: at, Do: do}
		d := Start(t, Options{Play: play, Faults: []*Fault{fault}})
		r := newRecipient(d.Config(), workers)
		err := r.run(t.Context())
		there = fault.Met() && play.State() < wire.StateDone
		if !fault.Met() || !there {
			fault.met.Store(true)
			return
		}
		if err == nil {
			t.Fatal("the cut went unnoticed")
		}
		if !wire.Lost(err) {
			t.Fatal(err)
		}
		if err := r.run(t.Context()); err != nil {
			t.Fatalf("resumed: %v", err)
		}
		compare(t, r.result(), outcome(s))
	})
	return there
}

func TestAnAckWithAnErrorEndsTheClone(t *testing.T) {
	s := small()
	play := s.Play()
	d := Start(t, Options{Play: play})
	r := newRecipient(d.Config(), 0)
	ctx := t.Context()
	first, err := r.connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	aux, err := r.connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.begin(ctx, first); err != nil {
		t.Fatal(err)
	}
	r.ended[0] = false
	cancelled := false
	err = r.execute(ctx, first, aux, 0, func() {
		cancelled = true
		body := wire.Ack{Errno: wire.ErrnoInterrupted, Locator: r.locator}.Append(nil)
		if err := ask(ctx, aux, wire.CommandAck, body, nothing); err != nil {
			t.Error(err)
		}
	})
	var donor *wire.DonorError
	if !cancelled || !errors.As(err, &donor) || donor.Number != wire.ErrnoInterrupted || play.Aborted() != wire.ErrnoInterrupted {
		t.Fatalf("cancelled: %v, %v, donor aborted with %d", cancelled, err, play.Aborted())
	}
	if err := errors.Join(first.Close(), aux.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestASecondRecipientIsRefusedWhileTheFirstIsThere(t *testing.T) {
	s := small()
	d := Start(t, Options{Play: s.Play(), Faults: []*Fault{{Lane: Main, Response: 30, Do: Stall(0)}}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- newRecipient(d.Config(), 0).run(ctx) }()
	for len(d.Requests()) < 2 {
		time.Sleep(time.Millisecond)
	}
	var refused *wire.DonorError
	if err := newRecipient(d.Config(), 0).run(ctx); !errors.As(err, &refused) || refused.Number != errnoTooMany {
		t.Errorf("the second: %v", err)
	}
	for !d.options.Faults[0].Met() {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the first: %v", err)
	}
}

func TestKeepAlivesComeWhileTheDonorWaits(t *testing.T) {
	s := small()
	s.KeepAlives = 10 * time.Millisecond
	s.Workers = 1 // who never comes
	d := Start(t, Options{Play: s.Play()})
	r := newRecipient(d.Config(), 0)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first, err := r.connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	aux, err := r.connect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.begin(ctx, first); err != nil {
		t.Fatal(err)
	}
	if err := first.Send(ctx, wire.CommandExecute, nil); err != nil {
		t.Fatal(err)
	}
	for alive := 0; alive < 3; {
		resp, err := first.Receive(ctx, idle)
		if err != nil {
			t.Fatal(err)
		}
		_, _, described, err := wire.ParseDescriptor(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if st, is := described.(*wire.State); is && st.Ack {
			alive++
		} else if is && !st.Start {
			if err := ask(ctx, aux, wire.CommandAck, st.AckBody(r.locator), nothing); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(first.Close(), aux.Close()); err != nil {
		t.Fatal(err)
	}
}
