package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"runner/cmd/runner/internal/engine"
	"runner/cmd/runner/internal/report"
	"runner/pkg/archive"
)

func (a *app) restoreCommand() *cobra.Command {
	var (
		which whichBackup
		to    string
		o     archive.RestoreOptions
	)
	c := &cobra.Command{
		Use:   "restore BACKUP --to DIR",
		Short: "Write a backup's data directory to a new folder",
		Long: `Writes the data directory of a backup into a folder that is absent or empty, on all CPUs, and verifies every frame
and every file while writing. Modes and times are kept, owners too where this user may give files away; otherwise
the files belong to this user, and that is reported. A restore that did not
finish can't be mistaken for one that did: mysqld refuses to start on it. The same command goes on with it, whatever
ended it: what is there already and is as it should be is not restored again.

Nothing is begun where the room on the target's file system would not suffice. With --dry-run the room is compared,
and told.
` + helpBackup + exits("everything is restored and durable", helpFailed, helpUsage,
			"   3  there is not enough room; nothing was changed", helpVerification,
			"   5  another restore is writing to the folder", " 130  interrupted; the same command goes on with it"),
		Example: `  runner restore orders@latest --plan plan.hcl --to /var/lib/mysql-restored
  runner restore /srv/backups/mysql/orders/20261122T100329Z-k3f9 --to /tmp/shop --path 'shop/*.ibd'
  runner restore orders@latest --repository /srv/backups/mysql --to /var/lib/mysql-restored --dry-run`,
		Args: a.arguments(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			if to == "" {
				return usagef(c.CommandPath(), "--to DIR says where the data directory is written to, and is missing")
			}
			return a.restore(c.Context(), c, args[0], which, to, o)
		},
	}
	which.flags(c)
	c.Flags().StringVar(&to, "to", "", "`DIR` to write to; absent, empty, or with an unfinished restore of the same")
	c.Flags().StringArrayVar(&o.Paths, "path", nil, "only what this `GLOB` matches; may be given again")
	c.Flags().BoolVar(&o.DryRun, "dry-run", false, "write nothing; tell what would be restored, and whether there is room")
	c.Flags().IntVar(&o.Threads, "threads", 0, "frames decoded at once; 0 is one per CPU")
	return c
}

func (a *app) restore(ctx context.Context, c *cobra.Command, argument string, which whichBackup, to string, o archive.RestoreOptions) error {
	b, folder, err := a.openBackup(ctx, c, argument, which)
	if err != nil {
		return err
	}
	var result *archive.Restored
	err = a.watch(folder, "restore", func(progress func(done, total int64)) error {
		o.Progress = progress
		result, err = b.Restore(ctx, to, o)
		return err
	})
	if err != nil {
		err = fmt.Errorf("restore %s: %w", folder, restoreHint(err, folder, to))
	}
	if err == nil && !o.DryRun && len(o.Paths) == 0 {
		err = a.placeKeyring(ctx, b.Manifest(), to)
	}
	if result == nil {
		return err
	}
	return errors.Join(a.showRestored(folder, to, o.DryRun, result), err)
}

func restoreHint(err error, folder, to string) error {
	var (
		other    *archive.OtherRestoreError
		notEmpty *archive.NotEmptyError
	)
	switch {
	case errors.As(err, &notEmpty) && len(notEmpty.Beside) > 0:
		remove := "rm -r"
		for _, name := range notEmpty.Beside {
			remove += " " + shellWord(filepath.Join(to, name))
		}
		return withHint(err, "if nobody needs that, remove it and run the same command again: "+remove)
	case errors.As(err, &other):
		return withHint(err, "go on with that one, give another folder, or give it up: rm -rf "+shellWord(to))
	case errors.Is(err, archive.ErrBusy):
		return withHint(err, "wait for it to end, or give another folder, such as --to "+shellWord(another(to)))
	case errors.Is(err, archive.ErrNoSpace):
		return withHint(err, "make room, or name a folder on another file system with --to: df -h "+shellWord(filepath.Dir(filepath.Clean(to))))
	case errors.Is(err, archive.ErrNotEmpty):
		return withHint(err, "give an absent or empty folder, such as --to "+shellWord(another(to)))
	case errors.Is(err, archive.ErrNoMatch):
		return withHint(err, "patterns match whole paths: --path 'shop/*.ibd'; see the names with: runner show BACKUP --files")
	}
	if errors.Is(err, archive.ErrCorrupt) {
		return damagedHint(err, folder)
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return withHint(err, "make room and run the same command again, which goes on where this one ended (df -h "+shellWord(to)+"; quota -s); or give it up: rm -rf "+shellWord(to))
	}
	var at *fs.PathError
	hint := engine.FileHint(err)
	if hint == "" || !errors.As(err, &at) || !strings.HasPrefix(at.Path, to) {
		return err
	}
	return withHint(err, hint+"; or name another folder with --to")
}

// another is a folder to restore to in place of one that cannot be taken, on the same file system: beside it, or in it where it is the root of
// one.
func another(to string) string {
	to = filepath.Clean(to)
	if here, err := os.Stat(to); err == nil {
		above, err := os.Stat(filepath.Dir(to))
		if err == nil && device(here) != device(above) {
			return filepath.Join(to, "restored")
		}
	}
	return to + "-restored"
}

func device(info os.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Dev) //nolint:unconvert // its width differs between systems
	}
	return 0
}

// restoredLine: type restored.
type restoredLine struct {
	Path      string `json:"path"` // the backup's folder
	To        string `json:"to"`
	DryRun    bool   `json:"dry_run"` // nothing was written
	Files     int64  `json:"files"`
	Bytes     int64  `json:"bytes"`
	Continued int64  `json:"continued"` // of bytes, that an earlier attempt had restored
	Allocated *int64 `json:"allocated"` // bytes on disk: holes take none; null: unknown
	Need      *int64 `json:"need"`      // of these, that had still to be allocated; null: unknown
	Free      *int64 `json:"free"`      // bytes that were free on the file system; null: unknown
	Frames    int64  `json:"frames"`    // that were read
	// OwnersKept reports that files belong to the user who restored them, who may not give them to those whom they belonged to.
	OwnersKept bool `json:"owners_kept"`
}

// known is nil for what is unknown.
func known(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}

// sizeOf is a size in words.
func sizeOf(n int64) string {
	if n < 0 {
		return "unknown"
	}
	return humanize.IBytes(uint64(n))
}

func (a *app) showRestored(folder, to string, dryRun bool, r *archive.Restored) error {
	if o := r.KeptOwner; o != nil {
		_, _ = fmt.Fprintf(a.Stderr, "runner: warning: the files keep this user as their owner: only a user with CAP_CHOWN on the target's file system may give them to %d:%d, whom they belonged to\n"+
			"runner: hint: before mysqld starts on them as that user: sudo chown -R %d:%d %s\n", o.UID, o.GID, o.UID, o.GID, shellWord(to))
	}
	if a.global.json {
		return report.JSONLine(a.Stdout, "restored", restoredLine{
			Path: folder, To: to, DryRun: dryRun, Files: r.Files, Bytes: r.Bytes, Continued: r.Continued,
			Allocated: known(r.Allocated), Need: known(r.Need), Free: known(r.Free), Frames: r.Frames,
			OwnersKept: r.KeptOwner != nil,
		})
	}
	verb := "restored"
	if dryRun {
		verb = "would restore"
	}
	text := fmt.Sprintf("%s %d files (%s, %s on disk) to %s\n", verb, r.Files, sizeOf(r.Bytes), sizeOf(r.Allocated), to)
	if r.Continued > 0 {
		text += fmt.Sprintf("continued at %s of %s\n", sizeOf(r.Continued), sizeOf(r.Bytes))
	}
	if dryRun {
		text += fmt.Sprintf("frames to read: %d; room needed: %s, free: %s\n", r.Frames, sizeOf(r.Need), sizeOf(r.Free))
	} else {
		text += fmt.Sprintf("settings that the copy depends on: jq -r .source.restore_cnf %s/manifest.json\n", folder)
	}
	_, err := fmt.Fprint(a.Stdout, text)
	return err
}
