package archive

import (
	"time"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/digest"
)

// IndexName is the file name of an index.
const IndexName = "index.json.zst"

// RebuiltIndexName is the file name of an index that was made from the data file in place of a lost one.
const RebuiltIndexName = "index.rebuilt.json.zst"

// DigestName is the algorithm of the digests in an index.
const DigestName = "blake3"

// IndexFormat is the format that this package writes; the number is the major version.
const IndexFormat = "runner-index/1"

// PatchedFormat is the format of the index of a tar with patches. A reader of before cannot read it, and
// so must not take it for one that it knows.
const PatchedFormat = "runner-index/2"

// Index tells where everything in the data file is. It can be rebuilt from that alone.
type Index struct {
	Format string       `json:"format"`
	Codec  codec.Format `json:"codec"`
	Digest string       `json:"digest"` // algorithm of all digests in files and frames: blake3
	Raw    int64        `json:"raw"`    // bytes of the tar
	Stored int64        `json:"stored"` // bytes of the data file, with what follows the frames
	// Rebuilt is nil for an index of a writer.
	Rebuilt *Rebuilt     `json:"rebuilt,omitempty"`
	Files   []*Member    `json:"files"`  // sorted by path; without patches this is the order of the tar
	Tar     []*TarMember `json:"tar"`    // what the tar holds, in its order; only where it has patches
	Frames  []Frame      `json:"frames"` // in the order of the data file
}

// Rebuilt says of an index that it was made from the data file. It knows no Allocated of its members.
type Rebuilt struct {
	Data string `json:"data"` // SHA-256 of the data file
}

// Patched says whether the tar has patches, so that the files are not simply its members.
func (idx *Index) Patched() bool { return idx.Format == PatchedFormat }

// TarMember is a member of a tar with patches as it lies there: a whole member, a patch, or the script at the end.
type TarMember struct {
	Name   string `json:"name"`   // in the tar; of a folder without the slash
	Header int64  `json:"header"` // offset in the tar of the first header block
	Offset int64  `json:"offset"` // offset in the tar of the content
	Size   int64  `json:"size"`   // bytes of content
}

// Member is a file, folder or link of the tree. Without patches it is a member of the tar as well.
type Member struct {
	Path      string      `json:"path"`
	Type      Type        `json:"type"`
	Mode      Mode        `json:"mode"`
	UID       int         `json:"uid"`
	GID       int         `json:"gid"`
	ModTime   time.Time   `json:"mtime"`
	Size      int64       `json:"size"`                // bytes of content
	Allocated int64       `json:"allocated,omitempty"` // bytes on the source's disk
	Link      string      `json:"link,omitempty"`      // target of a symbolic link
	Digest    digest.Hash `json:"digest,omitzero"`     // of the content of a file
	Header    int64       `json:"header"`              // offset in the tar of the first header block
	Offset    int64       `json:"offset"`              // offset in the tar of the content
	First     int         `json:"first_frame"`         // frame of the first byte of content, or of the header where there is none
	Last      int         `json:"last_frame"`          // frame of the last byte of content
	InnoDB    *Pages      `json:"innodb,omitempty"`    // nil for what is no tablespace file, or with Pages off
	// Extents are the bytes of a file that patches made or changed, sorted by offset; what is in none of
	// them is zero. Not nil, though it may be empty, for such files alone: they have no digest, and Header
	// and Offset are 0.
	Extents []Extent `json:"extents,omitzero"`
}

// Pages are the InnoDB facts of a tablespace file.
type Pages struct {
	SpaceID     uint32   `json:"space_id"`
	PageSize    int      `json:"page_size"`           // bytes on disk
	FirstPage   uint32   `json:"first_page,omitzero"` // number of its first page: more than 0 in later files of a system tablespace
	Total       int64    `json:"pages"`
	Zero        int64    `json:"zero"`               // never written to
	Bad         int64    `json:"bad"`                // checksum or structure wrong
	BadPages    []uint32 `json:"bad_pages,omitzero"` // numbers of the first [MaxBadPages] of them
	Uncheckable int64    `json:"uncheckable"`        // encrypted, so that the checksum cannot be computed
	Unknown     int64    `json:"unknown,omitzero"`   // not looked at when the backup was made, since patches wrote them
	Encrypted   bool     `json:"encrypted"`          // the tablespace says so
	Compressed  bool     `json:"compressed"`         // row format COMPRESSED
	MinLSN      uint64   `json:"min_lsn"`            // of the pages that are neither zero nor bad
	MaxLSN      uint64   `json:"max_lsn"`
}

// MaxBadPages is how many damaged pages of one file are listed by number.
const MaxBadPages = 1000

// Frame is a piece of the tar, compressed on its own.
type Frame struct {
	Offset int64       `json:"offset"` // in the data file
	Stored int64       `json:"stored"` // bytes
	Raw    int64       `json:"raw"`    // bytes
	Digest digest.Hash `json:"digest"` // of the stored bytes
}
