package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"runner/cmd/runner/internal/report"
	"runner/pkg/archive"
	"runner/pkg/archive/store"
)

// rebuildIndex is verify --rebuild-index.
func (a *app) rebuildIndex(ctx context.Context, c *cobra.Command, argument string, which whichBackup, o archive.RebuildOptions) error {
	folder, err := a.folder(ctx, c, argument, which)
	if err != nil {
		return err
	}
	s, err := store.OpenLocal(folder)
	if err != nil {
		return err
	}
	var result *archive.RebuiltIndex
	err = a.watch(folder, "rebuild index", func(progress func(done, total int64)) error {
		o.Progress = progress
		result, err = archive.RebuildIndex(ctx, s, o)
		return err
	})
	if err != nil {
		return rebuildHint(incomplete(fmt.Errorf("rebuild index of %s: %w", folder, err)), folder)
	}
	return a.showRebuilt(folder, result)
}

// rebuildHint adds the way on where there is no rebuilding: tar needs no index.
func rebuildHint(err error, folder string) error {
	if errors.Is(err, archive.ErrNotRebuilt) {
		return withHint(err, "its files can be had without an index, with tar: \"Restore without runner\" in README.md; or restore another backup: runner list --repository "+repositoryOf(folder))
	}
	return damagedHint(err, folder)
}

// indexRebuiltLine: type index_rebuilt.
type indexRebuiltLine struct {
	Path   string `json:"path"`           // the backup's folder
	Name   string `json:"name,omitempty"` // file that was written; absent: the index is sound, and nothing was done
	Lost   string `json:"lost,omitempty"` // what is wrong with the index
	Tail   string `json:"tail,omitempty"` // what is wrong with what follows the frames in the data file
	Files  int64  `json:"files"`
	Frames int64  `json:"frames"`
	Bytes  int64  `json:"bytes"` // before compression
}

func (a *app) showRebuilt(folder string, r *archive.RebuiltIndex) error {
	lost := ""
	if r.Lost != nil {
		lost = r.Lost.Error()
	}
	if a.global.json {
		return report.JSONLine(a.Stdout, "index_rebuilt", indexRebuiltLine{folder, r.Name, lost, r.Tail, r.Files, r.Frames, r.Bytes})
	}
	text := ""
	switch r.Name {
	case "":
		text = fmt.Sprintf("%s: the index is sound, and was left as it is\n", folder)
	case archive.IndexName:
		text = fmt.Sprintf("%s: %s was written again, the same as it was: %d files, %d frames\n", folder, r.Name, r.Files, r.Frames)
	default:
		text = fmt.Sprintf("%s: %s\n%s was written, and is read in its place: %d files, %d frames; what they took on the source's disk is unknown\n",
			folder, lost, r.Name, r.Files, r.Frames)
	}
	if r.Tail != "" {
		text += fmt.Sprintf("data file: %s; it is not needed to restore\n", r.Tail)
	}
	_, err := fmt.Fprint(a.Stdout, text)
	return err
}
