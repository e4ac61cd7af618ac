package archive

import (
	"fmt"
	"slices"
	"sync"

	"runner/pkg/innodb"
)

// patchedVerifier is what a verification of a tar with patches keeps besides.
type patchedVerifier struct {
	mu     sync.Mutex
	facts  map[int][]extentFacts // by frame, until its turn
	pages  map[*Member]*Pages    // what was seen so far of files with extents
	header map[*Member]bool      // the first page was seen, and is not what the index says
	told   map[*Member]bool      // that it is not readable as a whole
}

// extentFacts is what the pages in a piece of an extent say.
type extentFacts struct {
	member *Member
	facts  *pieceFacts
}

func newPatchedVerifier(b *Backup) *patchedVerifier {
	p := &patchedVerifier{
		facts: map[int][]extentFacts{}, pages: map[*Member]*Pages{}, header: map[*Member]bool{},
		told: map[*Member]bool{},
	}
	for _, m := range b.index.Files {
		if m.Extents != nil && m.InnoDB != nil {
			holes := holePages(m, int64(m.InnoDB.PageSize))
			p.pages[m] = &Pages{Total: holes, Zero: holes}
		}
	}
	return p
}

// spaceOfFacts is the part of a space that the facts of a file keep, which is all that checking a page needs.
func spaceOfFacts(p *Pages) innodb.Space {
	return innodb.Space{
		ID: p.SpaceID, First: p.FirstPage, PageSize: p.PageSize, Logical: p.PageSize, Compressed: p.Compressed, Encrypted: p.Encrypted,
	}
}

// checkPages looks at the pages that lie whole in a piece of an extent, at what the index says that they
// are: the first page may come later. The workers call it.
func (p *patchedVerifier) checkPages(u *unpacked, s span) {
	m := s.member
	if m.InnoDB == nil {
		return
	}
	content, off := u.raw[s.lo:s.hi], s.off
	size := int64(m.InnoDB.PageSize)
	skip := (size - off%size) % size
	if skip >= int64(len(content)) {
		return
	}
	content, off = content[skip:], off+skip
	content = content[:int64(len(content))/size*size]
	facts := checkPages(spaceOfFacts(m.InnoDB), content, off, false)
	wrong := off == 0 && len(content) > 0 && m.InnoDB.FirstPage == 0 && !sameSpace(content, m.InnoDB)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.facts[u.number] = append(p.facts[u.number], extentFacts{m, facts})
	if wrong {
		p.header[m] = true
	}
}

// sameSpace says whether the first page says what the index does.
func sameSpace(page []byte, p *Pages) bool {
	s, err := innodb.ReadSpace(page)
	return err == nil && s.ID == p.SpaceID && s.PageSize == p.PageSize && s.Encrypted == p.Encrypted && s.Compressed == p.Compressed
}

// checkExtent takes the facts of all extents of a frame with the first of them, and tells what is damaged.
func (v *verifier) checkExtent(u *unpacked, s span) {
	p := v.patched
	if u.raw == nil {
		if !p.told[s.member] {
			p.told[s.member] = true
			v.foundIn(CodeContent, u.frame.Offset, s.member, "not readable as a whole")
		}
		return
	}
	p.mu.Lock()
	facts := p.facts[u.number]
	delete(p.facts, u.number)
	p.mu.Unlock()
	for _, f := range facts {
		told := p.pages[f.member].Bad
		p.pages[f.member].merge(f.facts)
		for _, b := range f.facts.bad[:min(int64(len(f.facts.bad)), max(0, MaxBadPages-told))] {
			known := slices.Contains(f.member.InnoDB.BadPages, b.number)
			v.badPageOfExtent(f.member, u.frame.Offset, int64(b.number), fmt.Sprintf("page %d: %s", b.number, b.reason), known)
		}
	}
}

// badPageOfExtent is for a damaged page of a file that patches wrote. It is known where it was damaged when it came.
func (v *verifier) badPageOfExtent(m *Member, offset, page int64, detail string, known bool) {
	v.found(Finding{
		Code: CodePage, File: v.backup.dataName(), Offset: offset, Member: m.Path, Page: page, Detail: detail, Known: known,
		Check: innodb.FileOf(m.Path).CheckStatement(m.InnoDB.SpaceID),
	})
}

// comparePatched compares what the members of the tar make with the index, and sums up the pages.
func (v *verifier) comparePatched() {
	p, b := v.patched, v.backup
	for _, m := range b.index.Files {
		if p.header[m] {
			v.found(Finding{
				Code: CodeStructure, File: v.backup.manifest.Archive.Index.Name, Offset: -1, Member: m.Path, Page: -1, Detail: "InnoDB facts are not those of the file",
			})
		}
		if pages := p.pages[m]; pages != nil {
			if more := pages.Bad - MaxBadPages; more > 0 {
				v.badPageOfExtent(m, -1, -1, fmt.Sprintf("%d more pages are damaged", more), pages.Bad == m.InnoDB.Bad)
			}
			pages.Unknown = m.InnoDB.Total - pages.Total
			pages.Total = m.InnoDB.Total
			v.report.Pages.add(pages)
		}
	}
	for _, f := range v.report.Findings {
		if f.Code == CodeFrame {
			return // headers are missing
		}
	}
	for _, e := range v.tar.end() {
		v.foundWith(e)
	}
	v.foundWith(v.tar.checkScript())
}
