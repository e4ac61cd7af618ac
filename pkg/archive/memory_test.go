package archive

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/store/storetest"
	"runner/pkg/innodb/innodbtest"
)

// What is held must depend on the number of threads, and not on the size of the data: a file of 768 MiB, all but its
// beginning a hole, is packed, verified and restored with a bounded heap and a bounded number of goroutines.
func TestMemoryDoesNotGrowWithTheSizeOfTheData(t *testing.T) {
	const (
		size    = 768 << 20
		threads = 2
		// A raw and a stored buffer for each frame in flight, what the codec holds for each thread, and as much garbage;
		// what the test itself holds besides.
		mostHeap       = 2*(2*(threads+spareSlots)*codec.MaxStored+threads*(16<<20)) + 32<<20
		mostGoroutines = 3*threads + 16
	)
	f := newFolder(t)
	f.file("shop/t.ibd", innodbtest.File(42, 600, 16<<10), 0o640)
	f.done()
	if err := os.Truncate(filepath.Join(f.path, "shop/t.ibd"), size); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	calls := 0
	look := func() {
		calls++
		if n := runtime.NumGoroutine() - before; n > mostGoroutines {
			t.Errorf("%d goroutines more than before", n)
		}
		var m runtime.MemStats
		if calls%16 == 0 {
			if runtime.ReadMemStats(&m); m.HeapAlloc > mostHeap {
				t.Errorf("%d MB of heap after %d frames, want no more than %d", m.HeapAlloc>>20, calls, mostHeap>>20)
			}
		}
	}
	o := options(codec.Zstd)
	o.Threads, o.Pages = threads, true
	o.Progress = func(int64) { look() }
	m := storetest.NewMemory()
	p := pack(t, Dir(f.path), m, o)
	if p.ZeroFrames < size/codec.FrameSize-10 {
		t.Errorf("%d zero frames", p.ZeroFrames)
	}
	b := open(t, m)
	progress := func(int64, int64) { look() }
	if _, err := b.Verify(t.Context(), VerifyOptions{Threads: threads, Progress: progress}); err != nil {
		t.Error(err)
	}
	if _, err := b.Restore(t.Context(), filepath.Join(t.TempDir(), "restored"), RestoreOptions{Threads: threads, Progress: progress}); err != nil {
		t.Error(err)
	}
	if calls < 3*size/codec.FrameSize {
		t.Errorf("looked only %d times", calls)
	}
}
