package archive

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"runner/pkg/archive/digest"
	"runner/pkg/files"
)

// recordFormat is the format of the record that a restore keeps in [Marker]; the number is the
// major version.
const recordFormat = "runner-restore/1"

// maxRecord is the most bytes of a record that are read. A restore of a day appends some 10,000
// lines of 150 bytes.
const maxRecord = 64 << 20

// maxRecordLine bounds a line of a record, in bytes: the first has the patterns of a command line, which Linux bounds by 2 MiB.
const maxRecordLine = 4 << 20

// record is what [Marker] holds while a restore is under way: what is being restored, and how much
// of it is durable. It is one file with the mark on which mysqld refuses to start, so that there is
// no moment at which only one of them is there: what can be continued is never started on, and what
// a server may have started on is never continued.
type record struct {
	folder *openFolder // that the marker lies in
	file   *os.File
	end    int64 // where the next line goes
	head   recordHead
	last   recordMark
}

// recordHead is the first line: what is being restored.
type recordHead struct {
	Format string   `json:"format"`
	Data   string   `json:"data"`  // SHA-256 of the data file, of which all that a restore writes is a part
	Paths  []string `json:"paths"` // patterns that choose members; none: all
}

// recordMark is a further line: how far the restore is.
type recordMark struct {
	Frames int         `json:"frames"`          // content in frames before this one is verified and durable
	Prefix digest.Hash `json:"prefix,omitzero"` // of the durable part of the file that goes on in that frame
	Time   time.Time   `json:"time"`            // by the clock of the target's file system; no complete file was changed later
}

func newRecordHead(b *Backup, patterns []string) recordHead {
	h := recordHead{Format: recordFormat, Data: b.manifest.Archive.Data.SHA256, Paths: []string{}}
	for _, p := range patterns {
		h.Paths = append(h.Paths, path.Clean(p))
	}
	slices.Sort(h.Paths)
	h.Paths = slices.Compact(h.Paths)
	return h
}

// same says whether a restore of h goes on with one of other.
func (h recordHead) same(other recordHead) bool {
	return h.Format == other.Format && h.Data == other.Data && slices.Equal(h.Paths, other.Paths)
}

// errNoRecord says that the marker is not one of ours, or was not written to the end of its first line.
var errNoRecord = errors.New("no record of a restore")

// readRecord reads the lines. What was being appended when the machine failed ends it.
func readRecord(r io.Reader) (head recordHead, last recordMark, end int64, err error) {
	lines := bufio.NewReaderSize(io.LimitReader(r, maxRecord), maxRecordLine)
	line, err := wholeLine(lines)
	if err != nil {
		return head, last, 0, err
	}
	if !decodeLine(line, &head) || head.Format != recordFormat {
		return head, last, 0, errNoRecord
	}
	for {
		end += int64(len(line))
		if line, err = wholeLine(lines); err != nil {
			return head, last, end, err
		}
		var mark recordMark
		if !decodeLine(line, &mark) || mark.Frames < last.Frames {
			return head, last, end, nil
		}
		last = mark
	}
}

// wholeLine returns the next line, and nothing if that is cut off or longer than a line can be. It is good until the next call.
func wholeLine(lines *bufio.Reader) ([]byte, error) {
	line, err := lines.ReadSlice('\n')
	if errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read record of a restore: %w", err)
	}
	return line, nil
}

// decodeLine wants one JSON object with fields that are known: a marker of somebody else is no record.
func decodeLine(line []byte, v any) bool {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	return dec.Decode(v) == nil
}

// openRecord opens the marker of a target and reads its record. Errors are [fs.ErrNotExist],
// errNoRecord, with which the file is open all the same, and [ErrBusy].
func openRecord(f *folders, write bool) (*record, error) {
	folder, err := f.use(markerDir)
	if err != nil {
		return nil, err
	}
	r := &record{folder: folder}
	flags := os.O_RDONLY
	if write {
		flags = os.O_RDWR
	}
	if r.file, err = folder.openAt(path.Base(Marker), flags|unix.O_NONBLOCK, 0); err != nil {
		f.release(folder)
		return nil, err
	}
	err = r.lock(write)
	if err == nil {
		r.head, r.last, r.end, err = readRecord(r.file)
	}
	if err != nil && !errors.Is(err, errNoRecord) {
		return nil, errors.Join(err, r.close(f))
	}
	return r, err
}

// createRecord makes the marker.
func createRecord(f *folders) (*record, error) {
	if err := f.root.mkdir(markerDir); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	folder, err := f.use(markerDir)
	if err != nil {
		return nil, err
	}
	r := &record{folder: folder}
	if r.file, err = folder.openAt(path.Base(Marker), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		f.release(folder)
		return nil, err
	}
	if err := r.lock(true); err != nil {
		return nil, errors.Join(err, r.close(f))
	}
	return r, nil
}

// lock keeps two restores from writing to one target. A file system without locks has none.
func (r *record) lock(write bool) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(r.file.Fd()), &st); err != nil {
		return fmt.Errorf("look at record of a restore: %w", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return errNoRecord
	}
	how := unix.LOCK_SH
	if write {
		how = unix.LOCK_EX
	}
	err := uninterrupted(func() error { return unix.Flock(int(r.file.Fd()), how|unix.LOCK_NB) })
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return ErrBusy
	case errors.Is(err, unix.ENOLCK), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS):
		return nil
	case err != nil:
		return fmt.Errorf("lock record of a restore: %w", err)
	}
	if err := unix.Fstat(int(r.file.Fd()), &st); err != nil {
		return fmt.Errorf("look at record of a restore: %w", err)
	}
	if st.Nlink == 0 { // the restore that held the lock has ended
		return fs.ErrNotExist
	}
	return nil
}

// begin writes the first line, durably, before anything else is in the target.
func (r *record) begin(f *folders, head recordHead) error {
	if err := r.file.Truncate(0); err != nil {
		return err
	}
	r.head, r.last, r.end = head, recordMark{}, 0
	if err := r.append(head); err != nil {
		return err
	}
	return errors.Join(files.Unsyncable(r.folder.Sync()), files.Unsyncable(f.root.Sync()))
}

// advance appends a mark, durably. What it says must be durable already.
func (r *record) advance(m recordMark) error {
	if err := r.append(m); err != nil {
		return fmt.Errorf("record progress of the restore: %w", err)
	}
	r.last = m
	return nil
}

func (r *record) append(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if _, err := r.file.WriteAt(line, r.end); err != nil {
		return err
	}
	if err := r.file.Sync(); err != nil {
		return err
	}
	r.end += int64(len(line))
	return nil
}

// now is the time by the clock of the target's file system, which may be another machine's.
func (r *record) now() (time.Time, error) {
	if err := r.folder.setTime(path.Base(Marker), unix.Timespec{Nsec: unix.UTIME_NOW}); err != nil {
		return time.Time{}, err
	}
	st, err := r.folder.stat(path.Base(Marker))
	return time.Unix(st.Ctim.Unix()).UTC(), err
}

func (r *record) close(f *folders) error {
	f.release(r.folder)
	return r.file.Close()
}
