package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ErrNotPlain says that what lies at a path is no plain file: a folder, a pipe, a socket or a device.
var ErrNotPlain = errors.New("it is not a plain file")

// TooLargeError says that a file is larger than what reads it takes.
type TooLargeError struct {
	Path string
	Most int64 // bytes
}

// Error names the file and the limit.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s is larger than %d bytes", e.Path, e.Most)
}

// Open opens a plain file to be read, and follows links to one. Opening never waits, not for the other end of a pipe either. The error
// is an *fs.PathError, of [ErrNotPlain] for anything else.
func Open(path string) (*os.File, error) { return OpenFile(path, os.O_RDONLY, 0) }

// OpenFile is os.OpenFile for plain files alone.
func OpenFile(path string, flag int, mode fs.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, flag|syscall.O_NONBLOCK, mode)
	if err != nil {
		return nil, plainly(path, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: ErrNotPlain}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// plainly makes of the errors of opening a socket, a folder, or a pipe that nobody reads, the one that says what is wrong.
func plainly(path string, err error) error {
	for _, special := range []error{syscall.ENXIO, syscall.EISDIR, syscall.ENODEV} {
		if errors.Is(err, special) {
			return &fs.PathError{Op: "open", Path: path, Err: ErrNotPlain}
		}
	}
	return err
}

// Read reads a plain file of at most so many bytes. The error is a *[TooLargeError] for a larger one, and otherwise as of [Open].
func Read(path string, most int64) (content []byte, err error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	content, err = io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > most {
		return nil, &TooLargeError{Path: path, Most: most}
	}
	return content, nil
}
