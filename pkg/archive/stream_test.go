package archive

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"testing"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store"
	"runner/pkg/archive/store/storetest"
)

// newStream begins a stream that ends with the test.
func newStream(t testing.TB, dst store.Store, f codec.Format, threads int) *Stream {
	t.Helper()
	s, err := NewStream(t.Context(), dst, StreamOptions{Format: string(f), Level: f.DefaultLevel(), Threads: threads, Pages: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Abort() })
	return s
}

// closeStream makes a whole backup of a stream, manifest included.
func closeStream(t testing.TB, s *Stream, dst store.Store) *Packed {
	t.Helper()
	p, err := s.Close()
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

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// entry is one as streams get it.
func entry(path string, typ Type) Entry {
	e := Entry{Path: path, Type: typ, Mode: 0o640, UID: os.Geteuid(), GID: os.Getegid(), ModTime: written}
	if typ == TypeDir {
		e.Mode = 0o750
	}
	return e
}

func fileOf(path string, content []byte) (Entry, *bytes.Reader) {
	e := entry(path, TypeFile)
	e.Size = int64(len(content))
	return e, bytes.NewReader(content)
}

// contents says what a tree is made of that both a restore and the script must give: not times, which
// the script cannot set.
func contents(t testing.TB, dir string) []string {
	t.Helper()
	var lines []string
	err := Dir(dir).Walk(t.Context(), func(e Entry) error {
		line := fmt.Sprintf("%s %s %v %d:%d %d %q", e.Path, e.Type, e.Mode, e.UID, e.GID, e.Size, e.Link)
		if e.Path == Root {
			return nil
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
	must(t, err)
	return lines
}

// applied unpacks the data file with tar and runs the script.
func applied(t testing.TB, m *storetest.Memory, f codec.Format) string {
	t.Helper()
	dir := unpackedBy(t, m, f)
	if out, err := runScript(dir); err != nil || len(out) > 0 {
		t.Fatalf("apply.sh: %v: %s", err, out)
	}
	return dir
}

func unpackedBy(t testing.TB, m *storetest.Memory, f codec.Format) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "unpacked")
	must(t, os.Mkdir(dir, 0o750))
	args := []string{"--warning=no-unknown-keyword", "-x", "-C", dir}
	if f == codec.Zstd {
		args = append(args, "--zstd")
	}
	tar := exec.Command("tar", args...)
	tar.Stdin = bytes.NewReader(m.Bytes(DataName(f)))
	if out, err := tar.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("tar: %v: %s", err, out)
	}
	return dir
}

func runScript(dir string) ([]byte, error) {
	sh := exec.Command("sh", "#runner/apply.sh")
	sh.Dir = dir
	return sh.CombinedOutput()
}

// restored opens, verifies and restores.
func restoredTo(t testing.TB, m *storetest.Memory) string {
	t.Helper()
	b := open(t, m)
	if report, err := b.Verify(t.Context(), VerifyOptions{}); err != nil || len(report.Findings) > 0 {
		t.Fatalf("verify: %v, %d findings, first %+v", err, len(report.Findings), report.Findings[:1])
	}
	dir := filepath.Join(t.TempDir(), "restored")
	if _, err := b.Restore(t.Context(), dir, RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// modelTree is what the operations on a stream make, in memory.
type modelTree map[string]*modelFile

type modelFile struct {
	e       Entry
	content []byte
}

// lines are those of contents.
func (m modelTree) lines() []string {
	paths := make([]string, 0, len(m))
	for p := range m {
		paths = append(paths, p)
	}
	sort.Slice(paths, func(i, j int) bool { return pathLess(paths[i], paths[j]) })
	lines := make([]string, len(paths))
	for i, p := range paths {
		e := m[p].e
		mode := e.Mode
		if e.Type == TypeSymlink {
			mode = 0o777
		}
		lines[i] = fmt.Sprintf("%s %s %v %d:%d %d %q", p, e.Type, mode, e.UID, e.GID, len(m[p].content), e.Link)
		if e.Type == TypeFile {
			lines[i] += fmt.Sprintf(" %x", bytesDigest(m[p].content))
		}
	}
	return lines
}

// driver does random operations on a stream and on a model.
type driver struct {
	t      testing.TB
	r      *rand.Rand
	s      *Stream
	m      modelTree
	unit   int // that offsets and sizes are mostly multiples of
	folder []string
	ops    map[string]int
}

// The names are such as shells take for something else.
var oddNames = []string{"a", "b", "it's", "two words", "-rf", "$HOME", "new\nline", "`id`", "*", "\"q\"", "ü", "x;y", "\\", "#sql-1", "!"}

func (d *driver) step() {
	switch n := d.r.IntN(100); {
	case n < 8:
		d.makeFolder()
	case n < 18:
		d.addFile()
	case n < 36:
		d.create()
	case n < 70:
		d.write()
	case n < 80:
		d.resize()
	case n < 89:
		d.rename()
	case n < 96:
		d.remove()
	default:
		must(d.t, d.s.Flush())
	}
}

func (d *driver) newPath() string {
	p := oddNames[d.r.IntN(len(oddNames))]
	if len(d.folder) > 0 && d.r.IntN(3) > 0 {
		p = d.folder[d.r.IntN(len(d.folder))] + "/" + p
	}
	return p
}

// free gives a path at which nothing is, in a folder that is.
func (d *driver) free() string {
	for tries := 0; ; tries++ {
		p := d.newPath()
		if tries > 20 { // most names are taken
			p += itoa(tries)
		}
		if d.m[p] == nil {
			if dir := filepath.Dir(p); dir == "." || d.m[dir] != nil {
				return p
			}
		}
	}
}

func (d *driver) pick(types ...Type) *modelFile {
	var paths []string
	for p, f := range d.m {
		for _, t := range types {
			if f.e.Type == t {
				paths = append(paths, p)
			}
		}
	}
	if len(paths) == 0 {
		return nil
	}
	sort.Strings(paths)
	return d.m[paths[d.r.IntN(len(paths))]]
}

func (d *driver) number(limit int) int {
	n := d.r.IntN(limit)
	if d.r.IntN(8) > 0 {
		n = n / d.unit * d.unit
	}
	return n
}

func (d *driver) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(1 + d.r.IntN(255))
	}
	return b
}

func (d *driver) makeFolder() {
	if len(d.folder) > 4 {
		return
	}
	p := d.free()
	e := entry(p, TypeDir)
	if d.r.IntN(5) == 0 && os.Geteuid() == 0 { // nobody else could take the tests' folders away
		e.Mode = 0o500
	}
	must(d.t, d.s.Add(e, nil))
	d.m[p] = &modelFile{e: e}
	d.folder = append(d.folder, p)
	d.ops["folder"]++
}

func (d *driver) mode() os.FileMode {
	modes := []os.FileMode{0o640, 0o600, 0o440, 0o644}
	if os.Geteuid() == 0 { // others could not read it again
		modes = append(modes, 0)
	}
	return modes[d.r.IntN(len(modes))]
}

func (d *driver) addFile() {
	p := d.free()
	if d.r.IntN(6) == 0 {
		e := entry(p, TypeSymlink)
		e.Link = "nothing"
		must(d.t, d.s.Add(e, nil))
		d.m[p] = &modelFile{e: e}
		d.ops["link"]++
		return
	}
	content := d.bytes(d.number(3 * d.unit))
	e, r := fileOf(p, content)
	e.Mode = d.mode()
	if !d.s.tree.fresh(p) {
		d.ops["add again"]++
	}
	must(d.t, d.s.Add(e, r))
	d.m[p] = &modelFile{e: e, content: content}
}

func (d *driver) create() {
	p := d.free()
	e := entry(p, TypeFile)
	e.Mode = d.mode()
	if d.r.IntN(3) == 0 {
		e.Size = int64(d.number(4 * d.unit))
	}
	must(d.t, d.s.Create(e))
	d.m[p] = &modelFile{e: e, content: make([]byte, e.Size)}
	d.ops["create"]++
}

func (d *driver) write() {
	f := d.pick(TypeFile)
	if f == nil {
		return
	}
	off := d.number(6 * d.unit)
	if d.r.IntN(4) == 0 {
		off = len(f.content)
	}
	for range 1 + d.r.IntN(3) {
		data := d.bytes(d.number(3 * d.unit))
		must(d.t, d.s.WriteAt(f.e.Path, data, int64(off)))
		if end := off + len(data); len(data) > 0 && end > len(f.content) {
			f.content = append(f.content, make([]byte, end-len(f.content))...)
		}
		if len(data) > 0 {
			copy(f.content[off:], data)
		}
		off += len(data)
		d.ops["write"]++
	}
}

func (d *driver) resize() {
	f := d.pick(TypeFile)
	if f == nil {
		return
	}
	size := d.number(6 * d.unit)
	must(d.t, d.s.Resize(f.e.Path, int64(size)))
	if size < len(f.content) {
		d.ops["cut"]++
	}
	c := make([]byte, size)
	copy(c, f.content)
	f.content = c
}

func (d *driver) move(f *modelFile, to string) {
	must(d.t, d.s.Rename(f.e.Path, to))
	delete(d.m, f.e.Path)
	f.e.Path = to
	d.m[to] = f
	d.ops["rename"]++
}

// rename gives one file another name, or lets two change places.
func (d *driver) rename() {
	a, b := d.pick(TypeFile, TypeSymlink), d.pick(TypeFile)
	switch {
	case a == nil:
	case b != nil && a != b && d.r.IntN(2) == 0:
		d.ops["swap"]++
		to, from := b.e.Path, a.e.Path
		d.move(b, d.free())
		d.move(a, to)
		d.move(b, from)
	default:
		d.move(a, d.free())
	}
}

func (d *driver) remove() {
	f := d.pick(TypeFile, TypeSymlink, TypeDir)
	if f == nil {
		return
	}
	if f.e.Type == TypeDir {
		for p := range d.m {
			if filepath.Dir(p) == f.e.Path {
				return
			}
		}
		for i, p := range d.folder {
			if p == f.e.Path {
				d.folder = append(d.folder[:i], d.folder[i+1:]...)
				break
			}
		}
		d.ops["remove folder"]++
	}
	must(d.t, d.s.Remove(f.e.Path))
	delete(d.m, f.e.Path)
	d.ops["remove"]++
}

// Whatever was done to a stream, a restore, and tar with the script, give what it made.
func TestRandomOperationsGiveTheSameTreeEverywhere(t *testing.T) {
	ops := map[string]int{}
	for seed := range uint64(120) {
		units := []int{512, 4096, 100, 16384}
		m := storetest.NewMemory()
		d := &driver{
			t: t, r: rand.New(rand.NewPCG(seed, 7)), s: newStream(t, m, codec.None, 2), m: modelTree{},
			unit: units[seed%4], ops: ops,
		}
		if seed%2 == 0 {
			must(t, d.s.Add(entry(Root, TypeDir), nil))
		}
		for range 10 + d.r.IntN(60) {
			d.step()
		}
		closeStream(t, d.s, m)
		if diff := cmp.Diff(d.m.lines(), contents(t, restoredTo(t, m))); diff != "" {
			t.Fatalf("seed %d, restored: %s", seed, diff)
		}
		if diff := cmp.Diff(d.m.lines(), contents(t, applied(t, m, codec.None))); diff != "" {
			t.Fatalf("seed %d, tar and apply.sh: %s", seed, diff)
		}
		if t.Failed() {
			return
		}
	}
	for _, op := range []string{"folder", "link", "add again", "create", "write", "cut", "rename", "swap", "remove", "remove folder"} {
		if ops[op] < 10 {
			t.Errorf("%s was done %d times", op, ops[op])
		}
	}
}
