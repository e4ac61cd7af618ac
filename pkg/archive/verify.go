package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"reflect"
	"sync"

	"github.com/zeebo/blake3"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/digest"
	"runner/pkg/archive/store"
	"runner/pkg/innodb"
)

// Codes of findings.
const (
	CodeMissing   = "missing"   // a file of the backup is not there
	CodeSize      = "size"      // a file of the backup, or of the system tablespace in it, has another size
	CodeDigest    = "digest"    // a file of the backup has another digest
	CodeFrame     = "frame"     // a frame cannot be read
	CodeStructure = "structure" // tar or seek table are not what the index says
	CodeContent   = "content"   // a member has another content than the index says
	CodeIndex     = "index"     // the index is lost or damaged, and a rebuilt one is read in its place
	CodePage      = "page"      // an InnoDB page is damaged
)

// Verify compares all that was stored with what the manifest and the index say: sums, sizes,
// every frame, the structure of the tar, every file and every InnoDB page; with Quick only
// presence, sizes and the digests of index and manifest, which [Open] has looked at already.
//
// It goes on after what is wrong. If anything is, the error is [ErrCorrupt], or [ErrBadPages]
// if nothing else is wrong than pages that were not known to be damaged when the backup was made;
// the report, which is never nil then, tells all. Other errors, which say nothing about the
// backup, are those of the store and the context.
func (b *Backup) Verify(ctx context.Context, o VerifyOptions) (*Report, error) {
	v := &verifier{
		backup: b, options: o, report: &Report{Quick: o.Quick},
		spaces: map[*Member]*spaceReader{}, files: blake3.New(), tar: newTarCheck(b, true),
	}
	if b.index.Patched() {
		v.patched = newPatchedVerifier(b)
	}
	if err := v.checkSums(ctx); err != nil {
		return nil, err
	}
	if b.lost != nil {
		v.found(Finding{Code: CodeIndex, File: b.manifest.Archive.Index.Name, Offset: -1, Page: -1, Detail: fmt.Sprintf("%v; %s is read in its place", b.lost, RebuiltIndexName)})
	}
	if err := v.checkDataFile(ctx, v.checkData); err != nil {
		return nil, err
	}
	for _, f := range systemSizes(b.manifest.Source.InnodbDataFilePath, b.index.Files) {
		f.File = b.manifest.Archive.Index.Name
		v.found(f)
	}
	return v.report, v.verdict()
}

// checkDataFile looks whether the data file is there with its size, and hands it to check unless a quick look is all
// that was asked for.
func (v *verifier) checkDataFile(ctx context.Context, check func(context.Context, store.Reader) error) error {
	want := v.backup.manifest.Archive.Data
	stored, err := v.backup.store.Open(ctx, want.Name)
	if errors.Is(err, fs.ErrNotExist) {
		v.found(Finding{Code: CodeMissing, File: want.Name, Offset: -1, Page: -1, Detail: "missing"})
		return nil
	}
	if err != nil {
		return err
	}
	if stored.Size() != want.Bytes {
		v.found(Finding{
			Code: CodeSize, File: want.Name, Offset: min(stored.Size(), want.Bytes), Page: -1,
			Detail: fmt.Sprintf("%d bytes, the manifest says %d", stored.Size(), want.Bytes),
		})
	}
	if !v.options.Quick {
		err = check(ctx, stored)
	}
	return errors.Join(err, stored.Close())
}

type verifier struct {
	backup  *Backup
	options VerifyOptions
	report  *Report

	mu     sync.Mutex
	spaces map[*Member]*spaceReader // of members that span frames

	// What follows belongs to the frame whose turn it is.
	files     *blake3.Hasher
	pages     *Pages // of the member that is being read
	broken    bool   // a frame of it is damaged
	checksums []uint32
	raw       int64

	tar     *tarCheck
	patched *patchedVerifier // nil for a tar without patches
}

func (v *verifier) found(f Finding) {
	f.name()
	v.report.Findings = append(v.report.Findings, f)
}

// foundIn is for what is wrong with the data file.
func (v *verifier) foundIn(code string, offset int64, m *Member, format string, args ...any) {
	f := Finding{Code: code, File: v.backup.dataName(), Offset: offset, Page: -1, Detail: fmt.Sprintf(format, args...)}
	if m != nil {
		f.Member = m.Path
	}
	v.found(f)
}

// foundWith takes what a tarCheck found; nil for nothing.
func (v *verifier) foundWith(e *CorruptError) {
	if e != nil {
		v.found(Finding{Code: CodeStructure, File: e.File, Offset: e.Offset, Member: e.Member, Page: -1, Detail: e.What})
	}
}

// verdict turns findings into an error.
func (v *verifier) verdict() error {
	pages := 0
	for _, f := range v.report.Findings {
		switch {
		case f.Code != CodePage:
			return &CorruptError{File: f.File, Offset: f.Offset, Member: f.Member, What: f.Detail}
		case !f.Known:
			pages++
		}
	}
	if pages > 0 {
		return fmt.Errorf("%w: %d", ErrBadPages, pages)
	}
	return nil
}

// checkSums compares SHA256SUMS with the manifest.
func (v *verifier) checkSums(ctx context.Context) error {
	wrong := func(code, what string) {
		v.found(Finding{Code: code, File: digest.SumsName, Offset: -1, Page: -1, Detail: what})
	}
	data, err := store.ReadAll(ctx, v.backup.store, digest.SumsName, digest.MaxSums)
	var large *store.TooLargeError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		wrong(CodeMissing, "missing")
		return nil
	case errors.As(err, &large):
		wrong(CodeSize, large.Error())
		return nil
	case err != nil:
		return err
	}
	sums, err := digest.ParseSums(data)
	if err != nil {
		wrong(CodeStructure, err.Error())
		return nil
	}
	a := v.backup.manifest.Archive
	want := []digest.Sum{{Name: a.Data.Name, SHA256: a.Data.SHA256}, {Name: a.Index.Name, SHA256: a.Index.SHA256}}
	if !reflect.DeepEqual(sums, want) { // both are sorted: "data…" comes before "index…"
		wrong(CodeDigest, "it does not name data and index with the digests of the manifest")
	}
	return nil
}

func (v *verifier) checkData(ctx context.Context, stored store.Reader) error {
	if isSealed(v.backup.manifest) {
		return v.checkSealed(ctx, stored)
	}
	sum := sha256.New()
	tail, err := v.checkFrames(ctx, stored, func(_ context.Context, u *unpacked) error {
		sum.Write(u.stored)
		return nil
	})
	if err != nil {
		return err
	}
	sum.Write(tail)
	v.checkDigest(sum)
	return nil
}

// checkFrames checks all that is in the data file and gives what follows the frames; sum is that of a scan.
func (v *verifier) checkFrames(ctx context.Context, data store.Reader, sum func(context.Context, *unpacked) error) ([]byte, error) {
	b := v.backup
	all := make([]int, len(b.index.Frames))
	for i := range all {
		all[i] = i
	}
	v.checksums = make([]uint32, len(all))
	s := &scan{
		backup: b, data: data, threads: v.options.Threads, frames: all, sum: sum,
		decoded: v.decoded, inOrder: v.inOrder,
	}
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	tail, err := v.readTail(data)
	if err != nil {
		return nil, err
	}
	v.checkTail(tail)
	if v.patched != nil {
		v.comparePatched()
	}
	return tail, nil
}

func (v *verifier) checkDigest(sum hash.Hash) {
	want := v.backup.manifest.Archive.Data.SHA256
	if got := hex.EncodeToString(sum.Sum(nil)); got != want {
		v.foundIn(CodeDigest, -1, nil, "SHA-256 is %s, the manifest says %s", got, want)
	}
}

// decoded checks the pages of a frame.
func (v *verifier) decoded(ctx context.Context, u *unpacked) error {
	return v.backup.spans(u.number, func(s span) error {
		if s.part == partExtent && u.raw != nil {
			v.patched.checkPages(u, s)
		}
		if s.part != partContent || s.member.Size == 0 || !innodb.IsTablespace(s.member.Path) {
			return nil
		}
		reader := v.space(s)
		if u.raw == nil {
			// Nobody will believe what the other pieces say, but they wait for this one.
			if s.first() {
				reader.learn(nil)
			}
			return nil
		}
		content := u.raw[s.lo:s.hi]
		if s.first() {
			reader.learn(content)
		}
		facts, err := reader.check(ctx, content, s.off, false)
		if err != nil {
			return err
		}
		if u.facts == nil {
			u.facts = map[*Member]*pieceFacts{}
		}
		u.facts[s.member] = facts
		return nil
	})
}

// space gives what the pieces of a member share.
func (v *verifier) space(s span) *spaceReader {
	if s.first() && s.last() {
		return &spaceReader{known: make(chan struct{})}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.spaces[s.member]
	if r == nil {
		r = &spaceReader{known: make(chan struct{})}
		v.spaces[s.member] = r
	}
	return r
}

// inOrder compares the structure of the tar and the content of files.
func (v *verifier) inOrder(u *unpacked) error {
	var damage *CorruptError
	if errors.As(u.err, &damage) {
		v.found(Finding{
			Code: CodeFrame, File: damage.File, Offset: damage.Offset, Member: damage.Member, Page: -1,
			Detail: describe(damage),
		})
	}
	if u.stored != nil {
		v.checksums[u.number] = codec.FrameChecksum(u.stored)
	}
	err := v.backup.spans(u.number, func(s span) error {
		switch s.part {
		case partHeader:
			v.checkHeader(u, s)
		case partExtent:
			v.checkExtent(u, s)
		case partDead: // the digest of the frame is all there is to it, but for the script
			if u.raw != nil {
				v.tar.dead(u, s)
			}
		case partContent:
			v.checkContent(u, s)
		case partZeros:
			if u.raw != nil {
				v.foundWith(v.tar.zeros(u, s))
			}
		}
		return nil
	})
	v.report.Frames++
	v.raw += u.frame.Raw
	if u.raw != nil {
		v.report.Bytes += u.frame.Raw
	}
	if v.options.Progress != nil {
		v.options.Progress(v.raw, v.backup.index.Raw)
	}
	return err
}

func describe(e *CorruptError) string {
	if e.Err != nil {
		return e.What + ": " + e.Err.Error()
	}
	return e.What
}

func (v *verifier) checkHeader(u *unpacked, s span) {
	v.report.Files++
	if u.raw != nil {
		v.foundWith(v.tar.header(u, s))
	}
}

func (v *verifier) checkContent(u *unpacked, s span) {
	if s.first() {
		v.files.Reset()
		v.broken = false
		v.pages = nil
	}
	if u.raw == nil {
		v.broken = true
	} else {
		v.files.Write(u.raw[s.lo:s.hi])
	}
	if facts := u.facts[s.member]; facts != nil && !v.broken {
		v.addFacts(s.member, facts)
	}
	if !s.last() {
		return
	}
	v.mu.Lock()
	delete(v.spaces, s.member)
	v.mu.Unlock()
	if v.broken {
		v.foundIn(CodeContent, u.frame.Offset, s.member, "not readable as a whole")
		return
	}
	var got digest.Hash
	v.files.Sum(got[:0])
	if got != s.member.Digest {
		v.foundIn(CodeContent, u.frame.Offset, s.member, "content has another digest than the index says")
	}
	v.checkPages(s.member)
}

func (v *verifier) addFacts(m *Member, facts *pieceFacts) {
	if v.pages == nil {
		v.pages = &Pages{}
		v.pages.describe(facts.space)
	}
	told := v.pages.Bad
	v.pages.merge(facts)
	for _, b := range facts.bad[:min(int64(len(facts.bad)), max(0, MaxBadPages-told))] {
		v.badPage(m, int64(b.number), fmt.Sprintf("page %d: %s", b.number, b.reason))
	}
}

// badPage is for a damaged page of a member; -1 stands for all that are not told one by one.
func (v *verifier) badPage(m *Member, page int64, detail string) {
	v.found(Finding{
		Code: CodePage, File: v.backup.dataName(), Offset: -1, Member: m.Path, Page: page, Detail: detail, Known: m.InnoDB != nil,
		Check: innodb.FileOf(m.Path).CheckStatement(v.pages.SpaceID),
	})
}

// checkPages compares with what was seen when the backup was made; where the digest of the file
// is right and this is not, the index is wrong.
func (v *verifier) checkPages(m *Member) {
	if v.pages == nil {
		return
	}
	v.report.Pages.add(v.pages)
	if more := v.pages.Bad - MaxBadPages; more > 0 {
		v.badPage(m, -1, fmt.Sprintf("%d more pages are damaged", more))
	}
	if m.InnoDB != nil && !reflect.DeepEqual(v.pages, m.InnoDB) {
		v.found(Finding{
			Code: CodeStructure, File: v.backup.manifest.Archive.Index.Name, Offset: -1, Member: m.Path, Page: -1,
			Detail: "InnoDB facts are not those of the file",
		})
	}
}

// readTail reads what follows the frames, as far as there can be anything.
func (v *verifier) readTail(data store.Reader) ([]byte, error) {
	end := int64(0)
	if n := len(v.backup.index.Frames); n > 0 {
		last := v.backup.index.Frames[n-1]
		end = last.Offset + last.Stored
	}
	size := min(data.Size(), v.backup.index.Stored) - end
	if size <= 0 {
		return nil, nil
	}
	tail := make([]byte, size)
	if n, err := data.ReadAt(tail, end); n < len(tail) {
		if errors.Is(err, errSeal) {
			return tail[:n], nil // what is missing of the seek table will be noticed
		}
		return nil, fmt.Errorf("read %s: %w", v.backup.dataName(), err)
	}
	return tail, nil
}

// checkTail compares the seek table with the index.
func (v *verifier) checkTail(tail []byte) {
	if v.backup.index.Codec != codec.Zstd {
		return
	}
	at := v.backup.index.Stored - codec.SeekTableSize(len(v.backup.index.Frames))
	entries, err := codec.ParseSeekTable(tail)
	if err != nil {
		v.foundIn(CodeStructure, at, nil, "%v", err)
		return
	}
	for i, e := range entries {
		f := v.backup.index.Frames[i]
		if int64(e.Stored) != f.Stored || int64(e.Raw) != f.Raw || e.Checksum != v.checksums[i] {
			v.foundIn(CodeStructure, at, nil, "seek table and index differ on frame %d", i)
			return
		}
	}
}
