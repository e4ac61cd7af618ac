package archive

import (
	"errors"
	"fmt"
)

var (
	// ErrCorrupt says that a backup is not what was written: damaged, cut off, added to, or with
	// parts of different backups. See [CorruptError].
	ErrCorrupt = errors.New("backup is corrupt")
	// ErrFormat says that a file of the backup has a format that this version does not read.
	ErrFormat = errors.New("unknown format")
	// ErrUnsafe says that a backup has a member that would leave the target or that no data
	// directory has. See [UnsafeError].
	ErrUnsafe = errors.New("unsafe member")
	// ErrNotEmpty says that the target of a restore is there and has something in it.
	ErrNotEmpty = errors.New("target is not empty")
	// ErrBusy says that another restore is writing to the target.
	ErrBusy = errors.New("another restore is writing to it")
	// ErrNoSpace says that a restore does not fit. See [NoSpaceError].
	ErrNoSpace = errors.New("not enough room")
	// ErrNoMatch says that no member matches the paths that were asked for.
	ErrNoMatch = errors.New("no member matches")
	// ErrUnsupported says that a tree has something that an archive cannot hold. See [EntryError].
	ErrUnsupported = errors.New("not supported in an archive")
	// ErrChanged says that a file was written to while it was being packed. See [ChangedError].
	ErrChanged = errors.New("file changed while it was being packed")
	// ErrIncompleteClone says that the tree is a clone that was never finished.
	ErrIncompleteClone = errors.New("unfinished clone")
	// ErrOperation says that a [Stream] cannot do what it was asked for. See [OperationError].
	ErrOperation = errors.New("operation not possible")
	// ErrStreamEnded says that a [Stream] was closed or aborted before.
	ErrStreamEnded = errors.New("stream has ended")
	// ErrNotRebuilt says that an index is of a kind that this version cannot rebuild.
	ErrNotRebuilt = errors.New("index cannot be rebuilt")
	// ErrBadPages says that InnoDB pages are damaged that were not known to be when the backup
	// was made.
	ErrBadPages = errors.New("damaged InnoDB pages")
	// ErrNoIdentity says that a backup is encrypted and that nothing was given to decrypt it with.
	ErrNoIdentity = errors.New("the backup is encrypted, and no identity was given")
	// ErrWrongIdentity says that a backup is whole and encrypted for others.
	ErrWrongIdentity = errors.New("the backup is encrypted for others: it cannot be decrypted with the identity that was given")
)

// CorruptError says what is wrong with which file of a backup. It is [ErrCorrupt].
type CorruptError struct {
	File   string // of the backup: data.tar.zst, index.json.zst (with .age where they are encrypted), SHA256SUMS, manifest.json
	Offset int64  // byte in File, once decrypted, where the damaged part begins; -1 if it is not one place
	Member string // path of the member that is affected; empty if not one
	What   string
	Err    error // cause; may be nil
}

func (e *CorruptError) Error() string {
	s := e.File
	if e.Offset >= 0 {
		s += fmt.Sprintf(" at byte %d", e.Offset)
	}
	if e.Member != "" {
		s += fmt.Sprintf(" (%s)", e.Member)
	}
	s += ": " + e.What
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Is makes every CorruptError an [ErrCorrupt].
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

func (e *CorruptError) Unwrap() error { return e.Err }

// FormatError says which format was found. It is [ErrFormat].
type FormatError struct {
	File        string
	Found, Want string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s has the unknown format %q; this version reads %q", e.File, e.Found, e.Want)
}

// Is makes every FormatError an [ErrFormat].
func (e *FormatError) Is(target error) bool { return target == ErrFormat }

// UnsafeError names a member that is refused. It is [ErrUnsafe].
type UnsafeError struct {
	Member string
	What   string
}

func (e *UnsafeError) Error() string { return fmt.Sprintf("refuse member %q: %s", e.Member, e.What) }

// Is makes every UnsafeError an [ErrUnsafe].
func (e *UnsafeError) Is(target error) bool { return target == ErrUnsafe }

// EntryError names an entry of a tree that cannot be packed. It is [ErrUnsupported].
type EntryError struct {
	Path string
	What string
}

func (e *EntryError) Error() string { return fmt.Sprintf("pack %s: %s", e.Path, e.What) }

// Is makes every EntryError an [ErrUnsupported].
func (e *EntryError) Is(target error) bool { return target == ErrUnsupported }

// ChangedError names a file that changed while it was being packed. It is [ErrChanged].
type ChangedError struct {
	Path string
	What string
}

func (e *ChangedError) Error() string {
	return fmt.Sprintf("pack %s: changed meanwhile: %s", e.Path, e.What)
}

// Is makes every ChangedError an [ErrChanged].
func (e *ChangedError) Is(target error) bool { return target == ErrChanged }

// NotEmptyError names a target that has something in it. It is [ErrNotEmpty].
type NotEmptyError struct {
	Target string
	Found  string // a path in it
	// Beside is what is not of the unfinished restore that could be continued without it: paths, sorted, the first
	// hundred. Empty if there is no such restore.
	Beside []string
}

func (e *NotEmptyError) Error() string {
	if len(e.Beside) > 0 {
		return fmt.Sprintf("target %s has %d files or folders in it beside an unfinished restore, such as %q", e.Target, len(e.Beside), e.Found)
	}
	return fmt.Sprintf("target %s is not empty: %q is in it", e.Target, e.Found)
}

// Is makes every NotEmptyError an [ErrNotEmpty].
func (e *NotEmptyError) Is(target error) bool { return target == ErrNotEmpty }

// OperationError says why a [Stream] cannot do an operation; the stream is as it was before and can
// be gone on with. It is [ErrOperation].
type OperationError struct {
	Op   string // add, create, write, resize, rename, remove
	Path string
	What string
}

func (e *OperationError) Error() string { return fmt.Sprintf("%s %s: %s", e.Op, e.Path, e.What) }

// Is makes every OperationError an [ErrOperation].
func (e *OperationError) Is(target error) bool { return target == ErrOperation }

// OtherRestoreError names a target with an unfinished restore of another backup, or of other members of
// it. It is [ErrNotEmpty].
type OtherRestoreError struct {
	Target string
	Data   string   // SHA-256 of the data file of the backup that is being restored there
	Paths  []string // patterns of what is being restored of it; none: all
}

func (e *OtherRestoreError) Error() string {
	what := "all"
	if len(e.Paths) > 0 {
		what = fmt.Sprintf("%q", e.Paths)
	}
	return fmt.Sprintf("target %s has an unfinished restore of something else in it: of %s of the backup whose data file has the SHA-256 %s",
		e.Target, what, e.Data)
}

// Is makes every OtherRestoreError an [ErrNotEmpty].
func (e *OtherRestoreError) Is(target error) bool { return target == ErrNotEmpty }

// NoSpaceError says how much room a restore needs and how much there is. It is [ErrNoSpace].
type NoSpaceError struct {
	Target     string
	Need, Free int64 // bytes on the file system of Target
}

func (e *NoSpaceError) Error() string {
	return fmt.Sprintf("%v for a restore to %s: it needs %d bytes, %d are free", ErrNoSpace, e.Target, e.Need, e.Free)
}

// Is makes every NoSpaceError an [ErrNoSpace].
func (e *NoSpaceError) Is(target error) bool { return target == ErrNoSpace }
