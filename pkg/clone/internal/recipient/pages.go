package recipient

import (
	"maps"
	"slices"

	"runner/pkg/clone/internal/wire"
	"runner/pkg/innodb"
)

// Pages is what the checksums of InnoDB pages say. While files are copied a page may come torn: the donor sends it
// again, so what counts is how a page was when it was last sent.
type Pages struct {
	Checked int64 // pages whose checksum was looked at, those that came twice counted twice
	Bad     []BadPage
}

// BadPage is a page that is damaged in the copy: its checksum, its number or its tablespace is wrong, or it is cut off.
type BadPage struct {
	Path    string
	Page    uint32 // in the file, from 0
	SpaceID uint32
}

func (p *Pages) check(f *file, d *wire.Data, data []byte) {
	size := f.space.PageSize
	if size == 0 || d.Offset%uint64(size) != 0 {
		return
	}
	first := uint32(d.Offset / uint64(size))
	for n := 0; (n+1)*size <= len(data); n++ {
		number := first + uint32(n)
		p.Checked++
		if f.space.Check(number, data[n*size:][:size]).State == innodb.Bad {
			if f.bad == nil {
				f.bad = map[uint32]bool{}
			}
			f.bad[number] = true
		} else if f.bad != nil {
			delete(f.bad, number)
		}
	}
}

// conclude lists the pages that are bad in the end, in the order of files and numbers.
func (p *Pages) conclude(fs *files) {
	for _, f := range fs.data {
		if f.removed {
			continue
		}
		for _, number := range slices.Sorted(maps.Keys(f.bad)) {
			p.Bad = append(p.Bad, BadPage{Path: f.path, Page: number, SpaceID: f.space.ID})
		}
	}
}
