package recipient

import (
	"runner/pkg/clone/internal/wire"
	"runner/pkg/innodb"
)

// initial is how a file begins that DDL has made while the clone ran. Recovery of a clone doesn't make the first page of
// such a file out of the redo log (CLONE-PROTOCOL, section 7).
type initial struct {
	size  int64
	first []byte // page 0; nil: none
}

const (
	initialPages    = 7        // of a tablespace
	initialUndoSize = 16 << 20 // of an undo tablespace
)

func firstPages(space innodb.Space, d *wire.File, version uint32) initial {
	if space.PageSize == 0 {
		return initial{}
	}
	i := initial{size: initialPages * int64(space.PageSize), first: space.FirstPage(version)}
	if d.Undo() {
		i.size = initialUndoSize
	}
	return i
}
