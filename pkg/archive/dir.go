package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Dir is the tree of a folder. Symbolic links are kept as such, never followed.
func Dir(path string) Tree { return dir{path: path} }

type dir struct{ path string }

// blockSize is the unit of Stat_t.Blocks, whatever the file system's own is (stat(2)).
const blockSize = 512

func (d dir) Walk(ctx context.Context, fn func(Entry) error) (err error) {
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return fmt.Errorf("walk tree: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	info, err := root.Lstat(Root)
	if err != nil {
		return fmt.Errorf("walk tree: %w", err)
	}
	return walk(ctx, root, Root, info, fn)
}

func walk(ctx context.Context, root *os.Root, name string, info fs.FileInfo, fn func(Entry) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e, err := entryOf(root, name, info)
	if err != nil {
		return err
	}
	if err := fn(e); err != nil || e.Type != TypeDir {
		return err
	}
	names, err := readNames(root, name)
	if err != nil {
		return err
	}
	for _, n := range names {
		child := path.Join(name, n)
		info, err := root.Lstat(child)
		if errors.Is(err, fs.ErrNotExist) {
			return &ChangedError{Path: child, What: "it was removed"}
		}
		if err != nil {
			return fmt.Errorf("walk tree: %w", err)
		}
		if err := walk(ctx, root, child, info, fn); err != nil {
			return err
		}
	}
	return nil
}

// readNames gives the names in a folder, sorted by their bytes.
func readNames(root *os.Root, name string) ([]string, error) {
	entries, err := fs.ReadDir(root.FS(), name)
	if err != nil {
		return nil, fmt.Errorf("walk tree: %w", err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// chmodBits are those of a mode that chmod sets.
const chmodBits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

func entryOf(root *os.Root, name string, info fs.FileInfo) (Entry, error) {
	e := Entry{Path: name, Mode: info.Mode() & chmodBits, ModTime: info.ModTime()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		e.UID, e.GID = int(st.Uid), int(st.Gid)
		e.Allocated = st.Blocks * blockSize
	}
	switch mode := info.Mode(); {
	case mode.IsRegular():
		e.Type, e.Size = TypeFile, info.Size()
	case mode.IsDir():
		e.Type, e.Allocated = TypeDir, 0
	case mode&fs.ModeSymlink != 0:
		link, err := root.Readlink(name)
		if err != nil {
			return e, fmt.Errorf("walk tree: %w", err)
		}
		e.Type, e.Link, e.Allocated = TypeSymlink, link, 0
	default:
		return e, &EntryError{Path: name, What: kindOf(mode)}
	}
	return e, nil
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSocket != 0:
		return "it is a socket"
	case mode&fs.ModeNamedPipe != 0:
		return "it is a named pipe"
	case mode&fs.ModeDevice != 0:
		return "it is a device"
	}
	return "it is neither file, folder nor symbolic link"
}

func (d dir) Open(name string) (File, error) {
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	// Without O_NONBLOCK a named pipe that has taken the place of the file would be waited for.
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err := errors.Join(err, root.Close()); err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return dirFile{f}, nil
}

type dirFile struct{ *os.File }

func (f dirFile) Stat() (int64, time.Time, error) {
	info, err := f.File.Stat()
	if err != nil {
		return 0, time.Time{}, err
	}
	return info.Size(), info.ModTime(), nil
}

// Data asks the file system, which knows no holes finer than its blocks and may know none.
func (f dirFile) Data(off int64) (start, end int64, err error) {
	start, err = f.Seek(off, unix.SEEK_DATA)
	if errors.Is(err, syscall.ENXIO) { // no data from there to the end
		info, err := f.File.Stat()
		if err != nil {
			return 0, 0, err
		}
		return max(info.Size(), off), max(info.Size(), off), nil
	}
	if errors.Is(err, syscall.EINVAL) { // the file system knows no holes
		size, err := f.Seek(0, io.SeekEnd)
		return off, size, err
	}
	if err != nil {
		return 0, 0, err
	}
	end, err = f.Seek(start, unix.SEEK_HOLE)
	return start, end, err
}
