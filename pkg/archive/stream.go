package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"runner/pkg/archive/store"
)

// StreamOptions say how to pack a stream. Format and Level are taken as they are, as in [PackOptions].
type StreamOptions struct {
	Format  string // none, gzip, zstd, lz4
	Level   int    // on the format's own scale; see codec.Format.DefaultLevel
	Threads int    // frames packed at once; 0 = one per CPU
	// Pages verifies the InnoDB pages of whole members, and records what tablespaces say of themselves. Pages
	// that come as ranges may be written anew later: they are verified when the backup is.
	Pages bool

	WriteBandwidth int64    // most bytes stored per second; 0 = no limit
	Recipients     []string // of age, for whom data and index are encrypted; none: not encrypted

	// Progress is told the raw bytes packed so far, frame by frame, from one goroutine.
	Progress func(rawBytes int64)
	// OnBadPage is told each damaged page of whole members, from the goroutine that calls [Stream.Add].
	OnBadPage func(BadPage)
}

// Stream writes a data file of which nobody has the whole tree: members, and ranges of files, come in any
// order, and later bytes win. FORMAT.md tells how they lie in the tar, and that standard tools still
// get the tree out of it.
//
// Ranges of one file that come one after the other are gathered, to at most one frame, until something
// else comes. Memory is that of the frames on their way, and 24 bytes for each run of ranges.
//
// A Stream is for one goroutine at a time: who has several has to give their calls an order anyway. An error
// that is [ErrOperation] leaves the stream as it was; after any other it can only be ended. Exactly one
// of Close and Abort ends it; after that all methods give [ErrStreamEnded].
type Stream struct {
	packer *packer
	layout layout
	tree   *replay
	files  map[*node]*streamed

	ctx    context.Context // of the pipeline: done when that has failed
	cancel context.CancelFunc
	filled chan *frame   // to the pipeline
	done   chan struct{} // closed when the pipeline has ended
	err    error         // of the pipeline, then

	slot *slot // of the frame that is being filled; nil before its first byte
	set  int64 // bytes of it that are in the slot

	gather gather
	latest time.Time // modification time of all that was added
	broken error     // what made the stream unusable
	ended  bool
}

// NewStream begins a data file in dst. The context is that of the whole stream. Errors are
// [*codec.FormatError] and [*codec.LevelError] for the options, and those of the store.
func NewStream(ctx context.Context, dst store.Store, o StreamOptions) (*Stream, error) {
	p, err := preparePacker(Empty(), PackOptions{
		Format: o.Format, Level: o.Level, Threads: o.Threads, Pages: o.Pages, WriteBandwidth: o.WriteBandwidth,
		Recipients: o.Recipients, Progress: o.Progress, OnBadPage: o.OnBadPage,
	})
	if err != nil {
		return nil, err
	}
	if err := p.begin(ctx, dst); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &Stream{
		packer: p, tree: newReplay(), files: map[*node]*streamed{}, cancel: cancel,
		filled: make(chan *frame), done: make(chan struct{}), latest: time.Unix(0, 0),
	}
	s.layout = layout{emit: s.emit}
	started := make(chan context.Context)
	go func() {
		defer close(s.done)
		s.err = p.run(ctx, func(ctx context.Context) error {
			started <- ctx
			return s.submit(ctx)
		})
	}()
	s.ctx = <-started
	return s, nil
}

// submit hands frames on to the workers as they are filled.
func (s *Stream) submit(ctx context.Context) error {
	for {
		select {
		case f, more := <-s.filled:
			if !more {
				return nil
			}
			s.packer.submit(f)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Add adds a folder, a link, or a whole file with e.Size bytes of content; content is nil for what is no
// file. The folder that it lies in must be there, the root aside.
//
// Errors are [*OperationError], [*ChangedError] for content of another size, and those of content, the
// store and the context.
func (s *Stream) Add(e Entry, content io.Reader) error {
	e, err := s.begin("add", e)
	if err != nil {
		return err
	}
	byPatch := !s.tree.fresh(e.Path) || closed(e)
	what := s.tree.makeFault(e, byPatch)
	if what == "" && e.Type == TypeFile != (content != nil) {
		what = "content is for files, and for each of them"
	}
	if what != "" {
		return &OperationError{Op: "add", Path: e.Path, What: what}
	}
	if err := s.flush(); err != nil {
		return err
	}
	switch {
	case !byPatch:
		return s.addWhole(e, content)
	case e.Type == TypeFile:
		return s.addByRanges(e, content)
	}
	n := s.tree.add(e, true)
	s.files[n] = &streamed{}
	return s.putPatch(n, &patch{path: e.Path, create: true, size: -1}, nil)
}

// closed says whether tar, of anybody but root, could put nothing more into a folder once it has unpacked that:
// what is in it may come much later.
func closed(e Entry) bool {
	return e.Type == TypeDir && e.Mode&ownerAll != ownerAll && e.Path != Root && e.Path != markerDir
}

// Create makes a file that ranges will fill; until then it has e.Size zeros. Errors are [*OperationError],
// and those of the store and the context.
func (s *Stream) Create(e Entry) error {
	e, err := s.begin("create", e)
	if err != nil {
		return err
	}
	what := s.tree.makeFault(e, true)
	if what == "" && e.Type != TypeFile {
		what = "it is no file"
	}
	if what != "" {
		return &OperationError{Op: "create", Path: e.Path, What: what}
	}
	s.create(e)
	return nil
}

// create leaves writing the member to the first range, since it can carry that.
func (s *Stream) create(e Entry) {
	size := e.Size
	e.Size = 0
	n := s.tree.add(e, true)
	n.resize(size)
	s.files[n] = &streamed{unmade: true}
}

// WriteAt gives a file data at byte off, and the size that this needs if it was smaller. data may be used
// again at once. Errors are [*OperationError], and those of the store and the context.
func (s *Stream) WriteAt(path string, data []byte, off int64) error {
	n, err := s.file("write", path)
	if err != nil {
		return err
	}
	if off < 0 || off > maxSize-int64(len(data)) {
		return &OperationError{Op: "write", Path: path, What: fmt.Sprintf("there is no byte %d", off)}
	}
	if len(data) == 0 {
		return nil
	}
	s.files[n].learn(s.packer.options.Pages, path, data, off)
	return s.write(n, data, off)
}

// Resize cuts a file off, or makes it longer by zeros. Bytes that were cut off are zeros if it becomes longer
// again. Errors are [*OperationError], and those of the store and the context.
func (s *Stream) Resize(path string, size int64) error {
	n, err := s.file("resize", path)
	if err != nil {
		return err
	}
	if what := sizeFault(size); what != "" {
		return &OperationError{Op: "resize", Path: path, What: what}
	}
	if s.gather.file != n {
		if err := s.flush(); err != nil {
			return err
		}
	}
	s.files[n].forget(size)
	s.gather.file, s.gather.size = n, size
	return s.flush()
}

// Rename gives a file or a link another path, at which nothing may be. Errors are [*OperationError], and those
// of the store and the context.
func (s *Stream) Rename(from, to string) error {
	if err := s.usable(); err != nil {
		return err
	}
	if what := s.tree.renameFault(from, to); what != "" {
		return &OperationError{Op: "rename", Path: from, What: what}
	}
	if err := s.flush(); err != nil {
		return err
	}
	n := s.tree.nodes[from]
	if !s.files[n].unmade {
		if err := s.putPatch(n, &patch{path: from, size: -1, rename: to}, nil); err != nil {
			return err
		}
	}
	s.tree.rename(from, to)
	return nil
}

// Remove removes a file, a link, or a folder that is empty. Errors are [*OperationError], and those of the
// store and the context.
func (s *Stream) Remove(path string) error {
	if err := s.usable(); err != nil {
		return err
	}
	if what := s.tree.removeFault(path); what != "" {
		return &OperationError{Op: "remove", Path: path, What: what}
	}
	if err := s.flush(); err != nil {
		return err
	}
	n := s.tree.nodes[path]
	if !s.files[n].unmade {
		if err := s.putPatch(n, &patch{path: path, size: -1, remove: true}, nil); err != nil {
			return err
		}
	}
	s.tree.remove(path)
	return nil
}

// Damaged says which pages of a tablespace file, by their numbers in ascending order, were damaged when they came: the index
// keeps that, so that a verification tells them from damage to the backup. The last word on a file counts. Errors are
// [*OperationError].
func (s *Stream) Damaged(path string, pages []uint32) error {
	n, err := s.file("note damaged pages of", path)
	if err != nil {
		return err
	}
	s.files[n].damaged = slices.Clone(pages)
	return nil
}

// Flush puts the ranges that are being gathered into the tar, instead of waiting for more of the same file.
// It makes nothing durable: that is for Close.
func (s *Stream) Flush() error {
	if err := s.usable(); err != nil {
		return err
	}
	return s.flush()
}

// Close ends the tar and makes the data file durable. After an error dst has no new file.
func (s *Stream) Close() (*Packed, error) {
	if s.ended {
		return nil, ErrStreamEnded
	}
	s.ended = true
	err := s.broken
	if err == nil {
		err = s.finish()
	}
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	s.cancel()
	members, err := s.members()
	if err == nil {
		if m, what := checkLinks(members); what != "" {
			err = &EntryError{Path: m.Path, What: what}
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.packer.out.abort())
	}
	data, err := s.packer.out.commit(s.packer.raw)
	if err != nil {
		return nil, err
	}
	result := s.packer.packed(data, members)
	result.Index.Format, result.Index.Tar = PatchedFormat, s.tree.tar
	return result, nil
}

// Abort ends the stream and removes what was written.
func (s *Stream) Abort() error {
	if s.ended {
		return ErrStreamEnded
	}
	s.ended = true
	return s.stop()
}

func (s *Stream) stop() error {
	s.cancel()
	<-s.done
	return s.packer.out.abort()
}

func (s *Stream) usable() error {
	if s.ended {
		return ErrStreamEnded
	}
	return s.broken
}

// begin checks what does not depend on the tree, and gives the entry as the tar keeps it.
func (s *Stream) begin(op string, e Entry) (Entry, error) {
	if err := s.usable(); err != nil {
		return e, err
	}
	what := ""
	switch {
	case e.Type != TypeFile && e.Type != TypeDir && e.Type != TypeSymlink:
		what = fmt.Sprintf("it is of type %q", e.Type)
	case sizeFault(e.Size) != "":
		what = sizeFault(e.Size)
	case e.Allocated < 0 || e.UID < 0 || e.GID < 0:
		what = "a number is out of its range"
	case e.Type != TypeFile && e.Size != 0:
		what = "it has content, but is no file"
	case e.Type != TypeSymlink && e.Link != "":
		what = "it has a link, but is none"
	}
	if what != "" {
		return e, &OperationError{Op: op, Path: e.Path, What: what}
	}
	if e.ModTime.IsZero() {
		e.ModTime = time.Unix(0, 0)
	}
	e.Mode &= chmodBits
	if e.ModTime.After(s.latest) {
		s.latest = e.ModTime
	}
	return e, nil
}

func (s *Stream) file(op, path string) (*node, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	n, what := s.tree.file(path)
	if what != "" {
		return nil, &OperationError{Op: op, Path: path, What: what}
	}
	return n, nil
}
