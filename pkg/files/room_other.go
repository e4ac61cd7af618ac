//go:build unix && !linux

package files

import "syscall"

// blockSize is the unit of the numbers of blocks.
func blockSize(s *syscall.Statfs_t) int64 { return int64(s.Bsize) } //nolint:unconvert // its width differs between systems
