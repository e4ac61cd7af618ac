package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"filippo.io/age"

	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store"
)

// SealedSuffix ends the names of data file and index where they are encrypted.
const SealedSuffix = ".age"

// An age file is a header of a few hundred bytes, a nonce, and then chunks of 64 KiB, each with its
// own authentication (age-encryption.org/v1, "Payload").
const (
	sealChunk    = 64 << 10
	sealOverhead = 16
)

// sealedSize is how large the chunks of n bytes are. Nothing at all is one empty chunk.
func sealedSize(n int64) int64 {
	return n + max(1, (n+sealChunk-1)/sealChunk)*sealOverhead
}

// isSealed says whether data and index of a backup are encrypted.
func isSealed(m *manifest.Manifest) bool { return m.Archive.Encryption != "" }

// storedName is what a file is called in the store.
func storedName(name string, sealed bool) string {
	if sealed {
		return name + SealedSuffix
	}
	return name
}

// sealer is a file of the backup that is being written: encrypted where there are recipients, and
// summed up as it is stored. Exactly one of commit and abort ends it.
type sealer struct {
	name   string // in the store
	file   store.Writer
	stored *countingWriter
	plain  io.Writer
	last   io.Closer // writes the last chunk; nil if not encrypted
}

// create starts a file, in which nothing but a file's name is known to those who are no recipients.
func create(ctx context.Context, dst store.Store, name string, recipients []age.Recipient) (*sealer, error) {
	name = storedName(name, len(recipients) > 0)
	file, err := dst.Create(ctx, name)
	if err != nil {
		return nil, err
	}
	return seal(name, file, recipients)
}

// seal takes over a file that is empty yet; after an error the file is aborted.
func seal(name string, file store.Writer, recipients []age.Recipient) (*sealer, error) {
	s := inClear(name, file, sha256.New(), 0)
	if len(recipients) == 0 {
		return s, nil
	}
	sealed, err := age.Encrypt(s.stored, recipients...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("encrypt %s: %w", name, err), file.Abort())
	}
	s.plain, s.last = sealed, sealed
	return s, nil
}

// inClear takes over a file that is not encrypted and has n bytes already, whose sum is given.
func inClear(name string, file store.Writer, sum hash.Hash, n int64) *sealer {
	stored := &countingWriter{w: file, sum: sum, n: n}
	return &sealer{name: name, file: file, stored: stored, plain: stored}
}

func (s *sealer) Write(p []byte) (int, error) { return s.plain.Write(p) }

// commit makes the file durable; rawBytes is what it holds once decrypted and decompressed.
func (s *sealer) commit(rawBytes int64) (Stored, error) {
	if s.last != nil {
		if err := s.last.Close(); err != nil {
			return Stored{}, errors.Join(fmt.Errorf("encrypt %s: %w", s.name, err), s.file.Abort())
		}
	}
	if err := s.file.Commit(); err != nil {
		return Stored{}, err
	}
	return Stored{
		Name: s.name, Bytes: s.stored.n, RawBytes: rawBytes, SHA256: hex.EncodeToString(s.stored.sum.Sum(nil)),
	}, nil
}

// abort leaves the last chunk unwritten, and takes back all others.
func (s *sealer) abort() error { return s.file.Abort() }
