package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"runner/pkg/archive"
	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store"
	"runner/pkg/plan"
)

// whichBackup is where JOB@latest and JOB@RUN are looked for, and what an encrypted backup is decrypted with.
type whichBackup struct {
	repository string
	plan       []string
	identities []string // files
}

const helpBackup = `
BACKUP is a backup's folder, or JOB@latest, or JOB@RUN (the beginning of the run's id is enough), in the
repository given by --repository or by the plan given by --plan.

An encrypted backup is decrypted with the identity in the file that --identity or RUNNER_IDENTITY_FILE names: one
that age-keygen wrote, or a private SSH key without a passphrase.`

func (w *whichBackup) flags(c *cobra.Command) {
	c.Flags().StringVar(&w.repository, "repository", "", "`DIR` of the repository in which JOB@… is looked for")
	c.Flags().StringArrayVar(&w.plan, "plan", nil, "`PATH` of a plan whose job JOB is; may be given again")
	c.Flags().StringArrayVar(&w.identities, identityFlag, nil, "`FILE` of an age identity that an encrypted backup is decrypted with (also "+identityVariable+"); may be given again")
}

// folder is the folder of the backup that the argument means.
func (a *app) folder(ctx context.Context, c *cobra.Command, argument string, w whichBackup) (string, error) {
	if info, err := os.Stat(argument); err == nil && info.IsDir() {
		return argument, nil
	}
	at := strings.LastIndex(argument, "@")
	if at < 0 {
		return "", withHint(fmt.Errorf("there is no backup %s", argument), "runner list --repository DIR")
	}
	jobFolder, err := a.jobFolder(c, argument[:at], w)
	if err != nil {
		return "", err
	}
	all, err := backupsOf(ctx, jobFolder)
	if err != nil {
		return "", err
	}
	all.tell(a)
	run := argument[at+1:]
	var found []string
	for _, b := range all.backups {
		if run == "latest" || run != "" && (strings.HasPrefix(b.run(), run) || strings.HasPrefix(filepath.Base(b.Path), run)) {
			found = append(found, b.Path)
		}
	}
	switch {
	case len(found) == 0:
		return "", withHint(fmt.Errorf("there is no backup %s in %s", argument, jobFolder), "runner list --repository "+filepath.Dir(jobFolder))
	case len(found) > 1 && run != "latest":
		return "", usagef(c.CommandPath(), "%s could be any of %d backups", argument, len(found))
	}
	return found[0], nil
}

// jobFolder is the folder of a job in its repository. A job is named by its address, or by its folder's name.
func (a *app) jobFolder(c *cobra.Command, job string, w whichBackup) (string, error) {
	switch {
	case w.repository != "" && len(w.plan) > 0:
		return "", usagef(c.CommandPath(), "--repository and --plan exclude each other")
	case w.repository != "":
		return filepath.Join(w.repository, folderOf(job)), nil
	case len(w.plan) == 0:
		return "", usagef(c.CommandPath(), "%s@… is looked for in a repository: give --repository DIR or --plan PATH", job)
	}
	p, err := a.load(w.plan, now())
	if err != nil {
		return "", err
	}
	var known []string
	for _, j := range p.Jobs {
		if job == j.Address || job == j.Folder() || "job."+job == j.Address {
			return filepath.Join(j.Repository.Path, j.Folder()), nil
		}
		known = append(known, j.Folder())
	}
	return "", usagef(c.CommandPath(), "the plan has no job %q; it has %s", job, strings.Join(known, ", "))
}

// folderOf is the name of a job's folder, from its address (job.each["eu"], with or without "job.") or from that name itself.
func folderOf(job string) string {
	job = strings.TrimPrefix(job, "job.")
	if name, key, found := strings.Cut(job, `["`); found {
		return (&plan.Job{Name: name, Key: strings.TrimSuffix(key, `"]`)}).Folder()
	}
	return filepath.Base(job)
}

// openBackup opens the backup that the argument means.
func (a *app) openBackup(ctx context.Context, c *cobra.Command, argument string, w whichBackup) (*archive.Backup, string, error) {
	folder, err := a.folder(ctx, c, argument, w)
	if err != nil {
		return nil, "", err
	}
	s, err := store.OpenLocal(folder)
	if err != nil {
		return nil, "", err
	}
	m, err := manifest.Read(ctx, s)
	if err != nil {
		return nil, "", incomplete(damagedHint(fmt.Errorf("open backup %s: %w", folder, err), folder))
	}
	var identities []archive.Identity
	if m.Archive.Encryption != "" {
		if identities, err = a.identities(c, argument, w); err != nil {
			return nil, "", err
		}
	}
	b, err := archive.OpenUncommitted(ctx, s, m, identities...)
	if err != nil {
		return nil, "", identityHint(c, argument, lostIndex(fmt.Errorf("open backup %s: %w", folder, err), folder))
	}
	if lost := b.LostIndex(); lost != nil {
		a.tell(fmt.Sprintf("the index is lost, and the one that was rebuilt is read in its place: %v", lost))
	}
	return b, folder, nil
}

// lostIndex adds the way on to an error of a damaged index.
func lostIndex(err error, folder string) error {
	var damage *archive.CorruptError
	if errors.As(err, &damage) && damage.File == archive.IndexName {
		return withHint(err, "the data file may be sound, and has all that the index says: runner verify "+shellWord(folder)+" --rebuild-index")
	}
	return damagedHint(err, folder)
}

// incomplete adds the way on to an error of a folder without a manifest.
func incomplete(err error) error {
	if errors.Is(err, manifest.ErrMissing) {
		return withHint(err, "runner runs shows whether its run can be resumed")
	}
	return err
}
