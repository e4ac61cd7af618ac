package archive

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store/storetest"
)

// withoutAllocated is an index as it can be known from the data file.
func withoutAllocated(idx *Index) *Index {
	known := *idx
	known.Rebuilt, known.Files = nil, nil
	for _, m := range idx.Files {
		member := *m
		member.Allocated = 0
		known.Files = append(known.Files, &member)
	}
	return &known
}

func rebuild(t *testing.T, m *storetest.Memory) *RebuiltIndex {
	t.Helper()
	r, err := RebuildIndex(t.Context(), m, RebuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// indexText is an index as it is written, before compression.
func indexText(t *testing.T, idx *Index) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := encodeIndex(t.Context(), &b, idx); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// damages are what may happen to an index.
var damages = map[string]func(t *testing.T, m *storetest.Memory){
	"missing": func(t *testing.T, m *storetest.Memory) {
		if err := m.Remove(t.Context(), IndexName); err != nil {
			t.Fatal(err)
		}
	},
	"empty":   func(_ *testing.T, m *storetest.Memory) { m.Set(IndexName, nil) },
	"cut off": func(_ *testing.T, m *storetest.Memory) { m.Set(IndexName, cut(m.Bytes(IndexName), 100)) },
	"bit":     func(_ *testing.T, m *storetest.Memory) { m.Set(IndexName, flip(m.Bytes(IndexName), 77, 2)) },
	"longer":  func(_ *testing.T, m *storetest.Memory) { m.Set(IndexName, append(bytes.Clone(m.Bytes(IndexName)), 0)) },
	"huge":    func(_ *testing.T, m *storetest.Memory) { m.Set(IndexName, make([]byte, 1<<20)) },
	"of another": func(t *testing.T, m *storetest.Memory) {
		f := newFolder(t)
		f.file("other", []byte("other"), 0o600)
		m.Set(IndexName, newMemoryOf(t, Dir(f.done())).Bytes(IndexName))
	},
}

// Whatever happened to the index, the rebuilt one is the writer's but for what the tar does not tell, and all
// goes on with it.
func TestALostIndexIsRebuilt(t *testing.T) {
	dir := smallFolder(t)
	each(t, func(t *testing.T, f codec.Format) {
		for _, pages := range []bool{true, false} {
			m := storetest.NewMemory()
			o := options(f)
			o.Pages = pages
			golden := withoutAllocated(pack(t, Dir(dir), m, o).Index)
			for name, damage := range damages {
				damaged := m.Clone()
				damage(t, damaged)
				if _, err := Open(t.Context(), damaged); !errors.Is(err, ErrCorrupt) {
					t.Fatalf("%s: %v", name, err)
				}
				checkRebuild(t, damaged, golden)
			}
		}
	})
}

// Frames, files that span them, holes and damaged pages are as the writer had them.
func TestALargeIndexIsRebuiltAndRestoredWith(t *testing.T) {
	dir := largeFolder(t)
	overwrite(t, filepath.Join(dir, "ibdata1"), 5<<20+100) // a damaged page
	want := describeTree(t, dir)
	each(t, func(t *testing.T, f codec.Format) {
		m, b := packed(t, dir, f)
		damages["missing"](t, m)
		checkRebuild(t, m, withoutAllocated(b.index))
		checkRebuilt(t, m, want)
	})
}

func checkRebuild(t *testing.T, m *storetest.Memory, golden *Index) {
	t.Helper()
	r := rebuild(t, m)
	if r.Name != RebuiltIndexName || r.Lost == nil || r.Tail != "" || r.Files != int64(len(golden.Files)) {
		t.Errorf("%+v", r)
	}
	b := open(t, m)
	if got := withoutAllocated(b.Index()); indexText(t, got) != indexText(t, golden) {
		t.Error(cmp.Diff(golden, got))
	}
	if b.LostIndex() == nil {
		t.Error("the backup seems to have its index")
	}
}

// checkRebuilt restores with a rebuilt index; a verification tells that the index is lost, and nothing else.
func checkRebuilt(t *testing.T, m *storetest.Memory, want []string) {
	t.Helper()
	b := open(t, m)
	report, err := b.Verify(t.Context(), VerifyOptions{})
	lost := 0
	for _, f := range report.Findings {
		switch {
		case f.Code == CodeIndex:
			lost++
		case f.Code != CodePage || !f.Known:
			t.Errorf("finding %+v", f)
		}
	}
	if !errors.Is(err, ErrCorrupt) || lost != 1 {
		t.Errorf("verify: %v, %+v", err, report)
	}
	target := filepath.Join(t.TempDir(), "restored")
	r, err := b.Restore(t.Context(), target, RestoreOptions{})
	if err != nil || r.Allocated != -1 || r.Need != -1 {
		t.Fatalf("restore: %+v, %v", r, err)
	}
	if diff := cmp.Diff(want, describeTree(t, target)); diff != "" {
		t.Error(diff)
	}
}

// unallocated is a tree that does not tell what its files take on disk.
type unallocated struct{ Tree }

func (u unallocated) Walk(ctx context.Context, fn func(Entry) error) error {
	return u.Tree.Walk(ctx, func(e Entry) error {
		e.Allocated = 0
		return fn(e)
	})
}

// Where nothing is lost, the rebuilt index is the writer's, byte for byte, and takes its place.
func TestARebuiltIndexTakesThePlaceOfTheSame(t *testing.T) {
	each(t, func(t *testing.T, f codec.Format) {
		m := newStoreOf(t, unallocated{Dir(largeFolder(t))}, f)
		golden := m.Bytes(IndexName)
		damages["bit"](t, m)
		if r := rebuild(t, m); r.Name != IndexName || !bytes.Equal(m.Bytes(IndexName), golden) {
			t.Errorf("%+v, the same: %v", r, bytes.Equal(m.Bytes(IndexName), golden))
		}
		if err := verifyStore(t, m, false); err != nil {
			t.Error(err)
		}
	})
}

func TestASoundIndexIsNotRebuilt(t *testing.T) {
	m := newMemoryOf(t, Dir(smallFolder(t)))
	if r := rebuild(t, m); r.Name != "" || r.Lost != nil {
		t.Errorf("%+v", r)
	}
	if infos, err := m.List(t.Context()); err != nil || len(infos) != 4 {
		t.Errorf("%v, %v", infos, err)
	}
}

// The frames of a zstd file are found without its seek table.
func TestAnIndexIsRebuiltWithoutTheSeekTable(t *testing.T) {
	m, b := packed(t, largeFolder(t), codec.Zstd)
	damages["missing"](t, m)
	data := m.Bytes("data.tar.zst")
	size := int(codec.SeekTableSize(len(b.index.Frames)))
	end := len(data) - size
	swapped := bytes.Clone(data) // sizes of two frames: their sum is right
	copy(swapped[end+8:], data[end+8+12:end+8+24])
	copy(swapped[end+8+12:], data[end+8:end+8+12])
	for name, damaged := range map[string][]byte{
		"lost": data[:end], "one byte of it": data[:end+1], "cut off": data[:len(data)-1], "magic": flip(data, end, 1), "size": flip(data, end+5, 1),
		"stored": flip(data, end+8, 1), "raw": flip(data, end+13, 1), "checksum": flip(data, end+17, 1), "number": flip(data, len(data)-9, 1),
		"huge number": flip(data, len(data)-6, 0x80), "descriptor": flip(data, len(data)-5, 1), "last": flip(data, len(data)-1, 1),
		"zeros": append(bytes.Clone(data[:end]), make([]byte, size)...), "swapped": swapped,
	} {
		t.Run(name, func(t *testing.T) {
			store := m.Clone()
			store.Set("data.tar.zst", damaged)
			if r := rebuild(t, store); r.Name != RebuiltIndexName || r.Tail == "" {
				t.Errorf("%+v", r)
			}
			got := open(t, store)
			if indexText(t, withoutAllocated(got.index)) != indexText(t, withoutAllocated(b.index)) {
				t.Error(cmp.Diff(b.index, got.index))
			}
		})
	}
}

// Of a data file that is not the writer's no index is made, wherever it is wrong.
func TestNoIndexIsRebuiltOfDamagedData(t *testing.T) {
	dir := smallFolder(t)
	each(t, func(t *testing.T, f codec.Format) {
		m, b := packed(t, dir, f)
		damages["missing"](t, m)
		name := DataName(f)
		whole := m.Bytes(name)
		last := b.index.Frames[len(b.index.Frames)-1]
		end := int(last.Offset + last.Stored) // what comes after it may be lost
		try := func(what string, at int, damaged []byte) {
			t.Helper()
			m.Set(name, damaged)
			if r, err := RebuildIndex(t.Context(), m, RebuildOptions{Threads: 1}); !typed(err) {
				t.Fatalf("%s at %d of %d: %+v, %v", what, at, len(whole), r, err)
			}
		}
		for at := 0; at < end; at += 1 + end/500 {
			try("cut", at, cut(whole, at))
			try("bit", at, flip(whole, at, 1<<(at%8)))
		}
		try("longer", end, append(bytes.Clone(whole), 'x'))
		try("twice", end, append(bytes.Clone(whole), whole...))
		if err := m.Remove(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if _, err := RebuildIndex(t.Context(), m, RebuildOptions{}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("missing: %v", err)
		}
		if _, err := m.Open(t.Context(), RebuiltIndexName); err == nil {
			t.Error("an index was written")
		}
	})
}

func TestAnIndexIsNotRebuiltWithoutAManifest(t *testing.T) {
	m := newMemoryOf(t, Dir(smallFolder(t)))
	if err := m.Remove(t.Context(), manifest.Name); err != nil {
		t.Fatal(err)
	}
	if _, err := RebuildIndex(t.Context(), m, RebuildOptions{}); !errors.Is(err, manifest.ErrMissing) {
		t.Errorf("error is %v", err)
	}
}

func TestEveryDamageOfARebuiltIndexIsNoticed(t *testing.T) {
	m := newMemoryOf(t, Dir(smallFolder(t)))
	damages["missing"](t, m)
	rebuild(t, m)
	whole := m.Bytes(RebuiltIndexName)
	for at := range whole {
		for what, damaged := range map[string][]byte{"cut": cut(whole, at), "bit": flip(whole, at, 1<<(at%8))} {
			m.Set(RebuiltIndexName, damaged)
			if _, err := Open(t.Context(), m); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%s at %d of %d: %v", what, at, len(whole), err)
			}
		}
	}
	m.Set(RebuiltIndexName, append(bytes.Clone(whole), 0))
	if _, err := Open(t.Context(), m); !errors.Is(err, ErrCorrupt) {
		t.Errorf("longer: %v", err)
	}
	f := newFolder(t)
	f.file("other", []byte("other"), 0o600)
	other := newMemoryOf(t, Dir(f.done()))
	damages["missing"](t, other)
	rebuild(t, other)
	m.Set(RebuiltIndexName, other.Bytes(RebuiltIndexName))
	if _, err := Open(t.Context(), m); !errors.Is(err, ErrCorrupt) {
		t.Errorf("of another: %v", err)
	}
}

// FuzzRebuild looks for a data file that makes rebuilding panic, or pass without being the one that was
// packed.
func FuzzRebuild(f *testing.F) {
	stores := map[codec.Format]*storetest.Memory{}
	for i, format := range codec.Formats() {
		m, _ := packed(f, smallFolder(f), format)
		if err := m.Remove(f.Context(), IndexName); err != nil {
			f.Fatal(err)
		}
		stores[format] = m
		f.Add(byte(i), m.Bytes(DataName(format)))
	}
	f.Fuzz(func(t *testing.T, format byte, data []byte) {
		formats := codec.Formats()
		name := formats[int(format)%len(formats)]
		m := stores[name].Clone()
		m.Set(DataName(name), data)
		_, err := RebuildIndex(t.Context(), m, RebuildOptions{Threads: 1})
		if err != nil && !typed(err) {
			t.Errorf("error is %v", err)
		}
		if err == nil && name != codec.Zstd && !bytes.Equal(data, stores[name].Bytes(DataName(name))) {
			t.Error("another data file passes")
		}
	})
}

// FuzzHeaderBlocks looks for a header of a wrong length.
func FuzzHeaderBlocks(f *testing.F) {
	h, err := tarHeader(Entry{Path: "a", Type: TypeFile, ModTime: written, Size: 5})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(h)
	f.Add(binary.LittleEndian.AppendUint64(nil, 7))
	f.Fuzz(func(t *testing.T, raw []byte) {
		header, err := headerBlocks(raw)
		if err == nil && (len(header) == 0 || len(header)%tarBlock != 0 || len(header) > maxHeader) {
			t.Errorf("%d bytes", len(header))
		}
	})
}
