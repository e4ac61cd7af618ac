package recipient

import (
	"testing"

	"runner/pkg/clone/internal/donor"
	"runner/pkg/innodb/innodbtest"
)

// systemFile is a file of the system tablespace that begins with page first of it.
func systemFile(name string, first, pages uint32) donor.File {
	f := tablespace(0, name, int(pages))
	if first > 0 {
		f.Content = nil
		for n := range pages {
			f.Content = append(f.Content, innodbtest.Page(0, first+n, 77, page, byte(n+1))...)
		}
	}
	return f
}

// twoSystemFiles is a session with a system tablespace of files with 4 and 3 pages, which grows to so many.
func twoSystemFiles(grown uint64) *donor.Session {
	s := small()
	first := systemFile("ibdata1", 0, 4)
	first.Pages[0] = innodbtest.Header(0, uint32(grown), 5000, page)
	first.Grown = grown * page
	s.Files[1] = first
	last := systemFile("ibdata2", 4, 3)
	last.Pages[1] = innodbtest.Page(0, 5, 5001, page, 0x55)
	s.Files = append(s.Files, last)
	s.PageChanges[3].Index = uint32(len(s.Files))
	return s
}

func TestOnlyTheLastFileOfASystemTablespaceGrows(t *testing.T) {
	tr := &trial{play: twoSystemFiles(9).Play(), o: Options{CheckPages: true}}
	r := tr.pull(t)
	if one, two := len(tr.sink.files["ibdata1"]), len(tr.sink.files["ibdata2"]); one != 4*page || two != 5*page {
		t.Errorf("of 9 pages, %d bytes are in the first file and %d in the second", one, two)
	}
	if len(r.Pages.Bad) > 0 {
		t.Errorf("bad pages: %v", r.Pages.Bad)
	}
}

func TestAFileOfASystemTablespaceThatIsNotTheLastIsNotWrittenBeyondItsEnd(t *testing.T) {
	s := twoSystemFiles(7)
	s.Files[1].Pages[4] = innodbtest.Page(0, 4, 5001, page, 0x55)
	_, err := (&trial{play: s.Play()}).run(t)
	refused(t, err)
}

func TestAFileThatEndsWithinAPageIsDamagedUntilThePageComes(t *testing.T) {
	for name, again := range map[string]bool{"it is not sent again": false, "it is sent again": true} {
		t.Run(name, func(t *testing.T) {
			s := small()
			f := &s.Files[2]
			f.Content = f.Content[:12*page+page/2]
			f.Pages = map[uint32][]byte{}
			f.Grown = 0
			if again {
				f.Pages[12] = innodbtest.Page(1, 12, 5000, page, 0x55)
			}
			r := (&trial{play: s.Play(), o: Options{CheckPages: true}}).pull(t)
			damaged := len(r.Pages.Bad) == 1 && r.Pages.Bad[0] == BadPage{Path: "d/a.ibd", Page: 12, SpaceID: 1}
			if damaged == again || len(r.Pages.Bad) > 1 {
				t.Errorf("bad pages: %v", r.Pages.Bad)
			}
		})
	}
}
