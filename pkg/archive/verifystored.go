package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"

	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store"
)

// VerifyStored verifies what can be without decrypting and decompressing anything, against the manifest m: presence,
// sizes, SHA256SUMS, and the SHA-256 of data and index as they are stored; with Quick not that of the data. What the
// encrypted bytes stand for it cannot know: Sealed is set in the report of an encrypted backup.
//
// Report and errors are those of [Backup.Verify].
func VerifyStored(ctx context.Context, s store.Store, m *manifest.Manifest, o VerifyOptions) (*Report, error) {
	v := &verifier{
		backup: &Backup{store: s, manifest: m}, options: o, report: &Report{Quick: o.Quick, Sealed: isSealed(m)},
	}
	if err := v.checkSums(ctx); err != nil {
		return nil, err
	}
	if err := v.checkIndexFile(ctx); err != nil {
		return nil, err
	}
	if err := v.checkDataFile(ctx, v.checkStored); err != nil {
		return nil, err
	}
	return v.report, v.verdict()
}

func (v *verifier) checkIndexFile(ctx context.Context) error {
	err := checkIndexFile(ctx, v.backup.store, v.backup.manifest)
	var damage *CorruptError
	if !errors.As(err, &damage) {
		return err
	}
	v.found(Finding{Code: CodeDigest, File: damage.File, Offset: -1, Page: -1, Detail: describe(damage)})
	return nil
}

// checkStored sums up the data file as it is stored.
func (v *verifier) checkStored(ctx context.Context, stored store.Reader) error {
	sum := newStoredSum(stored, v.backup.dataName())
	sum.progress = v.options.Progress
	if err := sum.upTo(ctx, stored.Size()); err != nil {
		return err
	}
	v.checkDigest(sum.sum)
	return nil
}

// checkSealed checks an encrypted data file: what is in it, and its digest as it is stored.
func (v *verifier) checkSealed(ctx context.Context, stored store.Reader) error {
	sum := newStoredSum(stored, v.backup.dataName())
	data, err := v.backup.unseal(stored)
	var damage *CorruptError
	switch {
	case errors.As(err, &damage):
		v.foundIn(CodeStructure, -1, nil, "%s", describe(damage))
	case err != nil:
		return err
	default:
		// The place of a frame in the encrypted file is some bytes after that in the decrypted one: those are left for
		// the next frame.
		_, err := v.checkFrames(ctx, data, func(ctx context.Context, u *unpacked) error {
			return sum.upTo(ctx, u.frame.Offset+u.frame.Stored)
		})
		if err != nil {
			return err
		}
	}
	if err := sum.upTo(ctx, stored.Size()); err != nil {
		return err
	}
	v.checkDigest(sum.sum)
	return nil
}

// storedSum is the SHA-256 of an encrypted file as it is stored. It follows behind those who
// decrypt it, so that the bytes are read from the disk once.
type storedSum struct {
	file     store.Reader
	name     string
	sum      hash.Hash
	done     int64
	buf      []byte
	progress func(done, total int64) // may be nil
}

// sumStep is how many bytes are summed up at once.
const sumStep = 1 << 20

func newStoredSum(file store.Reader, name string) *storedSum {
	return &storedSum{file: file, name: name, sum: sha256.New(), buf: make([]byte, min(sumStep, file.Size()))}
}

// upTo goes on to the byte before end, or to the end of the file if that comes first.
func (s *storedSum) upTo(ctx context.Context, end int64) error {
	for end = min(end, s.file.Size()); s.done < end; {
		if err := ctx.Err(); err != nil {
			return err
		}
		buf := s.buf[:min(int64(len(s.buf)), end-s.done)]
		n, err := s.file.ReadAt(buf, s.done)
		s.sum.Write(buf[:n])
		s.done += int64(n)
		if n < len(buf) {
			return fmt.Errorf("read %s: %w", s.name, err)
		}
		if s.progress != nil {
			s.progress(s.done, s.file.Size())
		}
	}
	return nil
}
