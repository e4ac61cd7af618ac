package cli

import (
	"bufio"
	"fmt"
	"strconv"
	"text/tabwriter"

	"runner/cmd/runner/internal/report"
	"runner/pkg/archive"
)

// memberLine: type member.
type memberLine struct {
	Path      string       `json:"path"`
	Kind      archive.Type `json:"kind"`      // file, dir or symlink
	Size      int64        `json:"size"`      // bytes
	Allocated *int64       `json:"allocated"` // bytes on the source's disk; null: unknown, with a rebuilt index
	Link      string       `json:"link,omitempty"`

	InnoDB *archive.Pages `json:"innodb,omitempty"` // of a tablespace file whose pages were verified
}

// showMembers is show --files.
func (a *app) showMembers(b *archive.Backup) error {
	allocated := func(m *archive.Member) int64 {
		if b.Index().Rebuilt != nil {
			return -1
		}
		return m.Allocated
	}
	if a.global.json {
		for _, m := range b.Members() {
			line := memberLine{Path: m.Path, Kind: m.Type, Size: m.Size, Allocated: known(allocated(m)), Link: m.Link, InnoDB: m.InnoDB}
			if err := report.JSONLine(a.Stdout, "member", line); err != nil {
				return err
			}
		}
		return nil
	}
	out := bufio.NewWriter(a.Stdout)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TYPE\tSIZE\tON DISK\tPAGES\tBAD\tLSN\tPATH")
	for _, m := range b.Members() {
		pages, bad, lsn := "", "", ""
		if p := m.InnoDB; p != nil {
			pages, bad = strconv.FormatInt(p.Total, 10), strconv.FormatInt(p.Bad, 10)
			lsn = fmt.Sprintf("%d-%d", p.MinLSN, p.MaxLSN)
		}
		size, disk := "", ""
		if m.Type == archive.TypeFile {
			size, disk = strconv.FormatInt(m.Size, 10), "unknown"
			if n := allocated(m); n >= 0 {
				disk = strconv.FormatInt(n, 10)
			}
		}
		path := m.Path
		if m.Type == archive.TypeSymlink {
			path += " -> " + m.Link
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", m.Type, size, disk, pages, bad, lsn, oneLine(path))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return out.Flush()
}
