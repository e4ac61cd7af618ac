package archive

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store"
	"runner/pkg/archive/store/storetest"
	"runner/pkg/innodb/innodbtest"
)

func TestMain(m *testing.M) {
	if arguments := os.Getenv(childVariable); arguments != "" {
		os.Exit(packChild(arguments))
	}
	if os.Getenv(childTarget) != "" {
		if err := restoreInChild(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// written is when the files of test trees were last written to: with nanoseconds, in the past.
var written = time.Date(2026, 11, 22, 10, 3, 29, 123456789, time.UTC)

// folder is a folder being filled for a test.
type folder struct {
	t    testing.TB
	path string
}

func newFolder(t testing.TB) folder { return folder{t: t, path: filepath.Join(t.TempDir(), "data")} }

func (f folder) file(name string, content []byte, mode fs.FileMode) {
	f.t.Helper()
	path := filepath.Join(f.path, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		f.t.Fatal(err)
	}
	f.touch(name)
}

func (f folder) dir(name string) {
	f.t.Helper()
	if err := os.MkdirAll(filepath.Join(f.path, name), 0o750); err != nil {
		f.t.Fatal(err)
	}
}

func (f folder) link(name, target string) {
	f.t.Helper()
	if err := os.Symlink(target, filepath.Join(f.path, name)); err != nil {
		f.t.Fatal(err)
	}
}

// sparse makes a file with a hole between two pieces of data.
func (f folder) sparse(name string, size int64) {
	f.t.Helper()
	f.file(name, []byte("at the start"), 0o640)
	file, err := os.OpenFile(filepath.Join(f.path, name), os.O_WRONLY, 0)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := file.Truncate(size); err != nil {
		f.t.Fatal(err)
	}
	if _, err := file.WriteAt([]byte("at the end"), size-10); err != nil {
		f.t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		f.t.Fatal(err)
	}
	f.touch(name)
}

func (f folder) touch(name string) {
	f.t.Helper()
	if err := os.Chtimes(filepath.Join(f.path, name), written, written); err != nil {
		f.t.Fatal(err)
	}
}

// done gives all folders their time, which making files in them has changed.
func (f folder) done() string {
	f.t.Helper()
	err := filepath.WalkDir(f.path, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return os.Chtimes(path, written, written)
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return f.path
}

// smallFolder has something of everything in a few KB.
func smallFolder(t testing.TB) string {
	f := newFolder(t)
	f.file("ib_buffer_pool", []byte("1,2\n1,3\n"), 0o640)
	f.file("empty", nil, 0o600)
	f.file("shop/t.ibd", innodbtest.File(7, 2, 4096), 0o640)
	f.link("shop/link", "t.ibd")
	f.dir("shop/nothing")
	return f.done()
}

// largeFolder has files that span frames, lie in one frame with others, are sparse or all zero.
func largeFolder(t testing.TB) string {
	f := newFolder(t)
	r := rand.New(rand.NewChaCha8([32]byte{1}))
	random := make([]byte, 5<<20+777)
	for i := range random {
		random[i] = byte(r.Uint32() >> (i >> 10 & 3 * 2))
	}
	f.file("a/exact", random[:codec.FrameSize], 0o600)
	f.file("a/large", random, 0o640)
	f.file("a/three", random[:3<<20], 0o440)
	f.file("a/four", random[1<<20:4<<20], 0o640)
	f.file("ibdata1", innodbtest.File(0, 270, 16<<10), 0o640)
	f.file("zero.ibd", make([]byte, 5<<20), 0o640)
	f.sparse("holes", 13<<20+5)
	for i := range 100 {
		f.file(fmt.Sprintf("many/%03d.ibd", i), innodbtest.File(uint32(i), 3, 4096), 0o640)
	}
	f.file("#innodb_redo/#ib_redo0", random[:100_000], 0o640)
	return f.done()
}

// pack makes a whole backup, manifest included.
func pack(t testing.TB, tree Tree, dst store.Store, o PackOptions) *Packed {
	t.Helper()
	p, err := Pack(t.Context(), tree, dst, o)
	if err != nil {
		t.Fatal(err)
	}
	index, err := WriteIndex(t.Context(), dst, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteSums(t.Context(), dst, p.Data, index); err != nil {
		t.Fatal(err)
	}
	if err := manifest.Write(t.Context(), dst, testManifest(p.Manifest(index))); err != nil {
		t.Fatal(err)
	}
	return p
}

func testManifest(a manifest.Archive) *manifest.Manifest {
	return &manifest.Manifest{
		State:       manifest.StateComplete,
		Run:         manifest.Run{ID: "20261122T100329Z-k3f9", Job: "job.orders", Attempt: 1, Started: written, Finished: written},
		Coordinates: manifest.Coordinates{From: manifest.FromNone},
		Archive:     a,
	}
}

func options(f codec.Format) PackOptions {
	return PackOptions{Format: string(f), Level: f.DefaultLevel(), Pages: true}
}

// packed makes a backup of a folder in memory and opens it.
func packed(t testing.TB, dir string, f codec.Format) (*storetest.Memory, *Backup) {
	t.Helper()
	m := storetest.NewMemory()
	pack(t, Dir(dir), m, options(f))
	return m, open(t, m)
}

func open(t testing.TB, s store.Store) *Backup {
	t.Helper()
	b, err := Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// describeTree says all about a folder that a restore has to keep.
func describeTree(t testing.TB, dir string) []string {
	t.Helper()
	var lines []string
	err := Dir(dir).Walk(t.Context(), func(e Entry) error {
		line := fmt.Sprintf("%s %s %v %d:%d %d %q", e.Path, e.Type, e.Mode, e.UID, e.GID, e.Size, e.Link)
		if e.Type != TypeSymlink {
			line += " " + e.ModTime.UTC().Format(time.RFC3339Nano)
		}
		if e.Type == TypeFile {
			content, err := os.ReadFile(filepath.Join(dir, e.Path))
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %x", bytesDigest(content))
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// each runs a test for every format.
func each(t *testing.T, test func(t *testing.T, f codec.Format)) {
	t.Helper()
	for _, f := range codec.Formats() {
		t.Run(string(f), func(t *testing.T) { test(t, f) })
	}
}

func cut(b []byte, n int) []byte { return bytes.Clone(b[:n]) }

func flip(b []byte, at int, mask byte) []byte {
	c := bytes.Clone(b)
	c[at] ^= mask
	return c
}

// owned is a tree of which every entry belongs to somebody else.
type owned struct {
	Tree
	uid, gid int
}

func (o owned) Walk(ctx context.Context, fn func(Entry) error) error {
	return o.Tree.Walk(ctx, func(e Entry) error {
		e.UID, e.GID = o.uid, o.gid
		return fn(e)
	})
}

func newMemoryOf(t testing.TB, tree Tree) *storetest.Memory {
	t.Helper()
	return newStoreOf(t, tree, codec.Zstd)
}

func newStoreOf(t testing.TB, tree Tree, f codec.Format) *storetest.Memory {
	t.Helper()
	m := storetest.NewMemory()
	pack(t, tree, m, options(f))
	return m
}
