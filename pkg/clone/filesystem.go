package clone

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// owner is who a file belongs to, and what its mode allows.
type owner struct {
	uid, gid uint32
	mode     fs.FileMode
	device   uint64
}

// ownerOf follows symbolic links.
func ownerOf(path string) (owner, error) {
	info, err := os.Stat(path)
	if err != nil {
		return owner{}, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return owner{}, errors.New("the system does not say whose " + path + " is")
	}
	return owner{uid: stat.Uid, gid: stat.Gid, mode: info.Mode(), device: uint64(stat.Dev)}, nil //nolint:unconvert // its width differs between systems
}

// answer is yes, no, or that it cannot be told.
type answer int

const (
	no answer = iota
	perhaps
	yes
)

// mayUse tells whether a process of that uid and primary gid has the permission (of 0o1 execute, 0o2 write, 0o4 read)
// on the file. Other groups that the process may be in are not known: where only they decide, it is perhaps. So
// it is with access control lists, whose mask shows as the group's bits.
func (o owner) mayUse(uid, gid uint32, want fs.FileMode) answer {
	allows := func(shift int) bool { return o.mode.Perm()>>shift&want == want }
	switch {
	case uid == 0:
		return yes
	case uid == o.uid:
		// The owner's bits alone count for the owner.
		return yesIf(allows(6))
	case gid == o.gid:
		return yesIf(allows(3))
	case allows(0):
		return yes
	case allows(3):
		return perhaps
	}
	return no
}

func yesIf(b bool) answer {
	if b {
		return yes
	}
	return no
}

// mayWriteBelow tells whether a process of that uid and gid can make a directory in dir: dir must be writable, and every
// directory above it passable. Where is the directory that decides when the answer is not yes.
func mayWriteBelow(dir string, uid, gid uint32) (a answer, where string, err error) {
	dir, err = filepath.EvalSymlinks(dir)
	if err != nil {
		return no, dir, err
	}
	a, where = yes, dir
	for at, want := dir, fs.FileMode(0o3); ; at, want = filepath.Dir(at), 0o1 {
		o, err := ownerOf(at)
		if err != nil {
			return no, at, err
		}
		if here := o.mayUse(uid, gid, want); here < a {
			a, where = here, at
		}
		if at == filepath.Dir(at) {
			return a, where, nil
		}
	}
}

// mayRead tells whether we can read files of that owner with mode 0640 in directories of mode 0750, as mysqld makes them.
func mayRead(uid, gid uint32) (bool, error) {
	me := uint32(os.Geteuid())
	if me == 0 || me == uid || uint32(os.Getegid()) == gid {
		return true, nil
	}
	groups, err := os.Getgroups()
	if err != nil {
		return false, err
	}
	return slices.Contains(groups, int(gid)), nil
}

// existing is the nearest of path and the directories above it that is there.
func existing(path string) (string, error) {
	for {
		_, err := os.Stat(path)
		if err == nil || path == filepath.Dir(path) || !errors.Is(err, fs.ErrNotExist) {
			return path, err
		}
		path = filepath.Dir(path)
	}
}

// resolved is the path with every symbolic link in the part of it that is there followed; the rest is kept.
func resolved(path string) (string, error) {
	base, err := existing(path)
	if err != nil {
		return path, err
	}
	real, err := filepath.EvalSymlinks(base)
	if err != nil {
		return path, err
	}
	rest, err := filepath.Rel(base, path)
	if err != nil {
		return path, err
	}
	return filepath.Join(real, rest), nil
}

// writableByUs tells why we cannot make files in the directory; nil: we can.
func writableByUs(dir string) error {
	const write, execute = 0x2, 0x1 // W_OK and X_OK of access(2)
	return syscall.Access(dir, write|execute)
}

// liesIn reports whether a path, or the nearest part of it that exists, is the directory or lies in it: by the objects themselves, which
// bind mounts give several names.
func liesIn(directory, path string) bool {
	want, err := os.Stat(directory)
	if err != nil {
		return false
	}
	for at := filepath.Clean(path); ; at = filepath.Dir(at) {
		if info, err := os.Stat(at); err == nil && os.SameFile(info, want) {
			return true
		}
		if at == filepath.Dir(at) {
			return false
		}
	}
}
