package files

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// SyncFolder makes the names in a folder durable. Some file systems cannot sync a folder (SMB, some of FUSE), and say EINVAL, ENOTSUP or
// ENOSYS: they make names durable by themselves or not at all, and it is no error. Any other error is one.
func SyncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	if err := errors.Join(Unsyncable(folder.Sync()), folder.Close()); err != nil {
		return fmt.Errorf("sync folder %s: %w", path, err)
	}
	return nil
}

// Unsyncable is the error of a folder's fsync, and nil where it says that the file system has none for folders.
func Unsyncable(err error) error {
	for _, none := range []error{syscall.EINVAL, syscall.ENOTSUP, syscall.EOPNOTSUPP, syscall.ENOSYS} {
		if errors.Is(err, none) {
			return nil
		}
	}
	return err
}
