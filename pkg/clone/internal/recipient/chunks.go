package recipient

import "runner/pkg/clone/internal/wire"

// chunks is which chunks of a state have been begun, and how far: what the donor is told when a lost connection is made
// again (CLONE-PROTOCOL, section 9).
type chunks struct {
	count uint32
	begun map[uint32]struct{}
	at    map[*link]progress // the chunk that each connection is inside of
	part  map[uint32]uint32  // chunks that a lost connection was inside of → blocks that have arrived
}

// progress is how far a connection is in a chunk.
type progress struct{ chunk, blocks uint32 }

func newChunks(count uint32) chunks {
	return chunks{count: count, begun: map[uint32]struct{}{}, at: map[*link]progress{}, part: map[uint32]uint32{}}
}

// check refuses a chunk that there is none of.
func (c *chunks) check(chunk uint32) error {
	if chunk == 0 || chunk > c.count {
		return broken("chunk %d of %d", chunk, c.count)
	}
	return nil
}

// arrived notes that so many blocks of a chunk have arrived over a connection.
func (c *chunks) arrived(l *link, chunk, blocks uint32) {
	c.begun[chunk] = struct{}{}
	delete(c.part, chunk)
	c.at[l] = progress{chunk, blocks}
}

// ended notes that a connection is inside of no chunk any more.
func (c *chunks) ended(l *link) { delete(c.at, l) }

// complete notes chunks of which nothing more will come.
func (c *chunks) complete(first, last uint32) {
	for chunk := max(first, 1); chunk <= min(last, c.count); chunk++ {
		c.begun[chunk] = struct{}{}
		delete(c.part, chunk)
	}
}

// interrupt notes that all connections are gone.
func (c *chunks) interrupt() {
	for l, p := range c.at {
		c.part[p.chunk] = p.blocks
		delete(c.at, l)
	}
}

// restart is the locator that asks a donor to go on.
func (s *session) restart() wire.EngineLocator {
	s.mu.Lock()
	defer s.mu.Unlock()
	var part []wire.Progress
	for chunk, blocks := range s.chunks.part {
		part = append(part, wire.Progress{Chunk: chunk, Blocks: blocks})
	}
	done := wire.NewBitmap(s.chunks.count)
	for chunk := range s.chunks.begun {
		done.Set(chunk)
	}
	return s.base.Restart(s.state, s.filesToldOf(), part, done)
}
