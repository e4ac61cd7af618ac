package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"runner/cmd/runner/internal/report"
	"runner/pkg/archive"
	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store"
)

func (a *app) verifyCommand() *cobra.Command {
	var (
		which   whichBackup
		o       archive.VerifyOptions
		rebuild bool
	)
	c := &cobra.Command{
		Use:   "verify BACKUP",
		Short: "Verify every byte and every page of a backup",
		Long: `Verifies a backup: digests of all files, every frame, the archive's structure against the index, the digest of
every file in it, and the checksum of every InnoDB page. With --quick only presence, sizes, and the digests of index
and manifest, for which an encrypted backup needs no identity. Without an identity the SHA-256 of its data file as it
is stored is verified too, and then the code is 2: what is encrypted in it was not looked at.

With --rebuild-index a lost or damaged index.json.zst is made anew from the manifest and the data file, all of which is
read for that and must be what the manifest says. What files took on the source's disk can't be found there: as a rule
the rebuilt index is written as index.rebuilt.json.zst, and read in place of the lost one from then on. A verification
goes on to say that the index is lost.
` + helpBackup + exits("everything holds", helpFailed, helpUsage, helpVerification, helpInterrupted),
		Example: `  runner verify /srv/backups/mysql/orders/20261122T100329Z-k3f9
  runner verify orders@latest --repository /srv/backups/mysql
  runner verify orders@latest --plan plan.hcl --quick
  runner verify orders@latest --plan plan.hcl --rebuild-index`,
		Args: a.arguments(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			if o.Threads < 0 {
				return usagef(c.CommandPath(), "--threads is %d and can't be negative", o.Threads)
			}
			if rebuild && o.Quick {
				return usagef(c.CommandPath(), "--rebuild-index reads all of the data, which --quick would not")
			}
			if rebuild {
				return a.rebuildIndex(c.Context(), c, args[0], which, archive.RebuildOptions{Threads: o.Threads})
			}
			return a.verify(c.Context(), c, args[0], which, o)
		},
	}
	which.flags(c)
	c.Flags().BoolVar(&o.Quick, "quick", false, "presence, sizes, and the digests of index and manifest only")
	c.Flags().BoolVar(&rebuild, "rebuild-index", false, "make a lost or damaged index anew from the data file")
	c.Flags().IntVar(&o.Threads, "threads", 0, "frames decoded at once; 0 is one per CPU")
	return c
}

func (a *app) verify(ctx context.Context, c *cobra.Command, argument string, which whichBackup, o archive.VerifyOptions) error {
	folder, err := a.folder(ctx, c, argument, which)
	if err != nil {
		return err
	}
	b, _, err := a.openBackup(ctx, c, folder, which)
	if errors.Is(err, archive.ErrNoIdentity) {
		return a.verifyStored(ctx, folder, o, err)
	}
	if err != nil {
		return err
	}
	var result *archive.Report
	err = a.watch(folder, "verify", func(progress func(done, total int64)) error {
		o.Progress = progress
		result, err = b.Verify(ctx, o)
		return err
	})
	if result == nil {
		return fmt.Errorf("verify %s: %w", folder, err)
	}
	return errors.Join(a.showVerified(folder, result), damagedHint(err, folder))
}

// damagedHint adds the way on to an error of a backup that does not hold.
func damagedHint(err error, folder string) error {
	if !errors.Is(err, archive.ErrCorrupt) && !errors.Is(err, archive.ErrBadPages) && !errors.Is(err, manifest.ErrCorrupt) {
		return err
	}
	return withHint(err, "restore another backup: runner list --repository "+repositoryOf(folder))
}

// repositoryOf is the repository that a backup's folder lies in, as a word of a shell.
func repositoryOf(folder string) string {
	absolute, err := filepath.Abs(folder)
	if err != nil {
		absolute = folder
	}
	return shellWord(filepath.Dir(filepath.Dir(absolute)))
}

// of is what the member of a finding is to InnoDB, after a comma.
func of(f archive.Finding) string {
	if f.Of == "" {
		return ""
	}
	return ", " + f.Of
}

// lookInto are the statements to look further into damaged pages with, each once.
func lookInto(findings []archive.Finding) (statements []string) {
	for _, f := range findings {
		if f.Check != "" && !slices.Contains(statements, f.Check) {
			statements = append(statements, f.Check)
		}
	}
	return statements
}

// verifyStored verifies what can be without an identity. Unless that is all that was asked for, it is not enough, and
// the error stands: locked.
func (a *app) verifyStored(ctx context.Context, folder string, o archive.VerifyOptions, locked error) error {
	s, err := store.OpenLocal(folder)
	if err != nil {
		return err
	}
	m, err := manifest.Read(ctx, s)
	if err != nil {
		return err
	}
	var result *archive.Report
	err = a.watch(folder, "verify", func(progress func(done, total int64)) error {
		o.Progress = progress
		result, err = archive.VerifyStored(ctx, s, m, o)
		return err
	})
	if result == nil {
		return fmt.Errorf("verify %s: %w", folder, err)
	}
	if err == nil && !o.Quick {
		err = locked
	}
	return errors.Join(a.showVerified(folder, result), damagedHint(err, folder))
}

// verifiedLine: type verified.
type verifiedLine struct {
	Path     string            `json:"path"` // the backup's folder
	Quick    bool              `json:"quick"`
	Sealed   bool              `json:"sealed,omitempty"` // only the stored bytes were looked at, not what is encrypted in them
	Files    int64             `json:"files"`
	Frames   int64             `json:"frames"`
	Bytes    int64             `json:"bytes"` // before compression
	Pages    archive.PageStats `json:"pages"`
	Findings []archive.Finding `json:"findings"` // one for each damage; empty: it holds
}

// showVerified prints what was found. A server exits when CHECK TABLE meets a damaged page (the manual, "CHECK TABLE Usage Notes for
// InnoDB Tables"), which must not come as a surprise.
func (a *app) showVerified(folder string, r *archive.Report) error {
	if a.global.json {
		return report.JSONLine(a.Stdout, "verified", verifiedLine{folder, r.Quick, r.Sealed, r.Files, r.Frames, r.Bytes, r.Pages, append([]archive.Finding{}, r.Findings...)})
	}
	for _, f := range r.Findings {
		where := f.File
		if f.Offset >= 0 {
			where += fmt.Sprintf(" at byte %d", f.Offset)
		}
		if f.Member != "" {
			where += " (" + f.Member + of(f) + ")"
		}
		if _, err := fmt.Fprintln(a.Stdout, oneLine(fmt.Sprintf("%s: %s: %s", f.Code, where, f.Detail))); err != nil {
			return err
		}
	}
	for _, statement := range lookInto(r.Findings) {
		if _, err := fmt.Fprintln(a.Stdout, "to look into it at the source, which exits when CHECK TABLE meets a damaged page:", oneLine(statement)); err != nil {
			return err
		}
	}
	verdict := "holds"
	if len(r.Findings) > 0 {
		verdict = fmt.Sprintf("%d findings", len(r.Findings))
	}
	if r.Quick {
		_, err := fmt.Fprintf(a.Stdout, "%s: %s (quick: presence, sizes, digests of index and manifest)\n", folder, verdict)
		return err
	}
	if r.Sealed {
		_, err := fmt.Fprintf(a.Stdout, "%s: %s, as it is stored: what is encrypted in it was not looked at\n", folder, verdict)
		return err
	}
	unknown := ""
	if r.Pages.Unknown > 0 { // they lie in pieces that were not written at once
		unknown = fmt.Sprintf(", %d not looked at", r.Pages.Unknown)
	}
	_, err := fmt.Fprintf(a.Stdout, "%s: %s: %s in %d files and %d frames, %d InnoDB pages (%d never written, %d not checkable, %d damaged%s)\n",
		folder, verdict, humanize.IBytes(uint64(r.Bytes)), r.Files, r.Frames, r.Pages.Total, r.Pages.Zero, r.Pages.Uncheckable, r.Pages.Bad, unknown)
	return err
}
