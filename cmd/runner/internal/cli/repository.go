package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store"
	"runner/pkg/plan"
)

// backup is a finished backup in a repository.
type backup struct {
	Path     string // its folder
	Job      string // the folder's parent's name
	Manifest *manifest.Manifest
	Err      error // why the manifest can't be read
}

// proven reports whether the newest proof held.
func (b backup) proven() string {
	if b.Manifest == nil || len(b.Manifest.Proofs) == 0 {
		return "no"
	}
	return b.Manifest.Proofs[len(b.Manifest.Proofs)-1].Verdict
}

// backupsOf are the finished backups of one job's folder, newest first. A folder without a manifest is no backup.
func backupsOf(ctx context.Context, folder string) ([]backup, error) {
	names, err := folders(folder)
	if err != nil {
		return nil, err
	}
	slices.Reverse(names) // run ids sort by time
	var all []backup
	for _, name := range names {
		b, there := readBackup(ctx, filepath.Join(folder, name))
		if there {
			all = append(all, b)
		}
	}
	return all, nil
}

// backupsIn are the finished backups of a whole repository, newest first.
func backupsIn(ctx context.Context, repository string) ([]backup, error) {
	if _, err := os.Stat(repository); err != nil {
		err = fmt.Errorf("list repository: %w", err)
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return nil, withHint(err, "is it mounted? ls -ld "+shellWord(repository)+"; the first backup makes it: runner apply PATH")
	}
	jobs, err := folders(repository)
	if err != nil {
		return nil, err
	}
	var all []backup
	for _, job := range jobs {
		some, err := backupsOf(ctx, filepath.Join(repository, job))
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortStableFunc(all, func(a, b backup) int { return strings.Compare(filepath.Base(b.Path), filepath.Base(a.Path)) })
	return all, nil
}

func readBackup(ctx context.Context, folder string) (b backup, there bool) {
	b = backup{Path: folder, Job: filepath.Base(filepath.Dir(folder))}
	if _, err := os.Lstat(filepath.Join(folder, manifest.Name)); errors.Is(err, fs.ErrNotExist) {
		return b, false
	}
	s, err := store.OpenLocal(folder)
	if err == nil {
		b.Manifest, err = manifest.Read(ctx, s)
	}
	b.Err = err
	return b, true
}

// folders are the names of the folders in one; none where it is absent.
func folders(path string) ([]string, error) {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list repository: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// lookBack is how many earlier backups are looked at: a job whose format was changed has one of the new format soon.
const lookBack = 5

// earlierBackups are the manifests of a job's newest backups, newest first; what can't be read is left out.
func earlierBackups(ctx context.Context, j *plan.Job) []*manifest.Manifest {
	folder := filepath.Join(j.Repository.Path, j.Folder())
	names, err := folders(folder)
	if err != nil {
		return nil // the step compress says what is wrong with the repository
	}
	var newest []*manifest.Manifest
	for _, name := range slices.Backward(names) {
		if b, there := readBackup(ctx, filepath.Join(folder, name)); there && b.Err == nil {
			newest = append(newest, b.Manifest)
		}
		if len(newest) == lookBack {
			break
		}
	}
	return newest
}
