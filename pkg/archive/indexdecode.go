package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/zstd"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/manifest"
)

// MaxIndex is the most bytes that an index may have once decompressed: some 300 bytes a file and
// 130 a frame, so ten million files.
const MaxIndex = 4 << 30

// indexWindow bounds the window of the zstd frame of an index, in bytes, and so the memory of its decoder: the format's
// recommended maximum (RFC 8878).
const indexWindow = 8 << 20

// indexLimits bound what an index may list; -1 where that is not known.
type indexLimits struct{ files, frames int64 }

var noLimits = indexLimits{files: -1, frames: -1}

// limitsOf are those of the manifest: an index that has more contradicts it.
func limitsOf(m *manifest.Manifest) indexLimits {
	return indexLimits{files: m.Archive.Files, frames: min(m.Archive.Frames, codec.MaxFrames)}
}

// decodeIndex reads what encodeIndex wrote; raw is the size that it must have once decompressed. It takes memory for the
// members and frames that are listed, at most as many as the limits allow, each of which is checked before the next is read so
// that a list of empty ones ends at the first; for one value besides, and for the window of zstd. Keys that it does not know
// are skipped without being kept.
func decodeIndex(stored io.Reader, raw int64, limits indexLimits) (*Index, error) {
	if raw < 0 || raw > MaxIndex {
		return nil, fmt.Errorf("raw size %d is not between 0 and %d", raw, int64(MaxIndex))
	}
	z, err := zstd.NewReader(stored, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(indexWindow), zstd.WithDecoderMaxMemory(MaxIndex), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	// One byte more than there may be tells an index that is too long from one that ends there.
	limited := &io.LimitedReader{R: z, N: raw + 1}
	idx, err := decodeIndexText(limited, limits)
	if err == nil && limited.N != 1 {
		return nil, fmt.Errorf("it has not the %d bytes that the manifest says", raw)
	}
	return idx, err
}

// decodeIndexText reads an index that is not compressed.
func decodeIndexText(r io.Reader, limits indexLimits) (*Index, error) {
	d := &indexDecoder{scan: newJSONScanner(r), limits: limits, index: &Index{}}
	if err := d.decode(); err != nil {
		return nil, err
	}
	return d.index, nil
}

// indexDecoder reads the text of an index.
type indexDecoder struct {
	scan   *jsonScanner
	limits indexLimits
	index  *Index
	stored int64  // bytes of the frames so far
	text   []byte // of the member that is read, without extents
}

func (d *indexDecoder) decode() error {
	seen := map[string]bool{}
	err := d.scan.object(func(key string) error {
		if seen[key] {
			return fmt.Errorf("%q occurs twice", key)
		}
		seen[key] = true
		err := d.field(key)
		if err != nil && !errors.Is(err, ErrUnsafe) { // which names its member
			err = fmt.Errorf("%s: %w", key, err)
		}
		return err
	})
	if err != nil {
		return err
	}
	switch _, err := d.scan.peek(); {
	case err == nil:
		return errors.New("bytes after the end")
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

func (d *indexDecoder) field(key string) error {
	idx := d.index
	switch key {
	case "format":
		if err := d.scan.decode(&idx.Format); err != nil {
			return err
		}
		if idx.Format != IndexFormat && idx.Format != PatchedFormat {
			return &FormatError{File: IndexName, Found: idx.Format, Want: PatchedFormat}
		}
		return nil
	case "codec":
		return d.scan.decode(&idx.Codec)
	case "digest":
		return d.scan.decode(&idx.Digest)
	case "raw":
		return d.scan.decode(&idx.Raw)
	case "stored":
		return d.scan.decode(&idx.Stored)
	case "rebuilt":
		return d.scan.decode(&idx.Rebuilt)
	case "files":
		return d.scan.list(d.member)
	case "tar":
		return d.scan.list(d.tarMember)
	case "frames":
		return d.scan.list(d.frame)
	}
	return d.scan.value(nil) // of a later version
}

// memberKeys are those of a [Member] but extents, which have no bound but the tar, and are read one by one. Each stands for
// itself, so that one text serves for all members.
var memberKeys = func() map[string]string {
	keys := map[string]string{}
	for _, key := range []string{
		"path", "type", "mode", "uid", "gid", "mtime", "size", "allocated", "link", "digest", "header", "offset", "first_frame", "last_frame", "innodb",
	} {
		keys[key] = key
	}
	return keys
}()

func (d *indexDecoder) member() error {
	files := d.index.Files
	if d.limits.files >= 0 && int64(len(files)) >= d.limits.files {
		return fmt.Errorf("more than the %d members that the manifest says", d.limits.files)
	}
	m := &Member{}
	k := &kept{text: append(d.text[:0], '{'), limit: maxItem}
	err := d.scan.object(func(key string) error {
		switch {
		case key == "extents" && m.Extents != nil:
			return fmt.Errorf("%q occurs twice", key)
		case key == "extents":
			m.Extents = []Extent{}
			return d.scan.list(func() error { return d.extent(m) })
		case memberKeys[key] == "":
			return d.scan.value(nil)
		}
		if len(k.text) > 1 {
			k.text = append(k.text, ',')
		}
		k.text = append(append(append(k.text, '"'), key...), '"', ':')
		return d.scan.value(k)
	})
	k.text = append(k.text, '}')
	d.text = k.text
	if err != nil {
		return err
	}
	if err := json.Unmarshal(d.text, m); err != nil {
		return err
	}
	if n := len(files); n > 0 {
		if err := sortedAfter(files[n-1], m); err != nil {
			return err
		}
	}
	d.index.Files = append(d.index.Files, m)
	return nil
}

// extent reads three numbers. A list of extents is sorted, so that no text of few bytes makes many.
func (d *indexDecoder) extent(m *Member) error {
	var numbers [3]int64
	i := 0
	err := d.scan.list(func() (err error) {
		if i == len(numbers) {
			return errors.New("an extent is not three numbers")
		}
		numbers[i], err = d.scan.number()
		i++
		return err
	})
	if err != nil {
		return err
	}
	e := Extent{Off: numbers[0], N: numbers[1], At: numbers[2]}
	end := int64(0)
	if n := len(m.Extents); n > 0 {
		end = m.Extents[n-1].Off + m.Extents[n-1].N
	}
	if i != len(numbers) || e.N <= 0 || e.Off < end || e.Off > math.MaxInt64-e.N {
		return fmt.Errorf("an extent has %d bytes at byte %d, the one before it ends at %d", e.N, e.Off, end)
	}
	m.Extents = append(m.Extents, e)
	return nil
}

func (d *indexDecoder) tarMember() error {
	t := &TarMember{}
	if err := d.scan.decode(t); err != nil {
		return err
	}
	if n := len(d.index.Tar); t.Offset <= t.Header || n > 0 && t.Header < d.index.Tar[n-1].Offset {
		return fmt.Errorf("member %d of the tar has its header at byte %d and its content at %d", n, t.Header, t.Offset)
	}
	d.index.Tar = append(d.index.Tar, t)
	return nil
}

func (d *indexDecoder) frame() error {
	n := len(d.index.Frames)
	if d.limits.frames >= 0 && int64(n) >= d.limits.frames {
		return fmt.Errorf("more than the %d frames that the manifest says", d.limits.frames)
	}
	var f Frame
	if err := d.scan.decode(&f); err != nil {
		return err
	}
	if err := f.check(n, d.stored); err != nil {
		return err
	}
	d.stored += f.Stored
	d.index.Frames = append(d.index.Frames, f)
	return nil
}
