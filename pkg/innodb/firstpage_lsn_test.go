package innodb

import (
	"errors"
	"testing"
)

// A server makes the first page of a tablespace without an LSN; what is on disk stays so until the page is flushed.
func TestAFirstPageWithoutAnLSNIsSound(t *testing.T) {
	const (
		zip8K = 1<<0 | 4<<1 | 1<<5
		page4 = 3 << 6
	)
	for name, flags := range map[string]uint32{"16 KiB": 1<<0 | 1<<5, "4 KiB": 1<<0 | 1<<5 | page4, "compressed": zip8K} {
		physical, logical, err := PageSize(flags)
		if err != nil {
			t.Fatal(name, err)
		}
		s := Space{ID: 7, Flags: flags, PageSize: physical, Logical: logical, Compressed: physical != logical}
		page := s.FirstPage(90704)
		if r := s.Check(0, page); r.State != OK || r.LSN != 0 {
			t.Errorf("%s: %+v", name, r)
		}
		page[filData+3] ^= 1
		if r := s.Check(0, page); r.State != Bad {
			t.Errorf("%s, damaged: %+v", name, r)
		}
	}
}

func TestTheFirstPageOfAFileJustCreatedStatesItsPageSize(t *testing.T) {
	for _, want := range []Space{
		{ID: 189, Flags: 0x4027, PageSize: 4096, Logical: 16384, Compressed: true}, // KEY_BLOCK_SIZE = 4
		{ID: 190, Flags: 0x4021, PageSize: 16384, Logical: 16384},
	} {
		page := want.FirstPage(90704)
		got, err := ReadSpace(page)
		if err != nil || got != want {
			t.Errorf("space %+v: read as %+v (%v)", want, got, err)
		}
		if r := got.Check(0, page); r.State != OK {
			t.Errorf("space %+v: page 0 is %v: %s", want, r.State, r.Reason)
		}
	}
}

func TestAPageOfZerosIsNotAFirstPage(t *testing.T) {
	if s, err := ReadSpace(make([]byte, 16384)); !errors.Is(err, ErrNoSpace) {
		t.Errorf("zeros are read as %+v (%v)", s, err)
	}
}
