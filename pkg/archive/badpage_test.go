package archive

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/store/storetest"
	"runner/pkg/innodb"
	"runner/pkg/innodb/innodbtest"
)

func TestDamagedPagesNameTheirTable(t *testing.T) {
	f := newFolder(t)
	damaged := func(path string, space uint32) {
		file := innodbtest.File(space, 4, 16<<10)
		file[2*16<<10+5000] ^= 1
		f.file(path, file, 0o640)
	}
	damaged("general.ibd", 27)
	damaged("we@002dird/t@0020x#p#p0#sp#p0sp1.ibd", 42)
	m := storetest.NewMemory()
	o := options(codec.Zstd)
	var told []string
	o.OnBadPage = func(b BadPage) { told = append(told, b.String()) }
	pack(t, Dir(f.done()), m, o)
	for i, want := range []string{
		"general.ibd, page 2 (general tablespace): checksum",
		"we@002dird/t@0020x#p#p0#sp#p0sp1.ibd, page 2 (table `we-ird`.`t x`, partition `p0`, subpartition `p0sp1`): checksum",
	} {
		if len(told) != 2 || !strings.HasPrefix(told[i], want) {
			t.Errorf("told %q, want %q", told, want)
		}
	}
	report, err := open(t, m).Verify(t.Context(), VerifyOptions{})
	if err != nil || len(report.Findings) != 2 {
		t.Fatalf("verify: %v, %+v", err, report)
	}
	general, table := report.Findings[0], report.Findings[1]
	if general.Of != "general tablespace" || general.Table != "" || general.Check != innodb.FileOf("general.ibd").CheckStatement(27) {
		t.Errorf("general tablespace: %+v", general)
	}
	if table.Schema != "we-ird" || table.Table != "t x" || table.Partition != "p0" || table.Subpartition != "p0sp1" ||
		table.Check != "CHECK TABLE `we-ird`.`t x` EXTENDED" {
		t.Errorf("table: %+v", table)
	}
}

// What is cut off at the end is no whole page, be it a hole or not: packing and verifying must count it alike.
func TestACutOffPageInAHoleIsBad(t *testing.T) {
	f := newFolder(t)
	const size = 16 << 10
	f.file("shop/t.ibd", innodbtest.File(42, 300, size), 0o640) // two frames
	f.done()
	if err := os.Truncate(filepath.Join(f.path, "shop/t.ibd"), 1024*size+100); err != nil {
		t.Fatal(err)
	}
	m := storetest.NewMemory()
	p := pack(t, Dir(f.path), m, options(codec.Zstd))
	if want := (PageStats{Files: 1, Total: 1025, Zero: 724, Bad: 1, MinLSN: 1000, MaxLSN: 1299}); p.Pages != want || p.HoleBytes == 0 {
		t.Errorf("%+v with %d bytes of holes, want %+v", p.Pages, p.HoleBytes, want)
	}
	report, err := open(t, m).Verify(t.Context(), VerifyOptions{})
	if err != nil || len(report.Findings) != 1 || report.Findings[0].Page != 1024 || report.Pages != p.Pages {
		t.Errorf("verify: %v, %+v", err, report)
	}
}

// A file of nothing but damage must not take memory for each of its pages.
func TestOnlyTheFirstDamagedPagesOfAFileAreToldOneByOne(t *testing.T) {
	f := newFolder(t)
	const size, more = 4 << 10, 1500
	file := innodbtest.File(42, 1+MaxBadPages+more, size) // in three frames
	for at := size; at < len(file); at += size {
		file[at+500] ^= 1
	}
	f.file("shop/t.ibd", file, 0o640)
	m := storetest.NewMemory()
	pack(t, Dir(f.done()), m, options(codec.Zstd))
	report, err := open(t, m).Verify(t.Context(), VerifyOptions{})
	if err != nil || len(report.Findings) != MaxBadPages+1 || report.Pages.Bad != MaxBadPages+more {
		t.Fatalf("verify: %v, %d findings, %+v", err, len(report.Findings), report.Pages)
	}
	if last := report.Findings[MaxBadPages]; last.Page != -1 || last.Detail != "1500 more pages are damaged" || !last.Known {
		t.Errorf("the last finding is %+v", last)
	}
}
