package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// What lies below the reserved folder of a tar: the patches, and the script that applies them.
const (
	patchPrefix = reserved + "/patch/"
	scriptPath  = reserved + "/apply.sh"
)

// PAX records of a patch. FORMAT.md says which go together.
const (
	paxPath   = "RUNNER.patch.path"
	paxCreate = "RUNNER.patch.create"
	paxMap    = "RUNNER.patch.map"
	paxSize   = "RUNNER.patch.size"
	paxRename = "RUNNER.patch.rename"
	paxRemove = "RUNNER.patch.remove"
)

// paxYes is the value of the records that say something by being there.
const paxYes = "1"

// byteRange is a run of bytes of a file.
type byteRange struct{ off, n int64 }

// patch is an operation on a file of the tree: it makes the file, writes ranges and sets the size, in
// this order; or it gives the file another name, or removes it.
type patch struct {
	path   string      // of the file when the patch is applied
	create bool        // the member itself becomes the file
	ranges []byteRange // that the payload goes to, one after the other
	size   int64       // of the file afterwards; -1 where the patch does not set it
	rename string      // new path; empty where it keeps its own
	remove bool
}

// payload gives how many bytes the ranges have.
func (p *patch) payload() int64 {
	n := int64(0)
	for _, r := range p.ranges {
		n += r.n
	}
	return n
}

// end returns the largest size that the patch gives its file; 0 where it gives none.
func (p *patch) end() int64 {
	end := max(p.size, 0)
	for _, r := range p.ranges {
		end = max(end, r.off+r.n)
	}
	return end
}

func (p *patch) records() map[string]string {
	records := map[string]string{paxPath: p.path}
	if p.create {
		records[paxCreate] = paxYes
	}
	if len(p.ranges) > 0 {
		records[paxMap] = formatMap(p.ranges)
	}
	if p.size >= 0 {
		records[paxSize] = strconv.FormatInt(p.size, 10)
	}
	if p.rename != "" {
		records[paxRename] = p.rename
	}
	if p.remove {
		records[paxRemove] = paxYes
	}
	return records
}

// patchHeader gives the header blocks of patch number n. One that creates something carries what e says of
// that; any other is a file that only the script reads.
func patchHeader(n int64, p *patch, e Entry) ([]byte, error) {
	e.Path, e.Size = patchName(n), p.payload()
	if !p.create {
		e.Type, e.Link, e.Mode = TypeFile, "", 0o600
	}
	return tarHeaderWith(e, p.records())
}

func patchName(n int64) string { return patchPrefix + strconv.FormatInt(n, 10) }

// formatMap writes ranges as offset and length, decimal, all separated by commas.
func formatMap(ranges []byteRange) string {
	var b []byte
	for i, r := range ranges {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, r.off, 10)
		b = append(b, ',')
		b = strconv.AppendInt(b, r.n, 10)
	}
	return string(b)
}

// parseMap reads what formatMap wrote, in no other form. Lengths are 1 or more, and neither the end
// of a range nor the sum of the lengths is more than an int64 holds.
func parseMap(text string) ([]byteRange, error) {
	ranges := make([]byteRange, 0, strings.Count(text, ",")/2+1)
	total := int64(0)
	for rest, more := text, true; more; {
		var off, n string
		if off, rest, more = strings.Cut(rest, ","); !more {
			return nil, errors.New("map of a patch: an offset without length")
		}
		n, rest, more = strings.Cut(rest, ",")
		r := byteRange{}
		var err error
		if r.off, err = parseDecimal(off); err == nil {
			r.n, err = parseDecimal(n)
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("map of a patch: %w", err)
		case r.n == 0:
			return nil, errors.New("map of a patch: a range of no bytes")
		case r.off > math.MaxInt64-r.n || total > math.MaxInt64-r.n:
			return nil, errors.New("map of a patch: a range beyond the largest offset")
		}
		total += r.n
		ranges = append(ranges, r)
	}
	return ranges, nil
}

// parseDecimal reads a number without sign and without zeros before it.
func parseDecimal(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != s || n < 0 {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	return n, nil
}

// patchRecords are those that a patch may have besides paxRecords.
var patchRecords = []string{paxPath, paxCreate, paxMap, paxSize, paxRename, paxRemove}

// parsePatchedHeader reads the header blocks of one member of a tar with patches. The patch is nil
// for a whole member.
func parsePatchedHeader(blocks []byte) (Entry, *patch, error) {
	h, err := readTarHeader(blocks, func(key string) bool { return known(key, paxRecords) || known(key, patchRecords) })
	if err != nil {
		return Entry{}, nil, err
	}
	e, err := entryOfTar(h)
	if err != nil {
		return e, nil, err
	}
	p, err := patchOf(h)
	if err != nil {
		return e, nil, fmt.Errorf("read tar header of %q: %w", h.Name, err)
	}
	if p != nil {
		err = p.check(e)
	}
	if err != nil {
		return e, nil, fmt.Errorf("read tar header of %q: %w", h.Name, err)
	}
	return e, p, nil
}

func patchOf(h *tar.Header) (*patch, error) {
	p := &patch{size: -1}
	found := false
	for key, value := range h.PAXRecords {
		if !known(key, patchRecords) {
			continue
		}
		found = true
		if err := p.set(key, value); err != nil {
			return nil, err
		}
	}
	if !found {
		return nil, nil
	}
	return p, nil
}

func (p *patch) set(key, value string) (err error) {
	switch key {
	case paxPath:
		p.path = value
	case paxRename:
		p.rename = value
	case paxMap:
		p.ranges, err = parseMap(value)
	case paxSize:
		p.size, err = parseDecimal(value)
	case paxCreate:
		p.create = true
	case paxRemove:
		p.remove = true
	}
	if (key == paxCreate || key == paxRemove) && value != paxYes {
		return fmt.Errorf("record %s is %q", key, value)
	}
	return err
}

// check wants records that go together, and a payload that is as long as the map says.
func (p *patch) check(e Entry) error {
	alters := p.create || len(p.ranges) > 0 || p.size >= 0
	switch {
	case p.path == "":
		return errors.New("a patch of no path")
	case p.rename != "" && (alters || p.remove) || p.remove && alters:
		return errors.New("a patch of several operations")
	case !alters && p.rename == "" && !p.remove:
		return errors.New("a patch of no operation")
	case e.Size != p.payload():
		return fmt.Errorf("a patch of %d bytes, of which its map has %d", e.Size, p.payload())
	case p.create && len(p.ranges) > 0 && (len(p.ranges) > 1 || p.ranges[0].off != 0):
		return errors.New("a patch that creates a file is not its beginning")
	case e.Type != TypeFile && (!p.create || p.size >= 0):
		return fmt.Errorf("a patch of type %q", e.Type)
	}
	return nil
}
