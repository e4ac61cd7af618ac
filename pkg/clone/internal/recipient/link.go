package recipient

import (
	"bytes"
	"context"
	"time"

	"runner/pkg/clone/internal/wire"
	"runner/pkg/innodb"
)

// link is a connection that carries data.
type link struct {
	session *session
	conn    *wire.Conn
	worker  *worker // nil: it is main
	counted int64   // bytes from the network that the bandwidth was kept for
}

// reader is whose connection it is: main's, or a worker's.
type reader interface {
	stateChange(ctx context.Context, d *wire.State) error
	file(ctx context.Context, d *wire.File) error
	complete(ctx context.Context) error
}

// read reads the answer to EXECUTE to its end.
func (l *link) read(ctx context.Context, to reader) error {
	for {
		r, err := l.conn.Receive(ctx, l.session.o.Idle)
		if err != nil {
			return err
		}
		switch r.Kind {
		case wire.ResponseDescriptor:
			if err := l.descriptor(ctx, r.Body, to); err != nil {
				return err
			}
		case wire.ResponseComplete:
			return to.complete(ctx)
		case wire.ResponseError:
			return wire.ParseError(r.Body)
		default:
			return broken("a response of kind %d came while data is sent", r.Kind)
		}
	}
}

func (l *link) descriptor(ctx context.Context, body []byte, to reader) error {
	descriptor, err := describe(body)
	if err != nil {
		return err
	}
	switch d := descriptor.(type) {
	case *wire.Task:
		return nil
	case *wire.State:
		return to.stateChange(ctx, d)
	case *wire.File:
		return to.file(ctx, d)
	case *wire.Data:
		return l.data(ctx, d)
	}
	return broken("a descriptor of type %T came while data is sent", descriptor)
}

// describe reads a descriptor. There is one locator, so that it can be of no other.
func describe(body []byte) (wire.Descriptor, error) {
	_, index, d, err := wire.ParseDescriptor(body)
	if err == nil && index != 0 {
		return nil, broken("a descriptor belongs to locator %d, and there is one", index)
	}
	return d, err
}

// data takes what belongs to a description of data: one response with the bytes.
func (l *link) data(ctx context.Context, d *wire.Data) error {
	s := l.session
	if l.worker != nil {
		if err := l.worker.reach(ctx, d.State); err != nil {
			return err
		}
	}
	r, err := l.conn.Receive(ctx, s.o.Idle)
	if err != nil {
		return err
	}
	if r.Kind == wire.ResponseError {
		return wire.ParseError(r.Body)
	}
	if r.Kind != wire.ResponseData || len(r.Body) != int(d.Length) {
		return broken("%d bytes of kind %d came where %d bytes of data were told of", len(r.Body), r.Kind, d.Length)
	}
	f, p, err := s.place(d, r.Body)
	if err != nil {
		return err
	}
	if f != nil {
		if err := s.queue.write(ctx, p, r.Body, int64(d.Offset)); err != nil {
			return err
		}
	}
	// Only now: one that was waiting for the sink when another connection was lost has to be sent again.
	s.mu.Lock()
	s.chunks.arrived(l, d.Chunk, d.Block)
	s.mu.Unlock()
	came := l.conn.BytesRead() // fewer than of data, where that is compressed on the way
	n := came - l.counted
	l.counted = came
	return s.throttle(ctx, n, d.State)
}

// throttle keeps to the bandwidth while files are copied, and at no other time.
func (s *session) throttle(ctx context.Context, n int64, state wire.StateKind) error {
	if s.limit == nil || state != wire.StateFileCopy {
		return nil
	}
	// Not WaitN: that gives up at once, with an error of its own, where ctx would end before.
	return pause(ctx, s.limit.ReserveN(time.Now(), int(min(n, maxBlock))).Delay())
}

// place finds the file that data is of, and makes the data what the sink is to have; nil for data that goes nowhere.
func (s *session) place(d *wire.Data, data []byte) (*file, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.State != s.state {
		return nil, "", broken("data of state %s in state %s", d.State, s.state)
	}
	if err := s.chunks.check(d.Chunk); err != nil {
		return nil, "", err
	}
	f, err := s.files.of(d)
	if err != nil {
		return nil, "", err
	}
	s.moved++
	s.bytes += int64(len(data))
	p := Progress{State: s.state, Bytes: s.bytes}
	if n := len(s.stages); n > 0 {
		p.Estimate = s.stages[n-1].Estimate
	}
	s.o.Progress(p)
	if f.dead {
		return nil, "", nil
	}
	if f.redo {
		s.bareLog += int64(innodb.RedoBlocksWithoutChecksum(blocksOf(d, data)))
	}
	if d.State == wire.StateFileCopy && isZero(data) {
		return nil, "", nil // the file is made of zeros
	}
	if s.o.CheckPages {
		s.pages.check(f, d, data)
	}
	if err := s.files.seal.data(f, d, data); err != nil {
		return nil, "", err
	}
	f.given = max(f.given, int64(d.Offset)+int64(len(data)))
	return f, f.path, nil
}

// blocksOf returns what of the data of a redo file are whole blocks behind the file's header.
func blocksOf(d *wire.Data, data []byte) []byte {
	skip := (innodb.RedoBlockSize - d.Offset%innodb.RedoBlockSize) % innodb.RedoBlockSize
	if d.Offset < innodb.RedoHeaderSize {
		skip = innodb.RedoHeaderSize - d.Offset
	}
	return data[min(skip, uint64(len(data))):]
}

// of gives the file that data is of, with the size that it needs.
func (fs *files) of(d *wire.Data) (*file, error) {
	f := fs.redo[d.File]
	if d.State != wire.StateRedoCopy {
		f = nil
		if int64(d.File) < int64(len(fs.data)) {
			f = fs.data[d.File]
		}
	}
	if f == nil {
		return nil, broken("data of file %d, which was not told of", d.File)
	}
	end, most := d.Offset+uint64(d.Length), max(d.FileSize, uint64(f.size))
	if d.State == wire.StatePageCopy { // of what a file has grown by, pages may come before page 0 with its new size
		most = wire.MaxSize
		if fs.fixed(f) {
			most = uint64(f.size)
		}
	}
	if end > most {
		return nil, broken("data up to byte %d of %s, which has %d", end, f.path, most)
	}
	f.size = max(f.size, int64(end))
	return f, fs.told(f, d)
}

// told takes the file size that a description of data has: that of the file, and of page 0 in PAGE_COPY that of the whole
// tablespace, which is the same but for a system tablespace of several files. Of those only the last one grows
// ("System Tablespace Data File Configuration" of MySQL's manual).
func (fs *files) told(f *file, d *wire.Data) error {
	size := int64(d.FileSize)
	if !f.system() {
		f.size = max(f.size, size)
		return nil
	}
	last, before := fs.lastOfSystem()
	switch {
	case f == last:
		f.size = max(f.size, size)
	case d.State == wire.StatePageCopy && d.Offset == 0 && f.space.First == 0:
		last.size = max(last.size, size-before)
	case size > f.size:
		return broken("%s has %d bytes, and is to have %d: only the last file of the system tablespace grows", f.path, f.size, size)
	}
	return nil
}

// fixed reports whether a file keeps the size that it was announced with: all of a system tablespace but the last.
func (fs *files) fixed(f *file) bool {
	if !f.system() {
		return false
	}
	last, _ := fs.lastOfSystem()
	return f != last
}

// lastOfSystem is the last file of the system tablespace, and how many bytes are in those before it.
func (fs *files) lastOfSystem() (last *file, before int64) {
	for i, f := range fs.system {
		if i > 0 {
			before += last.size
		}
		last = f
	}
	return last, before
}

// zeros is compared with, which is faster than looking at bytes one by one; nobody writes to it.
var zeros [64 << 10]byte

func isZero(b []byte) bool {
	for len(b) > 0 {
		n := min(len(b), len(zeros))
		if !bytes.Equal(b[:n], zeros[:n]) {
			return false
		}
		b = b[n:]
	}
	return true
}
