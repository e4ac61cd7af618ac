package archive

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/store"
	"runner/pkg/archive/store/storetest"
	"runner/pkg/innodb/innodbtest"
)

// patchedBackup has a whole tablespace whose first pages were never written to, and one that came in ranges.
func patchedBackup(t *testing.T, f codec.Format, ranges []byte) *storetest.Memory {
	t.Helper()
	m := storetest.NewMemory()
	s := newStream(t, m, f, 2)
	must(t, s.Add(entry(Root, TypeDir), nil))
	must(t, s.Add(entry("shop", TypeDir), nil))
	blank := entry("shop/blank.ibd", TypeFile)
	blank.Size = 5 * 16 << 10
	must(t, s.Add(blank, bytes.NewReader(make([]byte, blank.Size))))
	must(t, s.Create(entry("a.ibd", TypeFile)))
	must(t, s.WriteAt("a.ibd", ranges, 0))
	must(t, s.WriteAt("shop/blank.ibd", innodbtest.File(7, 5, 16<<10)[4*16<<10:], 4*16<<10))
	closeStream(t, s, m)
	return m
}

func TestAWholeTablespaceWithoutAHeaderIsSoundWhenPatched(t *testing.T) {
	b := open(t, patchedBackup(t, codec.Zstd, innodbtest.File(7, 5, 16<<10)))
	if report, err := b.Verify(t.Context(), VerifyOptions{}); err != nil {
		t.Errorf("%v: %+v", err, report.Findings)
	}
}

func TestDamagedPagesOfPatchedFilesNameTheirTableAndEnd(t *testing.T) {
	const pages = MaxBadPages + 50
	file := innodbtest.File(7, pages+1, 4<<10)
	for i := 1; i <= pages; i++ {
		file[i*4<<10+100] ^= 1
	}
	m := storetest.NewMemory()
	s := newStream(t, m, codec.Zstd, 2)
	must(t, s.Add(entry(Root, TypeDir), nil))
	must(t, s.Add(entry("shop", TypeDir), nil))
	must(t, s.Create(entry("shop/t.ibd", TypeFile)))
	must(t, s.WriteAt("shop/t.ibd", file, 0))
	closeStream(t, s, m)
	report, err := open(t, m).Verify(t.Context(), VerifyOptions{})
	if !errors.Is(err, ErrBadPages) || len(report.Findings) != MaxBadPages+1 || report.Pages.Bad != pages {
		t.Fatalf("%v, %d findings, %d bad pages", err, len(report.Findings), report.Pages.Bad)
	}
	for _, f := range report.Findings {
		if f.Code != CodePage || !strings.Contains(f.Check, "`shop`.`t`") {
			t.Fatalf("%+v", f)
		}
	}
	if last := report.Findings[MaxBadPages]; last.Page != -1 || last.Detail != "50 more pages are damaged" {
		t.Errorf("%+v", last)
	}
}

func TestAnIndexThatCannotBeRebuiltIsNotCalledDamage(t *testing.T) {
	rebuild := func(t *testing.T, s store.Store, want error) {
		t.Helper()
		if r, err := RebuildIndex(t.Context(), s, RebuildOptions{}); err != nil || r.Lost != nil {
			t.Errorf("sound: %+v, %v", r, err)
		}
		for _, name := range []string{IndexName, storedName(IndexName, true)} {
			if err := s.Remove(t.Context(), name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
		if _, err := RebuildIndex(t.Context(), s, RebuildOptions{}); !errors.Is(err, want) {
			t.Errorf("lost: %v", err)
		}
	}
	each(t, func(t *testing.T, f codec.Format) {
		rebuild(t, patchedBackup(t, f, innodbtest.File(7, 5, 16<<10)), ErrNotRebuilt)
	})
	t.Run("encrypted", func(t *testing.T) {
		m, _, _ := sealed(t, smallFolder(t), codec.Zstd)
		rebuild(t, m, ErrNotRebuilt)
	})
}

func TestPagesThatCameDamagedAreNoDamageToTheBackup(t *testing.T) {
	file := innodbtest.File(7, 6, 4<<10)
	for _, page := range []int{2, 4} {
		file[page<<12+100] ^= 1
	}
	m := storetest.NewMemory()
	s := newStream(t, m, codec.Zstd, 2)
	must(t, s.Add(entry("shop", TypeDir), nil))
	e := entry("shop/t.ibd", TypeFile)
	e.Size = int64(len(file))
	must(t, s.Create(e))
	must(t, s.WriteAt("shop/t.ibd", file, 0))
	must(t, s.Damaged("shop/t.ibd", []uint32{2, 99}))
	closeStream(t, s, m)
	report, err := open(t, m).Verify(t.Context(), VerifyOptions{})
	if !errors.Is(err, ErrBadPages) {
		t.Fatal(err)
	}
	known := map[int64]bool{}
	for _, f := range report.Findings {
		known[f.Page] = f.Known
	}
	if len(report.Findings) != 2 || !known[2] || known[4] {
		t.Errorf("%+v", report.Findings)
	}
	if err := s.Damaged("shop/t.ibd", nil); !errors.Is(err, ErrStreamEnded) {
		t.Errorf("error is %v", err)
	}
}
