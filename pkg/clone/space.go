package clone

import (
	"fmt"
	"path/filepath"

	"runner/pkg/files"
)

// Purposes of room.
const (
	PurposeStaging = "staging"
	PurposeArchive = "archive"
)

// Space is the room that something takes and that there is for it, in bytes.
type Space struct {
	Purpose string // PurposeStaging or PurposeArchive
	Path    string // where we see it; the nearest directory of it that exists was asked
	Need    int64
	Keep    int64 // what has to stay free after it
	Free    int64 // for users other than root
	Total   int64
	Basis   string // what Need was reckoned from
	Unknown string // why Need or Free is not known; "" when both are

	device uint64 // of the file system, to see which rows share one
}

// EstimateSpace reckons the room for the staging directory, where there is one, and, when Target names a place for it, for the archive. Both are
// there at the same time: the staging directory goes only when the archive is safe. Nothing is written.
func EstimateSpace(f *Facts, t Target) []Space {
	capacity := f.Source.RedoLogCapacity
	why := f.Unknown[FactSpaces]
	staging := Space{
		Purpose: PurposeStaging, Path: t.observed(t.Directory), Need: f.DiskBytes, Unknown: why,
		Basis: fmt.Sprintf("as the server reckons: %s of allocated tablespaces and %s of redo log capacity", bytesText(f.DiskBytes-capacity), bytesText(capacity)),
	}
	var spaces []Space
	if !t.streams() {
		spaces = append(spaces, staging.measured(t))
	}
	if t.ArchivePath == "" {
		return spaces
	}
	archive := Space{Purpose: PurposeArchive, Path: t.ArchivePath, Unknown: why}
	// Holes are stored as zeros, so it is the sizes that count here, and not what is allocated.
	raw := f.EstimateBytes + capacity
	archive.Need, archive.Basis = raw, "the size of the copy"
	if t.ArchiveNeed != nil {
		archive.Need, archive.Basis = t.ArchiveNeed(raw)
	}
	return append(spaces, archive.measured(t))
}

// measured asks the file system.
func (s Space) measured(t Target) Space {
	at, err := existing(s.Path)
	if err == nil && !filepath.IsAbs(s.Path) {
		at, err = filepath.Abs(at)
	}
	if err == nil {
		var room files.Room
		room, err = files.RoomAt(at)
		s.Free, s.Total = room.Free, room.Total
	}
	var o owner
	if err == nil {
		o, err = ownerOf(at)
	}
	if err != nil {
		s.Unknown = err.Error()
		return s
	}
	s.device = o.device
	if t.MinFree != nil {
		s.Keep = t.MinFree(s.Total)
	}
	return s
}

// shares reports whether both rows take from one file system.
func (s Space) shares(other Space) bool {
	return s.Unknown == "" && other.Unknown == "" && s.device == other.device
}
