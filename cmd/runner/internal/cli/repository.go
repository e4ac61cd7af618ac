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

	"runner/cmd/runner/internal/journal"
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

// when is the time that decides which backup is newer: the manifest's, and of one that can't be read what its folder is called.
func (b backup) when() string {
	if b.Manifest != nil {
		return b.Manifest.Run.Finished.UTC().Format(journal.RunTime)
	}
	second, _, _ := strings.Cut(filepath.Base(b.Path), "-")
	return second
}

// run is the id of the run that made it.
func (b backup) run() string {
	if b.Manifest != nil {
		return b.Manifest.Run.ID
	}
	return filepath.Base(b.Path)
}

// listing is what was found in a repository, and what could not be looked at.
type listing struct {
	backups []backup
	unseen  []error
}

// sorted has the newest first.
func (l listing) sorted() listing {
	slices.SortStableFunc(l.backups, func(a, b backup) int {
		if c := strings.Compare(b.when(), a.when()); c != 0 {
			return c
		}
		return strings.Compare(b.run(), a.run())
	})
	return l
}

// tell says what could not be looked at, and what contradicts itself.
func (l listing) tell(a *app) {
	for _, err := range l.unseen {
		a.tell("warning: " + err.Error())
	}
	for _, b := range l.backups {
		if m := b.Manifest; m != nil && (m.Run.ID != filepath.Base(b.Path) || folderOf(m.Run.Job) != b.Job) {
			a.tell(fmt.Sprintf("warning: by its manifest, %s is run %s of %s: its folder was renamed or moved", b.Path, m.Run.ID, m.Run.Job))
		}
	}
}

// backupsOf are the finished backups of one job's folder, newest first. A folder without a manifest is no backup.
func backupsOf(ctx context.Context, folder string) (listing, error) {
	names, unseen, err := folders(folder)
	if err != nil {
		return listing{}, err
	}
	l := listing{unseen: unseen}
	for _, name := range names {
		b, there, err := readBackup(ctx, filepath.Join(folder, name))
		switch {
		case err != nil:
			l.unseen = append(l.unseen, err)
		case there:
			l.backups = append(l.backups, b)
		}
	}
	return l.sorted(), nil
}

// backupsIn are the finished backups of a whole repository, newest first. What can't be looked at hides nothing else.
func backupsIn(ctx context.Context, repository string) (listing, error) {
	if _, err := os.Stat(repository); err != nil {
		err = fmt.Errorf("list repository: %w", err)
		if !errors.Is(err, fs.ErrNotExist) {
			return listing{}, err
		}
		return listing{}, withHint(err, "is it mounted? ls -ld "+shellWord(repository)+"; the first backup makes it: runner apply PATH")
	}
	jobs, unseen, err := folders(repository)
	if err != nil {
		return listing{}, err
	}
	l := listing{unseen: unseen}
	for _, job := range jobs {
		some, err := backupsOf(ctx, filepath.Join(repository, job))
		if err != nil {
			l.unseen = append(l.unseen, err)
			continue
		}
		l.backups, l.unseen = append(l.backups, some.backups...), append(l.unseen, some.unseen...)
	}
	return l.sorted(), nil
}

// readBackup reads the manifest in a folder; there is false where it has none. The error is of a folder that can't be looked into.
func readBackup(ctx context.Context, folder string) (b backup, there bool, err error) {
	b = backup{Path: folder, Job: filepath.Base(filepath.Dir(folder))}
	if _, err := os.Lstat(filepath.Join(folder, manifest.Name)); errors.Is(err, fs.ErrNotExist) {
		return b, false, nil
	} else if err != nil {
		return b, false, fmt.Errorf("list repository: %w", err)
	}
	s, err := store.OpenLocal(folder)
	if err == nil {
		b.Manifest, err = manifest.Read(ctx, s)
	}
	b.Err = err
	return b, true, nil
}

// folders are the names of the folders in one, and of links to folders, through which a backup is written as well; none where it is
// absent. unseen are those of which it can't be said what they are.
func folders(path string) (names []string, unseen []error, err error) {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list repository: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		isDir := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 {
			info, err := os.Stat(filepath.Join(path, e.Name()))
			if err != nil {
				unseen = append(unseen, fmt.Errorf("list repository: follow link %s: %w", filepath.Join(path, e.Name()), err))
				continue
			}
			isDir = info.IsDir()
		}
		if isDir {
			names = append(names, e.Name())
		}
	}
	return names, unseen, nil
}

// lookBack is how many earlier backups are looked at: a job whose format was changed has one of the new format soon.
const lookBack = 5

// earlierBackups are the manifests of a job's newest backups, newest first; what can't be read is left out.
func earlierBackups(ctx context.Context, j *plan.Job) []*manifest.Manifest {
	all, err := backupsOf(ctx, filepath.Join(j.Repository.Path, j.Folder()))
	if err != nil {
		return nil // the step compress says what is wrong with the repository
	}
	var newest []*manifest.Manifest
	for _, b := range all.backups {
		if b.Err == nil && len(newest) < lookBack {
			newest = append(newest, b.Manifest)
		}
	}
	return newest
}
