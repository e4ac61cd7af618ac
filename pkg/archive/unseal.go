package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"filippo.io/age"

	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store"
)

// errSeal says that an age file, or a part of it, is not what was written.
var errSeal = errors.New("it cannot be decrypted: it was changed or cut off")

// unsealIndex gives the bytes of the index that are stored. That they are those that the manifest
// names was seen before, so who cannot decrypt them has the wrong identity.
func unsealIndex(m *manifest.Manifest, stored *io.SectionReader, identities []Identity) (io.Reader, error) {
	if !isSealed(m) {
		return stored, nil
	}
	if len(identities) == 0 {
		return nil, ErrNoIdentity
	}
	err := checkSealHeader(stored)
	var plain io.Reader
	if err == nil {
		plain, err = age.Decrypt(stored, identities...)
	}
	var none *age.NoIdentityMatchError
	var failed *sourceError
	switch {
	case errors.As(err, &failed):
		return nil, err
	case errors.As(err, &none):
		return nil, ErrWrongIdentity
	case err != nil:
		return nil, &CorruptError{File: m.Archive.Index.Name, Offset: -1, What: "cannot be decrypted", Err: shortened(err)}
	}
	return plain, nil
}

// maxSealHeader bounds the header of an age file, in bytes: age reads all of it into memory. It has room for some 1,500
// recipients with RSA keys, which take most.
const maxSealHeader = 1 << 20

// checkSealHeader returns an error for a file whose header does not end within maxSealHeader.
func checkSealHeader(stored io.ReaderAt) error {
	const end = "\n--- " // begins the last line of the header
	buf := make([]byte, 4<<10)
	for at := int64(0); at < maxSealHeader; at += int64(len(buf) - len(end) + 1) {
		n, err := stored.ReadAt(buf, at)
		if bytes.Contains(buf[:n], []byte(end)) {
			return nil
		}
		if errors.Is(err, io.EOF) {
			return nil // age will say what is wrong with it
		}
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: its header has more than %d bytes", errSeal, maxSealHeader)
}

// openData opens the data file. What is not there or cannot be decrypted gives a [*CorruptError].
func (b *Backup) openData(ctx context.Context) (store.Reader, error) {
	stored, err := b.store.Open(ctx, b.dataName())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &CorruptError{File: b.dataName(), Offset: -1, What: "missing"}
	}
	if err != nil {
		return nil, err
	}
	data, err := b.unseal(stored)
	if err != nil {
		return nil, errors.Join(err, stored.Close())
	}
	return data, nil
}

// unseal gives what the data file holds, to be read at any place; closing it closes stored. Those
// who could decrypt the index can decrypt the data file, or else it is another one.
func (b *Backup) unseal(stored store.Reader) (store.Reader, error) {
	if !isSealed(b.manifest) {
		return stored, nil
	}
	var plain io.ReaderAt
	var size int64
	err := checkSealHeader(&sourceAt{stored})
	if err == nil {
		plain, size, err = age.DecryptReaderAt(&sourceAt{stored}, stored.Size(), b.identities...)
	}
	var failed *sourceError
	switch {
	case errors.As(err, &failed):
		return nil, fmt.Errorf("read %s: %w", b.dataName(), failed.err)
	case err != nil:
		return nil, &CorruptError{File: b.dataName(), Offset: -1, What: "cannot be decrypted", Err: shortened(err)}
	case size != b.index.Stored:
		return nil, &CorruptError{
			File: b.dataName(), Offset: -1, What: fmt.Sprintf("%d bytes once decrypted, the index says %d", size, b.index.Stored),
		}
	}
	return &unsealed{plain: plain, size: size, Closer: stored}, nil
}

// shortened keeps lines of a damaged header, which errors of age quote whole, from filling the screen.
func shortened(err error) error {
	const most = 200
	text := err.Error()
	if len(text) <= most {
		return err
	}
	return errors.New(strings.ToValidUTF8(text[:most], "") + "…")
}

// unsealed is a stored file as it was before it was encrypted. Of the stored bytes it reads those
// of the chunks that are asked for.
type unsealed struct {
	plain io.ReaderAt
	size  int64
	io.Closer
}

func (u *unsealed) Size() int64 { return u.size }

// ReadAt tells what cannot be decrypted, as errSeal, from what cannot be read.
func (u *unsealed) ReadAt(p []byte, off int64) (int, error) {
	if off >= u.size {
		return 0, io.EOF
	}
	n, err := u.plain.ReadAt(p, off)
	var failed *sourceError
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return n, err
	case errors.As(err, &failed):
		return n, failed.err
	}
	return n, fmt.Errorf("%w: %w", errSeal, err)
}

// sourceAt marks the errors of a store among those of decrypting.
type sourceAt struct{ stored store.Reader }

func (s *sourceAt) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.stored.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &sourceError{err}
	}
	return n, err
}

type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }
