package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/store"
)

// findFrames finds where the frames are, and how long the tar is.
func (r *rebuilder) findFrames(ctx context.Context, data store.Reader) error {
	add := func(e codec.Extent) error {
		if len(r.index.Frames) >= codec.MaxFrames {
			return r.damage(e.Offset, "more than %d frames", codec.MaxFrames)
		}
		r.index.Frames = append(r.index.Frames, Frame{Offset: e.Offset, Stored: e.Stored, Raw: e.Raw})
		r.starts = append(r.starts, r.index.Raw)
		r.index.Raw += e.Raw
		r.index.Stored += e.Stored
		return ctx.Err()
	}
	err := r.findWith(data, add)
	var none *codec.ScanError
	if errors.As(err, &none) {
		return r.damage(none.Offset, "%s", none.What)
	}
	var damage *CorruptError
	if err != nil && !errors.As(err, &damage) {
		return fmt.Errorf("read %s: %w", r.dataName(), err)
	}
	if err != nil {
		return err
	}
	if len(r.index.Frames) == 0 {
		return r.damage(0, "no frames")
	}
	r.starts = append(r.starts, r.index.Raw)
	if r.index.Codec == codec.Zstd {
		r.index.Stored += codec.SeekTableSize(len(r.index.Frames))
	}
	return nil
}

func (r *rebuilder) findWith(data store.Reader, add func(codec.Extent) error) error {
	switch r.index.Codec {
	case codec.None:
		return r.cutFrames(data, add)
	case codec.Zstd:
		extents, err := codec.ReadSeekTable(data, data.Size())
		if err == nil {
			for _, e := range extents {
				if err := add(e); err != nil {
					return err
				}
			}
			return nil
		}
		if !errors.Is(err, codec.ErrCorrupt) {
			return err
		}
	}
	_, err := codec.Scan(r.index.Codec, data, data.Size(), add)
	return err
}

// cutFrames cuts a tar that is not compressed where its writer did: by the names and sizes of its members.
func (r *rebuilder) cutFrames(data store.Reader, add func(codec.Extent) error) error {
	at := int64(0)
	l := layout{anyOrder: true, emit: func(_ []piece, raw int64) error {
		e := codec.Extent{Offset: at, Stored: raw, Raw: raw}
		at += raw
		return add(e)
	}}
	buf := make([]byte, maxHeader)
	for {
		n, err := data.ReadAt(buf[:min(maxHeader, max(data.Size()-l.pos, 0))], l.pos)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		raw := buf[:n]
		if n < tarBlock || isZero(raw[:tarBlock]) {
			break
		}
		header, err := headerBlocks(raw)
		if err != nil {
			return r.damage(l.pos, "%v", err)
		}
		e, err := parseRebuiltHeader(header)
		if errors.Is(err, ErrNotRebuilt) {
			return err
		}
		if err != nil {
			return r.damage(l.pos, "%v", err)
		}
		pos := l.pos
		if err := l.add(e); err != nil {
			return r.damage(pos, "%v", err)
		}
		if m := l.members[len(l.members)-1]; m.Offset-m.Header != int64(len(header)) {
			return r.damage(pos, "tar header of %d bytes where %d were expected", len(header), m.Offset-m.Header)
		}
		if l.pos > data.Size() {
			return r.damage(pos, "%s is cut off", e.Path)
		}
	}
	if l.pos+tarEnd != data.Size() {
		return r.damage(l.pos, "the tar ends at byte %d of %d", l.pos+tarEnd, data.Size())
	}
	return l.end()
}

// tarSize reads the size field of a header block.
func tarSize(block []byte) (int64, error) {
	const at, digits = 124, 12
	field := bytes.Trim(block[at:at+digits], " \x00")
	size := int64(0)
	for _, c := range field {
		if c < '0' || c > '7' {
			return 0, errors.New("no octal number")
		}
		size = size<<3 | int64(c-'0')
	}
	return size, nil
}

// headerBlocks gives the header blocks that raw begins with, all of one member.
func headerBlocks(raw []byte) ([]byte, error) {
	const (
		typeFlag = 156 // in a header block (POSIX.1-2001, ustar)
		extended = 'x'
		maxSize  = maxHeader - 2*tarBlock
	)
	n := int64(tarBlock)
	if int64(len(raw)) < n {
		return nil, errors.New("tar header is cut off")
	}
	if raw[typeFlag] == extended {
		size, err := tarSize(raw[:tarBlock])
		if err != nil || size > maxSize {
			return nil, errors.New("size of a PAX header is wrong")
		}
		n += padded(size) + tarBlock
	}
	if n > int64(len(raw)) {
		return nil, errors.New("tar header lies in more than one frame")
	}
	return raw[:n], nil
}
