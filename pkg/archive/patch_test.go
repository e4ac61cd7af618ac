package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store/storetest"
)

func TestMapsOfPatches(t *testing.T) {
	for text, want := range map[string][]byteRange{
		"0,1":                     {{0, 1}},
		"16384,16384,0,16384":     {{16384, 16384}, {0, 16384}},
		"9223372036854775806,1":   {{9223372036854775806, 1}},
		"":                        nil,
		"1":                       nil,
		"1,":                      nil,
		",1":                      nil,
		"1,2,3":                   nil,
		"1,2,":                    nil,
		"0,0":                     nil,
		"-1,1":                    nil,
		"+1,1":                    nil,
		"01,1":                    nil,
		"1, 1":                    nil,
		"1,1\n":                   nil,
		"0x1,1":                   nil,
		"9223372036854775807,1":   nil,
		"9223372036854775808,1":   nil,
		"0,9223372036854775807,1": nil,
		"0,9223372036854775807,0,9223372036854775807": nil,
	} {
		got, err := parseMap(text)
		if (err == nil) != (want != nil) || err == nil && (len(got) != len(want) || formatMap(got) != text) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func FuzzPatchMap(f *testing.F) {
	f.Add("0,1")
	f.Add("16384,16384,0,16384")
	f.Fuzz(func(t *testing.T, text string) {
		ranges, err := parseMap(text)
		if err != nil {
			return
		}
		if again := formatMap(ranges); again != text {
			t.Errorf("%q is written as %q", text, again)
		}
		for _, r := range ranges {
			if r.off < 0 || r.n <= 0 || r.off+r.n < 0 {
				t.Errorf("%q has the range %+v", text, r)
			}
		}
	})
}

// patchedTar writes a tar with these members and the script, each header with the records that it is given.
type patchedTar struct {
	t       testing.TB
	b       bytes.Buffer
	patches int64
}

func (p *patchedTar) member(e Entry, records map[string]string, content string) {
	p.t.Helper()
	e.Size = int64(len(content))
	h, err := tarHeaderWith(e, records)
	must(p.t, err)
	p.b.Write(h)
	p.b.WriteString(content)
	p.b.Write(make([]byte, padded(e.Size)-e.Size))
}

func (p *patchedTar) patch(content string, records ...string) {
	m := map[string]string{}
	for i := 0; i < len(records); i += 2 {
		m["RUNNER.patch."+records[i]] = records[i+1]
	}
	p.member(entry(patchName(p.patches), TypeFile), m, content)
	p.patches++
}

// replayTar does what a tool that rebuilds an index does: it reads one header after the other.
func replayTar(raw []byte) (*replay, []*Member, error) {
	r := newReplay()
	for at := int64(0); ; {
		if at+tarEnd == int64(len(raw)) {
			members, err := r.end([]int64{0, int64(len(raw))})
			return r, members, err
		}
		blocks, err := headerBlocks(raw[at:])
		if err != nil {
			return r, nil, err
		}
		e, p, err := parsePatchedHeader(blocks)
		if err != nil {
			return r, nil, err
		}
		where := place{header: at, offset: at + int64(len(blocks))}
		if at = where.offset + padded(e.Size); at < where.offset || at+tarEnd > int64(len(raw)) {
			return r, nil, errors.New("the tar ends early")
		}
		if err := r.member(e, p, where); err != nil {
			return r, nil, err
		}
	}
}

func (p *patchedTar) end() []byte {
	p.member(entry(scriptPath, TypeFile), nil, "")
	p.b.Write(make([]byte, tarEnd))
	return p.b.Bytes()
}

func TestTarsWithPatchesThatCannotBeAreRefused(t *testing.T) {
	whole := func(p *patchedTar, path string, typ Type) { p.member(entry(path, typ), nil, "") }
	make := func(p *patchedTar) { p.patch("hello", "path", "f", "create", "1", "map", "0,5") }
	for name, test := range map[string]struct {
		unsafe bool
		write  func(p *patchedTar)
	}{
		"unknown file":         {true, func(p *patchedTar) { p.patch("x", "path", "f", "map", "0,1") }},
		"unknown file cut":     {true, func(p *patchedTar) { p.patch("", "path", "f", "size", "0") }},
		"unknown file renamed": {true, func(p *patchedTar) { p.patch("", "path", "f", "rename", "g") }},
		"unknown file removed": {true, func(p *patchedTar) { p.patch("", "path", "f", "remove", "1") }},
		"folder written to":    {true, func(p *patchedTar) { whole(p, "d", TypeDir); p.patch("x", "path", "d", "map", "0,1") }},
		"folder renamed":       {true, func(p *patchedTar) { whole(p, "d", TypeDir); p.patch("", "path", "d", "rename", "e") }},
		"full folder removed": {true, func(p *patchedTar) {
			whole(p, "d", TypeDir)
			whole(p, "d/f", TypeFile)
			p.patch("", "path", "d", "remove", "1")
		}},
		"made twice":               {true, func(p *patchedTar) { make(p); make(p) }},
		"made out of the tree":     {true, func(p *patchedTar) { p.patch("", "path", "../f", "create", "1") }},
		"made at an absolute path": {true, func(p *patchedTar) { p.patch("", "path", "/etc/f", "create", "1") }},
		"made in the reserved":     {true, func(p *patchedTar) { p.patch("", "path", "#runner/apply.sh", "create", "1") }},
		"made as the mark":         {true, func(p *patchedTar) { whole(p, "#clone", TypeDir); p.patch("", "path", Marker, "create", "1") }},
		"made through a file":      {true, func(p *patchedTar) { make(p); p.patch("", "path", "f/g", "create", "1") }},
		"renamed onto another":     {true, func(p *patchedTar) { make(p); whole(p, "g", TypeFile); p.patch("", "path", "f", "rename", "g") }},
		"renamed out of the tree":  {true, func(p *patchedTar) { make(p); p.patch("", "path", "f", "rename", "../f") }},
		"renamed to an absolute":   {true, func(p *patchedTar) { make(p); p.patch("", "path", "f", "rename", "/f") }},
		"renamed into nothing":     {true, func(p *patchedTar) { make(p); p.patch("", "path", "f", "rename", "d/f") }},
		"written after its removal": {true, func(p *patchedTar) {
			make(p)
			p.patch("", "path", "f", "remove", "1")
			p.patch("x", "path", "f", "map", "0,1")
		}},
		"whole after its removal":  {true, func(p *patchedTar) { make(p); p.patch("", "path", "f", "remove", "1"); whole(p, "f", TypeFile) }},
		"whole twice":              {true, func(p *patchedTar) { whole(p, "f", TypeFile); whole(p, "f", TypeFile) }},
		"whole in no folder":       {true, func(p *patchedTar) { whole(p, "d/f", TypeFile) }},
		"whole in the reserved":    {true, func(p *patchedTar) { whole(p, "#runner/x", TypeFile) }},
		"root made":                {true, func(p *patchedTar) { p.patch("", "path", ".", "create", "1") }},
		"map shorter than content": {false, func(p *patchedTar) { p.patch("hello", "path", "f", "create", "1", "map", "0,4") }},
		"map longer than content":  {false, func(p *patchedTar) { p.patch("hello", "path", "f", "create", "1", "map", "0,6") }},
		"content without map":      {false, func(p *patchedTar) { p.patch("hello", "path", "f", "create", "1") }},
		"map that is none":         {false, func(p *patchedTar) { p.patch("hello", "path", "f", "create", "1", "map", "0,5,") }},
		"made not from its start":  {false, func(p *patchedTar) { p.patch("hello", "path", "f", "create", "1", "map", "1,5") }},
		"made of two ranges":       {false, func(p *patchedTar) { p.patch("hello", "path", "f", "create", "1", "map", "0,4,4,1") }},
		"no path":                  {false, func(p *patchedTar) { p.patch("", "size", "1") }},
		"no operation":             {false, func(p *patchedTar) { p.patch("", "path", "f") }},
		"two operations":           {false, func(p *patchedTar) { make(p); p.patch("", "path", "f", "rename", "g", "remove", "1") }},
		"renamed and written":      {false, func(p *patchedTar) { make(p); p.patch("x", "path", "f", "rename", "g", "map", "0,1") }},
		"negative size":            {false, func(p *patchedTar) { make(p); p.patch("", "path", "f", "size", "-1") }},
		"removed not quite":        {false, func(p *patchedTar) { make(p); p.patch("", "path", "f", "remove", "0") }},
		"unknown record":           {false, func(p *patchedTar) { make(p); p.patch("", "path", "f", "size", "1", "frobnicate", "1") }},
		"number left out":          {false, func(p *patchedTar) { p.patches = 1; make(p) }},
		"script in the middle":     {false, func(p *patchedTar) { whole(p, scriptPath, TypeFile); make(p) }},
		"patch outside the reserved": {false, func(p *patchedTar) {
			p.member(entry("f", TypeFile), map[string]string{paxPath: "g", paxCreate: "1"}, "")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := &patchedTar{t: t}
			test.write(p)
			_, _, err := replayTar(p.end())
			if err == nil || errors.Is(err, ErrUnsafe) != test.unsafe {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestATarWithoutScriptIsRefused(t *testing.T) {
	p := &patchedTar{t: t}
	p.patch("hello", "path", "f", "create", "1", "map", "0,5")
	p.b.Write(make([]byte, tarEnd))
	if _, _, err := replayTar(p.b.Bytes()); !errors.Is(err, errNoScript) {
		t.Errorf("error is %v", err)
	}
}

// FuzzPatchedTar looks for headers that panic, or make a tree that an index may not have.
func FuzzPatchedTar(f *testing.F) {
	m := smallStream(f, codec.None, 1)
	f.Add(m.Bytes(DataName(codec.None)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, members, err := replayTar(raw)
		if err != nil {
			return
		}
		idx := &Index{Format: PatchedFormat, Files: members, Tar: r.tar, Raw: int64(len(raw))}
		if err := idx.checkTree(); err != nil {
			t.Fatal(err)
		}
		for _, m := range members {
			if err := m.checkExtents([]int64{0, int64(len(raw))}); err != nil {
				t.Fatal(err)
			}
		}
		if err := writeScript(io.Discard, r, r.sorted()); err != nil {
			t.Fatal(err)
		}
	})
}

// What resolve gives is what writing the bytes one after the other gives.
func TestLaterBytesWin(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		var want [64]int64 // offset in the tar of each byte; 0: none
		var writes []write
		at := int64(1)
		for range r.IntN(20) {
			off := r.Int64N(64)
			n := 1 + r.Int64N(64-off)
			if r.IntN(5) == 0 {
				writes = append(writes, cutOff(off))
				clear(want[off:])
				continue
			}
			writes = append(writes, write{off, n, at})
			for i := range n {
				want[off+i] = at + i
			}
			at += n + r.Int64N(2)
		}
		var got [64]int64
		end := int64(0)
		for _, e := range resolve(writes) {
			if e.Off < end || e.N <= 0 {
				t.Fatalf("seed %d: %+v after byte %d", seed, e, end)
			}
			end = e.Off + e.N
			for i := range e.N {
				got[e.Off+i] = e.At + i
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d: %s", seed, diff)
		}
	}
}

// forgeStream makes a backup with patches whose index somebody has changed, with all digests right.
func forgeStream(t *testing.T, change func(idx *Index)) *storetest.Memory {
	t.Helper()
	m := smallStream(t, codec.Zstd, 1)
	b := open(t, m)
	change(b.index)
	p := &Packed{
		Index: b.index, Format: codec.Zstd, Level: 1, RawBytes: b.index.Raw, Files: int64(len(b.index.Files)),
		Data: Stored(b.manifest.Archive.Data),
	}
	index, err := WriteIndex(t.Context(), m, p)
	must(t, err)
	must(t, WriteSums(t.Context(), m, p.Data, index))
	must(t, manifest.Write(t.Context(), m, testManifest(p.Manifest(index))))
	return m
}

func TestIndexesOfPatchesThatDoNotAddUpAreRefused(t *testing.T) {
	extent := func(change func(e *Extent)) func(*Index) {
		return func(idx *Index) { change(&idx.member("shop/t.ibd").Extents[1]) }
	}
	of := func(path string, change func(m *Member)) func(*Index) {
		return func(idx *Index) { change(idx.member(path)) }
	}
	for name, change := range map[string]func(*Index){
		"extent of nothing":             extent(func(e *Extent) { e.N = 0 }),
		"extent negative":               extent(func(e *Extent) { e.N = -1 }),
		"extent beyond the size":        extent(func(e *Extent) { e.Off = 1 << 40 }),
		"extent over another":           extent(func(e *Extent) { e.Off-- }),
		"extent far away":               extent(func(e *Extent) { e.At = 1 << 40 }),
		"extent before the tar":         extent(func(e *Extent) { e.At = -1 }),
		"extent in a header":            extent(func(e *Extent) { e.At = 0 }),
		"extent in the bytes of others": func(idx *Index) { idx.member("shop/a").Extents[0].At = idx.member("shop/b").Extents[0].At },
		"extents not sorted":            of("shop/t.ibd", func(m *Member) { m.Extents[0], m.Extents[1] = m.Extents[1], m.Extents[0] }),
		"extents of a folder":           of("shop", func(m *Member) { m.Extents = []Extent{} }),
		"extents and a digest":          of("shop/a", func(m *Member) { m.Digest[0] = 1 }),
		"extents and a place":           of("shop/a", func(m *Member) { m.Header = 512 }),
		"extents allocated":             of("shop/a", func(m *Member) { m.Allocated++ }),
		"extents taken away":            of("shop/a", func(m *Member) { m.Extents = nil }),
		"frames":                        of("shop/a", func(m *Member) { m.Last = 7 }),
		"folder elsewhere":              of("shop", func(m *Member) { m.Header += 512 }),
		"size too small":                of("shop/t.ibd", func(m *Member) { m.Size = 4096 }),
		"pages":                         of("shop/t.ibd", func(m *Member) { m.InnoDB.Unknown = 6 }),
		"tar size":                      func(idx *Index) { idx.Tar[2].Size += 512 },
		"tar header":                    func(idx *Index) { idx.Tar[2].Header += 512 },
		"tar number":                    func(idx *Index) { idx.Tar[len(idx.Tar)-2].Name = patchName(99) },
		"tar empty":                     func(idx *Index) { idx.Tar = nil },
		"tar without script":            func(idx *Index) { idx.Tar = idx.Tar[:len(idx.Tar)-1] },
		"tar of a folder only":          func(idx *Index) { idx.Format = IndexFormat },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), forgeStream(t, change))
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnsafe) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// An index that adds up and is not what the tar says is found by a verification.
func TestVerifyComparesThePatchesWithTheIndex(t *testing.T) {
	for name, change := range map[string]func(idx *Index){
		"size":   func(idx *Index) { idx.member("shop/a").Size++ },
		"mode":   func(idx *Index) { idx.member("shop/a").Mode = 0o777 },
		"owner":  func(idx *Index) { idx.member("shop/t.ibd").UID++ },
		"path":   func(idx *Index) { idx.member("shop/a").Path = "shop/aa" },
		"tar":    func(idx *Index) { idx.Tar[0].Name = "other" },
		"extent": func(idx *Index) { idx.member("shop/a").Extents[0].Off-- },
		"swap": func(idx *Index) {
			a, b := idx.member("shop/a"), idx.member("shop/b")
			a.Path, b.Path = b.Path, a.Path
			*a, *b = *b, *a
		},
		"page size": func(idx *Index) {
			idx.member("shop/t.ibd").InnoDB = &Pages{SpaceID: 8, PageSize: 4096, Total: 5, Zero: 2, Unknown: 3}
		},
		"less": func(idx *Index) { idx.Files = idx.Files[:len(idx.Files)-1] },
	} {
		t.Run(name, func(t *testing.T) {
			b, err := Open(t.Context(), forgeStream(t, change))
			if err != nil {
				if name == "less" && errors.Is(err, ErrCorrupt) {
					return
				}
				t.Fatal(err)
			}
			report, err := b.Verify(t.Context(), VerifyOptions{})
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(fmt.Sprint(report.Findings), CodeStructure) {
				t.Errorf("%v, %+v", err, report)
			}
		})
	}
}
