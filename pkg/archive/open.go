package archive

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store"
)

// Backup is a complete backup that is open for reading. It holds no files open.
type Backup struct {
	store      store.Store
	manifest   *manifest.Manifest
	index      *Index
	starts     []int64 // offset in the tar of each frame, and of the end
	identities []Identity
	placed     *placed // where the files of a tar with patches are; nil for any other
	lost       error   // see LostIndex
}

// LostIndex says what is wrong with the index of the backup, if a rebuilt one is read in its place; else nil.
func (b *Backup) LostIndex() error { return b.lost }

// Open reads and checks manifest and index. With any of the identities an encrypted backup is decrypted; for others
// none is needed. In place of an index that is lost or damaged it takes the one that [RebuildIndex] has made, if there
// is one.
//
// Errors are those of [manifest.Read]; [*FormatError] for an index of another version;
// [*UnsafeError] for members that no data directory has; [*CorruptError] for an index that is not
// the one that the manifest names, or contradicts it or itself; [ErrNoIdentity] and [ErrWrongIdentity] for an encrypted
// backup that is not known to be damaged; and those of the store.
func Open(ctx context.Context, s store.Store, identities ...Identity) (*Backup, error) {
	m, err := manifest.Read(ctx, s)
	if err != nil {
		return nil, err
	}
	return OpenUncommitted(ctx, s, m, identities...)
}

// OpenUncommitted is [Open] for a backup whose manifest is not written yet: what the archive must be is what m says of it.
func OpenUncommitted(ctx context.Context, s store.Store, m *manifest.Manifest, identities ...Identity) (*Backup, error) {
	idx, lost, err := readIndex(ctx, s, m, identities)
	if err != nil {
		return nil, err
	}
	name := m.Archive.Index.Name
	if lost != nil {
		name = RebuiltIndexName
	}
	starts, err := idx.check()
	if err != nil {
		return nil, indexError(name, err)
	}
	if what := contradiction(m, idx); what != "" {
		return nil, &CorruptError{File: name, Offset: -1, What: what}
	}
	b := newBackup(s, m, idx, starts, identities)
	b.lost = lost
	return b, nil
}

// ReadIndex reads and checks the index that [WriteIndex] wrote without encrypting it. Errors are those of [Open],
// without what a manifest says.
func ReadIndex(ctx context.Context, s store.Store, stored Stored) (*Index, error) {
	m := &manifest.Manifest{Archive: manifest.Archive{Index: manifest.StoredFile(stored)}}
	idx, err := readStored(ctx, s, m, nil, noLimits)
	if err != nil {
		return nil, err
	}
	if _, err := idx.check(); err != nil {
		return nil, indexError(IndexName, err)
	}
	return idx, nil
}

// readIndex reads the index, or if it is lost or damaged, which lost tells then, the one that was rebuilt in
// its place.
func readIndex(ctx context.Context, s store.Store, m *manifest.Manifest, identities []Identity) (idx *Index, lost, err error) {
	idx, err = readStored(ctx, s, m, identities, limitsOf(m))
	var missing *lostIndexError
	if errors.As(err, &missing) && !isSealed(m) {
		idx, rebuiltErr := readRebuiltIndex(ctx, s, m, missing.err)
		return idx, missing.err, rebuiltErr
	}
	if missing != nil {
		err = missing.err
	}
	return idx, nil, err
}

// lostIndexError is the error of an index that is not what was written, and so was not decoded.
type lostIndexError struct{ err error }

func (e *lostIndexError) Error() string { return e.err.Error() }
func (e *lostIndexError) Unwrap() error { return e.err }

// readStored reads the index that the manifest names. It is never whole in memory as it is stored, however large a file of
// holes is made to look: its SHA-256 is compared first.
func readStored(ctx context.Context, s store.Store, m *manifest.Manifest, identities []Identity, limits indexLimits) (idx *Index, err error) {
	stored, err := openIndexFile(ctx, s, m)
	if errors.Is(err, ErrCorrupt) {
		return nil, &lostIndexError{err}
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stored.Close()) }()
	plain, err := unsealIndex(m, io.NewSectionReader(&sourceAt{stored}, 0, stored.Size()), identities)
	if err == nil {
		idx, err = decodeIndex(plain, m.Archive.Index.RawBytes, limits)
	}
	var failed *sourceError
	switch {
	case err == nil, errors.Is(err, ErrNoIdentity), errors.Is(err, ErrWrongIdentity), errors.Is(err, ErrCorrupt):
		return idx, err
	case errors.As(err, &failed):
		return nil, fmt.Errorf("read %s: %w", m.Archive.Index.Name, failed.err)
	}
	return nil, indexError(m.Archive.Index.Name, err)
}

// newBackup takes an index that was checked.
func newBackup(s store.Store, m *manifest.Manifest, idx *Index, starts []int64, identities []Identity) *Backup {
	b := &Backup{store: s, manifest: m, index: idx, starts: starts, identities: identities}
	if idx.Patched() {
		b.placed = placeFiles(idx)
	}
	return b
}

// indexError keeps the errors that say more than that the index is damaged.
func indexError(name string, err error) error {
	if errors.Is(err, ErrFormat) || errors.Is(err, ErrUnsafe) {
		return err
	}
	return &CorruptError{File: name, Offset: -1, What: "cannot be read", Err: err}
}

// openIndexFile opens the index once it is known to be the one that the manifest names. The error is a [*CorruptError] if it
// is not, or is not there.
func openIndexFile(ctx context.Context, s store.Store, m *manifest.Manifest) (_ store.Reader, err error) {
	want := m.Archive.Index
	damaged := func(what string) error { return &CorruptError{File: want.Name, Offset: -1, What: what} }
	if want.Name != storedName(IndexName, isSealed(m)) {
		return nil, &CorruptError{File: manifest.Name, Offset: -1, What: fmt.Sprintf("index is called %q", want.Name)}
	}
	r, err := s.Open(ctx, want.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, damaged("missing")
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if r.Size() != want.Bytes {
		return nil, damaged(fmt.Sprintf("%d bytes, the manifest says %d", r.Size(), want.Bytes))
	}
	sum := newStoredSum(r, want.Name)
	if err := sum.upTo(ctx, r.Size()); err != nil {
		return nil, err
	}
	if hex.EncodeToString(sum.sum.Sum(nil)) != want.SHA256 {
		return nil, damaged("SHA-256 is not the one in the manifest")
	}
	return r, nil
}

// checkIndexFile returns what openIndexFile does, for those who do not read the index.
func checkIndexFile(ctx context.Context, s store.Store, m *manifest.Manifest) error {
	r, err := openIndexFile(ctx, s, m)
	if err != nil {
		return err
	}
	return r.Close()
}

// contradiction says where manifest and index differ; empty if nowhere.
func contradiction(m *manifest.Manifest, idx *Index) string {
	a := m.Archive
	switch {
	case a.Compression != string(idx.Codec):
		return fmt.Sprintf("codec is %q, the manifest says %q", idx.Codec, a.Compression)
	case a.Data.Name != storedName(DataName(idx.Codec), isSealed(m)):
		return fmt.Sprintf("the manifest calls the data file %q", a.Data.Name)
	case a.RawBytes != idx.Raw || !isSealed(m) && a.StoredBytes != idx.Stored || isSealed(m) && a.StoredBytes <= sealedSize(idx.Stored):
		return fmt.Sprintf("%d bytes raw and %d stored, the manifest says %d and %d", idx.Raw, idx.Stored, a.RawBytes, a.StoredBytes)
	case a.Frames != int64(len(idx.Frames)) || a.Files != int64(len(idx.Files)):
		return fmt.Sprintf("%d frames and %d members, the manifest says %d and %d", len(idx.Frames), len(idx.Files), a.Frames, a.Files)
	case a.FrameSize != codec.FrameSize:
		return fmt.Sprintf("frames are of %d bytes, the manifest says %d", codec.FrameSize, a.FrameSize)
	}
	return ""
}

// Manifest gives the manifest, which must not be changed.
func (b *Backup) Manifest() *manifest.Manifest { return b.manifest }

// Members gives the members in the order of the tar; they must not be changed.
func (b *Backup) Members() []*Member { return b.index.Files }

// Index gives the whole index, which must not be changed.
func (b *Backup) Index() *Index { return b.index }

// dataName is the file that the frames are in.
func (b *Backup) dataName() string { return b.manifest.Archive.Data.Name }
