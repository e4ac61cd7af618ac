package archive

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/store/storetest"
	"runner/pkg/innodb/innodbtest"
)

// smallStream has something of everything in a few KB.
func smallStream(t testing.TB, f codec.Format, threads int) *storetest.Memory {
	t.Helper()
	m := storetest.NewMemory()
	s := newStream(t, m, f, threads)
	must(t, s.Add(entry(Root, TypeDir), nil))
	must(t, s.Add(entry("shop", TypeDir), nil))
	add := func(path, content string) {
		e, r := fileOf(path, []byte(content))
		must(t, s.Add(e, r))
	}
	add("ib_buffer_pool", "1,2\n")
	add("gone", "gone")
	space := innodbtest.File(7, 3, 4096)
	must(t, s.Create(entry("shop/t.ibd", TypeFile)))
	must(t, s.WriteAt("shop/t.ibd", space[4096:], 4096))
	must(t, s.WriteAt("shop/t.ibd", space[:4096], 0))
	must(t, s.Resize("shop/t.ibd", 5*4096))
	must(t, s.Create(entry("shop/a", TypeFile)))
	must(t, s.WriteAt("shop/a", []byte("aaaa"), 0))
	must(t, s.Create(entry("shop/b", TypeFile)))
	must(t, s.WriteAt("shop/b", []byte("bbbb"), 2))
	must(t, s.Rename("shop/a", "shop/x"))
	must(t, s.Rename("shop/b", "shop/a"))
	must(t, s.Rename("shop/x", "shop/b"))
	must(t, s.WriteAt("ib_buffer_pool", []byte("9"), 1))
	must(t, s.Remove("gone"))
	add("gone", "back")
	closeStream(t, s, m)
	return m
}

// largeStream has files of several frames, written in blocks that come in turns.
func largeStream(t testing.TB, f codec.Format, threads int) *storetest.Memory {
	t.Helper()
	m := storetest.NewMemory()
	s := newStream(t, m, f, threads)
	random := innodbtest.File(9, 800, 16384)
	e, r := fileOf("whole", random[:9<<20+5])
	must(t, s.Add(e, r))
	for _, name := range []string{"a.ibd", "b.ibd"} {
		must(t, s.Create(entry(name, TypeFile)))
	}
	for off := 0; off+1<<20 <= len(random); off += 1 << 20 {
		for _, name := range []string{"a.ibd", "b.ibd"} {
			must(t, s.WriteAt(name, random[off:off+1<<20], int64(off)))
		}
	}
	must(t, s.WriteAt("a.ibd", random[2<<20:8<<20], 2<<20)) // more than a patch holds
	must(t, s.WriteAt("whole", []byte("patched"), 5<<20))
	closeStream(t, s, m)
	return m
}

func TestAStreamIsTheSameAtAnyNumberOfThreads(t *testing.T) {
	for name, make := range map[string]func(testing.TB, codec.Format, int) *storetest.Memory{"small": smallStream, "large": largeStream} {
		t.Run(name, func(t *testing.T) {
			want := make(t, codec.Zstd, 1)
			for _, threads := range []int{2, 8} {
				got := make(t, codec.Zstd, threads)
				for _, file := range []string{DataName(codec.Zstd), IndexName} {
					if !bytes.Equal(got.Bytes(file), want.Bytes(file)) {
						t.Errorf("%s is another with %d threads", file, threads)
					}
				}
			}
		})
	}
}

func TestAStreamRestoresInEveryFormat(t *testing.T) {
	each(t, func(t *testing.T, f codec.Format) {
		dir := restoredTo(t, smallStream(t, f, 2))
		for name, want := range map[string]string{"shop/a": "\x00\x00bbbb", "shop/b": "aaaa", "ib_buffer_pool": "192\n", "gone": "back"} {
			if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
				t.Errorf("%s is %q, %v", name, got, err)
			}
		}
	})
}

func TestALargeStreamIsTheSameByRestoreAndByTar(t *testing.T) {
	m := largeStream(t, codec.Zstd, 0)
	if diff := cmp.Diff(contents(t, restoredTo(t, m)), contents(t, applied(t, m, codec.Zstd))); diff != "" {
		t.Error(diff)
	}
}

func TestPathsChooseFilesOfAStream(t *testing.T) {
	b := open(t, smallStream(t, codec.Zstd, 1))
	dir := filepath.Join(t.TempDir(), "some")
	if _, err := b.Restore(t.Context(), dir, RestoreOptions{Paths: []string{"shop/t.*"}}); err != nil {
		t.Fatal(err)
	}
	got := contents(t, dir)
	if len(got) != 2 || !strings.HasPrefix(got[0], "shop dir") || !strings.HasPrefix(got[1], "shop/t.ibd file") {
		t.Errorf("there is %q", got)
	}
}

func TestARestoredStreamHasHolesWhereNothingWasWritten(t *testing.T) {
	m := storetest.NewMemory()
	s := newStream(t, m, codec.Zstd, 1)
	must(t, s.Create(entry("f", TypeFile)))
	must(t, s.WriteAt("f", []byte("end"), 1<<30))
	must(t, s.Create(entry("none", TypeFile)))
	must(t, s.Resize("none", 1<<30))
	closeStream(t, s, m)
	dir := restoredTo(t, m)
	must(t, Dir(dir).Walk(t.Context(), func(e Entry) error {
		if e.Type == TypeFile && (e.Size < 1<<30 || e.Allocated > 1<<20) {
			t.Errorf("%s has %d bytes, %d on disk", e.Path, e.Size, e.Allocated)
		}
		return nil
	}))
}

// What is known of the pages is recorded, and the rest as unknown until the backup is verified.
func TestPagesOfAStreamAreVerifiedLater(t *testing.T) {
	m := smallStream(t, codec.Zstd, 1)
	b := open(t, m)
	want := &Pages{SpaceID: 7, PageSize: 4096, Total: 5, Zero: 2, Unknown: 3}
	if diff := cmp.Diff(want, b.index.member("shop/t.ibd").InnoDB); diff != "" {
		t.Error(diff)
	}
	report, err := b.Verify(t.Context(), VerifyOptions{})
	if err != nil || report.Pages.Total != 5 || report.Pages.Zero != 2 || report.Pages.Unknown != 0 || report.Pages.MaxLSN == 0 {
		t.Errorf("report is %+v, %v", report, err)
	}
}

func TestADamagedPageThatAStreamWasGivenIsFound(t *testing.T) {
	m := storetest.NewMemory()
	s := newStream(t, m, codec.Zstd, 1)
	space := innodbtest.File(7, 3, 4096)
	good := bytes.Clone(space)
	space[4096+100]++
	space[8192+100]++
	must(t, s.Create(entry("t.ibd", TypeFile)))
	must(t, s.WriteAt("t.ibd", space, 0))
	must(t, s.WriteAt("t.ibd", good[4096:8192], 4096)) // the torn page comes again, whole
	closeStream(t, s, m)
	report, err := open(t, m).Verify(t.Context(), VerifyOptions{})
	if !errors.Is(err, ErrBadPages) || len(report.Findings) != 1 || report.Findings[0].Page != 2 || report.Findings[0].Member != "t.ibd" {
		t.Errorf("%v, %+v", err, report)
	}
}

func TestOperationsThatCannotBe(t *testing.T) {
	s := newStream(t, storetest.NewMemory(), codec.None, 1)
	must(t, s.Add(entry("d", TypeDir), nil))
	must(t, s.Add(entry("#clone", TypeDir), nil))
	must(t, s.Create(entry("d/f", TypeFile)))
	must(t, s.Create(entry("g", TypeFile)))
	link := func(to string) Entry {
		e := entry("l", TypeSymlink)
		e.Link = to
		return e
	}
	negative := entry("n", TypeFile)
	negative.Size = -1
	for name, err := range map[string]error{
		"create twice":                s.Create(entry("g", TypeFile)),
		"create a folder":             s.Create(entry("h", TypeDir)),
		"create in nothing":           s.Create(entry("x/f", TypeFile)),
		"create in a file":            s.Create(entry("g/f", TypeFile)),
		"create outside":              s.Create(entry("../f", TypeFile)),
		"create absolute":             s.Create(entry("/f", TypeFile)),
		"create in the reserved":      s.Create(entry("#runner/f", TypeFile)),
		"create the mark":             s.Create(entry(Marker, TypeFile)),
		"create of a negative size":   s.Create(negative),
		"add a file without content":  s.Add(entry("h", TypeFile), nil),
		"add a folder with content":   s.Add(entry("h", TypeDir), strings.NewReader("")),
		"add twice":                   s.Add(entry("d", TypeDir), nil),
		"add a link out":              s.Add(link("../x"), nil),
		"add a device":                s.Add(entry("h", "block"), nil),
		"write to nothing":            s.WriteAt("h", []byte("x"), 0),
		"write to a folder":           s.WriteAt("d", []byte("x"), 0),
		"write before the start":      s.WriteAt("g", []byte("x"), -1),
		"write beyond all":            s.WriteAt("g", []byte("x"), math.MaxInt64),
		"resize nothing":              s.Resize("h", 1),
		"resize to less than nothing": s.Resize("g", -1),
		"rename nothing":              s.Rename("h", "i"),
		"rename onto another":         s.Rename("g", "d/f"),
		"rename onto itself":          s.Rename("g", "g"),
		"rename outside":              s.Rename("g", "../g"),
		"rename into nothing":         s.Rename("g", "x/g"),
		"rename a folder":             s.Rename("d", "e"),
		"rename to the reserved":      s.Rename("g", "#runner/apply.sh"),
		"remove nothing":              s.Remove("h"),
		"remove what is not empty":    s.Remove("d"),
		"remove the mark's folder":    s.Remove("#clone"),
	} {
		var e *OperationError
		if !errors.As(err, &e) || !errors.Is(err, ErrOperation) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The stream can still be used.
	must(t, s.WriteAt("g", []byte("x"), 0))
	if _, err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestAStreamEndsOnce(t *testing.T) {
	m := storetest.NewMemory()
	s := newStream(t, m, codec.None, 1)
	must(t, s.Abort())
	for name, err := range map[string]error{
		"add": s.Add(entry("d", TypeDir), nil), "create": s.Create(entry("f", TypeFile)), "write": s.WriteAt("f", nil, 0),
		"resize": s.Resize("f", 1), "rename": s.Rename("f", "g"), "remove": s.Remove("f"), "flush": s.Flush(), "abort": s.Abort(),
	} {
		if !errors.Is(err, ErrStreamEnded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Close(); !errors.Is(err, ErrStreamEnded) {
		t.Errorf("close: %v", err)
	}
	if infos, err := m.List(t.Context()); err != nil || len(infos) > 0 {
		t.Errorf("there are %v, %v", infos, err)
	}
}

func TestContentOfAnotherSizeEndsAStream(t *testing.T) {
	for name, content := range map[string]string{"short": "12", "long": "1234"} {
		for _, again := range []bool{false, true} {
			s := newStream(t, storetest.NewMemory(), codec.None, 1)
			e, r := fileOf("f", []byte("123"))
			if again {
				must(t, s.Add(e, r))
				must(t, s.Remove("f"))
			}
			err := s.Add(e, strings.NewReader(content))
			if !errors.Is(err, ErrChanged) {
				t.Errorf("%s: %v", name, err)
			}
			if _, err2 := s.Close(); !errors.Is(err2, ErrChanged) {
				t.Errorf("%s: close: %v", name, err2)
			}
		}
	}
}

func TestACancelledStreamGivesTheContextsError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m := storetest.NewMemory()
	s, err := NewStream(ctx, m, StreamOptions{Format: "none", Threads: 1})
	must(t, err)
	must(t, s.Create(entry("f", TypeFile)))
	cancel()
	for off := int64(0); err == nil && off < 100<<20; off += 1 << 20 {
		err = s.WriteAt("f", make([]byte, 1<<20), off)
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("write: %v", err)
	}
	if _, err := s.Close(); !errors.Is(err, context.Canceled) {
		t.Errorf("close: %v", err)
	}
	if infos, err := m.List(t.Context()); err != nil || len(infos) > 0 {
		t.Errorf("there are %v, %v", infos, err)
	}
}

func TestTheScriptRunsOnce(t *testing.T) {
	m := smallStream(t, codec.Zstd, 1)
	dir := unpackedBy(t, m, codec.Zstd)
	// A patch that tar had no room for.
	must(t, os.Truncate(filepath.Join(dir, "#runner/patch/4"), 1))
	out, err := runScript(dir)
	if err == nil || !strings.Contains(string(out), "too short") {
		t.Errorf("a patch is too short: %v, %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, Marker)); err != nil {
		t.Errorf("a directory that is not complete does not look like one: %v", err)
	}
	if out, err = runScript(dir); err == nil || !strings.Contains(string(out), "begun before") {
		t.Errorf("for the second time: %v, %s", err, out)
	}
	whole := applied(t, m, codec.Zstd)
	for _, p := range []string{"#runner", Marker} {
		if _, err := os.Lstat(filepath.Join(whole, p)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", p, err)
		}
	}
}

func TestPatchesDoNotCutPages(t *testing.T) {
	b := open(t, largeStream(t, codec.Zstd, 2))
	for _, m := range b.Members() {
		for _, e := range m.Extents {
			for _, at := range []int64{e.Off, e.Off + e.N} {
				if at%16384 != 0 && strings.HasSuffix(m.Path, ".ibd") {
					t.Errorf("%s: extent %+v cuts a page", m.Path, e)
				}
			}
		}
	}
	if n := len(b.index.Tar); n > 60 {
		t.Errorf("%d members for %d bytes", n, b.index.Raw)
	}
}

func TestEveryCutOfAStreamIsNoticed(t *testing.T) {
	m := smallStream(t, codec.Zstd, 1)
	for _, name := range names(codec.Zstd) {
		whole := m.Bytes(name)
		damaged := m.Clone()
		for n := range len(whole) {
			damaged.Set(name, cut(whole, n))
			if err := verifyStore(t, damaged, false); !typed(err) {
				t.Fatalf("%s cut to %d of %d bytes: %v", name, n, len(whole), err)
			}
		}
	}
}

func TestEveryFlippedByteOfAStreamIsNoticed(t *testing.T) {
	each(t, func(t *testing.T, f codec.Format) {
		m := smallStream(t, f, 1)
		for _, name := range names(f) {
			whole := m.Bytes(name)
			damaged := m.Clone()
			for at := range whole {
				damaged.Set(name, flip(whole, at, 1<<(at%8)))
				if err := verifyStore(t, damaged, false); !typed(err) {
					t.Fatalf("%s, byte %d: %v", name, at, err)
				}
			}
		}
	})
}
