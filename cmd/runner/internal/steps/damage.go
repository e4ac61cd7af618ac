package steps

import (
	"fmt"
	"slices"
	"strings"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/archive"
	"runner/pkg/innodb"
)

// Of the damaged files, how many are named, and how many statements a hint has.
const (
	damagedFilesNamed = 20
	statementsHinted  = 3
)

// damage says which pages are damaged, page by page for the first of them, and how many in which file.
func (s *checksumStep) damage() string {
	p := s.job.packed
	var b strings.Builder
	fmt.Fprintf(&b, "Their checksums do not hold, in the copy as in the server's files: %d of %d pages.", p.Pages.Bad, p.Pages.Total)
	for _, page := range p.BadPages {
		b.WriteString("\n" + page.String())
	}
	if p.Pages.Bad <= int64(len(p.BadPages)) {
		return b.String()
	}
	b.WriteString("\nand more; in all:")
	files := damagedFiles(p.Spaces)
	for i, f := range files {
		if i == damagedFilesNamed {
			fmt.Fprintf(&b, "\n%d more files", len(files)-i)
			break
		}
		fmt.Fprintf(&b, "\n%s (%v): %d of %d pages", f.Path, innodb.FileOf(f.Path), f.Page.Bad, f.Page.Total)
	}
	return b.String()
}

// damagedFiles are the files with damaged pages.
func damagedFiles(spaces []packedSpace) (damaged []packedSpace) {
	for _, s := range spaces {
		if s.Page.Bad > 0 {
			damaged = append(damaged, s)
		}
	}
	return damaged
}

// lookInto are the statements to look further into the damage with, each once; the first of them where there are many.
func lookInto(spaces []packedSpace) (statements []string) {
	for _, f := range damagedFiles(spaces) {
		statement := innodb.FileOf(f.Path).CheckStatement(f.Page.SpaceID)
		if statement == "" || slices.Contains(statements, statement) {
			continue
		}
		if len(statements) == statementsHinted {
			return append(statements, "and so on")
		}
		statements = append(statements, statement)
	}
	return statements
}

// damageHint says what to do next. CHECK TABLE stops a server that meets a damaged page, which must not come as a surprise.
func damageHint(look []string, repository string) string {
	older := "backups from before the damage: runner list --repository " + shellWord(repository)
	if len(look) == 0 {
		return older
	}
	return "on the server, which exits when CHECK TABLE meets a damaged page: " + strings.Join(look, "; ") + "\n" + older
}

// damagedPages are the pages for those who read findings by program.
func damagedPages(pages []archive.BadPage) []engine.DamagedPage {
	var all []engine.DamagedPage
	for _, p := range pages {
		f := p.File()
		all = append(all, engine.DamagedPage{
			Path: p.Path, Page: p.Page, SpaceID: p.SpaceID, Of: f.String(), Reason: p.Reason,
			Schema: f.Schema, Table: f.Table, Partition: f.Partition, Subpartition: f.Subpartition,
		})
	}
	return all
}
