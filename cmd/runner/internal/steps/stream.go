package steps

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/archive"
	"runner/pkg/archive/store"
	"runner/pkg/clone"
	"runner/pkg/plan"
)

// The codes of what streaming finds.
const (
	codeSpilled = "RUN104"
	codeResumed = "RUN105"
)

// streams says whether the copy goes from the wire into the archive, without a directory in between.
func (j *job) streams() bool { return j.checked != nil && j.checked.Mode == clone.ModeStream }

// stream pulls the copy over the clone protocol into the archive: what is a step of its own elsewhere, packing, is done
// when the clone is.
func (s *cloneStep) stream(ctx context.Context, r *engine.Runtime, server Server) (*cloned, error) {
	j := s.job
	pack := compressStep{job: j}
	nothing := func(string) bool { return false } // a stream can't be gone on with
	dst, err := pack.open(ctx, r, nothing)
	if err != nil {
		return nil, err
	}
	begin := j.now()
	result := &packed{}
	out, err := archive.NewStream(ctx, dst, pack.streamOptions(result))
	if err != nil {
		return nil, errors.Join(j.roomless(err), s.leaveNothing(ctx, r))
	}
	j.donors.add(j.checked.Facts.Source.ServerUUID)
	before := s.before(ctx)
	files := &streamedTree{out: out, mode: 0o640, folderMode: 0o750, uid: os.Geteuid(), gid: os.Getegid(), at: s.job.now()}
	copied, err := s.pull(ctx, r, server, files)
	if err != nil {
		j.outside = j.outside || errors.Is(err, clone.ErrOutside)
		err = j.roomless(errors.Join(err, out.Abort()))
		if !files.written {
			err = errors.Join(err, s.leaveNothing(ctx, r))
		}
		return nil, again(err)
	}
	p, err := out.Close()
	if err != nil {
		return nil, j.roomless(err)
	}
	j.cloned = &cloned{Result: copied, Attempt: r.Attempt(), Packed: result}
	if err := s.reread(ctx, r, before, j.cloned); err != nil {
		return nil, err
	}
	if err := s.keep(ctx, dst, p, result); err != nil {
		return nil, err
	}
	result.timing = timing{begin, j.now(), r.Attempt()}
	result.addStreamed(copied.Stream)
	return j.cloned, nil
}

// leaveNothing removes the folder of a backup into which nothing was copied: a run that the server has refused must not stand in the
// way of the next one of its job.
func (s *cloneStep) leaveNothing(ctx context.Context, r *engine.Runtime) error {
	return s.undoing(ctx, r, func(a engine.OpenAction) bool {
		d, ok := ours(a, placeRepository)
		return !ok || d.Ours != s.job.folder()
	})
}

// pull fills the archive.
func (s *cloneStep) pull(ctx context.Context, r *engine.Runtime, server Server, files *streamedTree) (*clone.Result, error) {
	if err := files.begin(); err != nil {
		return nil, err
	}
	result, err := server.CloneStream(ctx, s.streamOptions(r), files, s.hooks(r, "", ""))
	if err != nil {
		return nil, err
	}
	return result, errors.Join(files.damaged(result.Stream), files.end())
}

func (s *cloneStep) streamOptions(r *engine.Runtime) clone.StreamOptions {
	j := s.job
	p := j.Clone
	o := clone.StreamOptions{
		Threads: p.Threads, NetworkBandwidth: slowest(slowest(p.Bandwidth, p.NetworkBandwidth), j.Compress.Bandwidth), Compressed: wireCompressed(p), DDL: p.DDL, DDLTimeout: p.DDLTimeout,
		InstallPlugin: j.Check.Plugin == "install", CheckPages: j.Checksum.Pages != "off",
		RequireTLS: len(j.checked.Facts.EncryptedParts()) > 0, RefuseEncrypted: j.Encrypt == nil,
	}
	if o.DDL == "" && (j.outside || len(j.checked.Facts.External) > 0) {
		o.DDL = clone.DDLBlock
	}
	if r.Attempt() > 1 { // the server may not have noticed yet that the runner of the attempt before is gone
		o.Patience = time.Minute
	}
	return o
}

// wireCompressed says whether a server is to compress what it sends.
func wireCompressed(c plan.Clone) bool { return c.NetworkCompression == "zstd" }

// keep writes the index, without which the data file would be packed for nothing.
func (s *cloneStep) keep(ctx context.Context, dst store.Store, p *archive.Packed, result *packed) (err error) {
	if err := s.job.checkSizes(p); err != nil {
		return err
	}
	if result.Index, err = archive.WriteIndex(ctx, dst, p); err != nil {
		return s.job.roomless(fmt.Errorf("write index: %w", err))
	}
	result.fill(p)
	return nil
}

func (s *compressStep) streamOptions(result *packed) archive.StreamOptions {
	o := s.options(nil, result)
	return archive.StreamOptions{
		Format: o.Format, Level: o.Level, Threads: o.Threads, Pages: o.Pages, Recipients: o.Recipients, OnBadPage: o.OnBadPage,
	}
}

// addStreamed takes over what the page checks on the way have found.
func (p *packed) addStreamed(st *clone.Streamed) {
	if st == nil {
		return
	}
	p.Pages.Bad = int64(len(st.BadPages))
	for _, bad := range st.BadPages[:min(len(st.BadPages), badPagesKept)] {
		p.BadPages = append(p.BadPages, archive.BadPage{
			Path: bad.Path, Page: bad.Page, SpaceID: bad.SpaceID, Reason: "it was damaged when the server sent it last",
		})
	}
}

// streamedTree is the archive as the recipient of a clone fills it.
type streamedTree struct {
	written          bool // content has come
	out              *archive.Stream
	mode, folderMode fs.FileMode
	uid, gid         int
	at               time.Time
}

func (t *streamedTree) entry(path string, typ archive.Type) archive.Entry {
	e := archive.Entry{Path: path, Type: typ, Mode: t.mode, UID: t.uid, GID: t.gid, ModTime: t.at}
	if typ == archive.TypeDir {
		e.Mode = t.folderMode
	}
	return e
}

// The files that make a server take a directory for a clone when it first starts on it: it makes the folders of schemas and the
// tables that have no rows, and notes the position of the binary log (CLONE-PROTOCOL, section 8).
const (
	cloneFolder  = "#clone"
	statusFix    = cloneFolder + "/#status_fix"
	replaceFiles = cloneFolder + "/#replace_files"
	viewStatus   = cloneFolder + "/#view_status"
)

func (t *streamedTree) begin() error {
	for _, dir := range []string{archive.Root, cloneFolder} {
		if err := t.out.Add(t.entry(dir, archive.TypeDir), nil); err != nil {
			return err
		}
	}
	return nil
}

// damaged notes the pages that came damaged.
func (t *streamedTree) damaged(st *clone.Streamed) error {
	if st == nil { // a dry run
		return nil
	}
	pages := map[string][]uint32{}
	for _, bad := range st.BadPages {
		pages[bad.Path] = append(pages[bad.Path], bad.Page)
	}
	for path, numbers := range pages {
		slices.Sort(numbers)
		if err := t.out.Damaged(path, numbers); err != nil {
			return err
		}
	}
	return nil
}

func (t *streamedTree) end() error {
	status := fmt.Sprintf("2 1\n%d %d\n%s\n0\n\n\n0\n", t.at.UnixMicro(), t.at.UnixMicro(), "stream")
	for path, content := range map[string]string{statusFix: "", replaceFiles: "", viewStatus: status} {
		e := t.entry(path, archive.TypeFile)
		e.Size = int64(len(content))
		if err := t.out.Add(e, strings.NewReader(content)); err != nil {
			return err
		}
	}
	return nil
}

// Folder makes a folder.
func (t *streamedTree) Folder(path string) error {
	return t.out.Add(t.entry(path, archive.TypeDir), nil)
}

// Create makes a file of zeros.
func (t *streamedTree) Create(path string, size int64) error {
	e := t.entry(path, archive.TypeFile)
	e.Size = size
	return t.out.Create(e)
}

// WriteAt writes into a file.
func (t *streamedTree) WriteAt(path string, data []byte, off int64) error {
	t.written = true
	return t.out.WriteAt(path, data, off)
}

// Resize gives a file its size.
func (t *streamedTree) Resize(path string, size int64) error { return t.out.Resize(path, size) }

// Rename gives a file another path.
func (t *streamedTree) Rename(from, to string) error { return t.out.Rename(from, to) }

// Remove removes a file or an empty folder.
func (t *streamedTree) Remove(path string) error { return t.out.Remove(path) }

// adoptStream takes an archive that an earlier attempt has pulled whole.
func (s *cloneStep) adoptStream(ctx context.Context, r *engine.Runtime, c *cloned) error {
	if err := (&compressStep{job: s.job}).take(ctx, c.Packed); err != nil {
		return err
	}
	s.job.cloned = c
	s.later(r, s.undoSettings(ctx, r))
	return nil
}
