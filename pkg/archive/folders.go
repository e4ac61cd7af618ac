package archive

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"sync"

	"golang.org/x/sys/unix"
)

// maxFolders is how many folders of a target are kept open. Frames that are written at the same
// time lie next to each other in the order of paths, so that a few would do.
const maxFolders = 64

// folders opens what is in a target: one element of a path after the other, through no symbolic
// link, and so never outside. The last folders are kept open, since most of what a small file
// costs is the way to it.
type folders struct {
	root *openFolder

	mu   sync.Mutex
	open map[string]*openFolder // all but the root
	uses int                    // so far
}

// openFolder is a folder of the target.
type openFolder struct {
	*os.File
	fd    int
	path  string
	users int // a folder with users stays open
	used  int // which use the last one was
}

func openFolders(target string) (*folders, error) {
	f, err := os.OpenFile(target, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	root := &openFolder{File: f, fd: int(f.Fd()), path: Root}
	return &folders{root: root, open: map[string]*openFolder{}}, nil
}

// use gives a folder, which stays open until release.
func (f *folders) use(name string) (*openFolder, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.get(name)
}

func (f *folders) get(name string) (*openFolder, error) {
	if name == Root {
		f.root.users++
		return f.root, nil
	}
	d := f.open[name]
	if d == nil {
		parent, err := f.get(path.Dir(name))
		if err != nil {
			return nil, err
		}
		file, err := parent.openAt(path.Base(name), os.O_RDONLY|unix.O_DIRECTORY, 0)
		parent.users--
		if err != nil {
			return nil, err
		}
		if err := f.makeRoom(); err != nil {
			return nil, errors.Join(err, file.Close())
		}
		d = &openFolder{File: file, fd: int(file.Fd()), path: name}
		f.open[name] = d
	}
	f.uses++
	d.used = f.uses
	d.users++
	return d, nil
}

// makeRoom closes the folder that was not used for longest, if there are too many.
func (f *folders) makeRoom() error {
	if len(f.open) < maxFolders {
		return nil
	}
	var oldest *openFolder
	for _, d := range f.open {
		if d.users == 0 && (oldest == nil || d.used < oldest.used) {
			oldest = d
		}
	}
	if oldest == nil {
		return nil
	}
	delete(f.open, oldest.path)
	return oldest.Close()
}

func (f *folders) release(d *openFolder) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d.users--
}

// within calls fn with the folder that a path lies in, and with its last element.
func (f *folders) within(p string, fn func(d *openFolder, name string) error) error {
	d, err := f.use(path.Dir(p))
	if err != nil {
		return err
	}
	defer f.release(d)
	return fn(d, path.Base(p))
}

func (f *folders) close() error {
	errs := []error{f.root.Close()}
	for _, d := range f.open {
		errs = append(errs, d.Close())
	}
	return errors.Join(errs...)
}

// fail names the path that a call failed on.
func (d *openFolder) fail(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: path.Join(d.path, name), Err: err}
}

// uninterrupted repeats a call that a signal has ended, as package os does.
func uninterrupted(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// openAt opens what is called so in the folder, unless that is a symbolic link.
func (d *openFolder) openAt(name string, flags int, mode uint32) (*os.File, error) {
	fd := -1
	err := uninterrupted(func() (err error) {
		fd, err = unix.Openat(d.fd, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
		return err
	})
	if err != nil {
		return nil, d.fail("open", name, err)
	}
	return os.NewFile(uintptr(fd), path.Join(d.path, name)), nil
}

func (d *openFolder) stat(name string) (unix.Stat_t, error) {
	var st unix.Stat_t
	err := uninterrupted(func() error { return unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	return st, d.fail("stat", name, err)
}

func (d *openFolder) mkdir(name string) error {
	return d.fail("mkdir", name, uninterrupted(func() error { return unix.Mkdirat(d.fd, name, 0o700) }))
}

func (d *openFolder) unlink(name string) error {
	return d.fail("unlink", name, uninterrupted(func() error { return unix.Unlinkat(d.fd, name, 0) }))
}

func (d *openFolder) rmdir(name string) error {
	return d.fail("rmdir", name, uninterrupted(func() error { return unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR) }))
}

func (d *openFolder) symlink(target, name string) error {
	return d.fail("symlink", name, uninterrupted(func() error { return unix.Symlinkat(target, d.fd, name) }))
}

func (d *openFolder) lchown(name string, uid, gid int) error {
	return d.fail("chown", name, uninterrupted(func() error { return unix.Fchownat(d.fd, name, uid, gid, unix.AT_SYMLINK_NOFOLLOW) }))
}

// chmod changes the mode of what cannot be opened as it is.
func (d *openFolder) chmod(name string, mode uint32) error {
	return d.fail("chmod", name, uninterrupted(func() error { return unix.Fchmodat(d.fd, name, mode, unix.AT_SYMLINK_NOFOLLOW) }))
}

// setTime sets when something was modified, and leaves the time of last access as it is.
func (d *openFolder) setTime(name string, mtime unix.Timespec) error {
	times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, mtime}
	return d.fail("utimensat", name, uninterrupted(func() error {
		return unix.UtimesNanoAt(d.fd, name, times, unix.AT_SYMLINK_NOFOLLOW)
	}))
}
