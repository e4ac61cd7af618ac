package archive

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"runner/pkg/archive/codec"
)

// agreeSeeds is how many random archives a run looks at; AGREE_SEEDS in the environment says another number.
const agreeSeeds = 300

// mutator changes a forged archive at random.
type mutator struct {
	r *rand.Rand
	f *forged
}

// header changes bytes of a header, with a checksum that holds.
func (m *mutator) header() {
	i := m.r.IntN(len(m.f.members))
	h := slices.Clone(m.f.members[i].header)
	at := m.r.IntN(len(h))
	if m.r.IntN(2) == 0 { // the fields that mean something
		block := tarBlock * m.r.IntN(len(h)/tarBlock)
		at = block + []int{0, 1, 2, 104, 105, 106, 113, 114, 121, 122, 132, 133, 134, 144, 145, 156, 157, 158, 257, 262, 263, 265, 297, 345, 346}[m.r.IntN(25)]
	}
	h[at] = []byte{0, '/', '.', '0', '1', '2', '3', '5', '7', 'x', 'g', 'L', 'S', ' ', 'a', 0x80, 0xff, byte(m.r.IntN(256))}[m.r.IntN(18)]
	block := h[at/tarBlock*tarBlock:][:tarBlock]
	if string(block[257:262]) == "ustar" { // no records
		sum := 0
		for k, c := range block {
			if k >= 148 && k < 156 {
				c = ' '
			}
			sum += int(c)
		}
		copy(block[148:], fmt.Sprintf("%06o\x00 ", sum))
	}
	m.f.members[i].header = h
}

// content changes a byte of content, which the index believes.
func (m *mutator) content() {
	i := m.r.IntN(len(m.f.members))
	if c := []byte(m.f.members[i].content); len(c) > 0 {
		c[m.r.IntN(len(c))] ^= 1 << m.r.IntN(8)
		m.f.members[i].content = string(c)
	}
}

// index changes a number, a path or the order of what the index lists.
func (m *mutator) index() {
	what, n, path := m.r.IntN(12), m.r.Int64N(4)-1, []string{"a", "b", ".", "l", "..", "#clone", "d/x"}[m.r.IntN(7)]
	pick := m.r.IntN(100)
	m.f.index = func(files []*Member) []*Member {
		if len(files) == 0 {
			return files
		}
		f := files[pick%len(files)]
		numbers := []*int64{&f.Size, &f.Header, &f.Offset, &f.Allocated}
		switch {
		case what < len(numbers):
			*numbers[what] += n
		case what == 4:
			f.Path = path
		case what == 5:
			f.Mode = Mode(n) & modeAll
		case what == 6:
			f.UID += int(n)
		case what == 7:
			f.Link = path
		case what == 8:
			files = slices.Delete(files, pick%len(files), pick%len(files)+1)
		case what == 9:
			f.Type = []Type{TypeFile, TypeDir, TypeSymlink}[pick%3]
		case what == 10 && len(f.Extents) > 0:
			e := &f.Extents[pick%len(f.Extents)]
			*[]*int64{&e.Off, &e.N, &e.At}[pick%3] += n
		default:
			f.ModTime = f.ModTime.Add(1)
		}
		return files
	}
}

// believe has the index say what the headers do, where they can be read.
func (m *mutator) believe() {
	for i, r := range m.f.members {
		if e, err := parseTarHeader(r.header); err == nil {
			member := memberOf(e)
			m.f.members[i].member = *member
		}
	}
}

func (m *mutator) change() {
	for range 1 + m.r.IntN(3) {
		[]func(){m.header, m.header, m.header, m.content, m.index}[m.r.IntN(5)]()
	}
	switch m.r.IntN(20) {
	case 0:
		m.f.fill = 1
	case 1:
		m.f.end = slices.Repeat([]byte{1}, tarEnd)
	case 2:
		m.f.after = "x"
	}
	if m.r.IntN(4) > 0 {
		m.believe()
	}
}

// Whatever is wrong with an archive, the three ways to read it agree on the tree, or verify and restore refuse it.
func TestVerifyRestoreAndToolsAgreeOnRandomArchives(t *testing.T) {
	seeds := uint64(agreeSeeds)
	if text := os.Getenv("AGREE_SEEDS"); text != "" {
		n, err := strconv.ParseUint(text, 10, 32)
		must(t, err)
		seeds = n
	}
	passed := 0
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 17))
		patched := r.IntN(2) == 0
		cases := trees()
		if patched {
			cases = patchedTrees()
		}
		names := slices.Sorted(maps.Keys(cases))
		name := names[r.IntN(len(names))]
		f := cases[name].forged
		f.format = []codec.Format{codec.None, codec.Zstd}[r.IntN(2)]
		f.members = slices.Clone(f.members)
		m := &mutator{r: r, f: &f}
		m.change()
		w := readAllWays(t, f.make(t), f.format, patched)
		if what := w.disagreement(); what != "" {
			t.Errorf("seed %d, %s: %s", seed, name, what)
		}
		if w.verify == nil {
			passed++
		} else if !typed(w.verify) {
			t.Errorf("seed %d, %s: an error of no kind: %v", seed, name, w.verify)
		}
	}
	t.Logf("%d of %d archives were sound", passed, seeds)
	if seeds >= agreeSeeds && passed < 10 {
		t.Errorf("only %d of %d archives were sound", passed, seeds)
	}
}
