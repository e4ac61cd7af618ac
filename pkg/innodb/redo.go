package innodb

// Layout of a file of the redo log (log0constants.h of MySQL 8.0.30 and later): a header of four blocks, then blocks of
// 512 bytes, each with its checksum in the last 4.
const (
	// RedoHeaderSize is the size of the header of a file of the redo log, in bytes.
	RedoHeaderSize = 4 * RedoBlockSize
	// RedoBlockSize is the size of a block of the redo log, in bytes.
	RedoBlockSize = 512

	redoChecksum = RedoBlockSize - 4
)

// RedoBlocksWithoutChecksum returns how many of the blocks were written with innodb_log_checksums = OFF, and have
// the value of pages without checksums in its place (LOG_NO_CHECKSUM_MAGIC). A server that runs
// with ON stops reading a redo log at the first of them. b begins with the first byte of a block; a partial block at its
// end is not looked at. A block with a checksum looks like one without by chance once in 2^32.
func RedoBlocksWithoutChecksum(b []byte) (n int) {
	for ; len(b) >= RedoBlockSize; b = b[RedoBlockSize:] {
		if be32(b[redoChecksum:]) == noChecksum {
			n++
		}
	}
	return n
}
