package archive

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"

	"runner/pkg/archive/digest"
	"runner/pkg/archive/store"
)

// WriteIndex writes the index of what was packed, encrypted as the data file is.
func WriteIndex(ctx context.Context, dst store.Store, p *Packed) (Stored, error) {
	w, err := create(ctx, dst, IndexName, p.recipients)
	if err != nil {
		return Stored{}, err
	}
	raw, err := encodeIndex(ctx, w, p.Index)
	if err != nil {
		return Stored{}, errors.Join(fmt.Errorf("write index: %w", err), w.abort())
	}
	return w.commit(raw)
}

// WriteSums writes SHA256SUMS of the stored files.
func WriteSums(ctx context.Context, dst store.Store, stored ...Stored) error {
	sums := make([]digest.Sum, len(stored))
	for i, s := range stored {
		sums[i] = digest.Sum{Name: s.Name, SHA256: s.SHA256}
	}
	data, err := digest.FormatSums(sums)
	if err != nil {
		return fmt.Errorf("write %s: %w", digest.SumsName, err)
	}
	return store.WriteAll(ctx, dst, digest.SumsName, data)
}

type countingWriter struct {
	w   io.Writer
	sum hash.Hash
	n   int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	if c.sum != nil {
		c.sum.Write(p[:n])
	}
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return n, err
}

// encodeIndex writes one member and one frame a line, so that memory does not grow with their
// number and line tools can read it.
func encodeIndex(ctx context.Context, w io.Writer, idx *Index) (raw int64, err error) {
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(true), zstd.WithEncoderLevel(zstd.SpeedDefault))
	if err != nil {
		return 0, err
	}
	counted := &countingWriter{w: z}
	b := bufio.NewWriterSize(counted, 64<<10)
	err = writeIndexText(ctx, b, idx)
	if err == nil {
		err = b.Flush()
	}
	return counted.n, errors.Join(err, z.Close())
}

func writeIndexText(ctx context.Context, b *bufio.Writer, idx *Index) error {
	head := fmt.Sprintf(`{"format":%q,"codec":%q,"digest":%q,"raw":%d,"stored":%d,`, idx.Format, idx.Codec, idx.Digest, idx.Raw, idx.Stored)
	if idx.Rebuilt != nil {
		head += fmt.Sprintf(`"rebuilt":{"data":%q},`, idx.Rebuilt.Data)
	}
	if _, err := b.WriteString(head); err != nil {
		return err
	}
	if err := writeLines(ctx, b, "files", idx.Files); err != nil {
		return err
	}
	if _, err := b.WriteString(","); err != nil {
		return err
	}
	if idx.Patched() {
		if err := writeLines(ctx, b, "tar", idx.Tar); err != nil {
			return err
		}
		if _, err := b.WriteString(","); err != nil {
			return err
		}
	}
	if err := writeLines(ctx, b, "frames", idx.Frames); err != nil {
		return err
	}
	_, err := b.WriteString("}\n")
	return err
}

func writeLines[T any](ctx context.Context, b *bufio.Writer, name string, items []T) error {
	if _, err := fmt.Fprintf(b, "\n%q:[", name); err != nil {
		return err
	}
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	for i, item := range items {
		line.Reset()
		if i > 0 {
			line.WriteByte(',')
		}
		line.WriteByte('\n')
		if err := enc.Encode(item); err != nil {
			return err
		}
		// The line feed that Encode adds belongs before the next line, after the comma.
		if _, err := b.Write(bytes.TrimSuffix(line.Bytes(), []byte("\n"))); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	_, err := b.WriteString("\n]")
	return err
}
