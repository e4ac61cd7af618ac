package archive

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"runner/pkg/archive/codec"

	"github.com/klauspost/compress/zstd"
)

// The specification shows an archive; what it shows must be so.
func TestTheExampleInTheSpecification(t *testing.T) {
	spec, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	f := newFolder(t)
	f.file("a", []byte("hello"), 0o640)
	m := newStoreOf(t, sameEverywhere{owned{Tree: Dir(f.done()), uid: 27, gid: 27}}, codec.None)
	z, err := zstd.NewReader(bytes.NewReader(m.Bytes(IndexName)))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var index bytes.Buffer
	if _, err := z.WriteTo(&index); err != nil {
		t.Fatal(err)
	}
	indented := "    " + strings.ReplaceAll(strings.TrimSuffix(index.String(), "\n"), "\n", "\n    ")
	if !strings.Contains(string(spec), indented) {
		t.Errorf("the specification does not have this index:\n%s", indented)
	}
	data := m.Bytes("data.tar")
	if len(data) != 4608 || string(data[512:542]) != "30 mtime=1795341809.123456789\n" || string(data[3072:3077]) != "hello" {
		t.Errorf("the tar has %d bytes, its first record is %q", len(data), data[512:542])
	}
}

// sameEverywhere takes away what depends on the file system.
type sameEverywhere struct{ owned }

func (s sameEverywhere) Walk(ctx context.Context, fn func(Entry) error) error {
	return s.owned.Walk(ctx, func(e Entry) error {
		if e.Type == TypeFile {
			e.Allocated = 4096
		}
		e.ModTime = time.Date(2026, 11, 22, 10, 3, 29, 123456789, time.UTC)
		return fn(e)
	})
}
