package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/archive"
	"runner/pkg/archive/codec"
	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store"
)

// badPagesKept is how many damaged pages are described one by one; all are counted.
const badPagesKept = 20

// packed is the result of the step compress.
type packed struct {
	timing
	Data       archive.Stored    `json:"data"`
	Index      archive.Stored    `json:"index"`
	Codec      codec.Format      `json:"codec"`
	Level      int               `json:"level"`
	RawBytes   int64             `json:"raw_bytes"`
	Files      int64             `json:"files"`
	Frames     int64             `json:"frames"`
	Recipients int               `json:"recipients,omitempty"` // that data and index are encrypted for; 0: they are not
	ZeroFrames int64             `json:"zero_frames"`
	Pages      archive.PageStats `json:"pages"`
	BadPages   []archive.BadPage `json:"bad_pages,omitempty"` // the first badPagesKept
	Spaces     []packedSpace     `json:"-"`                   // the index has them: with a hundred thousand tables they are not for the journal
	Notes      []manifest.Check  `json:"notes,omitempty"`     // findings
	Sealed     []packedSpace     `json:"sealed,omitempty"`    // the same, where the index is encrypted and nobody here can read it
}

// packedSpace is a tablespace file of the archive.
type packedSpace struct {
	Path string        `json:"path"`
	Size int64         `json:"size"`
	Page archive.Pages `json:"pages"`
}

// compressStep packs the staging directory into the repository, in one pass. A later attempt goes on with what an
// earlier one has left: the folder is ours, since the journal has announced it.
type compressStep struct{ job *job }

func (s *compressStep) Run(ctx context.Context, r *engine.Runtime) (any, error) {
	j := s.job
	if j.cloned.Packed != nil { // the copy went right into the archive
		j.packed = j.cloned.Packed
		return j.packed, nil
	}
	begin := j.now()
	result := &packed{}
	entries, err := s.checkCopy(ctx, r, result)
	if err != nil {
		return nil, err
	}
	dst, err := s.open(ctx, r, s.continuable)
	if err != nil {
		return nil, err
	}
	p, err := archive.Pack(ctx, j.host.Staged(j.cloned.Observe), dst, s.options(r, result))
	if err != nil {
		return nil, j.roomless(err)
	}
	if err := errors.Join(s.checkPacked(r, entries, p.Index), j.checkSizes(p)); err != nil {
		return nil, err
	}
	if result.Index, err = archive.WriteIndex(ctx, dst, p); err != nil {
		return nil, j.roomless(fmt.Errorf("write index: %w", err))
	}
	result.fill(p)
	result.timing = timing{begin, j.now(), r.Attempt()}
	j.packed = result
	return result, nil
}

// checkSizes refuses a copy that no server would start on.
func (j *job) checkSizes(p *archive.Packed) error {
	if err := p.Index.CheckSystemSizes(j.checked.Facts.Source.InnodbDataFilePath); err != nil {
		return fmt.Errorf("compare the copy with the server's configuration: %w", err)
	}
	return nil
}

// announceFolder records the backup's folder before it is made, once for all attempts.
func (s *compressStep) announceFolder(ctx context.Context, r *engine.Runtime) error {
	folder := s.job.folder()
	for _, action := range r.Open() {
		if d, ok := ours(action, placeRepository); ok && d.Ours == folder {
			return nil
		}
	}
	summary := "write the archive into " + folder
	if s.job.streams() {
		summary = "pull the copy over the clone protocol into " + folder
	}
	_, err := intendDirectory(ctx, r, summary, directory{Place: placeRepository, Ours: folder})
	return err
}

func (s *compressStep) options(r *engine.Runtime, result *packed) archive.PackOptions {
	j := s.job
	var recipients []string
	if j.Encrypt != nil {
		recipients = j.Encrypt.Recipients
	}
	return archive.PackOptions{
		Format:     j.Compress.Format,
		Level:      j.Compress.Level,
		Threads:    j.Compress.Threads,
		Bandwidth:  j.Compress.Bandwidth,
		Pages:      j.Checksum.Pages != "off",
		Recipients: recipients,
		Resumable:  true,
		OnResume: func(left archive.Resumption) {
			r.Emit(engine.Note{Text: continued(left, j.cloned.Bytes)})
		},
		Progress: func(raw int64) {
			r.Progress(engine.Progress{Stage: "pack", Done: raw, Total: j.cloned.Bytes})
		},
		OnBadPage: func(p archive.BadPage) {
			if len(result.BadPages) < badPagesKept {
				result.BadPages = append(result.BadPages, p)
			}
		},
	}
}

// continued says what became of what an earlier attempt has packed of so many bytes.
func continued(left archive.Resumption, total int64) string {
	if left.Anew != "" {
		return "packs anew, not on from what an earlier attempt left: " + left.Anew
	}
	return fmt.Sprintf("continued at %s of %s", humanize.IBytes(uint64(left.RawBytes)), humanize.IBytes(uint64(total)))
}

func (p *packed) fill(a *archive.Packed) {
	p.Data, p.Codec, p.Level, p.Recipients = a.Data, a.Format, a.Level, a.Recipients
	p.RawBytes, p.Files, p.ZeroFrames, p.Pages = a.RawBytes, a.Files, a.ZeroFrames, a.Pages
	p.Frames = int64(len(a.Index.Frames))
	p.list(a.Index)
	if p.Recipients > 0 {
		p.Sealed = p.Spaces
	}
}

// list takes the tablespaces from the index.
func (p *packed) list(index *archive.Index) {
	for _, m := range index.Files {
		if m.InnoDB != nil {
			space := packedSpace{Path: m.Path, Size: m.Size, Page: *m.InnoDB}
			space.Page.BadPages = nil // the index has them
			p.Spaces = append(p.Spaces, space)
		}
	}
}

// Adopt takes an archive that is there with the size that was recorded; its bytes were durable before the journal said so.
func (s *compressStep) Adopt(ctx context.Context, _ *engine.Runtime, result json.RawMessage) error {
	p, err := adopt[packed](result)
	if err != nil {
		return err
	}
	return s.take(ctx, p)
}

// take takes an archive that was recorded.
func (s *compressStep) take(ctx context.Context, p *packed) error {
	dst, err := s.job.host.Backup(s.job.folder())
	if err != nil {
		return err
	}
	for _, stored := range []archive.Stored{p.Data, p.Index} {
		if err := present(ctx, dst, stored); err != nil {
			return err
		}
	}
	if p.Recipients > 0 {
		p.Spaces = p.Sealed
	} else if err := p.readSpaces(ctx, dst); err != nil {
		return err
	}
	s.job.packed = p
	return nil
}

// readSpaces lists the tablespaces of an archive whose index can be read; one that is damaged is ErrStale.
func (p *packed) readSpaces(ctx context.Context, dst store.Store) error {
	index, err := archive.ReadIndex(ctx, dst, p.Index)
	if errors.Is(err, archive.ErrCorrupt) {
		return fmt.Errorf("%w: %w", engine.ErrStale, err)
	}
	if err != nil {
		return err
	}
	p.list(index)
	return nil
}

// present tells, as ErrStale, that a stored file is gone or is not what it was.
func present(ctx context.Context, dst store.Store, stored archive.Stored) (err error) {
	f, err := dst.Open(ctx, stored.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is gone: %w", stored.Name, engine.ErrStale)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if f.Size() != stored.Bytes {
		return fmt.Errorf("%s has %d bytes and had %d: %w", stored.Name, f.Size(), stored.Bytes, engine.ErrStale)
	}
	return nil
}

// open announces the backup's folder and opens it, without what an earlier attempt left there and keep has no use for.
func (s *compressStep) open(ctx context.Context, r *engine.Runtime, keep func(name string) bool) (store.Store, error) {
	if err := s.announceFolder(ctx, r); err != nil {
		return nil, err
	}
	dst, err := s.job.host.Backup(s.job.folder())
	if err != nil {
		return nil, err
	}
	if err := clearFolder(ctx, dst, keep); err != nil {
		return nil, fmt.Errorf("remove what an earlier attempt left: %w", err)
	}
	return dst, nil
}

// continuable says whether an archive is gone on with from the file of that name.
func (s *compressStep) continuable(name string) bool {
	return slices.Contains(archive.Remainders(codec.Format(s.job.Compress.Format)), name) ||
		strings.HasSuffix(name, archive.SealedSuffix+store.PartialSuffix) // of which Pack says that it can't be
}

// clearFolder removes what is in the folder of a backup that was never finished, but for what is kept.
func clearFolder(ctx context.Context, dst store.Store, keep func(name string) bool) error {
	files, err := dst.List(ctx)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.Name == manifestName {
			return fmt.Errorf("%s is there: this backup is complete", f.Name)
		}
	}
	for _, f := range files {
		if keep(f.Name) {
			continue
		}
		if err := dst.Remove(ctx, f.Name); err != nil {
			return err
		}
	}
	return nil
}

// ours decodes a directory action of the steps in the given place.
func ours(action engine.OpenAction, place string) (directory, bool) {
	var d directory
	if action.Kind != engine.ActionDirectory || json.Unmarshal(action.Data, &d) != nil {
		return directory{}, false
	}
	return d, d.Place == place
}
