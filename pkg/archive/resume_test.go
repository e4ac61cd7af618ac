package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/store"
	"runner/pkg/archive/store/storetest"
	"runner/pkg/innodb/innodbtest"
)

// framesFolder has few bytes and many frames, and a cut at every kind of them: within a file that
// spans frames, within one that has damaged pages, is sparse, is all zero; between files.
func framesFolder(t testing.TB) string {
	f := newFolder(t)
	r := rand.New(rand.NewChaCha8([32]byte{2}))
	random := make([]byte, 300_000)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	f.file("a/first", random, 0o640)
	f.file("a/span", bytes.Repeat([]byte("0123456789abcdef"), 550_000), 0o640) // three frames
	damaged := innodbtest.File(42, 600, 16<<10)                                // three frames
	for _, page := range []int{3, 299, 300, 599} {
		damaged[page*16<<10+5000] ^= 1
	}
	f.file("shop/bad.ibd", append(damaged, 1, 2, 3), 0o640)
	f.file("shop/empty", nil, 0o600)
	for i := range 5 {
		f.file(fmt.Sprintf("shop/many%02d.ibd", i), innodbtest.File(uint32(i+100), 12, 16<<10), 0o640)
	}
	f.sparse("sparse", 9<<20+5)
	f.file("tail/zero.ibd", make([]byte, 5<<20), 0o640)
	f.file("z", random[:1000], 0o640)
	return f.done()
}

// result is all that a pack gives, as it shall be whether it was interrupted or not.
type result struct {
	Data, Index, Sums []byte
	BadPages          []BadPage
	ZeroFrames        int64
	HoleBytes         int64
	Pages             PageStats
	Left              []string // names in the store
}

// attempt is one pack that may be interrupted.
type attempt struct {
	threads int
	every   int64 // stored bytes between two checkpoints
	stop    int   // frames after which it is interrupted; 0: never
	wrap    func(store.Store) store.Store
	resumed []Resumption
	bad     []BadPage
}

func (a *attempt) pack(t testing.TB, tree Tree, dst store.Store, f codec.Format) (*Packed, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := options(f)
	o.Threads, o.Resumable = a.threads, true
	o.OnResume = func(r Resumption) { a.resumed = append(a.resumed, r) }
	o.OnBadPage = func(b BadPage) { a.bad = append(a.bad, b) }
	packing := 0
	o.Progress = func(int64) {
		if packing++; packing == a.stop {
			cancel()
		}
	}
	p := newPacker(tree, f, o)
	p.checkpointBytes = a.every
	if a.wrap != nil {
		dst = a.wrap(dst)
	}
	return p.packTo(ctx, dst)
}

// finish packs to the end and writes index and sums.
func finish(t testing.TB, a *attempt, tree Tree, m *storetest.Memory, f codec.Format) *result {
	t.Helper()
	p, err := a.pack(t, tree, m, f)
	if err != nil {
		t.Fatal(err)
	}
	return conclude(t, a, p, m, f)
}

func conclude(t testing.TB, a *attempt, p *Packed, m *storetest.Memory, f codec.Format) *result {
	t.Helper()
	index, err := WriteIndex(t.Context(), m, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteSums(t.Context(), m, p.Data, index); err != nil {
		t.Fatal(err)
	}
	return &result{
		Data: m.Bytes(DataName(f)), Index: m.Bytes(IndexName), Sums: m.Bytes("SHA256SUMS"), BadPages: a.bad,
		ZeroFrames: p.ZeroFrames, HoleBytes: p.HoleBytes, Pages: p.Pages, Left: namesIn(t, m),
	}
}

func namesIn(t testing.TB, m *storetest.Memory) []string {
	t.Helper()
	infos, err := m.List(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, i := range infos {
		names = append(names, i.Name)
	}
	return names
}

// same fails without printing megabytes.
func same(t testing.TB, want, got *result) {
	t.Helper()
	for what, pair := range map[string][2][]byte{
		"data": {want.Data, got.Data}, "index": {want.Index, got.Index}, "sums": {want.Sums, got.Sums},
	} {
		if !bytes.Equal(pair[0], pair[1]) {
			t.Errorf("%s is not that of a pack that nobody interrupted: %d bytes, not %d", what, len(pair[1]), len(pair[0]))
		}
	}
	w, g := *want, *got
	w.Data, w.Index, w.Sums, g.Data, g.Index, g.Sums = nil, nil, nil, nil, nil, nil
	if diff := cmp.Diff(w, g); diff != "" {
		t.Error(diff)
	}
}

// packWhole is what a pack that cannot be resumed gives.
func packWhole(t testing.TB, tree Tree, f codec.Format) (*result, int) {
	t.Helper()
	a := &attempt{}
	o := options(f)
	o.OnBadPage = func(b BadPage) { a.bad = append(a.bad, b) }
	m := storetest.NewMemory()
	p, err := Pack(t.Context(), tree, m, o)
	if err != nil {
		t.Fatal(err)
	}
	return conclude(t, a, p, m, f), len(p.Index.Frames)
}

func TestAResumablePackIsTheSameAsAnyOther(t *testing.T) {
	dir := framesFolder(t)
	each(t, func(t *testing.T, f codec.Format) {
		want, _ := packWhole(t, Dir(dir), f)
		a := &attempt{every: 1}
		same(t, want, finish(t, a, Dir(dir), storetest.NewMemory(), f))
		if len(a.resumed) != 0 {
			t.Errorf("there was nothing to go on with, and it says %+v", a.resumed)
		}
	})
}

func TestAPackInterruptedAtAnyFrameGoesOnToTheSameBytes(t *testing.T) {
	dir := framesFolder(t)
	each(t, func(t *testing.T, f codec.Format) {
		want, frames := packWhole(t, Dir(dir), f)
		for _, threads := range []int{1, 2, 8} {
			if f != codec.Zstd && threads != 2 {
				continue // the number of threads has nothing to do with the format
			}
			for stop := 1; stop < frames; stop++ {
				m := storetest.NewMemory()
				first := &attempt{threads: threads, stop: stop, every: 1}
				if _, err := first.pack(t, Dir(dir), m, f); !errors.Is(err, context.Canceled) {
					t.Fatalf("interrupted at frame %d: %v", stop, err)
				}
				second := &attempt{threads: 9 - threads, every: 1 << 30}
				same(t, want, finish(t, second, Dir(dir), m, f))
				if len(second.resumed) != 1 || second.resumed[0].Anew != "" || second.resumed[0].Frames < int64(stop) {
					t.Errorf("interrupted at frame %d, it went on at %+v", stop, second.resumed)
				}
				if t.Failed() {
					t.Fatalf("interrupted at frame %d with %d threads", stop, threads)
				}
			}
		}
	})
}

func TestAPackInterruptedAgainAndAgainGivesTheSameBytes(t *testing.T) {
	dir := framesFolder(t)
	want, frames := packWhole(t, Dir(dir), codec.Zstd)
	m := storetest.NewMemory()
	for k := 1; k < frames; k++ {
		// The frames that are read back are told too.
		a := &attempt{stop: k, every: 1}
		if _, err := a.pack(t, Dir(dir), m, codec.Zstd); !errors.Is(err, context.Canceled) {
			t.Fatalf("attempt %d: %v", k, err)
		}
	}
	same(t, want, finish(t, &attempt{every: 1}, Dir(dir), m, codec.Zstd))
}

// interrupted gives what a pack leaves that was interrupted after so many frames.
func interrupted(t testing.TB, dir string, f codec.Format, stop int) *storetest.Memory {
	t.Helper()
	m := storetest.NewMemory()
	if _, err := (&attempt{stop: stop, every: 1}).pack(t, Dir(dir), m, f); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Remainders(f), namesIn(t, m)); diff != "" {
		t.Fatal(diff)
	}
	return m
}

func TestWhatCannotBeGoneOnWithIsPackedAnew(t *testing.T) {
	const anotherTree, otherSettings = "has changed since", "other settings"
	tests := map[string]struct {
		change func(t *testing.T, dir string, m *storetest.Memory, o *PackOptions)
		want   string
	}{
		"a file was written to": {func(t *testing.T, dir string, _ *storetest.Memory, _ *PackOptions) {
			if err := os.Chtimes(filepath.Join(dir, "c"), written, written.Add(time.Nanosecond)); err != nil {
				t.Fatal(err)
			}
		}, anotherTree},
		"a file was added": {func(t *testing.T, dir string, _ *storetest.Memory, _ *PackOptions) {
			if err := os.WriteFile(filepath.Join(dir, "d"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, anotherTree},
		"a file was removed": {func(t *testing.T, dir string, _ *storetest.Memory, _ *PackOptions) {
			if err := os.Remove(filepath.Join(dir, "c")); err != nil {
				t.Fatal(err)
			}
		}, anotherTree},
		"a mode was changed": {func(t *testing.T, dir string, _ *storetest.Memory, _ *PackOptions) {
			if err := os.Chmod(filepath.Join(dir, "c"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, anotherTree},
		"another level":      {func(_ *testing.T, _ string, _ *storetest.Memory, o *PackOptions) { o.Level = 9 }, otherSettings},
		"pages not verified": {func(_ *testing.T, _ string, _ *storetest.Memory, o *PackOptions) { o.Pages = false }, otherSettings},
		"the checkpoint is gone": {func(_ *testing.T, _ string, m *storetest.Memory, _ *PackOptions) {
			if err := m.Remove(context.Background(), checkpointName+store.PartialSuffix); err != nil {
				panic(err)
			}
		}, "no checkpoint"},
		"a later version wrote it": {func(t *testing.T, dir string, m *storetest.Memory, _ *PackOptions) {
			tree, err := fingerprint(t.Context(), Dir(dir))
			if err != nil {
				t.Fatal(err)
			}
			var sum lineSum
			line, err := sum.appendLine(nil, checkpointHead{Format: "runner-checkpoint/2", Tree: tree})
			if err != nil {
				t.Fatal(err)
			}
			m.Set(checkpointName+store.PartialSuffix, line)
		}, otherSettings},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := littleFolder(t)
			m := interrupted(t, dir, codec.Zstd, 2)
			o := options(codec.Zstd)
			test.change(t, dir, m, &o)
			fresh := storetest.NewMemory()
			pack(t, Dir(dir), fresh, o)
			var said []Resumption
			o.Resumable, o.OnResume = true, func(r Resumption) { said = append(said, r) }
			pack(t, Dir(dir), m, o)
			if len(said) != 1 || !strings.Contains(said[0].Anew, test.want) || said[0].Frames != 0 {
				t.Errorf("it says %+v", said)
			}
			if diff := cmp.Diff(namesIn(t, fresh), namesIn(t, m)); diff != "" {
				t.Error(diff)
			}
			for _, file := range namesIn(t, fresh) {
				if !bytes.Equal(fresh.Bytes(file), m.Bytes(file)) {
					t.Errorf("%s is not that of a pack that nobody interrupted", file)
				}
			}
		})
	}
}

// A checkpoint whose lines hold and that is of this very tree, and yet has other frames: nothing
// but another version of this package makes one.
func TestACheckpointThatDoesNotFitIsGivenUp(t *testing.T) {
	dir := littleFolder(t)
	m := interrupted(t, dir, codec.Zstd, 2)
	name := checkpointName + store.PartialSuffix
	r := newCheckpointReader(bytes.NewReader(m.Bytes(name)))
	head, err := r.head()
	if err != nil {
		t.Fatal(err)
	}
	record, err := r.next()
	if err != nil {
		t.Fatal(err)
	}
	record.Pieces = record.Pieces[1:]
	var sum lineSum
	lines, err := sum.appendLine(nil, head)
	if err != nil {
		t.Fatal(err)
	}
	if lines, err = sum.appendLine(lines, record); err != nil {
		t.Fatal(err)
	}
	m.Set(name, lines)
	if _, err := (&attempt{every: 1}).pack(t, Dir(dir), m, codec.Zstd); !errors.Is(err, errMisfit) {
		t.Errorf("error is %v", err)
	}
	expectNothing(t, m)
	want, _ := packWhole(t, Dir(dir), codec.Zstd)
	same(t, want, finish(t, &attempt{every: 1}, Dir(dir), m, codec.Zstd))
}

func TestAFileThatChangesWhileItIsPackedLeavesNoRemainder(t *testing.T) {
	f := newFolder(t)
	f.file("a", make([]byte, 9<<20), 0o600)
	f.file("x", []byte("x"), 0o600)
	tree := &changing{Tree: Dir(f.done()), path: "x", change: func() {
		if err := os.Truncate(filepath.Join(f.path, "x"), 0); err != nil {
			t.Error(err)
		}
	}}
	m := storetest.NewMemory()
	if _, err := (&attempt{every: 1}).pack(t, tree, m, codec.Zstd); !errors.Is(err, ErrChanged) {
		t.Errorf("error is %v", err)
	}
	expectNothing(t, m)
}

// A tree is walked once before it is packed, and once while it is.
func TestATreeThatChangesWhileItIsPackedIsTold(t *testing.T) {
	f := newFolder(t)
	f.file("a", []byte("x"), 0o600)
	tree := &changing{Tree: Dir(f.done()), path: "a", change: func() {
		if err := os.WriteFile(filepath.Join(f.path, "b"), nil, 0o600); err != nil {
			t.Error(err)
		}
	}}
	// The second walk has read the names of the folder before a is opened, so the change shows in the third.
	m := storetest.NewMemory()
	walks := 0
	counted := walkHook{Tree: tree, before: func() {
		if walks++; walks == 2 {
			tree.change()
			tree.change = nil
		}
	}}
	_, err := (&attempt{every: 1}).pack(t, counted, m, codec.Zstd)
	var e *ChangedError
	if !errors.As(err, &e) || e.Path != Root {
		t.Errorf("error is %v", err)
	}
	expectNothing(t, m)
}

type walkHook struct {
	Tree
	before func()
}

func (w walkHook) Walk(ctx context.Context, fn func(Entry) error) error {
	w.before()
	return w.Tree.Walk(ctx, fn)
}

func TestDryRunOfAResumablePackLeavesNothing(t *testing.T) {
	m := storetest.NewMemory()
	o := options(codec.Zstd)
	o.Resumable = true
	if _, err := Pack(t.Context(), Dir(smallFolder(t)), store.DryRun(m), o); err != nil {
		t.Fatal(err)
	}
	expectNothing(t, m)
}
