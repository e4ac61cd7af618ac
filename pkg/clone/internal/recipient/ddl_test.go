package recipient

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"testing"

	"runner/pkg/clone/internal/donor"
	"runner/pkg/clone/internal/wire"
)

// castagnoli is CRC-32C.
func castagnoli(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// initialFile is a file as CLONE-PROTOCOL, section 7, wants one that DDL has made.
func initialFile(size, pageSize int, id, fsp, version uint32, compressed bool) []byte {
	b := make([]byte, size)
	p := b[:pageSize]
	be := binary.BigEndian
	be.PutUint32(p[8:], version)
	be.PutUint32(p[12:], 1)
	be.PutUint32(p[34:], id)
	be.PutUint32(p[38:], id)
	be.PutUint32(p[54:], fsp)
	if compressed {
		be.PutUint32(p, castagnoli(p[4:16])^castagnoli(p[24:26])^castagnoli(p[34:]))
		return b
	}
	sum := castagnoli(p[4:26]) ^ castagnoli(p[38:pageSize-8])
	be.PutUint32(p, sum)
	be.PutUint32(p[pageSize-8:], sum)
	return b
}

// undoID is the number of an undo tablespace.
const undoID = wire.SpaceIDRedo - 1

// fresh is a file that DDL has made.
func fresh(id uint32, name string, index, fsp uint32) donor.File {
	f := tablespace(id, name, 0)
	f.Index, f.FSPFlags = index, fsp
	return f
}

// ddlCase is what DDL does to three files, a, b and c, with numbers 1, 2 and 3 in a folder d.
type ddlCase struct {
	name       string
	before     func(files []donor.File) // the copy of files; nil: as they are
	page, redo func(files []donor.File) []donor.File
	want       func(files []donor.File) map[string][]byte // besides the redo log
	gone       []string                                   // folders
}

func contents(files []donor.File, paths ...string) map[string][]byte {
	all := map[string][]byte{}
	for i, p := range paths {
		if p != "" {
			all[p] = files[i].Content
		}
	}
	return all
}

func with(all map[string][]byte, p string, b []byte) map[string][]byte {
	all[p] = b
	return all
}

var ddlCases = []ddlCase{ //nolint:gochecknoglobals // a table
	{
		name: "deleted while files are copied, told for each of its chunks, and then for good", before: func(f []donor.File) { f[1].Gone = true },
		page: func(f []donor.File) []donor.File { return []donor.File{ddl(f[1], 1, wire.FlagDeleted)} },
		want: func(f []donor.File) map[string][]byte { return contents(f, "d/a.ibd", "", "d/c.ibd") },
	},
	{
		name: "deleted in the middle, and never for good", before: func(f []donor.File) { f[1].Gone = true },
		want: func(f []donor.File) map[string][]byte {
			return with(contents(f, "d/a.ibd", "", "d/c.ibd"), "d/b.ibd", make([]byte, len(f[1].Content)))
		},
	},
	{
		name: "deleted, told twice, the second time as renamed too",
		page: func(f []donor.File) []donor.File {
			return []donor.File{ddl(f[0], 0, wire.FlagDeleted), ddl(named(f[0], "./x/y.ibd"), 0, wire.FlagDeleted|wire.FlagRenamed)}
		},
		want: func(f []donor.File) map[string][]byte { return contents(f, "", "d/b.ibd", "d/c.ibd") },
	},
	{
		name: "renamed, told twice",
		page: func(f []donor.File) []donor.File {
			return []donor.File{ddl(named(f[0], "./d/z.ibd"), 0, wire.FlagRenamed), ddl(named(f[0], "./d/z.ibd"), 0, wire.FlagRenamed)}
		},
		want: func(f []donor.File) map[string][]byte { return contents(f, "d/z.ibd", "d/b.ibd", "d/c.ibd") },
	},
	{
		name: "renamed after it was deleted",
		page: func(f []donor.File) []donor.File {
			return []donor.File{ddl(f[0], 0, wire.FlagDeleted), ddl(named(f[0], "./d/z.ibd"), 0, wire.FlagRenamed)}
		},
		want: func(f []donor.File) map[string][]byte { return contents(f, "", "d/b.ibd", "d/c.ibd") },
	},
	{
		name: "renamed to the name that it has",
		page: func(f []donor.File) []donor.File { return []donor.File{ddl(f[0], 0, wire.FlagRenamed)} },
		want: func(f []donor.File) map[string][]byte { return contents(f, "d/a.ibd", "d/b.ibd", "d/c.ibd") },
	},
	{
		name: "all renamed into another folder, where none was",
		page: func(f []donor.File) []donor.File {
			var all []donor.File
			for i, name := range []string{"./e/f/a.ibd", "./e/f/b.ibd", "./e/f/c.ibd"} {
				all = append(all, ddl(named(f[i], name), uint32(i), wire.FlagRenamed))
			}
			return all
		},
		want: func(f []donor.File) map[string][]byte { return contents(f, "e/f/a.ibd", "e/f/b.ibd", "e/f/c.ibd") },
		gone: []string{"d"},
	},
	{
		name: "renamed and larger",
		page: func(f []donor.File) []donor.File {
			g := ddl(named(f[0], "./d/z.ibd"), 0, wire.FlagRenamed)
			g.Size = 9 * page
			return []donor.File{g}
		},
		want: func(f []donor.File) map[string][]byte {
			return with(contents(f, "", "d/b.ibd", "d/c.ibd"), "d/z.ibd", append(bytes.Clone(f[0].Content), make([]byte, 3*page)...))
		},
	},
	{
		name: "renamed, and told as smaller than it is known to be",
		page: func(f []donor.File) []donor.File {
			g := ddl(named(f[0], "./d/z.ibd"), 0, wire.FlagRenamed)
			g.Size = page
			return []donor.File{g}
		},
		want: func(f []donor.File) map[string][]byte { return contents(f, "d/z.ibd", "d/b.ibd", "d/c.ibd") },
	},
	{
		name: "two that swap their names",
		page: func(f []donor.File) []donor.File {
			return []donor.File{ddl(named(f[0], "./d/b.ibd"), 0, wire.FlagRenamed), ddl(named(f[1], "./d/a.ibd"), 1, wire.FlagRenamed)}
		},
		want: func(f []donor.File) map[string][]byte { return contents(f, "d/b.ibd", "d/a.ibd", "d/c.ibd") },
	},
	{
		name: "three in a circle, once in each batch",
		page: func(f []donor.File) []donor.File {
			return []donor.File{
				ddl(named(f[0], "./d/b.ibd"), 0, wire.FlagRenamed), ddl(named(f[1], "./d/c.ibd"), 1, wire.FlagRenamed),
				ddl(named(f[2], "./d/a.ibd"), 2, wire.FlagRenamed),
			}
		},
		redo: func(f []donor.File) []donor.File {
			return []donor.File{
				ddl(named(f[0], "./d/c.ibd"), 0, wire.FlagRenamed), ddl(named(f[1], "./d/a.ibd"), 1, wire.FlagRenamed),
				ddl(named(f[2], "./d/b.ibd"), 2, wire.FlagRenamed),
			}
		},
		want: func(f []donor.File) map[string][]byte { return contents(f, "d/c.ibd", "d/a.ibd", "d/b.ibd") },
	},
	{
		name: "one name deleted, renamed away and made anew in one batch",
		page: func(f []donor.File) []donor.File {
			dead := fresh(8, "./d/a.ibd", 3, fsp4K)
			dead.Flags = wire.FlagDeleted
			return []donor.File{ddl(named(f[0], "./d/b.ibd"), 0, wire.FlagRenamed), ddl(f[1], 1, wire.FlagDeleted), dead, fresh(9, "./d/a.ibd", 4, fsp4K)}
		},
		want: func(f []donor.File) map[string][]byte {
			return with(contents(f, "d/b.ibd", "", "d/c.ibd"), "d/a.ibd", initialFile(7*page, page, 9, fsp4K, 90704, false))
		},
	},
	{
		name: "made and dropped again, in front of one that stays",
		page: func(f []donor.File) []donor.File {
			dead := fresh(8, "./x/t.ibd", 3, fsp4K)
			dead.Flags = wire.FlagDeleted
			return []donor.File{dead, fresh(9, "./x/t.ibd", 4, fsp4K)}
		},
		redo: func([]donor.File) []donor.File {
			again := fresh(8, "./x/t.ibd", 3, fsp4K)
			again.Flags = wire.FlagDeleted
			return []donor.File{again}
		},
		want: func(f []donor.File) map[string][]byte {
			return with(contents(f, "d/a.ibd", "d/b.ibd", "d/c.ibd"), "x/t.ibd", initialFile(7*page, page, 9, fsp4K, 90704, false))
		},
	},
	{
		name: "made before the pages, renamed before the redo log",
		page: func([]donor.File) []donor.File { return []donor.File{fresh(9, "./x/t.ibd", 3, fsp4K)} },
		redo: func([]donor.File) []donor.File {
			return []donor.File{ddl(fresh(9, "./y/t.ibd", 3, fsp4K), 3, wire.FlagRenamed), fresh(10, "./x/t.ibd", 4, fsp4K)}
		},
		want: func(f []donor.File) map[string][]byte {
			all := with(contents(f, "d/a.ibd", "d/b.ibd", "d/c.ibd"), "y/t.ibd", initialFile(7*page, page, 9, fsp4K, 90704, false))
			return with(all, "x/t.ibd", initialFile(7*page, page, 10, fsp4K, 90704, false))
		},
	},
	{
		name: "all dropped before the redo log",
		redo: func(f []donor.File) []donor.File {
			return []donor.File{ddl(f[0], 0, wire.FlagDeleted), ddl(f[1], 1, wire.FlagDeleted), ddl(f[2], 2, wire.FlagDeleted)}
		},
		want: func([]donor.File) map[string][]byte { return map[string][]byte{} },
		gone: []string{"d"},
	},
	{
		name: "made outside of the data directory",
		page: func([]donor.File) []donor.File { return []donor.File{fresh(9, "/x/d/t.ibd", 3, fsp4K)} },
		want: func(f []donor.File) map[string][]byte {
			return with(contents(f, "d/a.ibd", "d/b.ibd", "d/c.ibd"), "d/t.ibd", initialFile(7*page, page, 9, fsp4K, 90704, false))
		},
	},
}

// abc are the files of a ddlCase: six pages each.
func abc() []donor.File {
	return []donor.File{tablespace(1, "./d/a.ibd", 6), tablespace(2, "./d/b.ibd", 6), tablespace(3, "./d/c.ibd", 6)}
}

func (c ddlCase) session(files []donor.File) *donor.Session {
	s := &donor.Session{PageSize: page, BlockPages: 2, ChunkPages: 2, Files: files}
	if c.before != nil {
		c.before(s.Files)
	}
	if c.page != nil {
		s.PageChanges = c.page(files)
	}
	if c.redo != nil {
		s.RedoChanges = c.redo(files)
	}
	return s
}

func TestWhatDDLDoesIsDoneToTheCopy(t *testing.T) {
	for _, c := range ddlCases {
		for name, faults := range map[string]func() []*donor.Fault{
			"": func() []*donor.Fault { return nil },
			", cut within the batch": func() []*donor.Fault {
				return []*donor.Fault{{Lane: donor.Main, Nth: 0, Response: -1, When: ofNextState, Do: donor.Cut}}
			},
			", cut behind the batch": func() []*donor.Fault {
				return []*donor.Fault{{Lane: donor.Main, Nth: 0, Response: -1, When: donor.StateOf(wire.StatePageCopy, true), Do: donor.Cut}}
			},
		} {
			if c.page == nil && name == ", cut within the batch" {
				continue
			}
			t.Run(c.name+name, func(t *testing.T) {
				files := abc()
				tr := &trial{play: c.session(files).Play(), donor: donor.Options{Faults: faults()}, o: Options{CheckPages: true}}
				r := tr.pull(t)
				want := c.want(files)
				want["#innodb_redo/#ib_redo0"] = redo()
				same(t, tr.sink, want)
				for _, dir := range c.gone {
					if tr.sink.folders[dir] {
						t.Errorf("the folder %s is still there", dir)
					}
				}
				if r.Files != len(want) || r.Resumed != len(tr.donor.Faults) {
					t.Errorf("%d files, resumed %d times", r.Files, r.Resumed)
				}
			})
		}
	}
}

// ofNextState is for the second description of what DDL did, or the only one.
func ofNextState(r wire.Response) bool {
	if r.Kind != wire.ResponseDescriptor {
		return false
	}
	_, _, d, err := wire.ParseDescriptor(r.Body)
	f, is := d.(*wire.File)
	return err == nil && is && f.State == wire.StatePageCopy
}

func TestAFileThatDDLHasMadeBeginsWithInitialPages(t *testing.T) {
	for name, c := range map[string]struct {
		id, fsp            uint32
		size, page, donors int // donors: the size that is told
		version            string
		number             uint32
		compressed         bool
	}{
		"4 KiB":                      {9, fsp4K, 28 << 10, 4 << 10, 0, "9.7.4", 90704, false},
		"8 KiB":                      {9, 0x4021 | 4<<6, 56 << 10, 8 << 10, 0, "8.0.27", 80027, false},
		"16 KiB":                     {9, fsp16K, 112 << 10, 16 << 10, 0, "8.4.3", 80403, false},
		"32 KiB":                     {9, 0x4021 | 6<<6, 224 << 10, 32 << 10, 0, "9.7.4", 90704, false},
		"64 KiB":                     {9, 0x4021 | 7<<6, 448 << 10, 64 << 10, 0, "9.7.4", 90704, false},
		"8 KiB of 16 KiB":            {9, fsp16KZip8, 56 << 10, 8 << 10, 0, "8.0.36-28.1", 80036, true},
		"1 KiB of 16 KiB":            {9, 0x4021 | 1<<1, 7 << 10, 1 << 10, 0, "9.7.4", 90704, true},
		"undo":                       {undoID, fsp16K, 16 << 20, 16 << 10, 0, "9.7.4", 90704, false},
		"undo with 4 KiB":            {undoID, fsp4K, 16 << 20, 4 << 10, 0, "9.7.4", 90704, false},
		"larger than seven pages":    {9, fsp16K, 1 << 20, 16 << 10, 1 << 20, "9.7.4", 90704, false},
		"larger than an extent":      {9, fsp16K, 3 << 20, 16 << 10, 2<<20 + 16<<10, "9.7.4", 90704, false},
		"undo larger than at first":  {undoID, fsp16K, 32 << 20, 16 << 10, 32 << 20, "9.7.4", 90704, false},
		"a calendar version's":       {9, fsp16K, 112 << 10, 16 << 10, 0, "26.7.0", 260700, false},
		"compressed, largest extent": {9, fsp16KZip8, 1 << 20, 8 << 10, 1 << 20, "9.7.4", 90704, true},
	} {
		t.Run(name, func(t *testing.T) {
			made := "d/new.ibd"
			if c.id == undoID {
				made = "new.ibu"
			}
			f := fresh(c.id, "./"+made, 1, c.fsp)
			f.Size = uint64(c.donors)
			s := &donor.Session{PageSize: page, Files: []donor.File{tablespace(1, "./d/a.ibd", 2)}, PageChanges: []donor.File{f}}
			tr := &trial{play: s.Play(), donor: donor.Options{Version: c.version}}
			tr.pull(t)
			want := initialFile(c.size, c.page, c.id, c.fsp, c.number, c.compressed)
			if got := tr.sink.files[made]; !bytes.Equal(got, want) {
				t.Errorf("%d bytes, want %d; they differ at %d", len(got), len(want), differs(got[:min(len(got), len(want))], want))
			}
		})
	}
}

func TestAnIndexThatIsOutOfSequenceIsRefused(t *testing.T) {
	for name, s := range map[string]*donor.Session{
		"before the pages":    {PageChanges: []donor.File{fresh(9, "./x.ibd", 4, fsp4K)}},
		"before the redo log": {RedoChanges: []donor.File{fresh(9, "./x.ibd", 1<<31, fsp4K)}},
		"a dead one":          {PageChanges: []donor.File{ddl(fresh(9, "./x.ibd", 0, fsp4K), 5, wire.FlagDeleted)}},
		"a renamed one":       {PageChanges: []donor.File{ddl(fresh(9, "./x.ibd", 0, fsp4K), 1<<32-1, wire.FlagRenamed)}},
	} {
		t.Run(name, func(t *testing.T) {
			s.PageSize, s.Files = page, abc()
			_, err := (&trial{play: s.Play()}).run(t)
			refused(t, err)
		})
	}
}

// refused wants an error of the protocol.
func refused(t testing.TB, err error) {
	t.Helper()
	var protocol *wire.ProtocolError
	if !errors.As(err, &protocol) {
		t.Errorf("error is %v (%T)", err, err)
	}
}

// A connection may send what it has of a file of whose deletion another was told.
func TestDataOfAFileThatWasDeletedGoesNowhere(t *testing.T) {
	files := abc()
	s := &donor.Session{PageSize: page, BlockPages: 2, Files: files, PageChanges: []donor.File{ddl(files[1], 1, wire.FlagDeleted)}}
	gone := files[1].File
	gone.State, gone.Index, gone.FirstChunk, gone.LastChunk, gone.Flags = wire.StateFileCopy, 1, 2, 2, wire.FlagDeleted
	tr := &trial{play: s.Play(), donor: donor.Options{Faults: []*donor.Fault{{
		Lane: donor.Main, Response: -1, When: dataOfFile(1, 2*2*page),
		Do: donor.Also(wire.ResponseDescriptor, wire.AppendDescriptor(nil, 0, &gone)),
	}}}}
	tr.pull(t)
	if slices.ContainsFunc(tr.sink.calls, func(call string) bool { return call == "write d/b.ibd 16384+8192" }) {
		t.Errorf("it was written to: %v", tr.sink.calls)
	}
	want := contents(files, "d/a.ibd", "", "d/c.ibd")
	want["#innodb_redo/#ib_redo0"] = redo()
	same(t, tr.sink, want)
}

// dataOfFile is for the description of data at an offset of a file, while files are copied.
func dataOfFile(index uint32, offset uint64) func(wire.Response) bool {
	return func(r wire.Response) bool {
		var d wire.Data
		is, err := wire.ParseDataInto(r.Body, &d)
		return r.Kind == wire.ResponseDescriptor && is && err == nil && d.File == index && d.Offset == offset && d.State == wire.StateFileCopy
	}
}

func TestAFileThatBecomesEncryptedHasItsKeySealedFromThenOn(t *testing.T) {
	files := abc()
	files[0].Pages = map[uint32][]byte{0: clearKey(bytes.Clone(files[0].Content[:page]))}
	s := &donor.Session{PageSize: page, Files: files, PageChanges: []donor.File{ddl(files[0], 0, wire.FlagAES)}}
	tr := &trial{play: s.Play(), o: Options{CheckPages: true}}
	r := tr.pull(t)
	if !r.Encrypted {
		t.Error("nobody says that it is encrypted")
	}
	sealedIn(t, tr.sink, "d/a.ibd", keyBlock4K)
}
