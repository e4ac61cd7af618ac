package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"runner/cmd/runner/internal/report"
	"runner/pkg/archive/manifest"
)

func (a *app) listCommand() *cobra.Command {
	var repository string
	c := &cobra.Command{
		Use:   "list [PATH...]",
		Short: "List the backups of a plan's repositories, or of one repository",
		Long: `Lists finished backups, newest first: when, which job, how large, the ratio of stored to raw bytes, the
binary log position or GTIDs, and whether the backup was proven. What has no manifest is no backup and is not listed.` +
			exits("done", helpFailed, helpUsage),
		Example: `  runner list plan.hcl
  runner list --repository /srv/backups/mysql
  runner list --repository /srv/backups/mysql --json`,
		RunE: func(c *cobra.Command, args []string) error {
			if (repository == "") == (len(args) == 0) {
				return usagef(c.CommandPath(), "give either the PATH of a plan or --repository DIR")
			}
			all, err := a.listed(c.Context(), args, repository)
			if err != nil {
				return err
			}
			all.tell(a)
			if err := nothingSeen(all); err != nil {
				return err
			}
			return a.showList(all.backups)
		},
	}
	c.Flags().StringVar(&repository, "repository", "", "`DIR` of a repository")
	return c
}

func (a *app) listed(ctx context.Context, args []string, repository string) (listing, error) {
	if repository != "" {
		return backupsIn(ctx, repository)
	}
	p, err := a.load(args, now())
	if err != nil {
		return listing{}, err
	}
	var all listing
	for _, r := range p.Repositories {
		some, err := backupsIn(ctx, r.Path)
		if err != nil {
			return listing{}, err
		}
		all.backups, all.unseen = append(all.backups, some.backups...), append(all.unseen, some.unseen...)
	}
	return all, nil
}

// nothingSeen keeps a repository of which nothing could be seen from being one without backups.
func nothingSeen(l listing) error {
	if len(l.backups) > 0 || len(l.unseen) == 0 {
		return nil
	}
	return withHint(fmt.Errorf("no backup can be seen: %w", l.unseen[0]), "run it as a user that may read the repository")
}

func (a *app) showList(all []backup) error {
	if a.global.json {
		return a.listLines(all)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(a.Stdout, "no backups")
		return err
	}
	w := tabwriter.NewWriter(a.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "BACKUP\tFINISHED\tRAW\tSTORED\tRATIO\tCOORDINATES\tPROVEN")
	for _, b := range all {
		name := strings.Join(lastTwo(b.Path), "@")
		if b.Err != nil {
			fmt.Fprintf(w, "%s\tcan't be read: %v\n", name, b.Err)
			continue
		}
		m := b.Manifest
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%.2f\t%s\t%s\n", name, m.Run.Finished.Local().Format(time.DateTime),
			humanize.IBytes(uint64(m.Archive.RawBytes)), humanize.IBytes(uint64(m.Archive.StoredBytes)), m.Archive.Ratio,
			coordinates(m.Coordinates), b.proven())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, b := range all {
		if b.Err != nil {
			return fmt.Errorf("a manifest can't be read: %w", b.Err)
		}
	}
	return nil
}

// listLine: type backup, of list.
type listLine struct {
	Path     string  `json:"path"`                // the backup's folder
	Job      string  `json:"job,omitempty"`       // address
	Run      string  `json:"run,omitempty"`       // that made it
	Finished string  `json:"finished,omitempty"`  // RFC 3339 in UTC
	Raw      int64   `json:"raw_bytes,omitempty"` // before compression
	Stored   int64   `json:"bytes,omitempty"`     // stored
	Ratio    float64 `json:"ratio,omitempty"`     // stored / raw
	Proven   string  `json:"proven,omitempty"`    // no, or the newest verdict of prove
	Error    string  `json:"error,omitempty"`     // why its manifest can't be read

	Coordinates *manifest.Coordinates `json:"coordinates,omitempty"`
}

func (a *app) listLines(all []backup) error {
	var failed []error
	for _, b := range all {
		line := listLine{Path: b.Path}
		if b.Err != nil {
			line.Error = b.Err.Error()
			failed = append(failed, b.Err)
		} else {
			m := b.Manifest
			line.Job, line.Run, line.Finished = m.Run.Job, m.Run.ID, m.Run.Finished.Format(time.RFC3339Nano)
			line.Raw, line.Stored, line.Ratio = m.Archive.RawBytes, m.Archive.StoredBytes, m.Archive.Ratio
			line.Proven, line.Coordinates = b.proven(), &m.Coordinates
		}
		failed = append(failed, report.JSONLine(a.Stdout, "backup", line))
	}
	return errors.Join(failed...)
}

// lastTwo are a backup's job and run, by the names of its folders.
func lastTwo(path string) []string {
	parts := strings.Split(strings.TrimRight(path, "/"), "/")
	return slices.Clone(parts[max(0, len(parts)-2):])
}

// coordinates is where in the source's history a backup stands, in a few words.
func coordinates(c manifest.Coordinates) string {
	switch c.From {
	case manifest.FromNone:
		return "none (log_bin off)"
	case manifest.FromWindow:
		return "within a window"
	}
	if c.BinlogFile == "" {
		return "unknown"
	}
	return fmt.Sprintf("%s:%d", c.BinlogFile, c.BinlogPosition)
}
