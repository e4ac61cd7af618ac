package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/store"
	"runner/pkg/archive/store/storetest"
)

// fault fails one call of a store or of its writers.
type fault struct {
	op, file string // of the file with this name before it is committed
	nth      int    // counted from 1

	mu   sync.Mutex
	seen int
}

// hit says whether this call is the one that fails.
func (f *fault) hit(op, file string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if op != f.op || file != f.file {
		return false
	}
	f.seen++
	return f.seen == f.nth
}

func (f *fault) wasHit() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen >= f.nth
}

type faultyStore struct {
	store.Store
	fault *fault
}

func (s faultyStore) Create(ctx context.Context, name string) (store.Writer, error) {
	if s.fault.hit("create", name) {
		return nil, unix.ENOSPC
	}
	w, err := s.Store.Create(ctx, name)
	return &faultyWriter{Writer: w, name: name, fault: s.fault}, err
}

func (s faultyStore) Resume(ctx context.Context, name string, size int64) (store.Writer, error) {
	if s.fault.hit("resume", name) {
		return nil, errors.ErrUnsupported
	}
	w, err := s.Store.Resume(ctx, name, size)
	return &faultyWriter{Writer: w, name: name, fault: s.fault}, err
}

type faultyWriter struct {
	store.Writer
	name  string
	fault *fault

	mu     sync.Mutex
	failed error // as for the local store, what has failed stays so
}

func (w *faultyWriter) state() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}

func (w *faultyWriter) Write(p []byte) (int, error) {
	if w.fault.hit("short", w.name) {
		return w.Writer.Write(p[:len(p)/2])
	}
	if w.fault.hit("write", w.name) {
		n, err := w.Writer.Write(p[:len(p)/2])
		w.mu.Lock()
		defer w.mu.Unlock()
		w.failed = errors.Join(unix.ENOSPC, err)
		return n, w.failed
	}
	return w.Writer.Write(p)
}

func (w *faultyWriter) Sync() error {
	if err := w.state(); err != nil {
		return err
	}
	if w.fault.hit("sync", w.name) {
		return unix.EIO
	}
	return w.Writer.Sync()
}

func (w *faultyWriter) Commit() error {
	if w.fault.hit("commit", w.name) {
		return errors.Join(unix.EIO, w.Abort())
	}
	return w.Writer.Commit()
}

func TestAFaultOfTheStoreIsTold(t *testing.T) {
	dir := littleFolder(t)
	want, _ := packWhole(t, Dir(dir), codec.Zstd)
	data := DataName(codec.Zstd)
	for _, file := range []string{data, checkpointName} {
		for _, op := range []string{"create", "write", "short", "sync", "commit"} {
			if file == checkpointName && op == "commit" {
				continue // it never is
			}
			t.Run(op+" of "+file, func(t *testing.T) {
				hits := 0
				for nth := 1; ; nth++ {
					f := &fault{op: op, file: file, nth: nth}
					m := storetest.NewMemory()
					_, err := (&attempt{every: 1, wrap: func(s store.Store) store.Store { return faultyStore{s, f} }}).pack(t, Dir(dir), m, codec.Zstd)
					if !f.wasHit() {
						if err != nil {
							t.Fatalf("without a fault: %v", err)
						}
						break
					}
					hits++
					if !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EIO) && !errors.Is(err, io.ErrShortWrite) {
						t.Fatalf("call %d: error is %v", nth, err)
					}
					if m.Bytes(data) != nil {
						t.Fatalf("call %d: %s is there", nth, data)
					}
					same(t, want, finish(t, &attempt{every: 1}, Dir(dir), m, codec.Zstd))
				}
				if hits == 0 {
					t.Error("the fault was never hit")
				}
			})
		}
	}
}

// A store that cannot go on with a file, such as one that encrypts and has forgotten the key, costs
// the work and nothing else.
func TestAStoreThatCannotGoOnHasItPackedAnew(t *testing.T) {
	dir := littleFolder(t)
	want, _ := packWhole(t, Dir(dir), codec.Zstd)
	for _, file := range []string{DataName(codec.Zstd), checkpointName} {
		m := interrupted(t, dir, codec.Zstd, 2)
		f := &fault{op: "resume", file: file, nth: 1}
		a := &attempt{every: 1, wrap: func(s store.Store) store.Store { return faultyStore{s, f} }}
		same(t, want, finish(t, a, Dir(dir), m, codec.Zstd))
		if !f.wasHit() || len(a.resumed) != 1 || a.resumed[0].Anew == "" {
			t.Errorf("%s: hit %v, it says %+v", file, f.wasHit(), a.resumed)
		}
	}
}

// storedResult is what finish gives, of a store on a disk.
func storedResult(t testing.TB, a *attempt, tree Tree, folder string, f codec.Format) *result {
	t.Helper()
	s := localStore(t, folder)
	p, err := a.pack(t, tree, s, f)
	if err != nil {
		t.Fatal(err)
	}
	index, err := WriteIndex(t.Context(), s, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteSums(t.Context(), s, p.Data, index); err != nil {
		t.Fatal(err)
	}
	m := memoryOf(t, folder)
	return &result{
		Data: m.Bytes(DataName(f)), Index: m.Bytes(IndexName), Sums: m.Bytes("SHA256SUMS"), BadPages: a.bad,
		ZeroFrames: p.ZeroFrames, HoleBytes: p.HoleBytes, Pages: p.Pages, Left: namesIn(t, m),
	}
}

func localStore(t testing.TB, folder string) store.Store {
	t.Helper()
	s, err := store.Local(folder)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func memoryOf(t testing.TB, folder string) *storetest.Memory {
	t.Helper()
	m := storetest.NewMemory()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		m.Set(e.Name(), b)
	}
	return m
}

// withoutSuccess wants nothing under its final name.
func withoutSuccess(t testing.TB, folder string) {
	t.Helper()
	for _, name := range namesIn(t, memoryOf(t, folder)) {
		if !strings.HasSuffix(name, store.PartialSuffix) {
			t.Errorf("after an error there is %s", name)
		}
	}
}

func TestAFullDiskIsToldAndGoneOnFrom(t *testing.T) {
	dir := framesFolder(t)
	want, _ := packWhole(t, Dir(dir), codec.None)
	r := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	resumed := 0
	for range 6 {
		size := r.IntN(len(want.Data)-1<<20) + 64<<10
		folder := t.TempDir()
		if err := unix.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
			t.Fatalf("mount a tmpfs: %v (this test needs root, for this)", err)
		}
		func() {
			defer func() {
				if err := unix.Unmount(folder, unix.MNT_DETACH); err != nil {
					t.Error(err)
				}
			}()
			if _, err := (&attempt{every: 1}).pack(t, Dir(dir), localStore(t, folder), codec.None); !errors.Is(err, unix.ENOSPC) {
				t.Fatalf("with %d bytes of %d the error is %v", size, len(want.Data), err)
			}
			withoutSuccess(t, folder)
			if err := unix.Mount("tmpfs", folder, "tmpfs", unix.MS_REMOUNT, "size=200m"); err != nil {
				t.Fatal(err)
			}
			a := &attempt{every: 1}
			same(t, want, storedResult(t, a, Dir(dir), folder, codec.None))
			if len(a.resumed) == 1 && a.resumed[0].Frames > 0 {
				resumed++
			}
		}()
	}
	if resumed == 0 {
		t.Error("none of them went on from what was there")
	}
}

// childVariable makes this test binary a program that packs: tree and backup, with a line feed between.
const childVariable = "ARCHIVE_TEST_PACK"

// packChild packs slowly, and makes every frame durable.
func packChild(arguments string) int {
	tree, backup, _ := strings.Cut(arguments, "\n")
	dst, err := store.Local(backup)
	if err != nil {
		println(err.Error())
		return 1
	}
	o := options(codec.None)
	o.Threads, o.Resumable, o.WriteBandwidth = 2, true, 40<<20
	o.OnResume = func(r Resumption) { fmt.Println("resumed", r.Frames, r.Anew) }
	p := newPacker(Dir(tree), codec.None, o)
	p.checkpointBytes = 1
	packed, err := p.packTo(context.Background(), dst)
	if err != nil {
		println(err.Error())
		return 1
	}
	index, err := WriteIndex(context.Background(), dst, packed)
	if err == nil {
		err = WriteSums(context.Background(), dst, packed.Data, index)
	}
	if err != nil {
		println(err.Error())
		return 1
	}
	return 0
}

func TestAPackThatIsKilledGoesOnToTheSameBytes(t *testing.T) {
	dir := framesFolder(t)
	want, _ := packWhole(t, Dir(dir), codec.None)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(2, uint64(time.Now().UnixNano())))
	wentOn, killed := 0, 0
	for round := 0; round < 3 || wentOn == 0 && round < 50; round++ {
		folder := t.TempDir()
		for {
			var out strings.Builder
			child := exec.Command(program)
			child.Env = append(os.Environ(), childVariable+"="+dir+"\n"+folder)
			child.Stdout, child.Stderr = &out, &out
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(time.Duration(r.IntN(1500))*time.Millisecond, func() { _ = child.Process.Kill() })
			err := child.Wait()
			timer.Stop()
			if strings.Contains(out.String(), "resumed") && !strings.Contains(out.String(), "resumed 0") {
				wentOn++
			}
			if err == nil {
				break
			}
			if status, ok := child.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
				t.Fatalf("%v: %s", err, out.String())
			}
			killed++
		}
		m := memoryOf(t, folder)
		got := &result{Data: m.Bytes(DataName(codec.None)), Index: m.Bytes(IndexName), Sums: m.Bytes("SHA256SUMS"), Left: namesIn(t, m)}
		same(t, &result{Data: want.Data, Index: want.Index, Sums: want.Sums, Left: want.Left}, got)
	}
	if wentOn == 0 || killed == 0 {
		t.Errorf("%d were killed, and %d went on", killed, wentOn)
	}
}
