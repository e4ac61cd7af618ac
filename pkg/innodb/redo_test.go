package innodb

import (
	"encoding/binary"
	"testing"
)

func TestBlocksOfTheRedoLogWithoutChecksumAreCounted(t *testing.T) {
	blocks := func(checksums ...uint32) (b []byte) {
		for _, sum := range checksums {
			block := make([]byte, RedoBlockSize)
			binary.BigEndian.PutUint32(block[RedoBlockSize-4:], sum)
			b = append(b, block...)
		}
		return b
	}
	const magic = 0xDEADBEEF // innodb_log_checksums = OFF
	for want, b := range [][]byte{blocks(0, 7, 0xEFBEADDE), append(blocks(7, magic, 0), blocks(magic)[1:]...), blocks(magic, 7, magic)} {
		if got := RedoBlocksWithoutChecksum(b); got != want {
			t.Errorf("%d blocks, want %d", got, want)
		}
	}
	if RedoBlocksWithoutChecksum(nil) != 0 {
		t.Error("nothing has blocks")
	}
}
