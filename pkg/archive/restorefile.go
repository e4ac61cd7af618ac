package archive

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// holeSize is the unit in which zeros become holes: the block size of the usual file systems.
const holeSize = 4 << 10

// writebackSize is from where on a piece of a file is written out at once.
const writebackSize = 1 << 20

// smallFile is up to where a file is written as it is, zeros too: it would take more to reserve its
// blocks than to fill them.
const smallFile = 4 * holeSize

// restoring is a file that is being written, by several goroutines where it spans frames.
type restoring struct {
	member *Member
	file   *os.File
	pieces int  // that are still to be written
	sparse bool // zeros need not be written
}

// alone says whether all content of a file lies in one frame, so that whoever has that frame is the only one who
// writes to the file.
func (m *Member) alone() bool { return m.First == m.Last && m.Extents == nil }

// file gives the file of a member, making it for the first piece.
func (r *restorer) file(m *Member) (*restoring, error) {
	if m.alone() {
		return r.create(m)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.open[m]; f != nil {
		return f, nil
	}
	f, err := r.create(m)
	if err == nil {
		r.open[m] = f
	}
	return f, err
}

// create makes the file of a member, or opens the one that an earlier attempt has begun.
func (r *restorer) create(m *Member) (*restoring, error) {
	from := max(m.First, r.from[m])
	f := &restoring{member: m, pieces: m.Last - from + 1}
	if m.Extents != nil {
		f.pieces = r.backup.pieces(m)
	}
	begun := r.backup.restoredUpTo(m, from)
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if begun > 0 {
		flags = os.O_WRONLY | unix.O_NONBLOCK
	}
	err := r.folders.within(m.Path, func(d *openFolder, name string) (err error) {
		f.file, err = d.openAt(name, flags, 0o600)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	if begun > 0 {
		err = truncateBegun(f.file, begun)
	}
	if err == nil {
		f.sparse, err = reserve(f.file, m)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("restore %s: %w", m.Path, err), f.file.Close())
	}
	return f, nil
}

// truncateBegun takes away what an earlier attempt has written and not made durable, so that zeros can
// be left out again. Nobody may have put another file, or another name of one, in its place meanwhile.
func truncateBegun(file *os.File, begun int64) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink != 1 || st.Size < begun {
		return errors.New("it was changed while the restore was continued")
	}
	return file.Truncate(begun)
}

// reserve gives the file its size. Where the source had holes the file is nothing but a hole to
// begin with; else its blocks are reserved, so that a full disk shows now and not when a server
// first writes to a page that was zero. Both read as zeros. false: zeros have to be written, since
// the file system cannot reserve, or the file is small.
func reserve(file *os.File, m *Member) (zeroed bool, err error) {
	switch {
	case m.Size == 0:
		return true, nil
	case m.Allocated < m.Size:
		return true, file.Truncate(m.Size)
	case m.Size <= smallFile && m.alone():
		return false, nil
	}
	err = uninterrupted(func() error { return unix.Fallocate(int(file.Fd()), 0, 0, m.Size) })
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return false, nil
	}
	return true, err
}

// write leaves out zeros where the file has them already, and has the kernel begin to write out what is large: by itself
// it begins when a tenth of the memory is to be written, which the last sync would have to wait for.
func (f *restoring) write(content []byte, off int64) error {
	if err := f.writeData(content, off); err != nil {
		return err
	}
	if len(content) >= writebackSize {
		// Advice only: errors of writing come back from the last sync.
		_ = unix.SyncFileRange(int(f.file.Fd()), off, int64(len(content)), unix.SYNC_FILE_RANGE_WRITE)
	}
	return nil
}

func (f *restoring) writeData(content []byte, off int64) error {
	if !f.sparse {
		return f.writeAt(content, off)
	}
	for len(content) > 0 {
		n := zeroRun(content)
		content, off = content[n:], off+int64(n)
		n = dataRun(content)
		if err := f.writeAt(content[:n], off); err != nil {
			return err
		}
		content, off = content[n:], off+int64(n)
	}
	return nil
}

func (f *restoring) writeAt(content []byte, off int64) error {
	if len(content) == 0 {
		return nil
	}
	_, err := f.file.WriteAt(content, off)
	return err
}

// zeroRun gives how many bytes from the start are whole blocks of zeros.
func zeroRun(b []byte) int {
	n := 0
	for n < len(b) {
		block := b[n:min(n+holeSize, len(b))]
		if block[0] != 0 || !isZero(block) {
			break
		}
		n += len(block)
	}
	return n
}

// dataRun gives how many bytes from the start are before the next whole block of zeros.
func dataRun(b []byte) int {
	n := 0
	for n < len(b) {
		block := b[n:min(n+holeSize, len(b))]
		if block[0] == 0 && isZero(block) {
			break
		}
		n += len(block)
	}
	return n
}

// release closes a file whose last piece was written.
func (r *restorer) release(f *restoring) error {
	if !f.member.alone() && r.pieceWritten(f) > 0 {
		return nil
	}
	m := f.member
	err := r.setOwnerAndMode(f.file, m)
	if err := errors.Join(err, f.file.Close()); err != nil {
		return fmt.Errorf("restore %s: %w", m.Path, err)
	}
	err = r.folders.within(m.Path, func(d *openFolder, name string) error { return d.setMemberTime(name, m) })
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return nil
}

// pieceWritten gives how many pieces are still to be written.
func (r *restorer) pieceWritten(f *restoring) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.pieces--
	if f.pieces == 0 {
		delete(r.open, f.member)
	}
	return f.pieces
}

// drop closes a file that nobody else writes to, and that could not be written; closeOpen does so for the others.
func (r *restorer) drop(f *restoring) error {
	if f.member.alone() {
		return f.file.Close()
	}
	return nil
}

// setOwnerAndMode changes the owner first, since that takes away setuid and setgid. Whose a file is that
// was just made is known but for its group, which may be that of the folder.
func (r *restorer) setOwnerAndMode(file *os.File, m *Member) error {
	right := m.UID == r.uid && m.GID == r.gid && belongs(file, m)
	if r.chown && !right {
		if err := file.Chown(m.UID, m.GID); err != nil {
			return err
		}
	}
	return file.Chmod(m.Mode.FileMode())
}

// belongs says whether the file is known to have its owner already.
func belongs(file *os.File, m *Member) bool {
	var st unix.Stat_t
	err := unix.Fstat(int(file.Fd()), &st)
	return err == nil && int(st.Uid) == m.UID && int(st.Gid) == m.GID
}

// setMemberTime gives what is called so the modification time of a member.
func (d *openFolder) setMemberTime(name string, m *Member) error {
	mtime, err := unix.TimeToTimespec(m.ModTime)
	if err != nil {
		return d.fail("utimensat", name, err)
	}
	return d.setTime(name, mtime)
}

// closeOpen closes what a failed restore left open.
func (r *restorer) closeOpen() error {
	var errs []error
	for _, f := range r.open {
		errs = append(errs, f.file.Close())
	}
	clear(r.open)
	return errors.Join(errs...)
}
