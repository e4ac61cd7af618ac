package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"sync"

	"github.com/zeebo/blake3"

	"runner/pkg/archive/digest"
	"runner/pkg/archive/store"
)

// Restore writes the members of a backup, or those that o.Paths choose with the folders they lie
// in, into target, which is made if it is absent and must be empty otherwise, or have an unfinished
// restore of the same members in it: that is continued. Every frame and every file is verified on
// the way. Modes and times are kept, and holes stay holes. Owners are kept where the process may give files
// to all of them, and otherwise none is: see [Restored.KeptOwner].
//
// Until all is written and durable, target holds the file [Marker], on which mysqld refuses to
// start; an error leaves it there, and what was restored so far, for another Restore to go on with.
//
// Errors are [*NotEmptyError], [*OtherRestoreError], [ErrBusy], [*NoSpaceError], with which the result
// of a dry run is given too, [ErrNoMatch], [path.ErrBadPattern], [*CorruptError], and those of the
// store, the target and the context. Nothing is ever written outside target.
func (b *Backup) Restore(ctx context.Context, target string, o RestoreOptions) (*Restored, error) {
	chosen, err := b.choose(o.Paths)
	if err != nil {
		return nil, err
	}
	r := &restorer{
		backup: b, options: o, chosen: chosen, target: target, from: map[*Member]int{},
		open: map[*Member]*restoring{}, files: blake3.New(), uid: os.Geteuid(), gid: os.Getegid(),
		tar: newTarCheck(b, len(o.Paths) == 0),
	}
	if o.DryRun {
		return r.rehearse(ctx)
	}
	return r.run(ctx)
}

// choose gives the members that are to be restored: those that match with all that is in them,
// and the folders that they lie in.
func (b *Backup) choose(patterns []string) (map[*Member]bool, error) {
	chosen := make(map[*Member]bool, len(b.index.Files))
	if len(patterns) == 0 {
		for _, m := range b.index.Files {
			chosen[m] = true
		}
		return chosen, nil
	}
	byPath := make(map[string]*Member, len(b.index.Files))
	matched := map[string]bool{}
	for _, m := range b.index.Files {
		byPath[m.Path] = m
		ok, err := matches(patterns, m.Path)
		if err != nil {
			return nil, err
		}
		matched[m.Path] = ok || m.Path != Root && matched[path.Dir(m.Path)]
	}
	for _, m := range b.index.Files {
		if !matched[m.Path] {
			continue
		}
		chosen[m] = true
		for p := m.Path; p != Root; {
			p = path.Dir(p)
			if parent := byPath[p]; parent != nil {
				chosen[parent] = true
			}
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("%w %q", ErrNoMatch, patterns)
	}
	return chosen, nil
}

func matches(patterns []string, name string) (bool, error) {
	for _, p := range patterns {
		ok, err := path.Match(path.Clean(p), name)
		if err != nil {
			return false, fmt.Errorf("pattern %q: %w", p, err)
		}
		if ok {
			return true, nil
		}
	}
	return false, nil
}

// stored gives how many bytes of content are read for the chosen members: holes of files that patches made are not.
func stored(chosen map[*Member]bool) int64 {
	n := int64(0)
	for m := range chosen {
		if m.Extents != nil {
			n += m.Allocated // which is what the extents have
		} else {
			n += m.Size
		}
	}
	return n
}

// need returns what is to be restored, and the frames to read for it: those with content that is still to come and with the headers
// of files, and for a restore of everything all from the first that no earlier attempt has passed, since their headers are compared with the index.
func (r *restorer) need() ([]int, *Restored) {
	result := &Restored{Free: -1}
	b := r.backup
	reads := make([]bool, len(b.index.Frames))
	for _, m := range b.index.Files {
		if !r.chosen[m] {
			continue
		}
		result.Files++
		result.Bytes += m.Size
		result.Allocated += m.Allocated
		if m.Type != TypeFile {
			continue
		}
		if b.placed != nil {
			result.Need += m.Allocated
			continue
		}
		from := max(m.First, r.from[m])
		for k := from; k <= m.Last; k++ {
			reads[k] = true
		}
		if header := frameOf(b.starts, m.Header); header >= r.passed() {
			reads[header] = true
		}
		done := b.restoredUpTo(m, from)
		result.Continued += done
		result.Need += max(m.Allocated-done, 0)
	}
	if b.placed != nil {
		b.markFrames(r.chosen, reads)
	}
	if len(r.options.Paths) == 0 {
		for k := r.passed(); k < len(reads); k++ {
			reads[k] = true
		}
	}
	if b.index.Rebuilt != nil {
		result.Allocated, result.Need = -1, -1
	}
	frames := numbersOf(reads)
	result.Frames = int64(len(frames))
	return frames, result
}

// numbersOf returns the numbers of what is marked, ascending.
func numbersOf(marks []bool) (numbers []int) {
	for k, mark := range marks {
		if mark {
			numbers = append(numbers, k)
		}
	}
	return numbers
}

// passed returns the first frame that an earlier attempt has not got to.
func (r *restorer) passed() int {
	if r.record == nil {
		return 0
	}
	return r.record.last.Frames
}

// restoredUpTo gives the bytes of content that lie in frames before one.
func (b *Backup) restoredUpTo(m *Member, frame int) int64 {
	switch {
	case frame <= m.First:
		return 0
	case frame > m.Last:
		return m.Size
	}
	return b.starts[frame] - m.Offset
}

// restorer writes members into a target.
type restorer struct {
	backup   *Backup
	options  RestoreOptions
	chosen   map[*Member]bool
	target   string
	uid, gid int  // whom files belong to when they are made
	chown    bool // to whom they belonged at the source; set by probeOwners
	folders  *folders
	record   *record // nil in a dry run of a target without one

	// What an earlier attempt has left: the frame from which on the content of a member is to be
	// written (absent: all of it), and the digest so far of the one that was being written.
	continued bool
	from      map[*Member]int
	prefix    *blake3.Hasher

	mu   sync.Mutex
	open map[*Member]*restoring // files that span frames and are being written

	// What follows belongs to the frame whose turn it is.
	tar      *tarCheck
	files    *blake3.Hasher
	done     int64 // bytes of content
	total    int64
	progress progress
}

// rehearse tells what run would do.
func (r *restorer) rehearse(ctx context.Context) (result *Restored, err error) {
	if err := r.look(ctx); err != nil {
		return nil, errors.Join(err, r.close())
	}
	_, result = r.need()
	return result, errors.Join(r.checkSpace(result), r.close())
}

func (r *restorer) run(ctx context.Context) (result *Restored, err error) {
	defer func() {
		if e := r.close(); e != nil {
			result, err = nil, errors.Join(err, e)
		}
	}()
	if err := r.look(ctx); err != nil {
		return nil, err
	}
	frames, result := r.need()
	if err := r.checkSpace(result); err != nil {
		return nil, err
	}
	if err := r.take(ctx); err != nil {
		return nil, err
	}
	r.done, r.total = result.Continued, stored(r.chosen)
	if err := r.makeTree(); err != nil {
		return nil, err
	}
	if err := r.makeHollows(); err != nil {
		return nil, err
	}
	if err := r.writeFiles(ctx, frames); err != nil {
		return nil, err
	}
	result.KeptOwner = r.keptOwner()
	return result, r.finish()
}

func (r *restorer) close() error {
	var errs []error
	if r.record != nil {
		errs = append(errs, r.record.close(r.folders))
	}
	if r.folders != nil {
		errs = append(errs, r.folders.close())
	}
	return errors.Join(errs...)
}

func (r *restorer) writeFiles(ctx context.Context, frames []int) error {
	data, err := r.backup.openData(ctx)
	if err != nil {
		return err
	}
	s := &scan{
		backup: r.backup, data: data, threads: r.options.Threads, frames: frames,
		decoded: r.decoded, inOrder: r.inOrder,
	}
	err = r.checkSize(data)
	if err == nil {
		err = r.recording(ctx, s.run)
	}
	if err == nil {
		for _, fault := range r.tar.end() {
			err = fault
			break
		}
	}
	return errors.Join(err, r.closeOpen(), data.Close())
}

// checkSize refuses a data file with bytes after its end, or without some before it, before all of it is restored.
func (r *restorer) checkSize(data store.Reader) error {
	if got, want := data.Size(), r.backup.index.Stored; got != want && len(r.options.Paths) == 0 {
		return &CorruptError{
			File: r.backup.dataName(), Offset: min(got, want), What: fmt.Sprintf("%d bytes, the index says %d", got, want),
		}
	}
	return nil
}

// checkTar compares what the frame holds besides content with the index.
func (r *restorer) checkTar(u *unpacked, s span) error {
	var fault *CorruptError
	switch s.part {
	case partHeader:
		fault = r.tar.header(u, s)
	case partZeros:
		fault = r.tar.zeros(u, s)
	}
	if fault != nil {
		return fault
	}
	return nil
}

// wants says whether a span of a frame is to be written.
func (r *restorer) wants(frame int, s span) bool {
	return (s.part == partContent || s.part == partExtent) && r.chosen[s.member] && frame >= r.from[s.member]
}

// decoded writes the content in a frame to its files.
func (r *restorer) decoded(_ context.Context, u *unpacked) error {
	if u.err != nil {
		return u.err
	}
	return r.backup.spans(u.number, func(s span) error {
		if !r.wants(u.number, s) {
			return nil
		}
		f, err := r.file(s.member)
		if err != nil {
			return err
		}
		if err := f.write(u.raw[s.lo:s.hi], s.off); err != nil {
			return errors.Join(fmt.Errorf("restore %s: %w", s.member.Path, err), r.drop(f))
		}
		return r.release(f)
	})
}

// inOrder compares the digests of files.
func (r *restorer) inOrder(u *unpacked) error {
	var unfinished *blake3.Hasher
	err := r.backup.spans(u.number, func(s span) error {
		if err := r.checkTar(u, s); err != nil {
			return err
		}
		if s.part == partExtent && r.chosen[s.member] {
			r.done += s.hi - s.lo
			return nil
		}
		if !r.wants(u.number, s) {
			return nil
		}
		switch {
		case s.first():
			r.files.Reset()
		case u.number == r.from[s.member]:
			r.files = r.prefix
		}
		_, _ = r.files.Write(u.raw[s.lo:s.hi]) // a hash takes all
		r.done += s.hi - s.lo
		if !s.last() {
			unfinished = r.files
			return nil
		}
		var got digest.Hash
		r.files.Sum(got[:0])
		if got != s.member.Digest {
			return &CorruptError{
				File: r.backup.dataName(), Offset: u.frame.Offset, Member: s.member.Path,
				What: "content has another digest than the index says",
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.reached(u.number+1, r.done, unfinished)
	if r.options.Progress != nil {
		r.options.Progress(r.done, r.total)
	}
	return nil
}
