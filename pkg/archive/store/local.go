package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"runner/pkg/files"

	"golang.org/x/sys/unix"
)

// Like mysqld's own: a backup holds all that the data directory holds.
const (
	folderMode = 0o750
	fileMode   = 0o640
)

// Local keeps files in a folder of a local file system, made with its parents when absent.
func Local(dir string) (Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", dir, err)
	}
	info, err := os.Stat(abs)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := makeFolder(abs); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, fmt.Errorf("open store: %w", err)
	case !info.IsDir():
		return nil, fmt.Errorf("open store: %w", &fs.PathError{Op: "open", Path: abs, Err: syscall.ENOTDIR})
	}
	return local{dir: abs}, nil
}

// OpenLocal is [Local] of a folder that must be there; an absent one gives an error that is
// [fs.ErrNotExist].
func OpenLocal(dir string) (Store, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	return Local(dir)
}

// makeFolder makes dir and its parents, each durable in its own parent.
func makeFolder(dir string) error {
	parent := filepath.Dir(dir)
	if _, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) && parent != dir {
		if err := makeFolder(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, folderMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make store: %w", err)
	}
	return files.SyncFolder(parent)
}

type local struct{ dir string }

func (l local) path(name string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	return filepath.Join(l.dir, name), nil
}

func (l local) Create(_ context.Context, name string) (Writer, error) {
	path, err := l.path(name)
	if err != nil {
		return nil, err
	}
	// The remainder is unlinked rather than truncated: whatever still has it open keeps its own.
	partial := path + PartialSuffix
	if err := os.Remove(partial); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	f, err := os.OpenFile(partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	return &localWriter{f: f, dir: l.dir, name: name, path: path, partial: partial}, nil
}

func (l local) Resume(_ context.Context, name string, size int64) (Writer, error) {
	path, err := l.path(name)
	if err != nil {
		return nil, err
	}
	partial := path + PartialSuffix
	f, err := os.OpenFile(partial, os.O_WRONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("resume %s: %w", name, err)
	}
	if err := cutTo(f, name, size); err != nil {
		return nil, errors.Join(fmt.Errorf("resume %s: %w", name, err), f.Close())
	}
	return &localWriter{f: f, dir: l.dir, name: name, path: path, partial: partial, written: size, asked: size}, nil
}

// cutTo leaves the first size bytes of a remainder and goes to their end.
func cutTo(f *os.File, name string, size int64) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return &NameError{Name: name}
	case info.Size() < size:
		return &ShortError{Name: name, Size: info.Size(), Want: size}
	}
	if err := f.Truncate(size); err != nil {
		return err
	}
	_, err = f.Seek(size, io.SeekStart)
	return err
}

func (l local) Open(_ context.Context, name string) (Reader, error) {
	path, err := l.path(name)
	if err != nil {
		return nil, err
	}
	f, err := files.Open(path)
	if errors.Is(err, files.ErrNotPlain) {
		err = &NameError{Name: name}
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", name, err), f.Close())
	}
	return &localReader{File: f, size: info.Size()}, nil
}

func (l local) List(context.Context) ([]Info, error) {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil, fmt.Errorf("list store: %w", err)
	}
	infos := make([]Info, 0, len(entries))
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed between the listing and now
		}
		if err != nil {
			return nil, fmt.Errorf("list store: %w", err)
		}
		if info.Mode().IsRegular() {
			infos = append(infos, Info{Name: e.Name(), Size: info.Size(), Modified: info.ModTime()})
		}
	}
	return infos, nil
}

func (l local) Remove(_ context.Context, name string) error {
	path, err := l.path(name)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return files.SyncFolder(l.dir)
}

type localReader struct {
	*os.File
	size int64
}

func (r *localReader) Size() int64 { return r.size }
