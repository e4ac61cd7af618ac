package archive

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"testing"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/store"
)

func sha256Of(b []byte) [32]byte { return sha256.Sum256(b) }

// FuzzIndex looks for an index that is let through although it contradicts itself: all that
// reading relies on is looked at again here, in another way.
func FuzzIndex(f *testing.F) {
	for _, dir := range []string{smallFolder(f), largeFolder(f)} {
		_, b := packed(f, dir, codec.Zstd)
		var text bytes.Buffer
		w := bufio.NewWriter(&text)
		if err := writeIndexText(context.Background(), w, b.index); err != nil {
			f.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			f.Fatal(err)
		}
		f.Add(text.Bytes())
	}
	var text bytes.Buffer
	w := bufio.NewWriter(&text)
	if err := errors.Join(writeIndexText(context.Background(), w, open(f, smallStream(f, codec.Zstd, 1)).index), w.Flush()); err != nil {
		f.Fatal(err)
	}
	f.Add(text.Bytes())
	f.Fuzz(func(t *testing.T, text []byte) {
		idx, err := decodeIndexText(bytes.NewReader(text), noLimits)
		if err != nil {
			return
		}
		starts, err := idx.check()
		if err != nil {
			return
		}
		b := newBackup(nil, nil, idx, starts, nil)
		content := map[*Member]int64{}
		for k := range idx.Frames {
			at := int64(0)
			err := b.spans(k, func(s span) error {
				if s.lo != at || s.hi < s.lo || s.hi > idx.Frames[k].Raw {
					t.Fatalf("frame %d: span %+v after byte %d", k, s, at)
				}
				at = s.hi
				if s.part == partExtent {
					content[s.member] += s.hi - s.lo
				}
				if s.part == partContent {
					if s.off != content[s.member] {
						t.Fatalf("frame %d: span %+v, %d bytes came before", k, s, content[s.member])
					}
					content[s.member] += s.hi - s.lo
					if k < s.member.First || k > s.member.Last {
						t.Fatalf("frame %d: span %+v", k, s)
					}
				}
				return nil
			})
			if err != nil || at != idx.Frames[k].Raw {
				t.Fatalf("frame %d: %d bytes of %d, %v", k, at, idx.Frames[k].Raw, err)
			}
		}
		for _, m := range idx.Files {
			if want := stored(map[*Member]bool{m: true}); content[m] != want {
				t.Fatalf("%s has %d bytes in frames", m.Path, content[m])
			}
		}
	})
}

// FuzzJSONScanner looks for a valid value that the scanner reads differently than encoding/json does.
func FuzzJSONScanner(f *testing.F) {
	for _, text := range []string{`{"a":[1,-2.5e3,"x\\\"y",{}],"b":null}`, ` [ ] `, `"\u00e9"`, `true`, `[[[0]]]`, `{"a`, `[1 2]`, `"\`} {
		f.Add([]byte(text), 3)
	}
	f.Fuzz(func(t *testing.T, text []byte, buffer int) {
		if buffer < 1 || buffer > 1<<10 {
			return
		}
		s := &jsonScanner{r: bytes.NewReader(text), buf: make([]byte, buffer)}
		k := &kept{limit: len(text)}
		err := s.value(k)
		var want bytes.Buffer
		if json.Compact(&want, text) != nil {
			return // what is skipped may have another grammar
		}
		if err != nil && bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) <= maxDepth {
			t.Fatalf("%q: %v", text, err)
		}
		if err == nil && !bytes.Equal(k.text, want.Bytes()) {
			t.Fatalf("%q was read as %q", text, k.text)
		}
	})
}

// FuzzStoredIndex looks for bytes that make the reader of the index file panic or take memory
// beyond what it is told.
func FuzzStoredIndex(f *testing.F) {
	m, b := packed(f, smallFolder(f), codec.Zstd)
	f.Add(m.Bytes(IndexName), b.Manifest().Archive.Index.RawBytes)
	f.Fuzz(func(t *testing.T, stored []byte, raw int64) {
		if raw > 1<<20 {
			return
		}
		idx, err := decodeIndex(bytes.NewReader(stored), raw, noLimits)
		if err == nil && idx == nil {
			t.Error("neither an index nor an error")
		}
	})
}

// FuzzCheckpoint looks for a checkpoint that panics, takes memory beyond what a line may have, or
// is read beyond its first damaged line.
func FuzzCheckpoint(f *testing.F) {
	m := interrupted(f, littleFolder(f), codec.Zstd, 2)
	log := m.Bytes(checkpointName + store.PartialSuffix)
	f.Add(log)
	f.Add(log[:len(log)/2])
	f.Add(append(bytes.Clone(log), log...))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newCheckpointReader(bytes.NewReader(data))
		head, err := r.head()
		if err != nil {
			return
		}
		var sum lineSum
		again, err := sum.appendLine(nil, head)
		if err != nil {
			t.Fatal(err)
		}
		for {
			record, err := r.next()
			if err != nil {
				break
			}
			if again, err = sum.appendLine(again, record); err != nil {
				t.Fatal(err)
			}
		}
		// What was let through is what it says, unless JSON was written in another way than ours.
		if sum == r.sum && !bytes.Equal(again, data[:len(again)]) {
			t.Errorf("read\n%s\nof\n%s", again, data)
		}
	})
}

// FuzzTarHeader looks for header blocks that panic, or that say something else when they are
// written again.
func FuzzTarHeader(f *testing.F) {
	for _, e := range []Entry{
		{Path: ".", Type: TypeDir, Mode: 0o750, ModTime: written},
		{Path: "a/b", Type: TypeFile, Mode: 0o640, UID: 1, GID: 2, ModTime: written, Size: 7},
		{Path: "ä/" + string(bytes.Repeat([]byte("x"), 300)), Type: TypeFile, ModTime: written, Size: 1 << 40},
		{Path: "l", Type: TypeSymlink, Mode: 0o777, ModTime: written, Link: "a/b"},
	} {
		h, err := tarHeader(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(h)
	}
	f.Fuzz(func(t *testing.T, blocks []byte) {
		e, err := parseTarHeader(blocks)
		if err != nil || checkEntry(e) != nil {
			return
		}
		again, err := tarHeader(e)
		if err != nil {
			return // a path or a number that PAX cannot hold in the way that we write it
		}
		e2, err := parseTarHeader(again)
		if err != nil {
			t.Fatalf("%+v cannot be read again: %v", e, err)
		}
		if what := entryMatches(e2, memberOf(e)); what != "" {
			t.Errorf("%+v is read again as %+v: %s", e, e2, what)
		}
	})
}
