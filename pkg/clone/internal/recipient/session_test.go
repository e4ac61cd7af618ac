package recipient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"runner/pkg/clone/internal/donor"
	"runner/pkg/clone/internal/wire"
	"runner/pkg/innodb/innodbtest"
)

func TestASessionIsPulledWholeOverAnyNumberOfConnections(t *testing.T) {
	for _, threads := range []int{1, 2, 4, 16} {
		t.Run(fmt.Sprint(threads), func(t *testing.T) {
			s := small()
			s.Workers = threads - 1
			tr := &trial{play: s.Play(), o: Options{Threads: threads, CheckPages: true}}
			r := tr.pull(t)
			want := outcome(s)
			same(t, tr.sink, want)
			if r.Files != len(want) || r.Resumed != 0 || r.Connection != threads || len(r.Stages) != 3 || r.Encrypted || r.Network == 0 {
				t.Errorf("result is %+v", r)
			}
			if r.Pages.Checked == 0 || len(r.Pages.Bad) != 0 {
				t.Errorf("pages: %+v", r.Pages)
			}
			if ext := []External{{"/elsewhere/d/far.ibd", "d/far.ibd"}}; !slices.Equal(r.External, ext) {
				t.Errorf("outside of the data directory: %v", r.External)
			}
			if tr.sink.folders["dropped"] || !tr.sink.folders["mysql"] {
				t.Errorf("folders are %v", tr.sink.folders)
			}
		})
	}
}

func TestStagesSayHowManyBytesCame(t *testing.T) {
	s := small()
	r := (&trial{play: s.Play()}).pull(t)
	files := 0
	for i, f := range s.Files {
		if i != 5 { // deleted before it was sent
			files += len(f.Content)
		}
	}
	want := map[wire.StateKind]int64{wire.StateFileCopy: int64(files), wire.StatePageCopy: 9 * page, wire.StateRedoCopy: 2048 + 2048 + 512}
	for _, st := range r.Stages {
		if st.Bytes != want[st.State] || st.Estimate != st.Bytes || st.End.Before(st.Begin) {
			t.Errorf("%s: %+v, want %d bytes", st.State, st, want[st.State])
		}
	}
}

func TestMomentsEncloseTheSnapshot(t *testing.T) {
	s := small()
	play := s.Play()
	var at []string
	tr := &trial{play: play, o: Options{At: func(_ context.Context, m Moment) {
		at = append(at, fmt.Sprint(m, play.State()))
	}}}
	tr.pull(t)
	if want := []string{fmt.Sprint(BeforeSnapshot, wire.StatePageCopy), fmt.Sprint(AfterSnapshot, wire.StateRedoCopy)}; !slices.Equal(at, want) {
		t.Errorf("moments are %v, want %v", at, want)
	}
}

func TestSizesAreRoundedToExtentsAboveOne(t *testing.T) {
	zip := tablespace(1, "d/t.ibd", 0)
	for name, c := range map[string]struct {
		fsp        uint32
		size, want int64
	}{
		"an extent of 4 KiB pages":                  {fsp4K, 1 << 20, 1 << 20},
		"less than one":                             {fsp4K, 3 * page, 3 * page},
		"a page more":                               {fsp4K, 1<<20 + page, 2 << 20},
		"8 KiB pages":                               {0x4021 | 4<<6, 1<<20 + 8<<10, 2 << 20},
		"16 KiB pages":                              {fsp16K, 5<<20 + 16<<10, 6 << 20},
		"32 KiB pages have extents of 2 MiB":        {0x4021 | 6<<6, 2<<20 + 32<<10, 4 << 20},
		"64 KiB pages have extents of 4 MiB":        {0x4021 | 7<<6, 4<<20 + 64<<10, 8 << 20},
		"64 KiB pages, less than an extent":         {0x4021 | 7<<6, 3 << 20, 3 << 20},
		"8 KiB of 16 KiB have extents of 512 KiB":   {fsp16KZip8, 512<<10 + 8<<10, 1 << 20},
		"1 KiB of 16 KiB have extents of 64 KiB":    {0x4021 | 1<<1, 64<<10 + 1<<10, 128 << 10},
		"4 KiB of 4 KiB":                            {0x4021 | 3<<1 | 3<<6, 1<<20 + 4<<10, 2 << 20},
		"what is no tablespace keeps its size":      {wire.NoFSPFlags, 1<<20 + 1, 1<<20 + 1},
		"2 KiB of 16 KiB are extents of 128 KiB":    {0x4021 | 2<<1, 129 << 10, 256 << 10},
		"exactly three extents of 64 KiB pages":     {0x4021 | 7<<6, 12 << 20, 12 << 20},
		"a tablespace of one extent of small pages": {0x4021 | 1<<1, 64 << 10, 64 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			f := zip
			f.FSPFlags, f.Size = c.fsp, uint64(c.size)
			if c.fsp == wire.NoFSPFlags {
				f.SpaceID, f.Name = wire.SpaceIDBufferPool, "d/dump"
			}
			tr := &trial{play: (&donor.Session{Files: []donor.File{f}}).Play()}
			tr.pull(t)
			if got := int64(len(tr.sink.files[f.Name])); got != c.want {
				t.Errorf("%d bytes, want %d", got, c.want)
			}
		})
	}
}

func TestAFileGrowsToWhatItsFirstPageSays(t *testing.T) {
	f := tablespace(1, "d/t.ibd", 3, 0)
	f.Grown = 9 * page
	tr := &trial{play: (&donor.Session{PageSize: page, Files: []donor.File{f}}).Play()}
	tr.pull(t)
	same(t, tr.sink, map[string][]byte{
		"#innodb_redo/#ib_redo0": redo(),
		"d/t.ibd":                append(changed(bytes.Clone(f.Content), f.Pages), make([]byte, 6*page)...),
	})
}

// Page 0, which comes with the new size, may come over a slower connection, and has nothing to say of later files of the
// system tablespace.
func TestPagesOfWhatAFileHasGrownByComeBeforeItsSize(t *testing.T) {
	f := tablespace(1, "d/t.ibd", 3, 7)
	tr := &trial{play: (&donor.Session{PageSize: page, Files: []donor.File{f}}).Play(), o: Options{CheckPages: true}}
	r := tr.pull(t)
	same(t, tr.sink, map[string][]byte{
		"#innodb_redo/#ib_redo0": redo(),
		"d/t.ibd":                changed(bytes.Clone(f.Content), f.Pages),
	})
	if len(r.Pages.Bad) > 0 {
		t.Errorf("%+v", r.Pages)
	}
}

// What waits too long for its share is cut off by the donor.
func TestASmallBandwidthIsSharedByFewConnections(t *testing.T) {
	for bandwidth, want := range map[int64]int{0: 64, 1 << 10: 1, 1 << 20: 4, 8 << 20: 39, 1 << 30: 64} {
		s, err := newSession(Options{Threads: 64, Bandwidth: bandwidth}, &memory{})
		if err != nil || s.o.Threads != want {
			t.Errorf("%d bytes a second are shared by %d (%v), want %d", bandwidth, s.o.Threads, err, want)
		}
	}
}

func TestFilesOutsideOfTheDataDirectoryLieWhereAServerFindsThem(t *testing.T) {
	const shared = fsp4K | 1<<11
	files := []struct {
		name, want string
		flags      uint32
	}{
		{"/ext/shop/a.ibd", "shop/a.ibd", fsp4K},
		{"/ext/store/a.ibd", "store/a.ibd", fsp4K},
		{"/var/x/shop/a.ibd", "runner-external/0/shop/a.ibd", fsp4K}, // the path is taken
		{"/ext/general.ibd", "general.ibd", shared},
		{"/var/general.ibd", "general.2.ibd", shared},
		{"/ext/inside.ibd", "inside.2.ibd", shared}, // moves when the one inside comes
		{"inside.ibd", "inside.ibd", shared},
		{"./shop/b.ibd", "shop/b.ibd", fsp4K},
		{"/var/x/general.3.ibd", "general.3.ibd", shared},
		{"/var/x/general.ibd", "general.4.ibd", shared},
	}
	s := &donor.Session{PageSize: page}
	want, outside := map[string][]byte{"#innodb_redo/#ib_redo0": redo()}, []External{}
	for i, f := range files {
		space := tablespace(uint32(i)+1, f.name, 2)
		space.FSPFlags = f.flags
		s.Files = append(s.Files, space)
		want[f.want] = space.Content
		if path.IsAbs(f.name) {
			outside = append(outside, External{f.name, f.want})
		}
	}
	tr := &trial{play: s.Play()}
	r := tr.pull(t)
	same(t, tr.sink, want)
	if !slices.Equal(r.External, outside) {
		t.Errorf("outside are %v, want %v", r.External, outside)
	}
}

func TestExternalFilesAreListedAsTheyAreInTheEnd(t *testing.T) {
	s := &donor.Session{PageSize: page, Files: []donor.File{tablespace(1, "/e/d/a.ibd", 2), tablespace(2, "/e/d/b.ibd", 2), tablespace(3, "/e/d/c.ibd", 2)}}
	renamed := ddl(named(s.Files[0], "/e/d/z.ibd"), 0, wire.FlagRenamed)
	s.PageChanges = []donor.File{renamed, renamed, ddl(s.Files[1], 1, wire.FlagDeleted), ddl(named(s.Files[2], "./d/c.ibd"), 2, wire.FlagRenamed)}
	r := (&trial{play: s.Play()}).pull(t)
	if want := []External{{"/e/d/z.ibd", "d/z.ibd"}}; !slices.Equal(r.External, want) {
		t.Errorf("what is outside: %v", r.External)
	}
}

func TestPagesOfASystemTablespaceOfSeveralFilesAreNumberedThrough(t *testing.T) {
	all := innodbtest.File(0, 9, page)
	first, second, third := tablespace(0, "ibdata1", 0), tablespace(0, "ibdata2", 0), tablespace(0, "ibdata3", 0)
	first.Content, second.Content, third.Content = all[:4*page], all[4*page:6*page], all[6*page:]
	s := &donor.Session{PageSize: page, Files: []donor.File{first, tablespace(1, "./d/t.ibd", 3), second, third}}
	tr := &trial{play: s.Play(), o: Options{CheckPages: true}}
	r := tr.pull(t)
	if r.Pages.Checked != 12 || len(r.Pages.Bad) != 0 {
		t.Errorf("pages: %+v", r.Pages)
	}
	if got := slices.Concat(tr.sink.files["ibdata1"], tr.sink.files["ibdata2"], tr.sink.files["ibdata3"]); !bytes.Equal(got, all) {
		t.Error("the system tablespace differs")
	}
}

func TestPagesThatAreBadInTheEndAreListed(t *testing.T) {
	s := &donor.Session{PageSize: page, Files: []donor.File{
		tablespace(1, "./d/a.ibd", 40, 2, 3), tablespace(2, "./d/dropped.ibd", 3), tablespace(3, "./d/b.ibd", 3),
	}}
	for _, n := range []int{1, 2, 30, 31, 32, 33} {
		s.Files[0].Content[n*page+100] ^= 1 // page 2 is sent again, and is good then
	}
	s.Files[0].Pages[3][100] ^= 1
	s.Files[1].Content[page+100] ^= 1
	s.Files[2].Content[2*page+100] ^= 1
	s.PageChanges = []donor.File{ddl(s.Files[1], 1, wire.FlagDeleted), ddl(named(s.Files[2], "./e/c.ibd"), 2, wire.FlagRenamed)}
	r := (&trial{play: s.Play(), o: Options{CheckPages: true}}).pull(t)
	var want []BadPage
	for _, n := range []uint32{1, 3, 30, 31, 32, 33} {
		want = append(want, BadPage{Path: "d/a.ibd", Page: n, SpaceID: 1})
	}
	want = append(want, BadPage{Path: "e/c.ibd", Page: 2, SpaceID: 3})
	if !slices.Equal(r.Pages.Bad, want) || r.Pages.Checked != 40+3+3+2 {
		t.Errorf("pages: %+v", r.Pages)
	}
}

func TestZerosOfAFileAreNotWritten(t *testing.T) {
	f := tablespace(1, "./d/t.ibd", 0)
	f.Content = make([]byte, 300*page)
	copy(f.Content[64*page:], innodbtest.Page(1, 64, 7, page, 1))
	tr := &trial{play: (&donor.Session{PageSize: page, Files: []donor.File{f}}).Play()}
	tr.pull(t)
	writes := 0
	for _, call := range tr.sink.calls {
		if strings.HasPrefix(call, "write d/t.ibd") {
			writes++
		}
	}
	if writes != 1 {
		t.Errorf("%d writes", writes)
	}
	if got := tr.sink.files["d/t.ibd"]; len(got) != 2<<20 || !bytes.Equal(got[:len(f.Content)], f.Content) {
		t.Errorf("%d bytes, or they differ", len(got))
	}
}

// A page of zeros that is sent again is not one that has always been zeros.
func TestAPageThatBecomesZerosIsWritten(t *testing.T) {
	f := tablespace(1, "./d/t.ibd", 3)
	f.Pages = map[uint32][]byte{2: make([]byte, page)}
	tr := &trial{play: (&donor.Session{PageSize: page, Files: []donor.File{f}}).Play()}
	tr.pull(t)
	if got := tr.sink.files["d/t.ibd"]; !bytes.Equal(got, changed(bytes.Clone(f.Content), f.Pages)) {
		t.Error("the page is what it was before")
	}
}

func TestSeveralRedoFilesHaveTheirSizes(t *testing.T) {
	s := &donor.Session{
		PageSize: page, Redo: []donor.RedoFile{{Size: 64 << 10}, {Size: 64 << 10}, {Size: 8 << 10}},
		RedoExtents: []donor.Extent{
			{File: 0, Offset: 4096, Bytes: []byte("abc")},
			{File: 1, Offset: 2048, Bytes: []byte("defg")},
			{File: 0, Offset: 0, Bytes: []byte("header")},
			{File: 2, Offset: 2048, Bytes: []byte("end")},
		},
		Files: []donor.File{tablespace(1, "./d/t.ibd", 2)}, Workers: 2,
	}
	tr := &trial{play: s.Play(), o: Options{Threads: 3}}
	tr.pull(t)
	at := func(size int, parts map[int]string) []byte {
		b := make([]byte, size)
		for off, text := range parts {
			copy(b[off:], text)
		}
		return b
	}
	same(t, tr.sink, map[string][]byte{
		"d/t.ibd":                s.Files[0].Content,
		"#innodb_redo/#ib_redo0": at(64<<10, map[int]string{0: "header", 4096: "abc"}),
		"#innodb_redo/#ib_redo1": at(64<<10, map[int]string{2048: "defg"}),
		"#innodb_redo/#ib_redo2": at(8<<10, map[int]string{2048: "end"}),
	})
}

func TestADonorWithoutAnyFileIsPulled(t *testing.T) {
	tr := &trial{play: (&donor.Session{}).Play(), o: Options{Threads: 2}}
	tr.pull(t)
	same(t, tr.sink, map[string][]byte{"#innodb_redo/#ib_redo0": redo()})
}

func TestAFileOutsideIsRefusedWhereTheOptionsSaySo(t *testing.T) {
	inside := tablespace(1, "./d/a.ibd", 3)
	made := tablespace(2, "/e/d/b.ibd", 0, 0)
	made.Size = 7 * page
	for name, s := range map[string]*donor.Session{
		"there from the beginning": {PageSize: page, Files: []donor.File{inside, tablespace(2, "/e/d/b.ibd", 3)}},
		"beside the data folder":   {PageSize: page, Files: []donor.File{inside, tablespace(2, "../e/b.ibd", 3)}},
		"made by DDL":              {PageSize: page, Files: []donor.File{inside}, PageChanges: []donor.File{ddl(made, 1, 0)}},
		"moved there by DDL":       {PageSize: page, Files: []donor.File{inside}, PageChanges: []donor.File{ddl(named(inside, "/e/d/a.ibd"), 0, wire.FlagRenamed)}},
	} {
		_, err := (&trial{play: s.Play(), o: Options{RefuseOutside: true}}).run(t)
		if !errors.Is(err, ErrOutside) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}
