package archive

import (
	"fmt"
	"time"

	"filippo.io/age"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/manifest"
	"runner/pkg/innodb"
)

// PackOptions say how to pack. Format and Level are taken as they are: there is no level that
// stands for a default, since 0 is one of gzip's.
type PackOptions struct {
	Format    string // none, gzip, zstd, lz4
	Level     int    // on the format's own scale; see codec.Format.DefaultLevel
	Threads   int    // frames packed at once; 0 = one per CPU
	Bandwidth int64  // most bytes read per second from the tree; 0 = no limit
	Pages     bool   // verify InnoDB pages
	// Recipients are those who can decrypt data and index, each as `age -r` takes it: age1…, or an
	// SSH public key. None: nothing is encrypted.
	Recipients []string

	WriteBandwidth int64 // most bytes of the data file written per second; 0 = no limit

	// Resumable makes frames durable now and then, and keeps them when the pack fails, is cancelled
	// or is killed. The next resumable pack of the same tree with the same Format, Level and Pages
	// goes on behind them: it reads them back once, and of the tree only what it needs besides.
	// What it makes has the same bytes as one that was never interrupted. Where it cannot go on, it
	// begins anew.
	Resumable bool
	// OnResume is told, before anything is packed, what became of what an earlier pack had left. It
	// is not called where nothing was left.
	OnResume func(Resumption)

	// Progress is told the raw bytes packed so far, frame by frame, from one goroutine. Frames that
	// are read back count; where then the pack begins anew, so do the numbers.
	Progress func(rawBytes int64)
	// OnBadPage is told each damaged page, in the order of the archive, from one goroutine.
	OnBadPage func(BadPage)
}

// BadPage is a damaged page of a tablespace file.
type BadPage struct {
	Path    string
	Page    uint32 // number of the page in the file
	SpaceID uint32 // of the file
	Reason  string
}

// File says which table it is of, as far as the path tells.
func (b BadPage) File() innodb.File { return innodb.FileOf(b.Path) }

// String names file, page and table, and says what is wrong.
func (b BadPage) String() string {
	return fmt.Sprintf("%s, page %d (%v): %s", b.Path, b.Page, b.File(), b.Reason)
}

// Packed is what [Pack] made.
type Packed struct {
	Index      *Index
	Format     codec.Format
	Level      int
	Data       Stored
	Recipients int   // that data and index are encrypted for; 0 = not encrypted
	RawBytes   int64 // of the tar
	Files      int64 // members: files, folders and links
	ZeroFrames int64 // frames that hold nothing but zeros
	HoleBytes  int64 // bytes that were not read since they are holes
	Checked    bool  // InnoDB pages were verified
	Pages      PageStats

	recipients []age.Recipient // for the index
}

// Manifest gives the part of a manifest that describes the archive. index is what [WriteIndex] gave.
func (p *Packed) Manifest(index Stored) manifest.Archive {
	a := manifest.Archive{
		Compression: string(p.Format), Level: p.Level, FrameSize: codec.FrameSize,
		Frames: int64(len(p.Index.Frames)), ZeroFrames: p.ZeroFrames, Files: p.Files,
		RawBytes: p.RawBytes, StoredBytes: p.Data.Bytes,
		Data: manifest.StoredFile(p.Data), Index: manifest.StoredFile(index),
		Pages: manifest.Pages{
			Checked: p.Checked, Total: p.Pages.Total, Zero: p.Pages.Zero, Bad: p.Pages.Bad,
			Uncheckable: p.Pages.Uncheckable, Unknown: p.Pages.Unknown, MinLSN: p.Pages.MinLSN, MaxLSN: p.Pages.MaxLSN,
		},
	}
	if p.Recipients > 0 {
		a.Encryption, a.Recipients = manifest.EncryptionAge, p.Recipients
	}
	if p.RawBytes > 0 {
		a.Ratio = float64(p.Data.Bytes) / float64(p.RawBytes)
	}
	return a
}

// Stored is a file of the backup that is complete and durable.
type Stored struct {
	Name     string
	Bytes    int64
	SHA256   string // 64 lower-case hexadecimal digits
	RawBytes int64  // once decompressed
}

// PageStats sums up the InnoDB facts of all members.
type PageStats struct {
	Files       int64  `json:"files"` // tablespace files
	Total       int64  `json:"total"` // pages
	Zero        int64  `json:"zero"`
	Bad         int64  `json:"bad"`
	Uncheckable int64  `json:"uncheckable"`
	Unknown     int64  `json:"unknown,omitzero"` // not looked at
	MinLSN      uint64 `json:"min_lsn"`
	MaxLSN      uint64 `json:"max_lsn"`
}

// VerifyOptions say how much to verify.
type VerifyOptions struct {
	// Quick looks at presence, sizes, and the digests of index and manifest, not at the data.
	Quick    bool
	Threads  int // frames decoded at once; 0 = one per CPU
	Progress func(done, total int64)
}

// Report is what [Backup.Verify] or [VerifyStored] saw.
type Report struct {
	Quick bool
	// Sealed says that only the stored bytes were looked at, and not what is encrypted in them.
	Sealed   bool
	Findings []Finding // empty if all is well
	Files    int64     // members that were compared with the index
	Frames   int64     // frames that were decoded
	Bytes    int64     // raw bytes that were checked
	Pages    PageStats
}

// Finding is one thing that is wrong.
type Finding struct {
	Code   string `json:"code"`   // missing, size, digest, frame, structure, content, index, page
	File   string `json:"file"`   // of the backup
	Offset int64  `json:"offset"` // in File, once decrypted; -1 if not one place
	Member string `json:"member"` // path of the affected member; empty if not one
	Page   int64  `json:"page"`   // number of the damaged page; -1 if it is not about a page
	Detail string `json:"detail"`
	// Known is true for a damaged page that the backup was made with: the source had it.
	Known bool `json:"known"`

	// What Member is to InnoDB; all of it empty for what is no tablespace file.
	Of           string `json:"of,omitempty"`           // in words: table `shop`.`orders`, partition `p0`
	Schema       string `json:"schema,omitempty"`       // of a table, as in SQL
	Table        string `json:"table,omitempty"`        // the same
	Partition    string `json:"partition,omitempty"`    // the same
	Subpartition string `json:"subpartition,omitempty"` // the same

	// Check is for a damaged page the SQL statement to look further into it with at the source: see
	// innodb.File.CheckStatement, and what a server does when it meets a damaged page.
	Check string `json:"check,omitempty"`
}

// name fills in what Member is to InnoDB.
func (f *Finding) name() {
	file := innodb.FileOf(f.Member)
	if file.Kind == innodb.OtherFile {
		return
	}
	f.Of, f.Schema, f.Table = file.String(), file.Schema, file.Table
	f.Partition, f.Subpartition = file.Partition, file.Subpartition
}

// RestoreOptions say what to restore.
type RestoreOptions struct {
	// Paths are patterns as of path.Match; one that matches a folder takes all that is in it.
	// None takes everything.
	Paths    []string
	Threads  int  // frames decoded at once; 0 = one per CPU
	DryRun   bool // touch nothing; tell what would be restored
	Progress func(done, total int64)

	recordEvery time.Duration // 0: recordInterval
}

// Restored is what [Backup.Restore] restored, or would.
type Restored struct {
	Files     int64 // files, folders and links
	Bytes     int64 // of content
	Continued int64 // bytes of content that an earlier attempt had restored
	Allocated int64 // bytes of disk that the files took at the source; -1 if unknown, with a rebuilt index
	Need      int64 // of Allocated, what had still to be allocated at the target; -1 if unknown
	Free      int64 // bytes that the file system of the target had free at the start; -1 if unknown
	Frames    int64 // frames that are read
	// KeptOwner is whom the data directory belonged to at the source, where the process may not give files away, and all
	// belong to it instead. nil: every member has the owner that it had, or it was a dry run.
	KeptOwner *Owner
}

// Owner is a user and a group, by number.
type Owner struct{ UID, GID int }
