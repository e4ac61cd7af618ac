package archive

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store"
	"runner/pkg/archive/store/storetest"
)

// verifySealed reads all of an encrypted backup with an identity, and as it is stored without one.
func verifySealed(t *testing.T, m *storetest.Memory, id age.Identity, quick bool) (with, without error) {
	t.Helper()
	o := VerifyOptions{Quick: quick, Threads: 1}
	b, with := Open(t.Context(), m, id)
	if with == nil {
		_, with = b.Verify(t.Context(), o)
	}
	record, without := manifest.Read(t.Context(), m)
	if without == nil {
		_, without = VerifyStored(t.Context(), m, record, o)
	}
	return with, without
}

func TestAWholeEncryptedBackupVerifiesWithAndWithoutAnIdentity(t *testing.T) {
	each(t, func(t *testing.T, f codec.Format) {
		m, _, id := sealed(t, smallFolder(t), f)
		for _, quick := range []bool{true, false} {
			if with, without := verifySealed(t, m, id, quick); with != nil || without != nil {
				t.Errorf("quick %v: %v, %v", quick, with, without)
			}
		}
		record, err := manifest.Read(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		done, total := int64(0), int64(0)
		report, err := VerifyStored(t.Context(), m, record, VerifyOptions{Progress: func(d, n int64) { done, total = d, n }})
		if err != nil || !report.Sealed || report.Files != 0 || done != record.Archive.StoredBytes || total != done {
			t.Errorf("%+v, %v, %d of %d bytes", report, err, done, total)
		}
	})
}

// tinyFolder makes an archive of which each byte can be damaged in turn.
func tinyFolder(t testing.TB) string {
	f := newFolder(t)
	f.file("shop/t", []byte("hello"), 0o640)
	return f.done()
}

func TestEveryCutOfAnEncryptedBackupIsNoticed(t *testing.T) {
	m, _, id := sealed(t, tinyFolder(t), codec.Zstd)
	for _, name := range sealedNames(codec.Zstd) {
		whole := m.Bytes(name)
		damaged := m.Clone()
		for n := range len(whole) {
			if !strings.HasSuffix(name, SealedSuffix) {
				break // TestEveryCutIsNoticed has those
			}
			damaged.Set(name, cut(whole, n))
			for _, quick := range []bool{true, false} {
				if with, without := verifySealed(t, damaged, id, quick); !typed(with) || !typed(without) {
					t.Fatalf("%s cut to %d of %d bytes, quick %v: %v, %v", name, n, len(whole), quick, with, without)
				}
			}
		}
		damaged.Set(name, append(bytes.Clone(whole), 0))
		if with, without := verifySealed(t, damaged, id, true); !typed(with) || !typed(without) {
			t.Errorf("%s with a byte more: %v, %v", name, with, without)
		}
		if err := damaged.Remove(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if with, without := verifySealed(t, damaged, id, true); !typed(with) || !typed(without) {
			t.Errorf("without %s: %v, %v", name, with, without)
		}
	}
}

func TestEveryFlippedByteOfAnEncryptedBackupIsNoticed(t *testing.T) {
	m, _, id := sealed(t, tinyFolder(t), codec.Zstd)
	for _, name := range sealedNames(codec.Zstd)[:2] {
		whole := m.Bytes(name)
		damaged := m.Clone()
		for at := range whole {
			damaged.Set(name, flip(whole, at, 1<<(at%8)))
			if with, without := verifySealed(t, damaged, id, false); !typed(with) || !typed(without) {
				t.Fatalf("%s, byte %d: %v, %v", name, at, with, without)
			}
		}
	}
}

// A restore does not look at the digest of the whole: it gives an error or the right files all the same.
func TestARestoreOfADamagedEncryptedBackupIsRightOrFails(t *testing.T) {
	dir := tinyFolder(t)
	want := describeTree(t, dir)
	m, b, _ := sealed(t, dir, codec.Zstd)
	name := b.dataName()
	whole := m.Bytes(name)
	scratch := t.TempDir()
	restore := func(what string, at int, damaged []byte) {
		t.Helper()
		m.Set(name, damaged)
		target := filepath.Join(scratch, what, itoa(at))
		_, err := b.Restore(t.Context(), target, RestoreOptions{Threads: 1})
		switch {
		case err == nil:
			if diff := cmp.Diff(want, describeTree(t, target)); diff != "" {
				t.Fatalf("%s, byte %d: %s", what, at, diff)
			}
		case !errors.Is(err, ErrCorrupt) || !marked(t, target):
			t.Fatalf("%s, byte %d: %v, the target is marked: %v", what, at, err, marked(t, target))
		}
	}
	for at := range whole {
		restore("flipped", at, flip(whole, at, 0x10))
		// A cut is noticed before anything is restored.
		m.Set(name, cut(whole, at))
		if _, err := b.openData(t.Context()); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut to %d bytes: %v", at, err)
		}
	}
	restore("cut", len(whole)-1, cut(whole, len(whole)-1))
	restore("longer", 0, append(bytes.Clone(whole), 1))
}

func TestPartsOfAnotherEncryptedBackupAreNoticed(t *testing.T) {
	id := newIdentity(t)
	one, other := storetest.NewMemory(), storetest.NewMemory()
	pack(t, Dir(smallFolder(t)), one, sealedOptions(codec.Zstd, id))
	f := newFolder(t)
	f.file("other", []byte("other"), 0o600)
	pack(t, Dir(f.done()), other, sealedOptions(codec.Zstd, id))
	plain, _ := packed(t, smallFolder(t), codec.Zstd)
	for _, name := range sealedNames(codec.Zstd) {
		for _, from := range []*storetest.Memory{other, plain} {
			content := from.Bytes(name)
			if from == plain && content == nil {
				content = from.Bytes(name[:len(name)-len(SealedSuffix)])
			}
			mixed := one.Clone()
			mixed.Set(name, content)
			if with, without := verifySealed(t, mixed, id, false); !typed(with) || !typed(without) {
				t.Errorf("%s: %v, %v", name, with, without)
			}
		}
	}
}

func TestVerifyTellsWhichFramesATamperedChunkBelongsTo(t *testing.T) {
	m, b, _ := sealed(t, largeFolder(t), codec.None)
	data := bytes.Clone(m.Bytes(b.dataName()))
	// A byte in the middle of a frame of 4 MiB, far from the chunks of its neighbours.
	hit := b.index.Frames[2]
	data[hit.Offset+hit.Stored/2+sealedSize(hit.Offset)-hit.Offset] ^= 1
	m.Set(b.dataName(), data)
	report, err := b.Verify(t.Context(), VerifyOptions{Threads: 3})
	if !errors.Is(err, ErrCorrupt) {
		t.Fatalf("error is %v", err)
	}
	codes := map[string]int{}
	for _, f := range report.Findings {
		codes[f.Code]++
		if f.Code == CodeFrame && f.Offset != hit.Offset {
			t.Errorf("%+v", f)
		}
	}
	if codes[CodeFrame] != 1 || codes[CodeContent] == 0 || codes[CodeDigest] != 1 || report.Frames != int64(len(b.index.Frames)) {
		t.Errorf("findings %+v", report.Findings)
	}
}

var errDisk = errors.New("input/output error")

// unreadable fails to read a part of a file.
type unreadable struct {
	store.Store
	name   string
	lo, hi int64
	hit    atomic.Int32
}

func (u *unreadable) Open(ctx context.Context, name string) (store.Reader, error) {
	r, err := u.Store.Open(ctx, name)
	if err != nil || name != u.name {
		return r, err
	}
	return &unreadableReader{r, u}, nil
}

type unreadableReader struct {
	store.Reader
	u *unreadable
}

func (r *unreadableReader) ReadAt(p []byte, off int64) (int, error) {
	if off < r.u.hi && r.u.lo < off+int64(len(p)) {
		r.u.hit.Add(1)
		return 0, errDisk
	}
	return r.Reader.ReadAt(p, off)
}

// A disk that cannot be read says nothing about the backup.
func TestWhatCannotBeReadIsNotSaidToBeTampered(t *testing.T) {
	m, b, _ := sealed(t, largeFolder(t), codec.Zstd)
	size := int64(len(m.Bytes(b.dataName())))
	for name, part := range map[string][2]int64{
		"the header": {0, 1}, "the last chunk": {size - 1, size}, "frames": {8 << 10, size - 2*sealChunk},
	} {
		u := &unreadable{Store: m, name: b.dataName(), lo: part[0], hi: part[1]}
		b.store = u
		_, verify := b.Verify(t.Context(), VerifyOptions{Threads: 1})
		_, restore := b.Restore(t.Context(), filepath.Join(t.TempDir(), "restored"), RestoreOptions{Threads: 1})
		_, stored := VerifyStored(t.Context(), u, b.manifest, VerifyOptions{})
		for _, err := range []error{verify, restore, stored} {
			if !errors.Is(err, errDisk) || typed(err) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if u.hit.Load() < 3 {
			t.Errorf("%s: reading failed %d times", name, u.hit.Load())
		}
	}
}

// FuzzUnseal looks for a data file that makes the reader panic, or that is taken for what was packed and is not.
func FuzzUnseal(f *testing.F) {
	m, b, id := sealed(f, smallFolder(f), codec.None)
	whole := m.Bytes(b.dataName())
	plain := unsealAll(f, whole, id)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte("age-encryption.org/v1\n-> X25519 \n"))
	f.Fuzz(func(t *testing.T, stored []byte) {
		s := storetest.NewMemory()
		s.Set(b.dataName(), stored)
		damaged := newBackup(s, b.manifest, b.index, b.starts, b.identities)
		r, err := damaged.openData(t.Context())
		if err != nil {
			if !errors.Is(err, ErrCorrupt) || len(err.Error()) > 1000 {
				t.Errorf("error is %v", err)
			}
			return
		}
		got := make([]byte, r.Size()+1)
		n, err := r.ReadAt(got, 0)
		if errors.Is(err, errSeal) {
			return
		}
		if int64(n) != r.Size() || bytes.Equal(stored, whole) != bytes.Equal(got[:n], plain) {
			t.Errorf("%d bytes of %d, %v", n, r.Size(), err)
		}
	})
}
