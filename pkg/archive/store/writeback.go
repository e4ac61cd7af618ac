package store

import "golang.org/x/sys/unix"

// writebackChunk is how many new bytes there are before the kernel is asked to start writing
// them out, so that the fsync of Commit has little left to wait for.
const writebackChunk = 16 << 20

// startWriteback is advice only: what it cannot start, Commit's fsync does, and that reports
// whatever goes wrong.
func (w *localWriter) startWriteback() {
	if w.written-w.asked < writebackChunk {
		return
	}
	_ = unix.SyncFileRange(int(w.f.Fd()), w.asked, w.written-w.asked, unix.SYNC_FILE_RANGE_WRITE)
	w.asked = w.written
}
