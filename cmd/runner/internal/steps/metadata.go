package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/archive/manifest"
)

const manifestName = manifest.Name

// metadataStep writes the manifest, which makes the backup exist, and then removes the staging directory.
type metadataStep struct{ job *job }

// written is the result of the step metadata.
type written struct {
	timing
	Folder string `json:"folder"`
}

func (s *metadataStep) Run(ctx context.Context, r *engine.Runtime) (any, error) {
	j := s.job
	begin := j.now()
	dst, err := j.host.Backup(j.folder())
	if err != nil {
		return nil, err
	}
	// An earlier attempt may have come as far as here; what makes the backup exist is never written twice.
	complete, err := hasManifest(j.folder())
	if err != nil {
		return nil, err
	}
	if !complete {
		err = manifest.Write(ctx, dst, j.manifest(r.Attempt(), begin))
	}
	if err != nil {
		return nil, j.roomless(fmt.Errorf("write manifest: %w", err))
	}
	// From here on the backup exists: a cancellation may not keep it from being recorded.
	ctx = context.WithoutCancel(ctx)
	r.Emit(engine.Backup{Path: j.folder(), Bytes: j.packed.Data.Bytes + j.packed.Index.Bytes, RawBytes: j.packed.RawBytes})
	if err := s.settle(ctx, r); err != nil {
		return nil, err
	}
	return &written{timing: timing{begin, j.now(), r.Attempt()}, Folder: j.folder()}, nil
}

// settle closes what is open: the backup's folder is meant to stay, the staging directory is meant to go.
func (s *metadataStep) settle(ctx context.Context, r *engine.Runtime) error {
	for _, action := range r.Open() {
		if d, ok := ours(action, placeRepository); ok && d.Ours == s.job.folder() {
			if err := r.Settle(ctx, action.ID); err != nil {
				return err
			}
		}
	}
	for _, action := range r.Open() {
		d, ok := ours(action, placeStaging)
		if !ok {
			continue
		}
		if s.job.Clone.Keep && d.Ours == s.job.cloned.Observe {
			r.Emit(engine.Note{Text: "the staging directory is kept, as the plan says: " + d.Ours})
		} else if err := s.job.host.Remove(d.Ours); err != nil {
			return &leftError{error: fmt.Errorf("the backup %s is complete, but its staging directory could not be removed: %w", s.job.folder(), err), path: d.Ours}
		}
		if err := r.Settle(ctx, action.ID); err != nil {
			return err
		}
	}
	return s.undoRest(ctx, r)
}

// undoRest tries once more what the clone could not undo: the backup is safe, but the server is not yet as it was.
func (s *metadataStep) undoRest(ctx context.Context, r *engine.Runtime) error {
	clone := cloneStep{job: s.job}
	if err := clone.undoSettings(ctx, r); err != nil {
		return fmt.Errorf("the backup %s is complete, but the server is not as it was: %w", s.job.folder(), err)
	}
	return nil
}

// Adopt takes a backup whose manifest is there.
func (s *metadataStep) Adopt(_ context.Context, _ *engine.Runtime, result json.RawMessage) error {
	if _, err := adopt[written](result); err != nil {
		return err
	}
	complete, err := hasManifest(s.job.folder())
	if err != nil {
		return err
	}
	if !complete {
		return fmt.Errorf("the manifest is gone: %w", engine.ErrStale)
	}
	return nil
}

// hasManifest reports whether a folder holds a finished backup.
func hasManifest(folder string) (bool, error) {
	_, err := os.Lstat(filepath.Join(folder, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
