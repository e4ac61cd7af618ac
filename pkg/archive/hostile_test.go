package archive

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/digest"
	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store"
	"runner/pkg/archive/store/storetest"
)

// forge makes a backup whose index somebody has changed, with all digests right.
func forge(t *testing.T, change func(idx *Index)) *storetest.Memory {
	t.Helper()
	f := newFolder(t)
	f.file("a", []byte("hello"), 0o640)
	f.dir("d")
	f.file("d/b", bytes.Repeat([]byte("b"), 600), 0o640)
	f.link("d/l", "b")
	f.file("e", []byte("there"), 0o640)
	m := storetest.NewMemory()
	p := pack(t, Dir(f.done()), m, options(codec.Zstd))
	change(p.Index)
	p.RawBytes, p.Data.RawBytes, p.Data.Bytes = p.Index.Raw, p.Index.Raw, p.Index.Stored
	p.Files = int64(len(p.Index.Files))
	index, err := WriteIndex(t.Context(), m, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := manifest.Write(t.Context(), m, testManifest(p.Manifest(index))); err != nil {
		t.Fatal(err)
	}
	return m
}

// member finds one by its path.
func (idx *Index) member(path string) *Member {
	for _, m := range idx.Files {
		if m.Path == path {
			return m
		}
	}
	return nil
}

func TestMembersThatLeadElsewhereAreRefused(t *testing.T) {
	rename := func(from, to string) func(*Index) { return func(idx *Index) { idx.member(from).Path = to } }
	retype := func(path string, to Type) func(*Index) { return func(idx *Index) { idx.member(path).Type = to } }
	link := func(to string) func(*Index) { return func(idx *Index) { idx.member("d/l").Link = to } }
	for name, change := range map[string]func(*Index){
		"parent":                  rename("e", "../e"),
		"parent of a folder":      rename("d/b", "d/../../b"),
		"absolute":                rename("e", "/e"),
		"empty element":           rename("d/b", "d//b"),
		"dot element":             rename("d/b", "d/./b"),
		"empty":                   rename("a", ""),
		"NUL":                     rename("e", "e\x00"),
		"slash at the end":        rename("e", "e/"),
		"reserved":                rename("e", "#runner"),
		"too long":                rename("e", "e"+strings.Repeat("x", 5000)),
		"twice":                   rename("e", "d/l"),
		"not sorted":              rename("e", "c"),
		"through a link":          rename("e", "d/l/x"),
		"through a file":          rename("d/b", "a/b"),
		"in a folder that is not": rename("e", "x/e"),
		"root twice":              rename("a", "."),
		"root is a file":          retype(".", TypeFile),
		"mark of a clone":         rename("a", Marker),
		"hard link":               retype("e", "link"),
		"device":                  retype("e", "block"),
		"pipe":                    retype("e", "fifo"),
		"no type":                 retype("e", ""),
		"link to nothing":         link(""),
		"link to an absolute":     link("/etc/passwd"),
		"link out":                link("../../x"),
		"link out, hidden":        link("../d/../../x"),
		"link with NUL":           link("a\x00"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), forge(t, change))
			var e *UnsafeError
			if !errors.As(err, &e) || !errors.Is(err, ErrUnsafe) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestSizesThatDoNotAddUpAreRefused(t *testing.T) {
	frame := func(change func(f *Frame)) func(*Index) { return func(idx *Index) { change(&idx.Frames[0]) } }
	of := func(path string, change func(m *Member)) func(*Index) {
		return func(idx *Index) { change(idx.member(path)) }
	}
	for name, change := range map[string]func(*Index){
		"size larger":               of("a", func(m *Member) { m.Size += 512 }),
		"size negative":             of("a", func(m *Member) { m.Size = -1 }),
		"size beyond the end":       of("e", func(m *Member) { m.Size = 1 << 62 }),
		"offset before its header":  of("a", func(m *Member) { m.Offset = m.Header - 512 }),
		"offset far away":           of("a", func(m *Member) { m.Offset += 1 << 40 }),
		"header negative":           of(".", func(m *Member) { m.Header = -512 }),
		"first frame":               of("a", func(m *Member) { m.First = 1 }),
		"first frame negative":      of("a", func(m *Member) { m.First = -1 }),
		"last frame":                of("a", func(m *Member) { m.Last = 1 << 30 }),
		"folder with content":       of("d", func(m *Member) { m.Size = 512 }),
		"folder with digest":        of("d", func(m *Member) { m.Digest[0] = 1 }),
		"file with link":            of("a", func(m *Member) { m.Link = "e" }),
		"allocated negative":        of("a", func(m *Member) { m.Allocated = -1 }),
		"owner negative":            of("a", func(m *Member) { m.UID = -1 }),
		"pages of no size":          of("a", func(m *Member) { m.InnoDB = &Pages{} }),
		"pages too many":            of("a", func(m *Member) { m.InnoDB = &Pages{PageSize: 4096, Total: 2} }),
		"bad pages without numbers": of("a", func(m *Member) { m.InnoDB = &Pages{PageSize: 4096, Total: 1, Bad: 1} }),
		"frame raw larger":          frame(func(f *Frame) { f.Raw++ }),
		"frame raw too large":       frame(func(f *Frame) { f.Raw = codec.FrameSize + 1 }),
		"frame raw none":            frame(func(f *Frame) { f.Raw = 0 }),
		"frame stored larger":       frame(func(f *Frame) { f.Stored++ }),
		"frame stored too large":    frame(func(f *Frame) { f.Stored = codec.MaxStored + 1 }),
		"frame stored negative":     frame(func(f *Frame) { f.Stored = -1 }),
		"frame elsewhere":           frame(func(f *Frame) { f.Offset = 1 }),
		"raw":                       func(idx *Index) { idx.Raw += 512 },
		"stored":                    func(idx *Index) { idx.Stored++ },
		"no frames":                 func(idx *Index) { idx.Frames = nil },
		"no members":                func(idx *Index) { idx.Files = nil },
		"last member missing":       func(idx *Index) { idx.Files = idx.Files[:len(idx.Files)-1] },
		"codec":                     func(idx *Index) { idx.Codec = "rar" },
		"another codec":             func(idx *Index) { idx.Codec = codec.Gzip },
		"digest algorithm":          func(idx *Index) { idx.Digest = "md5" },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), forge(t, change))
			var e *CorruptError
			if !errors.As(err, &e) || !errors.Is(err, ErrCorrupt) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestAnIndexOfAnotherVersionIsToldAsSuch(t *testing.T) {
	for _, format := range []string{"runner-index/3", "runner-index/", ""} {
		_, err := Open(t.Context(), forge(t, func(idx *Index) { idx.Format = format }))
		var e *FormatError
		if !errors.As(err, &e) || !errors.Is(err, ErrFormat) || e.Found != format {
			t.Errorf("%q: %v", format, err)
		}
	}
}

// What the tar says and what the index says must be the same, though only one of them is used.
func TestVerifyComparesTheTarWithTheIndex(t *testing.T) {
	for name, change := range map[string]func(m *Member){
		"path":  func(m *Member) { m.Path = "aa" },
		"mode":  func(m *Member) { m.Mode = 0o777 },
		"owner": func(m *Member) { m.UID++ },
		"group": func(m *Member) { m.GID++ },
		"time":  func(m *Member) { m.ModTime = m.ModTime.Add(time.Nanosecond) },
		"size":  func(m *Member) { m.Size-- },
	} {
		t.Run(name, func(t *testing.T) {
			m := forge(t, func(idx *Index) { change(idx.member("a")) })
			report, err := open(t, m).Verify(t.Context(), VerifyOptions{})
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("error is %v", err)
			}
			found := false
			for _, f := range report.Findings {
				found = found || f.Code == CodeStructure && strings.HasPrefix(f.Member, "a")
			}
			if !found {
				t.Errorf("findings are %+v", report.Findings)
			}
		})
	}
}

// An index that unpacks to more than the manifest says must not fill the memory before it is
// refused: this one has a gigabyte.
func TestABombInPlaceOfTheIndexIsRefused(t *testing.T) {
	m, b := packed(t, smallFolder(t), codec.Zstd)
	var bomb bytes.Buffer
	z, err := zstd.NewWriter(&bomb)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write([]byte(`{"format":"runner-index/1","codec":"`)); err != nil {
		t.Fatal(err)
	}
	spaces := bytes.Repeat([]byte(" "), 1<<20)
	for range 1 << 10 {
		if _, err := z.Write(spaces); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	m.Set(IndexName, bomb.Bytes())
	man := *b.Manifest()
	man.Archive.Index.Bytes = int64(bomb.Len())
	man.Archive.Index.SHA256 = fmt.Sprintf("%x", sha256Of(bomb.Bytes()))
	if err := manifest.Write(t.Context(), m, &man); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), m); !errors.Is(err, ErrCorrupt) {
		t.Errorf("error is %v", err)
	}
}

// A frame that unpacks to more than the index says is refused by what it says of itself, or by
// where it would have to go on.
func TestABombInPlaceOfAFrameIsRefused(t *testing.T) {
	each(t, func(t *testing.T, f codec.Format) {
		e, err := codec.NewEncoder(f, f.DefaultLevel())
		if err != nil {
			t.Fatal(err)
		}
		frame, err := e.Encode(nil, make([]byte, codec.FrameSize))
		if err != nil {
			t.Fatal(err)
		}
		d, err := codec.NewDecoder(f)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		for _, size := range []int{1, 512, codec.FrameSize - 1} {
			out, err := d.Decode(make([]byte, 0, size), frame, size)
			if !errors.Is(err, codec.ErrCorrupt) || len(out) != 0 {
				t.Errorf("%d bytes expected: %d bytes, %v", size, len(out), err)
			}
		}
	})
}

func TestManifestsThatNameOtherFilesAreRefused(t *testing.T) {
	for name, change := range map[string]func(m *manifest.Manifest){
		"index":       func(m *manifest.Manifest) { m.Archive.Index.Name = "other.json.zst" },
		"data":        func(m *manifest.Manifest) { m.Archive.Data.Name = "other.tar.zst" },
		"compression": func(m *manifest.Manifest) { m.Archive.Compression = "gzip" },
		"frames":      func(m *manifest.Manifest) { m.Archive.Frames++ },
		"files":       func(m *manifest.Manifest) { m.Archive.Files++ },
		"frame size":  func(m *manifest.Manifest) { m.Archive.FrameSize *= 2 },
		"index bytes": func(m *manifest.Manifest) { m.Archive.Index.Bytes++ },
		"index raw":   func(m *manifest.Manifest) { m.Archive.Index.RawBytes++ },
		"raw bytes":   func(m *manifest.Manifest) { m.Archive.RawBytes++; m.Archive.Data.RawBytes++ },
		"data sum":    func(m *manifest.Manifest) { m.Archive.Data.SHA256 = strings.Repeat("0", 64) },
	} {
		t.Run(name, func(t *testing.T) {
			s, b := packed(t, smallFolder(t), codec.Zstd)
			m := *b.Manifest()
			change(&m)
			if err := manifest.Write(t.Context(), s, &m); err != nil {
				t.Fatal(err)
			}
			if err := verifyStore(t, s, false); !errors.Is(err, ErrCorrupt) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestSumsThatSaySomethingElseAreNoticed(t *testing.T) {
	m, b := packed(t, smallFolder(t), codec.Zstd)
	a := b.Manifest().Archive
	for name, sums := range map[string][]Stored{
		"one missing": {Stored(a.Data)},
		"one more":    {Stored(a.Data), Stored(a.Index), {Name: "zzz", SHA256: a.Data.SHA256}},
		"swapped":     {{Name: a.Data.Name, SHA256: a.Index.SHA256}, {Name: a.Index.Name, SHA256: a.Data.SHA256}},
	} {
		if err := WriteSums(t.Context(), m, sums...); err != nil {
			t.Fatal(err)
		}
		if err := verifyStore(t, m, true); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := WriteSums(t.Context(), m, Stored{Name: "a/b", SHA256: a.Data.SHA256}); err == nil {
		t.Error("a name that is none was written")
	}
	m.Set(digest.SumsName, bytes.Repeat([]byte("x"), digest.MaxSums+1))
	if err := verifyStore(t, m, true); !errors.Is(err, ErrCorrupt) {
		t.Errorf("too large: %v", err)
	}
}

// Whatever a forged index says, nothing outside the target is touched.
func TestARestoreWritesNothingOutsideItsTarget(t *testing.T) {
	outside := t.TempDir()
	target := filepath.Join(outside, "target")
	for _, path := range []string{"../escaped", "d/../../escaped", filepath.Join(outside, "escaped")} {
		m := forge(t, func(idx *Index) { idx.member("e").Path = path })
		if b, err := Open(t.Context(), m); err == nil {
			_, err = b.Restore(t.Context(), target, RestoreOptions{})
			t.Errorf("%s was opened, and restored with %v", path, err)
		}
	}
	entries, err := os.ReadDir(outside)
	if err != nil || len(entries) != 0 {
		t.Errorf("there are %v, %v", entries, err)
	}
}

var _ store.Store = (*storetest.Memory)(nil)
