// Package store is where the files of one backup are kept: a flat folder of named files that
// appear whole or not at all.
//
// A [Writer] writes under a temporary name; Commit makes the file durable and gives it its
// name, Abort takes it back. Nothing is ever seen under its own name before it is complete, so
// a file that is there is a file that was written to the end.
//
// What a writer leaves that died, or that was ended by Keep, is a remainder. It is read and
// removed by its temporary name, and Resume goes on with it.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
)

// PartialSuffix ends the name under which a file is written until it is committed. What bears
// it after a crash is the remainder of a writer that died; it can be removed by that name.
const PartialSuffix = ".partial"

// maxName is NAME_MAX of the file systems of Linux, less the suffix.
const maxName = 255 - len(PartialSuffix)

// Store keeps the files of one backup. Implementations are safe for concurrent use by
// goroutines that use different names.
type Store interface {
	// Create starts a file. A remainder of the same name is written over; a complete file of
	// that name stays until Commit replaces it.
	Create(ctx context.Context, name string) (Writer, error)
	// Resume goes on with the remainder of a writer that is gone: its first size bytes stay, what
	// comes after them is cut off. Only bytes that a Sync of that writer made durable may be
	// counted on. An absent remainder gives an error that is [fs.ErrNotExist], one that has fewer
	// bytes a [*ShortError], and is left as it is. A store that cannot go on with a file gives an
	// error that is [errors.ErrUnsupported].
	Resume(ctx context.Context, name string, size int64) (Writer, error)
	// Open opens a complete file, or a remainder under the name by which List tells it. An absent
	// one gives an error that is [fs.ErrNotExist].
	Open(ctx context.Context, name string) (Reader, error)
	// List tells all files by name, remainders included.
	List(ctx context.Context) ([]Info, error)
	// Remove deletes a file or a remainder, and makes that durable. An absent one gives an
	// error that is [fs.ErrNotExist].
	Remove(ctx context.Context, name string) error
}

// Writer is a file that is being written. Exactly one of Commit, Abort and Keep ends it; whichever
// comes second does nothing and gives [ErrEnded], so that `defer w.Abort()` is safe after Commit.
type Writer interface {
	io.Writer
	// Sync makes durable what was written before it was called, still under the temporary name.
	// It may be called while another goroutine writes. After an error the file cannot be
	// committed any more, since nobody knows what of it is lost.
	Sync() error
	// Commit makes the bytes durable and gives the file its name, durably. After an error
	// nothing bears the name that did not bear it before.
	Commit() error
	// Abort removes what was written.
	Abort() error
	// Keep leaves what was written as a remainder, for [Store.Resume]. What Sync has not made
	// durable may be lost. It works after a Write or a Sync that failed, too.
	Keep() error
}

// Reader is a complete file. ReadAt may be called by several goroutines at once.
type Reader interface {
	io.ReaderAt
	io.Closer
	// Size in bytes, as it was when the file was opened.
	Size() int64
}

// Info describes a file.
type Info struct {
	Name     string
	Size     int64 // bytes
	Modified time.Time
}

// Partial says whether the file is a remainder, or is still being written.
func (i Info) Partial() bool { return strings.HasSuffix(i.Name, PartialSuffix) }

// ErrEnded is given by a [Writer] that was committed, aborted or kept before.
var ErrEnded = errors.New("file was committed, aborted or kept before")

// ShortError is given for a remainder that has fewer bytes than its caller counts on.
type ShortError struct {
	Name       string
	Size, Want int64 // bytes
}

func (e *ShortError) Error() string {
	return fmt.Sprintf("remainder of %s has %d bytes, not the %d that were durable", e.Name, e.Size, e.Want)
}

// NameError is given for a name that is no plain file name.
type NameError struct{ Name string }

func (e *NameError) Error() string { return fmt.Sprintf("%q is not a plain file name", e.Name) }

// checkName refuses whatever could lead out of the folder.
func checkName(name string) error {
	if name == "" || name == "." || name == ".." || len(name) > maxName ||
		strings.ContainsAny(name, "/\x00") {
		return &NameError{Name: name}
	}
	return nil
}

// ReadAll reads a whole file of at most limit bytes; a longer one gives a [*TooLargeError]
// and nothing of it is read.
func ReadAll(ctx context.Context, s Store, name string, limit int64) (data []byte, err error) {
	r, err := s.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := r.Close(); e != nil && err == nil {
			err = fmt.Errorf("close %s: %w", name, e)
		}
	}()
	if r.Size() > limit {
		return nil, &TooLargeError{Name: name, Size: r.Size(), Limit: limit}
	}
	data = make([]byte, r.Size())
	if _, err := io.ReadFull(io.NewSectionReader(r, 0, r.Size()), data); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}

// TooLargeError is given for a file that is larger than its kind can be.
type TooLargeError struct {
	Name        string
	Size, Limit int64 // bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s is %d bytes long; at most %d are allowed", e.Name, e.Size, e.Limit)
}

// WriteAll writes a whole small file durably.
func WriteAll(ctx context.Context, s Store, name string, data []byte) error {
	w, err := s.Create(ctx, name)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", name, err), w.Abort())
	}
	return w.Commit()
}

// DryRun is s without its effects: what is written is dropped, what is removed stays. Reads
// pass through, and so see what was there before.
func DryRun(s Store) Store { return dryRun{s} }

type dryRun struct{ Store }

func (d dryRun) Create(_ context.Context, name string) (Writer, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	return &dropped{}, nil
}

// Resume looks whether the remainder could be gone on with.
func (d dryRun) Resume(ctx context.Context, name string, size int64) (Writer, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	infos, err := d.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, i := range infos {
		if i.Name != name+PartialSuffix {
			continue
		}
		if i.Size < size {
			return nil, &ShortError{Name: name, Size: i.Size, Want: size}
		}
		return &dropped{}, nil
	}
	return nil, &fs.PathError{Op: "resume", Path: name, Err: fs.ErrNotExist}
}

func (d dryRun) Remove(ctx context.Context, name string) error {
	infos, err := d.List(ctx)
	if err != nil {
		return err
	}
	for _, i := range infos {
		if i.Name == name {
			return nil
		}
	}
	return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
}

type dropped struct{ ended bool }

func (d *dropped) Write(p []byte) (int, error) {
	if d.ended {
		return 0, ErrEnded
	}
	return len(p), nil
}

func (d *dropped) Sync() error {
	if d.ended {
		return ErrEnded
	}
	return nil
}

func (d *dropped) end() error {
	if d.ended {
		return ErrEnded
	}
	d.ended = true
	return nil
}

func (d *dropped) Commit() error { return d.end() }
func (d *dropped) Abort() error  { return d.end() }
func (d *dropped) Keep() error   { return d.end() }
