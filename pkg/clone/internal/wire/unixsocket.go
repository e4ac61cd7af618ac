package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// maxSocketPath is the longest path of a socket in bytes: sun_path of unix(7), without the zero byte at its end.
const maxSocketPath = 107

// DialSocket connects to the Unix socket at a path of any length. The kernel takes at most 107 bytes: a longer
// path is opened first and reached through /proc/self/fd. Errors are *net.OpError, with the path as it was given.
func DialSocket(ctx context.Context, path string) (net.Conn, error) {
	if len(path) <= maxSocketPath {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	failed := func(err error) error {
		return &net.OpError{Op: "dial", Net: "unix", Addr: &net.UnixAddr{Name: path, Net: "unix"}, Err: err}
	}
	// With O_PATH nothing is read or written: the descriptor stands for the socket's file.
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, failed(os.NewSyscallError("open", err))
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		var inner *net.OpError
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, errors.Join(failed(err), unix.Close(fd))
	}
	if err := unix.Close(fd); err != nil {
		return nil, errors.Join(failed(os.NewSyscallError("close", err)), conn.Close())
	}
	return conn, nil
}
