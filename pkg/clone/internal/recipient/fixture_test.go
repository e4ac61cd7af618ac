package recipient

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"runner/pkg/clone/internal/donor"
	"runner/pkg/clone/internal/wire"
	"runner/pkg/innodb/innodbtest"
)

// page is the size of pages in most of these sessions.
const page = 4 << 10

// Flags of tablespaces: SDI, atomic blobs, not antelope; size of pages; size of compressed pages.
const (
	fsp4K      = 0x4021 | 3<<6
	fsp16K     = 0x4021
	fsp16KZip8 = 0x4021 | 4<<1
)

// tablespace is a file with so many pages, of which some are sent again, changed.
func tablespace(id uint32, name string, pages int, change ...uint32) donor.File {
	f := donor.File{File: wire.File{Name: name, SpaceID: id, FSPFlags: fsp4K, BlockSize: page}, Pages: map[uint32][]byte{}}
	if pages > 0 {
		f.Content = innodbtest.File(id, uint32(pages), page)
	}
	for _, n := range change {
		f.Pages[n] = innodbtest.Page(id, n, 5000+uint64(n), page, 0x55)
		if n == 0 {
			f.Pages[n] = innodbtest.Header(id, uint32(max(pages, 1)), 5000, page)
		}
	}
	return f
}

// ddl is what DDL does to a file.
func ddl(f donor.File, index uint32, flags wire.FileFlags) donor.File {
	f.Index, f.Flags, f.Content = index, f.Flags|flags, nil
	return f
}

// named gives a file another name.
func named(f donor.File, name string) donor.File {
	f.Name = name
	return f
}

// small is a session with chunks of four pages and blocks of two, that has one of everything.
func small() *donor.Session {
	s := &donor.Session{
		PageSize: page, BlockPages: 2, ChunkPages: 4,
		Files: []donor.File{
			{File: wire.File{Name: "ib_buffer_pool", SpaceID: wire.SpaceIDBufferPool, FSPFlags: wire.NoFSPFlags}, Content: []byte("1,2\n3,4\n")},
			tablespace(0, "ibdata1", 9, 0, 5),
			tablespace(1, "./d/a.ibd", 13, 0, 12, 13),
			tablespace(2, "./d/renamed.ibd", 3),
			tablespace(3, "./dropped/t.ibd", 3),
			tablespace(4, "./d/gone.ibd", 6),
			tablespace(5, "./d/empty.ibd", 0),
			tablespace(wire.SpaceIDDictionary, "mysql.ibd", 2, 1),
			tablespace(7, "/elsewhere/d/far.ibd", 5, 2),
		},
	}
	s.Files[2].Grown = 14 * page
	s.Files[5].Gone = true
	created := tablespace(6, "./d/new.ibd", 0, 0, 3)
	created.Size = 7 * page
	s.PageChanges = []donor.File{
		ddl(named(s.Files[3], "./d/name.ibd"), 3, wire.FlagRenamed), ddl(s.Files[4], 4, wire.FlagDeleted), ddl(s.Files[5], 5, wire.FlagDeleted),
		ddl(created, 9, 0),
	}
	return s
}

// outcome is what there must be of small.
func outcome(s *donor.Session) map[string][]byte {
	paths := map[int]string{
		0: "ib_buffer_pool", 1: "ibdata1", 2: "d/a.ibd", 3: "d/name.ibd", 6: "d/empty.ibd", 7: "mysql.ibd", 8: "d/far.ibd",
	}
	all := map[string][]byte{"#innodb_redo/#ib_redo0": redo()}
	for i, p := range paths {
		all[p] = changed(bytes.Clone(s.Files[i].Content), s.Files[i].Pages)
	}
	all["d/new.ibd"] = changed(make([]byte, 7*page), s.PageChanges[3].Pages)
	return all
}

// changed puts pages into a file.
func changed(b []byte, pages map[uint32][]byte) []byte {
	for n, p := range pages {
		if need := (int(n) + 1) * len(p); need > len(b) {
			b = append(b, make([]byte, need-len(b))...)
		}
		copy(b[int(n)*len(p):], p)
	}
	return b
}

// redo is the one file of a redo log that a donor.Session sends when it is told of none.
func redo() []byte {
	b := make([]byte, 1<<20)
	copy(b, bytes.Repeat([]byte{0xCD}, 2048))
	copy(b[2048:], bytes.Repeat([]byte{0xAB}, 2048))
	copy(b[4096:], bytes.Repeat([]byte{0xEF}, 512))
	return b
}

// trial is one session that a recipient pulls.
type trial struct {
	play   donor.Play
	donor  donor.Options
	o      Options
	tune   func(*session) // nil: nothing is other than in earnest, except for short pauses
	ctx    context.Context
	sink   *memory
	server *donor.Server
}

// deadline is how long any session of a test may take: none hangs.
const deadline = 30 * time.Second

var errHangs = errors.New("the session hangs")

// run pulls what is played.
func (tr *trial) run(t testing.TB) (*Result, error) {
	t.Helper()
	tr.donor.Play = tr.play
	tr.server = donor.Start(t, tr.donor)
	if tr.sink == nil {
		tr.sink = newMemory(t)
	}
	if tr.o.Dial == nil {
		tr.o.Dial = func(ctx context.Context) (*wire.Conn, error) { return wire.Dial(ctx, tr.server.Config()) }
	}
	if tr.ctx == nil {
		tr.ctx = t.Context()
	}
	ctx, cancel := context.WithTimeoutCause(tr.ctx, deadline, errHangs)
	defer cancel()
	s, err := newSession(tr.o.withDefaults(), tr.sink)
	if err != nil {
		t.Fatal(err)
	}
	s.pause = 10 * time.Millisecond
	if tr.tune != nil {
		tr.tune(s)
	}
	r, err := s.run(ctx)
	if errors.Is(err, errHangs) {
		t.Fatal(err)
	}
	return r, err
}

// pull pulls a session that must succeed.
func (tr *trial) pull(t testing.TB) *Result {
	t.Helper()
	r, err := tr.run(t)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
