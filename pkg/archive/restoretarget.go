package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"time"

	"github.com/zeebo/blake3"
	"golang.org/x/sys/unix"

	"runner/pkg/archive/digest"
	"runner/pkg/files"
)

// take makes the target ours: marked as incomplete, durably, before anything else is in it. One with
// what an earlier attempt has left is marked already.
func (r *restorer) take(ctx context.Context) error {
	if r.folders == nil {
		if err := os.MkdirAll(r.target, 0o750); err != nil {
			return fmt.Errorf("make target: %w", err)
		}
		if err := r.look(ctx); err != nil {
			return err
		}
	}
	var err error
	switch {
	case r.continued:
		err = r.record.file.Truncate(r.record.end) // what comes after it was cut off
	case r.record == nil:
		r.record, err = createRecord(r.folders)
	}
	if err == nil && !r.continued {
		err = r.record.begin(r.folders, newRecordHead(r.backup, r.options.Paths))
	}
	if err != nil {
		return fmt.Errorf("mark target as incomplete: %w", err)
	}
	return r.probeOwners()
}

// look opens the target and takes in what an earlier attempt has left there. It wants a target that is
// absent or empty otherwise.
func (r *restorer) look(ctx context.Context) (err error) {
	r.folders, err = openFolders(r.target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open target: %w", err)
	}
	names, err := r.folders.root.Readdirnames(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read target: %w", err)
	}
	names = slices.DeleteFunc(names, r.isLostFound)
	if len(names) == 0 {
		return nil
	}
	r.record, err = openRecord(r.folders, !r.options.DryRun)
	switch {
	case errors.Is(err, ErrBusy):
		return fmt.Errorf("target %s: %w", r.target, err)
	case errors.Is(err, errNoRecord), errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR),
		errors.Is(err, unix.ELOOP), errors.Is(err, unix.EISDIR):
		return r.checkBegun(names)
	case err != nil:
		return fmt.Errorf("open target: %w", err)
	}
	head, frames := r.record.head, r.record.last.Frames
	if want := newRecordHead(r.backup, r.options.Paths); !head.same(want) {
		return &OtherRestoreError{Target: r.target, Data: head.Data, Paths: head.Paths}
	}
	if frames < 0 || frames > len(r.backup.index.Frames) {
		return &NotEmptyError{Target: r.target, Found: Marker}
	}
	if r.backup.placed != nil {
		// Files that patches made have no digest to tell whether they are still what they were: they are restored anew.
		r.record.last = recordMark{}
	}
	r.continued = true
	if !r.options.DryRun {
		if err := r.probeOwners(); err != nil {
			return err
		}
	}
	left, err := r.survey()
	if err != nil {
		return err
	}
	for _, l := range left {
		if err := r.adopt(ctx, l); err != nil {
			return fmt.Errorf("continue restore: %w", err)
		}
	}
	return nil
}

// lostFound is the folder that a file system has at its root for what its check finds: a target may be the root of one.
const lostFound = "lost+found"

// isLostFound reports whether a name in the target is that of a file system's own folder, with nothing in it, or nothing that we may see.
func (r *restorer) isLostFound(name string) bool {
	if name != lostFound {
		return false
	}
	d, err := r.folders.use(name)
	if err != nil {
		return errors.Is(err, fs.ErrPermission)
	}
	defer r.folders.release(d)
	inside, err := d.Readdirnames(1)
	return len(inside) == 0 && (err == nil || errors.Is(err, io.EOF))
}

// checkBegun lets a target pass that has nothing but what a restore makes before it has written the
// first line of its record.
func (r *restorer) checkBegun(names []string) error {
	for _, name := range names {
		if name != markerDir {
			return &NotEmptyError{Target: r.target, Found: name}
		}
	}
	d, err := r.folders.use(markerDir)
	if err != nil {
		return &NotEmptyError{Target: r.target, Found: markerDir} // it is no folder
	}
	defer r.folders.release(d)
	inside, err := d.Readdirnames(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read target: %w", err)
	}
	for _, name := range inside {
		st, err := d.stat(name)
		if err != nil {
			return fmt.Errorf("read target: %w", err)
		}
		if path.Join(markerDir, name) != Marker || st.Mode&unix.S_IFMT != unix.S_IFREG {
			return &NotEmptyError{Target: r.target, Found: path.Join(markerDir, name)}
		}
	}
	return nil
}

// leftover is what an earlier attempt has left of a member.
type leftover struct {
	member *Member
	stat   unix.Stat_t
}

func (l leftover) modTime() time.Time { return time.Unix(l.stat.Mtim.Unix()) }
func (l leftover) changed() time.Time { return time.Unix(l.stat.Ctim.Unix()) }

// maxBeside is how many paths a [NotEmptyError] lists.
const maxBeside = 100

// kinds are the types of members as stat tells them.
var kinds = map[Type]uint32{TypeFile: unix.S_IFREG, TypeDir: unix.S_IFDIR, TypeSymlink: unix.S_IFLNK}

// survey lists what is in the target, and refuses one with anything that is not a member's. Folders
// come before what is in them.
func (r *restorer) survey() ([]leftover, error) {
	members := make(map[string]*Member, len(r.chosen))
	for m := range r.chosen {
		members[m.Path] = m
	}
	var left []leftover
	var strangers []string
	folders := []string{Root}
	for len(folders) > 0 {
		folder := folders[len(folders)-1]
		folders = folders[:len(folders)-1]
		err := r.surveyFolder(folder, func(name string, st unix.Stat_t) error {
			m := members[name]
			switch kind := st.Mode & unix.S_IFMT; {
			case m != nil && kind == kinds[m.Type]:
				left = append(left, leftover{m, st})
			case m == nil && kind == unix.S_IFDIR && r.isLostFound(name):
				return nil
			case m != nil, name != Marker && name != markerDir:
				strangers = append(strangers, name)
				return nil
			}
			if st.Mode&unix.S_IFMT == unix.S_IFDIR {
				folders = append(folders, name)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(strangers) > 0 {
		sort.Strings(strangers)
		return nil, &NotEmptyError{Target: r.target, Found: strangers[0], Beside: strangers[:min(len(strangers), maxBeside)]}
	}
	return left, nil
}

func (r *restorer) surveyFolder(folder string, fn func(name string, st unix.Stat_t) error) error {
	d, err := r.useAgain(folder)
	if err != nil {
		return fmt.Errorf("read target: %w", err)
	}
	defer r.folders.release(d)
	if _, err := d.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read target: %w", err)
	}
	names, err := d.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("read target: %w", err)
	}
	for _, name := range names {
		st, err := d.stat(name)
		if err != nil {
			return fmt.Errorf("read target: %w", err)
		}
		if err := fn(path.Join(folder, name), st); err != nil {
			return err
		}
	}
	return nil
}

// useAgain opens a folder that may have its mode already, and makes it writable for us again.
func (r *restorer) useAgain(folder string) (*openFolder, error) {
	d, err := r.folders.use(folder)
	if folder == Root || r.options.DryRun {
		return d, err
	}
	if errors.Is(err, fs.ErrPermission) {
		if err := r.folders.within(folder, func(d *openFolder, name string) error { return d.chmod(name, 0o700) }); err != nil {
			return nil, err
		}
		return r.folders.use(folder)
	}
	if err == nil {
		err = d.Chmod(0o700)
	}
	return d, err
}

// adopt decides from which frame on a member is to be restored, and removes what is of no use.
func (r *restorer) adopt(ctx context.Context, l leftover) error {
	m, frames := l.member, r.record.last.Frames
	if m.Type == TypeDir {
		return nil
	}
	var err error
	kept := false
	switch {
	case m.Type != TypeFile:
	case m.Last < frames:
		if kept, err = r.isComplete(ctx, l); kept {
			r.from[m] = m.Last + 1
		}
	case m.First < frames && l.stat.Size == m.Size:
		if kept, err = r.isPrefix(ctx, l); kept {
			r.from[m] = frames
		}
	}
	if err != nil || kept || r.options.DryRun {
		return err
	}
	return r.folders.within(m.Path, (*openFolder).unlink)
}

// isComplete says whether a file is what it was when it was durable and its digest was compared. One
// that may have been changed since, or was copied here, is read.
func (r *restorer) isComplete(ctx context.Context, l leftover) (bool, error) {
	m := l.member
	untouched := l.stat.Size == m.Size && l.stat.Nlink == 1 && l.modTime().Equal(m.ModTime) && !l.changed().After(r.record.last.Time)
	if r.options.DryRun {
		return untouched, nil
	}
	if !untouched {
		if l.stat.Size != m.Size || l.stat.Nlink != 1 {
			return false, nil
		}
		files := blake3.New()
		if err := r.readBack(ctx, m, m.Size, files); err != nil {
			return false, err
		}
		var got digest.Hash
		if files.Sum(got[:0]); got != m.Digest {
			return false, nil
		}
	}
	return true, r.dress(l)
}

// dress gives a file that was complete its owner, mode and time again, if it has others.
func (r *restorer) dress(l leftover) error {
	m := l.member
	return r.folders.within(m.Path, func(d *openFolder, name string) error {
		if owned := int(l.stat.Uid) == m.UID && int(l.stat.Gid) == m.GID; r.chown && !owned {
			if err := d.lchown(name, m.UID, m.GID); err != nil {
				return err
			}
			l.stat.Mode = 0 // it may have lost setuid
		}
		if Mode(l.stat.Mode)&modeAll != m.Mode {
			if err := d.chmod(name, uint32(m.Mode)); err != nil {
				return err
			}
		}
		if l.modTime().Equal(m.ModTime) {
			return nil
		}
		return d.setMemberTime(name, m)
	})
}

// isPrefix says whether what was durable of a file is still what it was.
func (r *restorer) isPrefix(ctx context.Context, l leftover) (bool, error) {
	m, last := l.member, r.record.last
	if l.stat.Nlink != 1 || r.options.DryRun {
		return l.stat.Nlink == 1, nil
	}
	files := blake3.New()
	if err := r.readBack(ctx, m, r.backup.restoredUpTo(m, last.Frames), files); err != nil {
		return false, err
	}
	var got digest.Hash
	if files.Sum(got[:0]); got != last.Prefix {
		return false, nil
	}
	r.prefix = files
	return true, nil
}

// readBack reads the first n bytes of a file of the target. A file that ends before, or that we may not
// read, has other content than it should.
func (r *restorer) readBack(ctx context.Context, m *Member, n int64, to io.Writer) error {
	return r.folders.within(m.Path, func(d *openFolder, name string) error {
		f, err := d.openAt(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
		if errors.Is(err, fs.ErrPermission) {
			return nil
		}
		if err != nil {
			return err
		}
		_, err = io.Copy(to, &contextReader{ctx, io.LimitReader(f, n)})
		return errors.Join(err, f.Close())
	})
}

// contextReader ends when its context does.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// checkSpace compares what is still to be allocated with what the target's file system has free, where
// both are known.
func (r *restorer) checkSpace(result *Restored) error {
	room, err := files.RoomAt(existing(r.target))
	if errors.Is(err, files.ErrRoomUnknown) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for free space: %w", err)
	}
	result.Free = room.Free
	if result.Need > result.Free {
		return &NoSpaceError{Target: r.target, Need: result.Need, Free: result.Free}
	}
	return nil
}

// existing is the target, or what it will be made in.
func existing(target string) string {
	target = filepath.Clean(target)
	for {
		if _, err := os.Lstat(target); err == nil || filepath.Dir(target) == target {
			return target
		}
		target = filepath.Dir(target)
	}
}
