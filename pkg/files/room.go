package files

import (
	"errors"
	"io/fs"
	"syscall"
)

// ErrRoomUnknown says that a file system does not tell how large it is.
var ErrRoomUnknown = errors.New("the file system does not tell how much room it has")

// Room is what a file system has, in bytes.
type Room struct {
	Free  int64 // for users other than root
	Total int64
}

// RoomAt is the room of the file system that path lies on, as df shows it. The error is [ErrRoomUnknown] where it says that it has no
// blocks, as some of FUSE do, and otherwise an *fs.PathError.
func RoomAt(path string) (Room, error) {
	var s syscall.Statfs_t
	for {
		err := syscall.Statfs(path, &s)
		if err == nil {
			return roomOf(&s)
		}
		if !errors.Is(err, syscall.EINTR) {
			return Room{}, &fs.PathError{Op: "statfs", Path: path, Err: err}
		}
	}
}

// roomOf counts blocks. Bavail and not Bfree: what is kept for root is no room for anybody else.
func roomOf(s *syscall.Statfs_t) (Room, error) {
	if s.Blocks == 0 {
		return Room{}, ErrRoomUnknown
	}
	size := blockSize(s)
	return Room{Free: blocks(int64(s.Bavail), size), Total: blocks(int64(s.Blocks), size)}, nil //nolint:unconvert // widths differ between systems
}

// blocks is so many blocks in bytes; of what is more than any number of bytes, or less than none, the nearest that is.
func blocks(n, size int64) int64 {
	const most = 1<<63 - 1
	switch {
	case n <= 0 || size <= 0:
		return 0
	case n > most/size:
		return most
	}
	return n * size
}
