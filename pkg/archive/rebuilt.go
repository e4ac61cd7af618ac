package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store"
)

// A rebuilt index ends with a skippable frame of zstd, which tools pass over, since no manifest has its
// digest: magic, size of what follows, size of the index once decompressed, SHA-256 of all before that.
const (
	rebuiltMagic = 0x184D2A5D // of a skippable frame of kind 13
	rebuiltHead  = 4 + 4 + 8
	rebuiltTail  = rebuiltHead + sha256.Size
)

// rebuiltMore is how much longer a rebuilt index may be than the one in the manifest: it names the data file.
const rebuiltMore = 256

func writeRebuiltIndex(ctx context.Context, dst store.Store, idx *Index) error {
	w, err := dst.Create(ctx, RebuiltIndexName)
	if err != nil {
		return err
	}
	sum := sha256.New()
	raw, err := encodeIndex(ctx, io.MultiWriter(w, sum), idx)
	if err == nil {
		tail := binary.LittleEndian.AppendUint32(nil, rebuiltMagic)
		tail = binary.LittleEndian.AppendUint32(tail, rebuiltTail-8)
		tail = binary.LittleEndian.AppendUint64(tail, uint64(raw))
		sum.Write(tail)
		_, err = w.Write(sum.Sum(tail))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", RebuiltIndexName, err), w.Abort())
	}
	return w.Commit()
}

// readRebuiltIndex reads the index that stands in for the one that is lost; without it, what is wrong is
// that. It may be some longer once decompressed than the manifest says of that one.
func readRebuiltIndex(ctx context.Context, s store.Store, m *manifest.Manifest, lost error) (idx *Index, err error) {
	r, err := s.Open(ctx, RebuiltIndexName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, lost
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	limit := min(m.Archive.Index.RawBytes, MaxIndex) + rebuiltMore
	if most := limit + 64<<10; r.Size() > most { // what cannot be compressed grows little
		return nil, rebuiltError(lost, &store.TooLargeError{Name: RebuiltIndexName, Size: r.Size(), Limit: most})
	}
	raw, err := checkRebuiltTail(ctx, r)
	if err == nil && raw > limit {
		err = fmt.Errorf("%d bytes once decompressed, at most %d are expected", raw, limit)
	}
	if err == nil {
		idx, err = decodeIndex(io.NewSectionReader(&sourceAt{r}, 0, r.Size()-rebuiltTail), raw, limitsOf(m))
	}
	if err == nil && (idx.Rebuilt == nil || idx.Rebuilt.Data != m.Archive.Data.SHA256) {
		err = errors.New("it is of another data file")
	}
	var failed *sourceError
	switch {
	case errors.As(err, &failed), ctx.Err() != nil:
		return nil, fmt.Errorf("read %s: %w", RebuiltIndexName, err)
	case err != nil:
		return nil, rebuiltError(lost, err)
	}
	return idx, nil
}

func rebuiltError(lost, err error) error {
	if errors.Is(err, ErrFormat) || errors.Is(err, ErrUnsafe) {
		return err
	}
	return errors.Join(lost, &CorruptError{File: RebuiltIndexName, Offset: -1, What: "cannot be read", Err: err})
}

// checkRebuiltTail compares the SHA-256, and gives the size of the index once decompressed.
func checkRebuiltTail(ctx context.Context, r store.Reader) (int64, error) {
	at := r.Size() - rebuiltTail
	if at < 0 {
		return 0, errors.New("cut off")
	}
	tail := make([]byte, rebuiltTail)
	if n, err := r.ReadAt(tail, at); n < len(tail) {
		return 0, &sourceError{err}
	}
	if binary.LittleEndian.Uint32(tail) != rebuiltMagic || binary.LittleEndian.Uint32(tail[4:]) != rebuiltTail-8 {
		return 0, errors.New("no digest at its end")
	}
	sum := newStoredSum(r, RebuiltIndexName)
	if err := sum.upTo(ctx, at+rebuiltHead); err != nil {
		return 0, &sourceError{err}
	}
	raw := binary.LittleEndian.Uint64(tail[8:])
	switch {
	case !bytes.Equal(sum.sum.Sum(nil), tail[rebuiltHead:]):
		return 0, errors.New("SHA-256 is not the one at its end")
	case raw > MaxIndex:
		return 0, fmt.Errorf("%d bytes once decompressed", raw)
	}
	return int64(raw), nil
}
