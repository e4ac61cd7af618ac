package archive

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/store"
)

// failingDisk is a file system that passes all on to a folder, but for calls that fail with EIO as
// those of a dying disk do: every write from one on, since a kernel and os.File try once more what
// failed in the middle; one fsync, since a kernel tells an error only once.
type failingDisk struct {
	mu    sync.Mutex
	op    string
	after int // calls that work
	hits  int
}

func (d *failingDisk) arm(op string, after int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.op, d.after, d.hits = op, after, 0
}

func (d *failingDisk) fails(op string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if op != d.op {
		return false
	}
	if d.after--; d.after >= 0 || op == "fsync" && d.after < -1 {
		return false
	}
	d.hits++
	return true
}

func (d *failingDisk) wasHit() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hits > 0
}

type failingNode struct {
	*fs.LoopbackNode
	disk *failingDisk
}

func (n *failingNode) WrapChild(_ context.Context, child fs.InodeEmbedder) fs.InodeEmbedder {
	return &failingNode{LoopbackNode: child.(*fs.LoopbackNode), disk: n.disk}
}

func (n *failingNode) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	inode, file, fuseFlags, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	return inode, n.disk.wrap(file), fuseFlags, errno
}

func (n *failingNode) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	file, fuseFlags, errno := n.LoopbackNode.Open(ctx, flags)
	return n.disk.wrap(file), fuseFlags, errno
}

// loopbackFile is what a file of the loopback file system can do. Without PassthroughFd, the kernel
// does not go around it.
type loopbackFile interface {
	fs.FileReader
	fs.FileWriter
	fs.FileFsyncer
	fs.FileFlusher
	fs.FileReleaser
	fs.FileGetattrer
	fs.FileSetattrer
}

type failingFile struct {
	loopbackFile
	disk *failingDisk
}

func (d *failingDisk) wrap(file fs.FileHandle) fs.FileHandle {
	if f, ok := file.(loopbackFile); ok {
		return &failingFile{loopbackFile: f, disk: d}
	}
	return file
}

func (f *failingFile) Write(ctx context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	if f.disk.fails("write") {
		return 0, syscall.EIO
	}
	return f.loopbackFile.Write(ctx, data, off)
}

func (f *failingFile) Fsync(ctx context.Context, flags uint32) syscall.Errno {
	if f.disk.fails("fsync") {
		return syscall.EIO
	}
	return f.loopbackFile.Fsync(ctx, flags)
}

// mountFailing mounts one on a new folder.
func mountFailing(t *testing.T) (*failingDisk, string) {
	t.Helper()
	disk := &failingDisk{}
	root := &fs.LoopbackRoot{Path: t.TempDir()}
	root.RootNode = &failingNode{LoopbackNode: &fs.LoopbackNode{RootData: root}, disk: disk}
	mountpoint := t.TempDir()
	server, err := fs.Mount(mountpoint, root.RootNode, &fs.Options{MountOptions: fuse.MountOptions{DirectMountStrict: true}})
	if err != nil {
		t.Fatalf("mount a FUSE file system: %v (this test needs root, for this)", err)
	}
	t.Cleanup(func() {
		if err := server.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return disk, mountpoint
}

func TestADiskThatFailsIsToldAndGoneOnFrom(t *testing.T) {
	dir := framesFolder(t)
	want, _ := packWhole(t, Dir(dir), codec.Zstd)
	disk, mountpoint := mountFailing(t)
	resumed := 0
	for _, op := range []string{"write", "fsync"} {
		for after := 0; ; after = after*2 + 1 {
			folder := filepath.Join(mountpoint, fmt.Sprint(op, after))
			disk.arm("", 0)
			dst := localStore(t, folder)
			disk.arm(op, after)
			_, err := (&attempt{every: 1}).pack(t, Dir(dir), dst, codec.Zstd)
			if !disk.wasHit() {
				if err != nil {
					t.Fatalf("without a fault: %v", err)
				}
				if after == 0 {
					t.Fatalf("no %s has failed", op)
				}
				break
			}
			if !errors.Is(err, unix.EIO) {
				t.Fatalf("%s %d failed, and the error is %v", op, after, err)
			}
			disk.arm("", 0)
			withoutSuccess(t, folder)
			a := &attempt{every: 1}
			same(t, want, storedResult(t, a, Dir(dir), folder, codec.Zstd))
			if len(a.resumed) == 1 && a.resumed[0].Frames > 0 {
				resumed++
			}
		}
	}
	if resumed == 0 {
		t.Error("none of them went on from what was there")
	}
}

// What a kernel could not write it takes for written once it has told so: the next fsync succeeds.
func TestAFileOfWhichASyncFailedIsNeverCommitted(t *testing.T) {
	disk, mountpoint := mountFailing(t)
	s := localStore(t, mountpoint)
	w, err := s.Create(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("lost")); err != nil {
		t.Fatal(err)
	}
	disk.arm("fsync", 0)
	if err := w.Sync(); !errors.Is(err, unix.EIO) {
		t.Errorf("sync: %v", err)
	}
	if err := w.Commit(); !errors.Is(err, unix.EIO) {
		t.Errorf("commit: %v", err)
	}
	if _, err := store.ReadAll(t.Context(), s, "a", 10); err == nil {
		t.Error("it is there")
	}
}
