package archive

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/digest"
	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store/storetest"
)

// typed says whether a caller can tell from the error that the backup is not what was written.
func typed(err error) bool {
	for _, kind := range []error{ErrCorrupt, ErrFormat, ErrUnsafe, manifest.ErrCorrupt, manifest.ErrFormat, manifest.ErrMissing} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// verifyStore reads all of a backup.
func verifyStore(t *testing.T, m *storetest.Memory, quick bool) error {
	t.Helper()
	b, err := Open(t.Context(), m)
	if err != nil {
		return err
	}
	_, err = b.Verify(t.Context(), VerifyOptions{Quick: quick, Threads: 1})
	return err
}

func names(f codec.Format) []string {
	return []string{DataName(f), IndexName, digest.SumsName, manifest.Name}
}

func TestEveryCutIsNoticed(t *testing.T) {
	dir := smallFolder(t)
	each(t, func(t *testing.T, f codec.Format) {
		m, _ := packed(t, dir, f)
		for _, name := range names(f) {
			whole := m.Bytes(name)
			damaged := m.Clone()
			for n := range len(whole) {
				damaged.Set(name, cut(whole, n))
				// A size that is wrong is seen by a quick look, and by a thorough one.
				for _, quick := range []bool{true, false} {
					if err := verifyStore(t, damaged, quick); !typed(err) {
						t.Fatalf("%s cut to %d of %d bytes, quick %v: %v", name, n, len(whole), quick, err)
					}
				}
			}
		}
	})
}

func TestBytesAfterTheEndAreNoticed(t *testing.T) {
	dir := smallFolder(t)
	each(t, func(t *testing.T, f codec.Format) {
		m, _ := packed(t, dir, f)
		for _, name := range names(f) {
			for _, more := range []string{"\x00", "\n", "x", string(m.Bytes(name))} {
				damaged := m.Clone()
				damaged.Set(name, append(bytes.Clone(m.Bytes(name)), more...))
				if err := verifyStore(t, damaged, true); !typed(err) {
					t.Errorf("%s with %d bytes more: %v", name, len(more), err)
				}
			}
		}
	})
}

func TestEveryMissingFileIsNoticed(t *testing.T) {
	dir := smallFolder(t)
	m, _ := packed(t, dir, codec.Zstd)
	for _, name := range names(codec.Zstd) {
		damaged := m.Clone()
		if err := damaged.Remove(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if err := verifyStore(t, damaged, true); !typed(err) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func TestEveryFlippedBitIsNoticed(t *testing.T) {
	dir := smallFolder(t)
	each(t, func(t *testing.T, f codec.Format) {
		m, _ := packed(t, dir, f)
		for _, name := range names(f) {
			whole := m.Bytes(name)
			damaged := m.Clone()
			quick := name != DataName(f)
			for at := range whole {
				for bit := range 8 {
					damaged.Set(name, flip(whole, at, 1<<bit))
					if err := verifyStore(t, damaged, quick); !typed(err) {
						t.Fatalf("%s, bit %d of byte %d: %v", name, bit, at, err)
					}
					if !quick && bit > 0 {
						break // all of the data file is read each time: one bit of each byte will do
					}
				}
			}
		}
	})
}

// A restore gives an error or the right files, wherever a byte of the data file is wrong.
func TestARestoreOfDamagedDataIsRightOrFails(t *testing.T) {
	dir := smallFolder(t)
	want := describeTree(t, dir)
	each(t, func(t *testing.T, f codec.Format) {
		m, b := packed(t, dir, f)
		name := DataName(f)
		whole := m.Bytes(name)
		failed := 0
		scratch := t.TempDir()
		for at := 0; at < len(whole); at += 1 + len(whole)/500 {
			m.Set(name, flip(whole, at, 0x10))
			target := filepath.Join(scratch, "restored", string(rune('a'+failed%26)), filepath.Base(t.Name()), itoa(at))
			_, err := b.Restore(t.Context(), target, RestoreOptions{Threads: 1})
			if err != nil {
				if failed++; !typed(err) {
					t.Fatalf("byte %d: %v", at, err)
				}
				if !marked(t, target) {
					t.Fatalf("byte %d: the target of a failed restore looks complete", at)
				}
				continue
			}
			if diff := cmp.Diff(want, describeTree(t, target)); diff != "" {
				t.Fatalf("byte %d: %s", at, diff)
			}
		}
		if failed == 0 {
			t.Error("no damage was noticed")
		}
	})
}

// Frames that have changed places, or come from another backup, are right in themselves.
func TestPartsOfAnotherBackupAreNoticed(t *testing.T) {
	one, _ := packed(t, smallFolder(t), codec.Zstd)
	f := newFolder(t)
	f.file("other", []byte("other"), 0o600)
	other, _ := packed(t, f.done(), codec.Zstd)
	for _, name := range names(codec.Zstd) {
		mixed := one.Clone()
		mixed.Set(name, other.Bytes(name))
		if err := verifyStore(t, mixed, false); !typed(err) {
			t.Errorf("%s of another backup: %v", name, err)
		}
	}
}

func TestVerifyTellsAllThatIsWrong(t *testing.T) {
	m, b := packed(t, largeFolder(t), codec.Zstd)
	data := bytes.Clone(m.Bytes("data.tar.zst"))
	for _, k := range []int{2, 5} {
		data[b.index.Frames[k].Offset+20] ^= 4
	}
	m.Set("data.tar.zst", data)
	report, err := b.Verify(t.Context(), VerifyOptions{})
	if !errors.Is(err, ErrCorrupt) {
		t.Fatalf("error is %v", err)
	}
	frames := map[int64]bool{}
	contents := map[string]bool{}
	sums := 0
	for _, f := range report.Findings {
		switch f.Code {
		case CodeFrame:
			frames[f.Offset] = true
		case CodeContent:
			contents[f.Member] = true
		case CodeDigest:
			sums++
		default:
			t.Errorf("finding %+v", f)
		}
	}
	if len(frames) != 2 || !frames[b.index.Frames[2].Offset] || !frames[b.index.Frames[5].Offset] || sums != 1 {
		t.Errorf("findings %+v", report.Findings)
	}
	for _, m := range b.Members() {
		touched := m.Type == TypeFile && (m.First <= 2 && 2 <= m.Last || m.First <= 5 && 5 <= m.Last)
		if contents[m.Path] != touched {
			t.Errorf("%s: affected %v, told %v", m.Path, touched, contents[m.Path])
		}
	}
	if report.Files != int64(len(b.Members())) || report.Frames != int64(len(b.index.Frames)) {
		t.Errorf("report %+v", report)
	}
}
