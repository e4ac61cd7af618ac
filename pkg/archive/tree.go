package archive

import (
	"context"
	"io"
	"io/fs"
	"time"
)

// Type is what kind of member an archive or a tree has.
type Type string

// The types that an archive can hold.
const (
	TypeDir     Type = "dir"
	TypeFile    Type = "file"
	TypeSymlink Type = "symlink"
)

// Root is the path of the tree's own folder, the first entry of every walk.
const Root = "."

// Entry describes a file, folder or symbolic link of a tree.
type Entry struct {
	Path      string // slash-separated, relative to the root; [Root] for the root itself
	Type      Type
	Mode      fs.FileMode // permission bits, setuid, setgid and sticky
	UID, GID  int
	ModTime   time.Time
	Size      int64  // bytes; 0 unless a file
	Allocated int64  // bytes on disk; less than Size where the file has holes
	Link      string // target of a symbolic link
}

// Tree is what [Pack] packs.
type Tree interface {
	// Walk calls fn for every entry, a folder before what is in it, the names of a folder in the
	// order of their bytes. It ends with the first error of fn. What an archive cannot hold gives
	// an [*EntryError].
	Walk(ctx context.Context, fn func(Entry) error) error
	// Open opens a file that Walk named.
	Open(path string) (File, error)
}

// File is an open file of a tree. All methods but Close may be called by several goroutines at
// once.
type File interface {
	io.ReaderAt
	io.Closer
	// Data gives the first range at or after off that may hold something else than zeros.
	// start is the size of the file or more where there is none.
	Data(off int64) (start, end int64, err error)
	// Stat gives size and modification time as they are now.
	Stat() (size int64, modTime time.Time, err error)
}

// Empty is a tree with nothing in it, not even a root.
func Empty() Tree { return empty{} }

type empty struct{}

func (empty) Walk(ctx context.Context, _ func(Entry) error) error { return ctx.Err() }

func (empty) Open(path string) (File, error) {
	return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}
