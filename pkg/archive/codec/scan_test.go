package codec_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/archive/codec"
)

// file is frames of all samples, one after the other, and where they are.
func file(t testing.TB, f codec.Format) ([]byte, []codec.Extent) {
	t.Helper()
	e := encoder(t, f, f.DefaultLevel())
	var data []byte
	var extents []codec.Extent
	contents := samples()
	for _, name := range []string{"one byte", "text", "short", "random", "zeros", "odd", "mixed"} {
		frame := encode(t, e, contents[name])
		extents = append(extents, codec.Extent{Offset: int64(len(data)), Stored: int64(len(frame)), Raw: int64(len(contents[name]))})
		data = append(data, frame...)
	}
	return data, extents
}

func scanned(t testing.TB, f codec.Format, data []byte) ([]codec.Extent, int64, error) {
	t.Helper()
	var got []codec.Extent
	end, err := codec.Scan(f, bytes.NewReader(data), int64(len(data)), func(e codec.Extent) error {
		got = append(got, e)
		return nil
	})
	return got, end, err
}

func TestScanFindsAllFrames(t *testing.T) {
	each(t, func(t *testing.T, f codec.Format) {
		data, want := file(t, f)
		got, end, err := scanned(t, f, data)
		if f == codec.None {
			if !errors.Is(err, codec.ErrNoFrames) {
				t.Errorf("error is %v", err)
			}
			return
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil || end != int64(len(data)) {
			t.Errorf("end %d of %d, %v: %s", end, len(data), err, diff)
		}
	})
}

func TestScanTellsWhereAFrameIsCutOff(t *testing.T) {
	each(t, func(t *testing.T, f codec.Format) {
		if f == codec.None {
			return
		}
		data, want := file(t, f)
		last := want[len(want)-1]
		for _, n := range []int64{20, last.Stored / 2, last.Stored - 1} {
			got, _, err := scanned(t, f, data[:last.Offset+n])
			var e *codec.ScanError
			if !errors.As(err, &e) || !errors.Is(err, codec.ErrCorrupt) || e.Offset != last.Offset || len(got) != len(want)-1 {
				t.Errorf("%d bytes of the last frame: %d frames, %v", n, len(got), err)
			}
		}
	})
}

func TestSeekTableTellsTheSameAsAScan(t *testing.T) {
	data, want := file(t, codec.Zstd)
	var entries []codec.SeekEntry
	for _, e := range want {
		entries = append(entries, codec.SeekEntry{Stored: uint32(e.Stored), Raw: uint32(e.Raw), Checksum: codec.FrameChecksum(data[:e.Offset+e.Stored])})
	}
	frames := len(data)
	data, err := codec.AppendSeekTable(data, entries)
	if err != nil {
		t.Fatal(err)
	}
	got, err := codec.ReadSeekTable(bytes.NewReader(data), int64(len(data)))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v: %s", err, diff)
	}
	got, end, err := scanned(t, codec.Zstd, data)
	if diff := cmp.Diff(want, got); diff != "" || err != nil || end != int64(frames) {
		t.Errorf("scan ends at %d of %d, %v: %s", end, frames, err, diff)
	}
	for n := range len(data) - frames { // whatever is left of it
		if _, err := codec.ReadSeekTable(bytes.NewReader(data), int64(frames+n)); !errors.Is(err, codec.ErrCorrupt) {
			t.Errorf("%d bytes: %v", n, err)
		}
		if _, end, err := scanned(t, codec.Zstd, data[:frames+n]); err != nil || end != int64(frames) {
			t.Errorf("%d bytes: scan ends at %d, %v", n, end, err)
		}
	}
}

// FuzzScan looks for a file that makes a scan panic, give frames that are not one after the other, or frames
// that decode and are not as they were told.
func FuzzScan(f *testing.F) {
	for i, format := range codec.Formats() {
		var data []byte
		for _, raw := range [][]byte{{1}, []byte("hello, hello, hello"), make([]byte, 5000)} {
			data = append(data, encode(f, encoder(f, format, format.DefaultLevel()), raw)...)
		}
		f.Add(byte(i), data)
	}
	decoders := map[codec.Format]codec.Decoder{}
	for _, format := range codec.Formats() {
		decoders[format] = decoder(f, format)
	}
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		format := codec.Formats()[int(which)%len(codec.Formats())]
		extents, end, err := scanned(t, format, data)
		at := int64(0)
		for _, e := range extents {
			if e.Offset != at || e.Stored <= 0 || e.Raw <= 0 || e.Raw > codec.FrameSize {
				t.Fatalf("frame %+v after byte %d", e, at)
			}
			at += e.Stored
			if at > int64(len(data)) {
				t.Fatalf("frame %+v in %d bytes", e, len(data))
			}
			if _, err := decoders[format].Decode(nil, data[e.Offset:at], int(e.Raw)); err != nil && !errors.Is(err, codec.ErrCorrupt) {
				t.Errorf("decode: %v", err)
			}
		}
		var scan *codec.ScanError
		if err != nil && !errors.As(err, &scan) && !errors.Is(err, codec.ErrNoFrames) {
			t.Errorf("error is %v", err)
		}
		if err == nil && end != at {
			t.Errorf("frames end at %d, the scan at %d", at, end)
		}
		if entries, err := codec.ReadSeekTable(bytes.NewReader(data), int64(len(data))); err != nil && !errors.Is(err, codec.ErrCorrupt) {
			t.Errorf("seek table of %d: %v", len(entries), err)
		}
	})
}
