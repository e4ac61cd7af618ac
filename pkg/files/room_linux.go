package files

import "syscall"

// blockSize is the unit of the numbers of blocks: the fragment size (statvfs(3)), and where a file system has none, the block size.
func blockSize(s *syscall.Statfs_t) int64 {
	if s.Frsize > 0 {
		return s.Frsize
	}
	return s.Bsize
}
