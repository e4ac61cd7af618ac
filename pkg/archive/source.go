package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"runner/pkg/innodb"
)

// source is a file of the tree while it is being packed, by several goroutines where it spans
// frames.
type source struct {
	entry  Entry
	member *Member
	sparse bool

	mu     sync.Mutex
	file   File
	unread int64 // bytes

	space *spaceReader // nil for what is no tablespace file
}

func newSource(e Entry, m *Member, pages bool) *source {
	s := &source{entry: e, member: m, unread: e.Size, sparse: e.Allocated < e.Size}
	if pages && e.Size > 0 {
		s.space = &spaceReader{known: make(chan struct{})}
	}
	return s
}

// open gives the file, opening it for the first piece.
func (s *source) open(t Tree) (File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		return s.file, nil
	}
	f, err := t.Open(s.entry.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &ChangedError{Path: s.entry.Path, What: "it was removed"}
	}
	if err != nil {
		return nil, err
	}
	if err := s.unchanged(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	s.file = f
	return f, nil
}

// unchanged compares the file with what the walk saw.
func (s *source) unchanged(f File) error {
	size, modTime, err := f.Stat()
	switch {
	case err != nil:
		return fmt.Errorf("pack %s: %w", s.entry.Path, err)
	case size != s.entry.Size:
		return &ChangedError{Path: s.entry.Path, What: fmt.Sprintf("its size was %d and is %d", s.entry.Size, size)}
	case !modTime.Equal(s.entry.ModTime):
		return &ChangedError{Path: s.entry.Path, What: "it was written to"}
	}
	return nil
}

// read fills buf from off on and tells whether it did not read anything, since all of it is a
// hole. The last piece read closes the file, after a look at whether it is still the same.
func (s *source) read(ctx context.Context, t Tree, buf []byte, off int64, rate *throttle) (hole bool, err error) {
	f, err := s.open(t)
	if err != nil {
		return false, err
	}
	hole, err = s.fill(ctx, f, buf, off, rate)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unread -= int64(len(buf))
	if s.unread > 0 {
		return hole, nil
	}
	s.file = nil
	if err := errors.Join(s.unchanged(f), f.Close()); err != nil {
		return false, err
	}
	return hole, nil
}

func (s *source) fill(ctx context.Context, f File, buf []byte, off int64, rate *throttle) (hole bool, err error) {
	if !s.sparse {
		return false, s.readAt(ctx, f, buf, off, rate)
	}
	hole = true
	for at, end := off, off+int64(len(buf)); at < end; {
		from, to, err := f.Data(at)
		if err != nil {
			return false, fmt.Errorf("pack %s: look for holes: %w", s.entry.Path, err)
		}
		from, to = min(max(from, at), end), min(to, end)
		clear(buf[at-off : from-off])
		if from < to {
			hole = false
			if err := s.readAt(ctx, f, buf[from-off:to-off], from, rate); err != nil {
				return false, err
			}
		}
		at = max(from, to)
	}
	return hole, nil
}

func (s *source) readAt(ctx context.Context, f File, buf []byte, off int64, rate *throttle) error {
	for len(buf) > 0 {
		n, err := rate.allow(ctx, len(buf))
		if err != nil {
			return err
		}
		n, err = f.ReadAt(buf[:n], off)
		if n == 0 && (err == nil || errors.Is(err, io.EOF)) {
			return &ChangedError{Path: s.entry.Path, What: fmt.Sprintf("it ends at byte %d of %d", off, s.entry.Size)}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("pack %s: %w", s.entry.Path, err)
		}
		buf, off = buf[n:], off+int64(n)
	}
	return nil
}

// closed says whether all was read, and the file closed.
func (s *source) closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file == nil && s.unread == 0
}

// close ends what a failed pack left open.
func (s *source) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	return f.Close()
}

// spaceReader learns from the first piece of a file what its pages are like, and lets the other
// pieces, which other goroutines may have read before, wait for that.
type spaceReader struct {
	known chan struct{} // closed when space is set
	space innodb.Space
}

// pieceFacts is what the pages of one piece say.
type pieceFacts struct {
	space innodb.Space
	pages Pages
	bad   []badPage
}

type badPage struct {
	number uint32
	reason string
}

// learn must be given the first piece of a file, and before any other is checked.
func (r *spaceReader) learn(start []byte) {
	r.space = spaceOf(start)
	close(r.known)
}

// spaceOf reads the header of a tablespace, and where there is none or it is damaged, looks at
// checksums. A file that says nothing has pages of the default size, so that what is wrong
// with them is told.
func spaceOf(start []byte) innodb.Space {
	s, err := innodb.ReadSpace(start)
	if err == nil && len(start) >= s.PageSize && s.Check(0, start[:s.PageSize]).State != innodb.Bad {
		return s
	}
	guess, guessErr := innodb.GuessSpace(start)
	switch {
	case guessErr == nil:
		return guess
	case err == nil:
		return s
	}
	return innodb.Space{AnyID: true, PageSize: innodb.DefaultPageSize, Logical: innodb.DefaultPageSize}
}

// check verifies the pages of a piece, once the first piece was learnt from.
func (r *spaceReader) check(ctx context.Context, content []byte, off int64, hole bool) (*pieceFacts, error) {
	select {
	case <-r.known:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return checkPages(r.space, content, off, hole), nil
}

func checkPages(space innodb.Space, content []byte, off int64, hole bool) *pieceFacts {
	facts := &pieceFacts{space: space}
	size := int64(space.PageSize)
	number := uint32(off / size)
	if hole { // whole pages of it need no look
		whole := int64(len(content)) / size
		facts.pages.Total, facts.pages.Zero = whole, whole
		content, number = content[whole*size:], number+uint32(whole)
	}
	for len(content) > 0 {
		page := content[:min(len(content), space.PageSize)]
		facts.add(number, space.Check(number, page))
		content = content[len(page):]
		number++
	}
	return facts
}

func (f *pieceFacts) add(number uint32, r innodb.Result) {
	f.pages.Total++
	switch r.State {
	case innodb.Zero:
		f.pages.Zero++
	case innodb.Bad:
		f.bad = append(f.bad, badPage{number: number, reason: r.Reason})
	case innodb.Uncheckable:
		f.pages.Uncheckable++
		f.pages.addLSN(r.LSN, r.LSN)
	case innodb.OK:
		f.pages.addLSN(r.LSN, r.LSN)
	}
}

// addLSN widens the range. An LSN of 0 is one of a page that redo never wrote to.
func (p *Pages) addLSN(lowest, highest uint64) {
	if lowest != 0 && (p.MinLSN == 0 || lowest < p.MinLSN) {
		p.MinLSN = lowest
	}
	p.MaxLSN = max(p.MaxLSN, highest)
}

// describe fills in what is the same for all pages of a file.
func (p *Pages) describe(s innodb.Space) {
	p.SpaceID, p.PageSize, p.FirstPage, p.Encrypted, p.Compressed = s.ID, s.PageSize, s.First, s.Encrypted, s.Compressed
}

// merge adds the facts of the next piece.
func (p *Pages) merge(f *pieceFacts) {
	p.Total += f.pages.Total
	p.Zero += f.pages.Zero
	p.Uncheckable += f.pages.Uncheckable
	p.addLSN(f.pages.MinLSN, f.pages.MaxLSN)
	p.Bad += int64(len(f.bad))
	for _, b := range f.bad {
		if len(p.BadPages) < MaxBadPages {
			p.BadPages = append(p.BadPages, b.number)
		}
	}
}

func (s *PageStats) add(p *Pages) {
	s.Files++
	s.Total += p.Total
	s.Zero += p.Zero
	s.Bad += p.Bad
	s.Uncheckable += p.Uncheckable
	s.Unknown += p.Unknown
	if p.MinLSN != 0 && (s.MinLSN == 0 || p.MinLSN < s.MinLSN) {
		s.MinLSN = p.MinLSN
	}
	s.MaxLSN = max(s.MaxLSN, p.MaxLSN)
}
