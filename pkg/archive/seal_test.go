package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/digest"
	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store"
	"runner/pkg/archive/store/storetest"
)

func newIdentity(t testing.TB) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func recipientsOf(identities ...*age.X25519Identity) []string {
	var out []string
	for _, id := range identities {
		out = append(out, id.Recipient().String())
	}
	return out
}

func sealedOptions(f codec.Format, identities ...*age.X25519Identity) PackOptions {
	o := options(f)
	o.Recipients = recipientsOf(identities...)
	return o
}

// sealed makes an encrypted backup of a folder in memory and opens it.
func sealed(t testing.TB, dir string, f codec.Format) (*storetest.Memory, *Backup, *age.X25519Identity) {
	t.Helper()
	id := newIdentity(t)
	m := storetest.NewMemory()
	pack(t, Dir(dir), m, sealedOptions(f, id))
	b, err := Open(t.Context(), m, id)
	if err != nil {
		t.Fatal(err)
	}
	return m, b, id
}

func sealedNames(f codec.Format) []string {
	return []string{DataName(f) + SealedSuffix, IndexName + SealedSuffix, digest.SumsName, manifest.Name}
}

func unsealAll(t testing.TB, stored []byte, id age.Identity) []byte {
	t.Helper()
	r, err := age.Decrypt(bytes.NewReader(stored), id)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestAnEncryptedBackupIsThePlainOneInsideOfAgeFiles(t *testing.T) {
	for name, dir := range map[string]string{"small": smallFolder(t), "large": largeFolder(t)} {
		t.Run(name, func(t *testing.T) {
			want := describeTree(t, dir)
			each(t, func(t *testing.T, f codec.Format) {
				plain, _ := packed(t, dir, f)
				m, b, id := sealed(t, dir, f)
				for _, file := range []string{DataName(f), IndexName} {
					if m.Bytes(file) != nil {
						t.Errorf("%s is there", file)
					}
					if !bytes.Equal(plain.Bytes(file), unsealAll(t, m.Bytes(file+SealedSuffix), id)) {
						t.Errorf("%s is another once decrypted", file)
					}
				}
				report, err := b.Verify(t.Context(), VerifyOptions{Threads: 4})
				if err != nil || len(report.Findings) != 0 || report.Sealed || report.Files != int64(len(b.Members())) {
					t.Fatalf("verify: %v, %+v", err, report)
				}
				target := filepath.Join(t.TempDir(), "restored")
				if _, err := b.Restore(t.Context(), target, RestoreOptions{Threads: 4}); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, describeTree(t, target)); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestManifestAndSumsAreOfTheStoredBytes(t *testing.T) {
	id, other := newIdentity(t), newIdentity(t)
	m := storetest.NewMemory()
	pack(t, Dir(smallFolder(t)), m, sealedOptions(codec.Zstd, id, other))
	got, err := manifest.Read(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	a := got.Archive
	if a.Encryption != manifest.EncryptionAge || a.Recipients != 2 {
		t.Errorf("encryption %q, %d recipients", a.Encryption, a.Recipients)
	}
	sums, err := digest.ParseSums(m.Bytes(digest.SumsName))
	if err != nil {
		t.Fatal(err)
	}
	for i, stored := range []manifest.StoredFile{a.Data, a.Index} {
		content := m.Bytes(stored.Name)
		sum := fmt.Sprintf("%x", sha256.Sum256(content))
		if stored.Bytes != int64(len(content)) || stored.SHA256 != sum || sums[i] != (digest.Sum{Name: stored.Name, SHA256: sum}) {
			t.Errorf("%+v, %+v of %d bytes with %s", stored, sums[i], len(content), sum)
		}
	}
	text := string(m.Bytes(manifest.Name))
	for _, key := range append(recipientsOf(id, other), id.String(), other.String()) {
		if strings.Contains(text, key) {
			t.Errorf("the manifest shows %s", key)
		}
	}
}

func TestEachRecipientOpensABackupAndNobodyElse(t *testing.T) {
	one, two, other := newIdentity(t), newIdentity(t), newIdentity(t)
	m := storetest.NewMemory()
	pack(t, Dir(smallFolder(t)), m, sealedOptions(codec.Zstd, one, two))
	for name, c := range map[string]struct {
		identities []Identity
		want       error
	}{
		"the first":           {[]Identity{one}, nil},
		"the second":          {[]Identity{two}, nil},
		"one among others":    {[]Identity{other, two}, nil},
		"nobody":              {nil, ErrNoIdentity},
		"somebody else":       {[]Identity{other}, ErrWrongIdentity},
		"two somebodies else": {[]Identity{other, newIdentity(t)}, ErrWrongIdentity},
	} {
		b, err := Open(t.Context(), m, c.identities...)
		if !errors.Is(err, c.want) || typed(err) || (b == nil) != (c.want != nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	// A backup that is damaged is said to be, whoever asks.
	m.Set(IndexName+SealedSuffix, flip(m.Bytes(IndexName+SealedSuffix), 100, 1))
	for _, identities := range [][]Identity{nil, {other}, {one}} {
		if _, err := Open(t.Context(), m, identities...); !errors.Is(err, ErrCorrupt) {
			t.Errorf("damaged: %v", err)
		}
	}
}

func TestAnIdentityIsOfNoConsequenceForAPlainBackup(t *testing.T) {
	m, _ := packed(t, smallFolder(t), codec.Zstd)
	if _, err := Open(t.Context(), m, newIdentity(t)); err != nil {
		t.Error(err)
	}
}

func TestPackRefusesWhoIsNoRecipient(t *testing.T) {
	secret := newIdentity(t).String()
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for name, recipients := range map[string][]string{
		"mistyped": {newIdentity(t).Recipient().String() + "x"}, "ssh-dss": {"ssh-dss AAAA"}, "empty": {""}, "a secret key": {secret},
		"too many": make([]string, maxRecipients+1),
		"mixed":    {hybrid.Recipient().String(), newIdentity(t).Recipient().String()},
	} {
		o := options(codec.Zstd)
		o.Recipients = recipients
		m := storetest.NewMemory()
		_, err := Pack(t.Context(), Dir(smallFolder(t)), m, o)
		var refused *RecipientError
		if err == nil || name != "mixed" && !errors.As(err, &refused) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
		if infos, _ := m.List(t.Context()); len(infos) != 0 {
			t.Errorf("%s: there is %v", name, infos)
		}
	}
}

func TestOnlyNamesAndSizesAreSeenOfAnEncryptedBackup(t *testing.T) {
	f := newFolder(t)
	f.file("shop/customers.ibd", []byte(strings.Repeat("nobody shall read this", 10_000)), 0o640)
	dir := f.done()
	for _, format := range codec.Formats() {
		folder := filepath.Join(t.TempDir(), "backup")
		s, err := store.Local(folder)
		if err != nil {
			t.Fatal(err)
		}
		o := sealedOptions(format, newIdentity(t))
		o.Pages = false
		pack(t, Dir(dir), &watched{Store: s, t: t}, o)
		files, err := os.ReadDir(folder)
		if err != nil || len(files) != 4 {
			t.Fatalf("files %v, %v", files, err)
		}
		for _, file := range files {
			content, err := os.ReadFile(filepath.Join(folder, file.Name()))
			if err != nil {
				t.Fatal(err)
			}
			for _, word := range []string{"nobody", "customers"} {
				if bytes.Contains(content, []byte(word)) {
					t.Errorf("%s shows %q", file.Name(), word)
				}
			}
		}
	}
}

// watched looks at every write, whatever becomes of the file.
type watched struct {
	store.Store
	t *testing.T
}

func (w *watched) Create(ctx context.Context, name string) (store.Writer, error) {
	out, err := w.Store.Create(ctx, name)
	return &watchedWriter{Writer: out, t: w.t, name: name}, err
}

type watchedWriter struct {
	store.Writer
	t    *testing.T
	name string
}

func (w *watchedWriter) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("nobody shall")) || bytes.Contains(p, []byte("customers")) {
		w.t.Errorf("plain text is written to %s", w.name)
	}
	return w.Writer.Write(p)
}

func TestEncryptingIsNotDeterministic(t *testing.T) {
	id := newIdentity(t)
	dir := smallFolder(t)
	one, two := storetest.NewMemory(), storetest.NewMemory()
	pack(t, Dir(dir), one, sealedOptions(codec.Zstd, id))
	pack(t, Dir(dir), two, sealedOptions(codec.Zstd, id))
	if bytes.Equal(one.Bytes("data.tar.zst.age"), two.Bytes("data.tar.zst.age")) {
		t.Error("two files have the same key")
	}
}

// Those who decrypt a backup may have nothing but age.
func TestAgeItselfDecryptsTheArchive(t *testing.T) {
	program := buildAge(t)
	dir := largeFolder(t)
	want := describeTree(t, dir)
	id := newIdentity(t)
	for format, unpack := range map[codec.Format]string{codec.Zstd: "tar --zstd -x", codec.Gzip: "tar -xz"} {
		folder := t.TempDir()
		s, err := store.Local(folder)
		if err != nil {
			t.Fatal(err)
		}
		pack(t, Dir(dir), s, sealedOptions(format, id))
		if err := os.WriteFile(filepath.Join(folder, "key"), []byte(id.String()+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		script := "set -e; sha256sum -c SHA256SUMS; mkdir target; " + program + " -d -i key " + DataName(format) + ".age | " + unpack + " -C target"
		c := exec.CommandContext(t.Context(), "sh", "-c", script)
		c.Dir = folder
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
		if diff := cmp.Diff(want, describeTree(t, filepath.Join(folder, "target"))); diff != "" {
			t.Error(diff)
		}
	}
}

// buildAge builds the program age at the version of tools/go.mod.
func buildAge(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "age")
	c := exec.CommandContext(t.Context(), "go", "build", "-modfile=tools/go.mod", "-o", program, "filippo.io/age/cmd/age")
	c.Dir = filepath.Join("..", "..")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build age: %v\n%s", err, out)
	}
	return program
}

// counting counts the bytes that are read of each file.
type counting struct {
	store.Store
	read map[string]*atomic.Int64
}

func (c *counting) Open(ctx context.Context, name string) (store.Reader, error) {
	r, err := c.Store.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	if c.read[name] == nil {
		c.read[name] = &atomic.Int64{}
	}
	return &countingReader{r, c.read[name]}, nil
}

type countingReader struct {
	store.Reader
	read *atomic.Int64
}

func (r *countingReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.Reader.ReadAt(p, off)
	r.read.Add(int64(n))
	return n, err
}

func TestRestoringOneFileDecryptsNothingButItsFrames(t *testing.T) {
	dir := largeFolder(t)
	each(t, func(t *testing.T, f codec.Format) {
		m, b, _ := sealed(t, dir, f)
		c := &counting{m, map[string]*atomic.Int64{}}
		b.store = c
		r, err := b.Restore(t.Context(), filepath.Join(t.TempDir(), "restored"), RestoreOptions{Paths: []string{"many/050.ibd"}, Threads: 4})
		if err != nil || r.Frames != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		frame := int64(0)
		for _, member := range b.Members() {
			if member.Path == "many/050.ibd" {
				frame = b.index.Frames[member.First].Stored
			}
		}
		// The header is read through a buffer of 4 KiB; the last chunk says that the file is whole; the frame may
		// begin and end in the middle of a chunk.
		most := frame + 3*(sealChunk+sealOverhead) + 8<<10
		whole := int64(len(m.Bytes(DataName(f) + SealedSuffix)))
		if read := c.read[DataName(f)+SealedSuffix].Load(); read > most || read >= whole {
			t.Errorf("%d bytes of %d were read, at most %d are needed", read, whole, most)
		}
	})
}

func TestTheSizeOfWhatIsSealedIsKnown(t *testing.T) {
	id := newIdentity(t)
	header := int64(0)
	for i, n := range []int{0, 1, sealChunk - 1, sealChunk, sealChunk + 1, 3 * sealChunk} {
		var out bytes.Buffer
		w, err := age.Encrypt(&out, id.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		rest := int64(out.Len()) - sealedSize(int64(n))
		if i == 0 {
			header = rest
		}
		if rest != header || header <= 0 {
			t.Errorf("%d bytes: %d beside the chunks, and %d of an empty file", n, rest, header)
		}
	}
}
