package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/manifest"
)

// bombSize is how many bytes the bombs have once decompressed.
const bombSize = 96 << 20

// repeated writes text until there are bombSize bytes of it.
func repeated(text string) func(w io.Writer) error {
	return func(w io.Writer) error {
		block := []byte(strings.Repeat(text, 1<<20/len(text)))
		for done := 0; done < bombSize; done += len(block) {
			if _, err := w.Write(block); err != nil {
				return err
			}
		}
		return nil
	}
}

// bomb compresses what comes before, in the middle and after.
func bomb(t *testing.T, before string, middle func(w io.Writer) error, after string) (stored []byte, raw int64) {
	t.Helper()
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	w := &countingWriter{w: z}
	_, err = io.WriteString(w, before)
	err = errors.Join(err, middle(w))
	_, last := io.WriteString(w, after)
	if err := errors.Join(err, last, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), w.n
}

// bombCase is an index that repeats its middle.
type bombCase struct {
	before, middle, after string
	want                  string // of the error, for an index that is read to its end
}

func bombs() map[string]bombCase {
	const (
		one = `{"format":"runner-index/1","codec":"none","digest":"blake3",`
		two = `{"format":"runner-index/2","codec":"none","digest":"blake3",`
	)
	return map[string]bombCase{
		"a long text":           {one + `"later":"`, "a", `"}`, "members end at byte 0"},
		"escapes":               {one + `"later":"`, `\"`, `"}`, "members end at byte 0"},
		"a list":                {one + `"later":[0`, ",0", `]}`, "members end at byte 0"},
		"white space":           {one + `"raw":1`, " ", `}`, "frames have 0 bytes"},
		"white space after":     {one + `"raw":1}`, "\n", ``, "frames have 0 bytes"},
		"an unknown member key": {one + `"files":[{"path":"a","later":"`, "a", `"}]}`, "it is of type"},
		"empty members":         {one + `"files":[{}`, ",{}", `]}`, ""},
		"null members":          {one + `"files":[`, "null,", `{}]}`, ""},
		"members of one name":   {one + `"files":[{"path":"a"}`, `,{"path":"a"}`, `]}`, ""},
		"a long name":           {one + `"files":[{"path":"`, "a", `"}]}`, ""},
		"pages":                 {one + `"files":[{"path":"a","innodb":{"bad_pages":[0`, ",0", `]}}]}`, ""},
		"extents":               {two + `"files":[{"path":"a","extents":[[0,1,0]`, ",[0,1,0]", `]}]}`, ""},
		"an extent of many":     {two + `"files":[{"path":"a","extents":[[0`, ",0", `]]}]}`, ""},
		"empty frames":          {one + `"frames":[{}`, ",{}", `]}`, ""},
		"frames":                {one + `"frames":[{"offset":0,"stored":1,"raw":1}`, `,{"offset":1,"stored":1,"raw":1}`, `]}`, ""},
		"members of the tar":    {two + `"tar":[{}`, ",{}", `]}`, ""},
		"a long number":         {one + `"raw":1`, "0", `}`, ""},
		"deep":                  {one + `"later":`, "[", ``, ""},
		"a long key":            {one + `"`, "a", `":0}`, ""},
		"a long codec":          {`{"format":"runner-index/1","codec":"`, "a", `"}`, ""},
		"a long format":         {`{"format":"`, "a", `"}`, ""},
		"a long rebuilt":        {one + `"rebuilt":{"data":"`, "a", `"}}`, ""},
		"not JSON":              {"", "a", "", ""},
	}
}

// Whatever an index of some 30 KB becomes, reading it takes no more than so many bytes altogether, garbage counted.
func TestAnIndexOfFewBytesTakesLittleMemory(t *testing.T) {
	const most = 48 << 20
	m, b := packed(t, smallFolder(t), codec.Zstd)
	for name, test := range bombs() {
		t.Run(name, func(t *testing.T) {
			stored, raw := bomb(t, test.before, repeated(test.middle), test.after)
			m := m.Clone()
			m.Set(IndexName, stored)
			man := *b.Manifest()
			man.Archive.Index.Bytes, man.Archive.Index.RawBytes = int64(len(stored)), raw
			man.Archive.Index.SHA256 = fmt.Sprintf("%x", sha256Of(stored))
			man.Archive.Files, man.Archive.Frames = 1<<40, 1<<40
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := OpenUncommitted(t.Context(), m, &man)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnsafe) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v", err)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > most {
				t.Errorf("%d KB made %d MB of garbage and memory", len(stored)>>10, n>>20)
			}
		})
	}
}

func TestManyKeysAreRefused(t *testing.T) {
	text := &strings.Builder{}
	for i := range maxKeys + 1 {
		fmt.Fprintf(text, `,"k%d":0`, i)
	}
	_, err := decodeIndexText(strings.NewReader("{"+text.String()[1:]+"}"), noLimits)
	if err == nil || !strings.Contains(err.Error(), "keys") {
		t.Error(err)
	}
}

func TestAnIndexListsNoMoreThanTheManifestSays(t *testing.T) {
	m, b := packed(t, smallFolder(t), codec.Zstd)
	for name, change := range map[string]func(*manifest.Archive){
		"members": func(a *manifest.Archive) { a.Files-- },
		"frames":  func(a *manifest.Archive) { a.Frames-- },
	} {
		man := *b.Manifest()
		change(&man.Archive)
		_, err := OpenUncommitted(t.Context(), m, &man)
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), name+" that the manifest says") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A header of age without an end would be read into memory as a whole.
func TestASealedFileWithAnEndlessHeaderIsRefused(t *testing.T) {
	m, _, identity := sealed(t, smallFolder(t), codec.Zstd)
	name := storedName(IndexName, true)
	endless := append([]byte("age-encryption.org/v1\n-> X25519 "), bytes.Repeat([]byte("a"), 2*maxSealHeader)...)
	man, err := manifest.Read(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	m.Set(name, endless)
	man.Archive.Index.Bytes, man.Archive.Index.SHA256 = int64(len(endless)), fmt.Sprintf("%x", sha256Of(endless))
	if _, err := OpenUncommitted(t.Context(), m, man, identity); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "header") {
		t.Errorf("error is %v", err)
	}
}
