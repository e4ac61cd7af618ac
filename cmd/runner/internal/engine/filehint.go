package engine

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// FileHint returns what to do about an error of a file or folder, with its path and a command; "" for any other error, and where
// nothing is known. It is for every place that is written to or read from: state directory, repository, staging directory, target of a restore.
func FileHint(err error) string {
	switch {
	case errors.Is(err, syscall.EMFILE):
		return "raise the limit of open files of this process, and try again: ulimit -n"
	case errors.Is(err, syscall.ENFILE):
		return "this host has too many open files: sysctl fs.file-nr fs.file-max"
	}
	path := pathOf(err)
	if path == "" {
		return ""
	}
	for _, k := range fileHints() {
		if errors.Is(err, k.errno) {
			return strings.ReplaceAll(k.hint, "PATH", quotePath(path))
		}
	}
	return ""
}

type errnoHint struct {
	errno syscall.Errno
	hint  string // PATH stands for the path
}

func fileHints() []errnoHint {
	return []errnoHint{
		{syscall.EACCES, "let this user into each folder of the path, and write there: namei -l PATH"},
		{syscall.EPERM, "that is not permitted to this user, or the file is immutable, or its file system has no owners: lsattr -d PATH; findmnt -T PATH"},
		{syscall.EROFS, "the file system is mounted read-only: findmnt -T PATH"},
		{syscall.ENOSPC, "make room on the file system, for bytes or for files: df -h PATH; df -i PATH"},
		{syscall.EDQUOT, "this user's quota is used up there: quota -s; findmnt -T PATH"},
		{syscall.EFBIG, "the file is larger than its file system or this process may have it: ulimit -f; findmnt -T PATH"},
		{syscall.ENAMETOOLONG, "use a shorter path: a name has at most 255 bytes, a path 4095"},
		{syscall.ENOTDIR, "a folder of the path is a file: namei -l PATH"},
		{syscall.ELOOP, "the links of the path lead back to themselves: namei -l PATH"},
		{syscall.EIO, "the disk, or the server of the network file system, reports an error: dmesg | tail; findmnt -T PATH"},
		{syscall.ESTALE, "the network file system is mounted from what is no longer there; mount it again: findmnt -T PATH"},
		{syscall.ENOTCONN, "the file system's server is gone; mount it again: findmnt -T PATH"},
		{syscall.EBUSY, "something uses it: fuser -vm PATH"},
		{syscall.ETXTBSY, "it is a program that runs: fuser -v PATH"},
		{syscall.EXDEV, "the path leads to another file system: findmnt -T PATH"},
		{syscall.EINVAL, "the file system does not take that; use another one: findmnt -T PATH"},
		{syscall.EOPNOTSUPP, "the file system cannot do that; use another one: findmnt -T PATH"},
	}
}

// pathOf returns the path that an error of the system names; of two, the one that is written.
func pathOf(err error) string {
	var at *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &link):
		return link.New
	case errors.As(err, &at):
		return at.Path
	}
	return ""
}

// quotePath writes a path as one word of a POSIX shell.
func quotePath(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+@:,=%", r)
	}
	if path != "" && strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
