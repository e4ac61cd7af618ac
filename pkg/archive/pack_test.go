package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zeebo/blake3"
	"golang.org/x/sys/unix"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/store"
	"runner/pkg/archive/store/storetest"
	"runner/pkg/innodb/innodbtest"
)

func bytesDigest(b []byte) [32]byte { return blake3.Sum256(b) }

func TestRestoreGivesBackWhatWasPacked(t *testing.T) {
	for name, dir := range map[string]string{"small": smallFolder(t), "large": largeFolder(t)} {
		t.Run(name, func(t *testing.T) {
			want := describeTree(t, dir)
			each(t, func(t *testing.T, f codec.Format) {
				_, b := packed(t, dir, f)
				report, err := b.Verify(t.Context(), VerifyOptions{})
				if err != nil || len(report.Findings) != 0 {
					t.Fatalf("verify: %v, %+v", err, report)
				}
				target := filepath.Join(t.TempDir(), "restored")
				if _, err := b.Restore(t.Context(), target, RestoreOptions{}); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, describeTree(t, target)); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestPackGivesTheSameBytesAtAnyNumberOfThreads(t *testing.T) {
	dir := largeFolder(t)
	each(t, func(t *testing.T, f codec.Format) {
		var first *storetest.Memory
		for _, threads := range []int{1, 2, 3, 8} {
			m := storetest.NewMemory()
			o := options(f)
			o.Threads = threads
			pack(t, Dir(dir), m, o)
			if first == nil {
				first = m
				continue
			}
			for _, name := range []string{DataName(f), IndexName, "SHA256SUMS", "manifest.json"} {
				if !bytes.Equal(first.Bytes(name), m.Bytes(name)) {
					t.Errorf("%s differs at %d threads", name, threads)
				}
			}
		}
	})
}

// Standard tools must be able to read all of it, since we may not be there when it is needed.
func TestStandardToolsUnpackTheArchive(t *testing.T) {
	dir := largeFolder(t)
	want := describeTree(t, dir)
	commands := map[codec.Format]string{
		codec.None: "tar xf data.tar -C target",
		codec.Gzip: "tar xzf data.tar.gz -C target",
		codec.Zstd: "tar --zstd -xf data.tar.zst -C target",
		codec.LZ4:  "lz4 -d <data.tar.lz4 | tar x -C target",
	}
	each(t, func(t *testing.T, f codec.Format) {
		folder := t.TempDir()
		s, err := store.Local(folder)
		if err != nil {
			t.Fatal(err)
		}
		pack(t, Dir(dir), s, options(f))
		cmd := exec.Command("bash", "-euo", "pipefail", "-c", "sha256sum --strict -c SHA256SUMS && mkdir target && "+commands[f])
		cmd.Dir = folder
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if diff := cmp.Diff(want, describeTree(t, filepath.Join(folder, "target"))); diff != "" {
			t.Error(diff)
		}
	})
}

// The tar is judged by a reader that is not ours, frame boundaries taken away.
func TestTheTarIsOne(t *testing.T) {
	m, b := packed(t, largeFolder(t), codec.None)
	r := tar.NewReader(bytes.NewReader(m.Bytes("data.tar")))
	for _, member := range b.Members() {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSuffix(h.Name, "/"); got != member.Path || h.Size != member.Size || !h.ModTime.Equal(member.ModTime) {
			t.Errorf("header %+v of member %+v", h, member)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if member.Type == TypeFile && bytesDigest(content) != [32]byte(member.Digest) {
			t.Errorf("%s has another digest", member.Path)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last member: %v", err)
	}
}

func TestLargeFilesBeginAFrameAndFillFrames(t *testing.T) {
	_, b := packed(t, largeFolder(t), codec.Zstd)
	for _, m := range b.Members() {
		if m.First == m.Last {
			continue
		}
		if b.starts[m.First] != m.Offset {
			t.Errorf("%s begins at %d, its frame at %d", m.Path, m.Offset, b.starts[m.First])
		}
		for k := m.First; k < m.Last; k++ {
			if raw := b.index.Frames[k].Raw; raw != codec.FrameSize {
				t.Errorf("%s: frame %d has %d bytes", m.Path, k, raw)
			}
		}
	}
}

func TestHolesAreNotRead(t *testing.T) {
	f := newFolder(t)
	f.sparse("holes", 64<<20)
	f.file("zero", make([]byte, 8<<20), 0o640)
	dir := f.done()
	m := storetest.NewMemory()
	p := pack(t, Dir(dir), m, options(codec.Zstd))
	if p.HoleBytes < 56<<20 || p.HoleBytes > 64<<20 {
		t.Errorf("%d bytes of holes", p.HoleBytes)
	}
	if p.ZeroFrames != 14+2 {
		t.Errorf("%d frames of zeros", p.ZeroFrames)
	}
	if n := len(m.Bytes("data.tar.zst")); n > 20_000 {
		t.Errorf("zeros take %d bytes", n)
	}
	target := filepath.Join(t.TempDir(), "restored")
	if _, err := open(t, m).Restore(t.Context(), target, RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, most := range map[string]int64{"holes": 64 << 10, "zero": 9 << 20} {
		var st unix.Stat_t
		if err := unix.Stat(filepath.Join(target, name), &st); err != nil {
			t.Fatal(err)
		}
		if got := st.Blocks * blockSize; got > most {
			t.Errorf("%s takes %d bytes of disk", name, got)
		}
	}
}

func TestEmptyTreeGivesAnArchive(t *testing.T) {
	each(t, func(t *testing.T, f codec.Format) {
		m := storetest.NewMemory()
		p := pack(t, Empty(), m, options(f))
		if p.Files != 0 || p.RawBytes != tarEnd {
			t.Errorf("packed %+v", p)
		}
		if _, err := open(t, m).Verify(t.Context(), VerifyOptions{}); err != nil {
			t.Error(err)
		}
	})
}

func TestDryRunOfPackLeavesNothing(t *testing.T) {
	m := storetest.NewMemory()
	dry := store.DryRun(m)
	p, err := Pack(t.Context(), Dir(smallFolder(t)), dry, options(codec.Zstd))
	if err != nil {
		t.Fatal(err)
	}
	if p.Files == 0 || len(p.Data.SHA256) != 64 {
		t.Errorf("packed %+v", p)
	}
	if infos, err := m.List(t.Context()); err != nil || len(infos) != 0 {
		t.Errorf("left %v, %v", infos, err)
	}
}

func TestPackRefusesWhatAnArchiveCannotHold(t *testing.T) {
	tests := map[string]func(t *testing.T, f folder){
		"named pipe": func(t *testing.T, f folder) {
			if err := unix.Mkfifo(filepath.Join(f.path, "x"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"socket": func(t *testing.T, f folder) {
			// The path of a socket can have 107 bytes only; the folder of a test may have more.
			t.Chdir(f.path)
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: "x", Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			l.SetUnlinkOnClose(false)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		},
		"absolute link":       func(_ *testing.T, f folder) { f.link("x", "/etc/passwd") },
		"link out of it":      func(_ *testing.T, f folder) { f.link("x", "../y") },
		"link out of it deep": func(_ *testing.T, f folder) { f.dir("a"); f.link("a/x", "../b/../../y") },
		"reserved name":       func(_ *testing.T, f folder) { f.file("#runner/x", nil, 0o600) },
		"name not UTF-8":      func(_ *testing.T, f folder) { f.file("x\xff", nil, 0o600) },
	}
	for name, make := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			f.file("before", []byte("x"), 0o600)
			make(t, f)
			m := storetest.NewMemory()
			_, err := Pack(t.Context(), Dir(f.path), m, options(codec.Zstd))
			var e *EntryError
			if !errors.As(err, &e) || !errors.Is(err, ErrUnsupported) || !strings.ContainsAny(e.Path, "x#") {
				t.Errorf("error is %v", err)
			}
			expectNothing(t, m)
		})
	}
}

func expectNothing(t *testing.T, m *storetest.Memory) {
	t.Helper()
	if infos, err := m.List(context.Background()); err != nil || len(infos) != 0 {
		t.Errorf("left behind: %v, %v", infos, err)
	}
}

func TestPackRefusesAnUnfinishedClone(t *testing.T) {
	f := newFolder(t)
	f.file(Marker, nil, 0o600)
	m := storetest.NewMemory()
	if _, err := Pack(t.Context(), Dir(f.path), m, options(codec.Zstd)); !errors.Is(err, ErrIncompleteClone) {
		t.Errorf("error is %v", err)
	}
	expectNothing(t, m)
}

func TestPackRefusesOptions(t *testing.T) {
	var format *codec.FormatError
	if _, err := Pack(t.Context(), Empty(), storetest.NewMemory(), PackOptions{Format: "rar"}); !errors.As(err, &format) {
		t.Errorf("error is %v", err)
	}
	var level *codec.LevelError
	if _, err := Pack(t.Context(), Empty(), storetest.NewMemory(), PackOptions{Format: "zstd", Level: 23}); !errors.As(err, &level) {
		t.Errorf("error is %v", err)
	}
}

// changing is a tree in which a file changes when it is opened or half read.
type changing struct {
	Tree
	path   string
	change func() // once
}

func (c *changing) Open(path string) (File, error) {
	if path == c.path && c.change != nil {
		c.change()
		c.change = nil
	}
	return c.Tree.Open(path)
}

func TestPackNoticesAFileThatChanges(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 600_000) // three frames
	tests := map[string]func(path string) error{
		"cut":      func(path string) error { return os.Truncate(path, 5<<20) },
		"grown":    func(path string) error { return os.Truncate(path, int64(len(content))+1) },
		"removed":  os.Remove,
		"touched":  func(path string) error { return os.Chtimes(path, time.Time{}, written.Add(1)) },
		"replaced": func(path string) error { return os.WriteFile(path, content, 0o600) },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			f.file("x", content, 0o600)
			tree := &changing{Tree: Dir(f.done()), path: "x", change: func() {
				if err := change(filepath.Join(f.path, "x")); err != nil {
					t.Error(err)
				}
			}}
			m := storetest.NewMemory()
			_, err := Pack(t.Context(), tree, m, options(codec.Zstd))
			var e *ChangedError
			if !errors.As(err, &e) || !errors.Is(err, ErrChanged) || e.Path != "x" {
				t.Errorf("error is %v", err)
			}
			expectNothing(t, m)
		})
	}
}

// midway changes a file after its first bytes were read.
type midway struct {
	Tree
	change func()
}

type midwayFile struct {
	File
	m *midway
}

func (m *midway) Open(path string) (File, error) {
	f, err := m.Tree.Open(path)
	return midwayFile{File: f, m: m}, err
}

func (f midwayFile) ReadAt(p []byte, off int64) (int, error) {
	if off > 0 && f.m.change != nil {
		f.m.change()
		f.m.change = nil
	}
	return f.File.ReadAt(p, off)
}

func TestPackNoticesAFileThatChangesWhileItIsRead(t *testing.T) {
	for name, size := range map[string]int64{"cut": 1 << 20, "grown": 20 << 20} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			f.file("x", bytes.Repeat([]byte("x"), 10<<20), 0o600)
			tree := &midway{Tree: Dir(f.done()), change: func() {
				if err := os.Truncate(filepath.Join(f.path, "x"), size); err != nil {
					t.Error(err)
				}
			}}
			m := storetest.NewMemory()
			o := options(codec.Zstd)
			o.Threads = 1
			if _, err := Pack(t.Context(), tree, m, o); !errors.Is(err, ErrChanged) {
				t.Errorf("error is %v", err)
			}
			expectNothing(t, m)
		})
	}
}

// failing is a store whose writer fails after some bytes, as a full disk does.
type failing struct {
	*storetest.Memory
	after  int
	commit error
	hit    bool
}

type failingWriter struct {
	store.Writer
	f    *failing
	left int
}

func (f *failing) Create(ctx context.Context, name string) (store.Writer, error) {
	w, err := f.Memory.Create(ctx, name)
	return &failingWriter{Writer: w, f: f, left: f.after}, err
}

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		w.f.hit = true
		return 0, unix.ENOSPC
	}
	return w.Writer.Write(p)
}

func (w *failingWriter) Commit() error {
	if w.f.commit != nil {
		w.f.hit = true
		return errors.Join(w.f.commit, w.Abort())
	}
	return w.Writer.Commit()
}

func TestPackTellsAFullDisk(t *testing.T) {
	dir := largeFolder(t)
	each(t, func(t *testing.T, f codec.Format) {
		for _, after := range []int{0, 1 << 20, 3 << 20} {
			s := &failing{Memory: storetest.NewMemory(), after: after}
			if _, err := Pack(t.Context(), Dir(dir), s, options(f)); !errors.Is(err, unix.ENOSPC) || !s.hit {
				t.Errorf("after %d bytes the error is %v", after, err)
			}
			expectNothing(t, s.Memory)
		}
	})
}

func TestEveryFileTellsThatItCouldNotBeMadeDurable(t *testing.T) {
	good := storetest.NewMemory()
	p := pack(t, Dir(smallFolder(t)), good, options(codec.Zstd))
	calls := map[string]func(s store.Store) error{
		"data": func(s store.Store) error {
			_, err := Pack(t.Context(), Empty(), s, options(codec.Zstd))
			return err
		},
		"index": func(s store.Store) error {
			_, err := WriteIndex(t.Context(), s, p)
			return err
		},
		"sums": func(s store.Store) error { return WriteSums(t.Context(), s, p.Data) },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			s := &failing{Memory: storetest.NewMemory(), after: 1 << 30, commit: unix.EIO}
			if err := call(s); !errors.Is(err, unix.EIO) || !s.hit {
				t.Errorf("error is %v", err)
			}
			expectNothing(t, s.Memory)
			s = &failing{Memory: storetest.NewMemory()}
			if err := call(s); !errors.Is(err, unix.ENOSPC) || !s.hit {
				t.Errorf("error is %v", err)
			}
			expectNothing(t, s.Memory)
		})
	}
}

func TestPackEndsWhenItIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m := storetest.NewMemory()
	o := options(codec.Zstd)
	o.Progress = func(int64) { cancel() }
	if _, err := Pack(ctx, Dir(largeFolder(t)), m, o); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	expectNothing(t, m)
}

func TestDamagedPagesAreToldAndPacked(t *testing.T) {
	f := newFolder(t)
	file := innodbtest.File(42, 600, 16<<10)
	for _, page := range []int{3, 299, 300, 599} { // in both frames
		file[page*16<<10+5000] ^= 1
	}
	file = append(file, 1, 2, 3) // the file was cut in the middle of a page
	f.file("shop/bad.ibd", file, 0o640)
	f.file("shop/good.ibd", innodbtest.File(43, 10, 16<<10), 0o640)
	f.file("shop/zero.ibd", make([]byte, 64<<10), 0o640)
	m := storetest.NewMemory()
	o := options(codec.Zstd)
	var told []string
	o.OnBadPage = func(b BadPage) { told = append(told, fmt.Sprint(b.Path, " ", b.Page, " ", b.SpaceID)) }
	p := pack(t, Dir(f.done()), m, o)
	want := []string{"shop/bad.ibd 3 42", "shop/bad.ibd 299 42", "shop/bad.ibd 300 42", "shop/bad.ibd 599 42", "shop/bad.ibd 600 42"}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
	stats := PageStats{Files: 3, Total: 601 + 10 + 4, Zero: 4, Bad: 5, MinLSN: 1000, MaxLSN: 1598}
	if diff := cmp.Diff(stats, p.Pages); diff != "" {
		t.Error(diff)
	}
	report, err := open(t, m).Verify(t.Context(), VerifyOptions{})
	if err != nil || len(report.Findings) != 5 || !report.Findings[0].Known {
		t.Errorf("verify: %v, %+v", err, report)
	}
}

func TestPagesAreLeftAloneWhenNobodyAsks(t *testing.T) {
	f := newFolder(t)
	file := innodbtest.File(42, 6, 16<<10)
	file[40_000] ^= 1
	f.file("t.ibd", file, 0o640)
	m := storetest.NewMemory()
	o := options(codec.Zstd)
	o.Pages = false
	if p := pack(t, Dir(f.done()), m, o); p.Pages.Total != 0 || p.Checked {
		t.Errorf("packed %+v", p)
	}
	report, err := open(t, m).Verify(t.Context(), VerifyOptions{})
	if !errors.Is(err, ErrBadPages) || len(report.Findings) != 1 || report.Findings[0].Page != 2 {
		t.Errorf("verify: %v, %+v", err, report)
	}
}
