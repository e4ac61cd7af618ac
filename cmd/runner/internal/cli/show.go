package cli

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"runner/cmd/runner/internal/report"
	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store"
)

func (a *app) showCommand() *cobra.Command {
	var (
		which whichBackup
		files bool
	)
	c := &cobra.Command{
		Use:   "show BACKUP",
		Short: "Show a backup's manifest, or the files in it, for reading",
		Long: "Shows what a backup is, where it is from, what is in it and what was found; with --json the manifest itself.\n" +
			"That is not encrypted. With --identity it also looks whether the backup can be decrypted with it.\n" +
			"With --files it lists the files: type, size, bytes on the source's disk, and of tablespaces the number of pages, how\n" +
			"many of them are damaged, and the range of their LSNs.\n" +
			helpBackup + exits("done", helpFailed, helpUsage, helpVerification),
		Example: `  runner show orders@latest --plan plan.hcl
  runner show /srv/backups/mysql/orders/20261122T100329Z-k3f9 --json | jq .manifest.coordinates
  runner show orders@latest --plan plan.hcl --files`,
		Args: a.arguments(1, 1),
		RunE: func(c *cobra.Command, args []string) error {
			if files {
				b, _, err := a.openBackup(c.Context(), c, args[0], which)
				if err != nil {
					return err
				}
				return a.showMembers(b)
			}
			folder, err := a.folder(c.Context(), c, args[0], which)
			if err != nil {
				return err
			}
			s, err := store.OpenLocal(folder)
			if err != nil {
				return err
			}
			m, err := manifest.Read(c.Context(), s)
			if err != nil {
				return incomplete(fmt.Errorf("read %s: %w", folder, err))
			}
			unlocked := m.Archive.Encryption != "" && len(which.identities) > 0
			if unlocked {
				if _, _, err := a.openBackup(c.Context(), c, folder, which); err != nil {
					return err
				}
			}
			if a.global.json {
				return report.JSONLine(a.Stdout, "manifest", manifestLine{folder, unlocked, *m})
			}
			_, err = a.Stdout.Write(describeManifest(folder, unlocked, m))
			return err
		},
	}
	which.flags(c)
	c.Flags().BoolVar(&files, "files", false, "list the files in it")
	return c
}

// manifestLine: type manifest.
type manifestLine struct {
	Path     string            `json:"path"`               // the backup's folder
	Unlocked bool              `json:"unlocked,omitempty"` // the identity that was given decrypts it
	Manifest manifest.Manifest `json:"manifest"`
}

// describeManifest is a manifest in words.
func describeManifest(folder string, unlocked bool, m *manifest.Manifest) []byte {
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", name, oneLine(fmt.Sprintf(format, args...)))
	}
	row("backup", "%s", folder)
	row("job", "%s, run %s, attempt %d", m.Run.Job, m.Run.ID, m.Run.Attempt)
	row("finished", "%s (%s after its start)", m.Run.Finished.Format(time.RFC3339), m.Run.Finished.Sub(m.Run.Started).Round(time.Millisecond))
	row("made by", "runner %s on %s, plan %s", m.Run.Version, m.Run.Host, m.Run.PlanDigest)
	row("source", "%s: MySQL %s (%s), server_uuid %s", m.Source.Name, m.Source.Version, m.Source.VersionComment, m.Source.ServerUUID)
	row("", "%s, data directory %s", m.Source.Host, m.Source.DataDir)
	size := "size unknown: the server was restarted before it was asked"
	if m.Clone.Bytes > 0 {
		size = humanize.IBytes(uint64(m.Clone.Bytes))
	}
	row("clone", "%s, %s, %s", m.Clone.Mode, m.Clone.Ended.Sub(m.Clone.Began).Round(time.Millisecond), size)
	row("coordinates", "%s (%s)", coordinates(m.Coordinates), m.Coordinates.From)
	if m.Coordinates.GTIDExecuted != "" {
		row("gtid_executed", "%s", strings.ReplaceAll(m.Coordinates.GTIDExecuted, "\n", " "))
	}
	if m.Coordinates.From == manifest.FromWindow && m.Window.Before != nil && m.Window.After != nil {
		row("window", "%s:%d to %s:%d", m.Window.Before.BinlogFile, m.Window.Before.BinlogPosition, m.Window.After.BinlogFile, m.Window.After.BinlogPosition)
	}
	row("archive", "%s level %d, %s of %s (ratio %.2f), %d files in %d frames", m.Archive.Compression, m.Archive.Level,
		humanize.IBytes(uint64(m.Archive.StoredBytes)), humanize.IBytes(uint64(m.Archive.RawBytes)), m.Archive.Ratio, m.Archive.Files, m.Archive.Frames)
	row("", "sha256 %s", m.Archive.Data.SHA256)
	row("encryption", "%s", describeEncryption(m.Archive, unlocked))
	row("pages", "%s", describePages(m.Archive.Pages))
	for _, lost := range m.Content.Lost {
		row("not in it", "rows of %s.%s (%s)", lost.Schema, lost.Table, lost.Engine)
	}
	for _, other := range m.Content.Other {
		row("not in it", "%s", other)
	}
	for _, pairs := range []struct {
		name   string
		values map[string]string
	}{{"label", m.Labels}, {"annotation", m.Annotations}} {
		for _, key := range slices.Sorted(maps.Keys(pairs.values)) {
			row(pairs.name, "%s = %s", key, pairs.values[key])
		}
	}
	for _, f := range m.Checks {
		if f.Severity != "ok" {
			row("finding", "%s %s: %s", f.Code, f.Severity, f.Summary)
		}
	}
	for _, t := range m.Timings {
		row("step", "%s %s", t.Step, time.Duration(t.Seconds*float64(time.Second)).Round(time.Millisecond))
	}
	for _, p := range m.Proofs {
		row("proof", "%s: %s, on MySQL %s", p.Time.Format(time.RFC3339), p.Verdict, p.Server)
	}
	_ = w.Flush() // into memory
	return out.Bytes()
}

func describeEncryption(archive manifest.Archive, unlocked bool) string {
	if archive.Encryption == "" {
		return "none"
	}
	text := fmt.Sprintf("%s, number of recipients: %d", archive.Encryption, archive.Recipients)
	if unlocked {
		text += "; the identity that was given decrypts it"
	}
	return text
}

func describePages(p manifest.Pages) string {
	if !p.Checked {
		return "not checked, as the plan said"
	}
	checked := fmt.Sprintf("%d InnoDB pages checked: %d damaged, %d never written, %d not checkable", p.Total-p.Unknown, p.Bad, p.Zero, p.Uncheckable)
	if p.Unknown > 0 {
		checked += fmt.Sprintf("; %d left to a verification", p.Unknown)
	}
	return checked
}

// oneLine keeps what others wrote, labels and names of tables, from breaking the lines or the terminal.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, text)
}
