package codec_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"

	"runner/pkg/archive/codec"
)

func each(t *testing.T, test func(t *testing.T, f codec.Format)) {
	t.Helper()
	for _, f := range codec.Formats() {
		t.Run(string(f), func(t *testing.T) { test(t, f) })
	}
}

func encoder(t testing.TB, f codec.Format, level int) codec.Encoder {
	t.Helper()
	e, err := codec.NewEncoder(f, level)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func decoder(t testing.TB, f codec.Format) codec.Decoder {
	t.Helper()
	d, err := codec.NewDecoder(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func encode(t testing.TB, e codec.Encoder, raw []byte) []byte {
	t.Helper()
	frame, err := e.Encode(nil, raw)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// samples are contents of all kinds: none of a format's ways to store a block is left out.
func samples() map[string][]byte {
	r := rand.New(rand.NewChaCha8([32]byte{7}))
	random := make([]byte, codec.FrameSize)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	words := bytes.Fields([]byte("the quick brown fox jumps over the lazy dog 2026 orders paid open"))
	var text []byte
	for len(text) < codec.FrameSize {
		text = append(append(text, words[r.IntN(len(words))]...), ' ')
	}
	text = text[:codec.FrameSize]
	mixed := bytes.Clone(text)
	for i := 0; i < len(mixed); i += 32 << 10 {
		copy(mixed[i:i+16<<10], random[i:])
	}
	return map[string][]byte{
		"one byte": {1}, "short": []byte("hello"), "block": text[:512], "odd": text[:100_001],
		"random": random, "text": text, "mixed": mixed, "zeros": make([]byte, codec.FrameSize),
	}
}

func TestFramesGiveBackWhatWentIn(t *testing.T) {
	contents := samples()
	each(t, func(t *testing.T, f codec.Format) {
		lowest, highest := f.Levels()
		for level := lowest; level <= highest; level++ {
			e, d := encoder(t, f, level), decoder(t, f)
			for name, raw := range contents {
				if level != f.DefaultLevel() && len(raw) > 1<<20 {
					raw = raw[:1<<20] // the thorough levels take their time
				}
				frame := encode(t, e, raw)
				if len(frame) > codec.MaxStored {
					t.Errorf("level %d, %s: %d bytes", level, name, len(frame))
				}
				got, err := d.Decode([]byte("before"), frame, len(raw))
				if err != nil || !bytes.Equal(got, append([]byte("before"), raw...)) {
					t.Errorf("level %d, %s: %d bytes, %v", level, name, len(got), err)
				}
			}
		}
	})
}

// What an encoder makes depends on nothing that it made before.
func TestFramesDependOnTheirContentAlone(t *testing.T) {
	contents := samples()
	each(t, func(t *testing.T, f codec.Format) {
		_, highest := f.Levels()
		for _, level := range []int{f.DefaultLevel(), min(highest, 3)} {
			want := map[string][]byte{}
			for name, raw := range contents {
				want[name] = encode(t, encoder(t, f, level), raw)
			}
			used := encoder(t, f, level)
			for range 2 { // the order of a map is another one each time
				for name, raw := range contents {
					if !bytes.Equal(encode(t, used, raw), want[name]) {
						t.Errorf("level %d: %s differs", level, name)
					}
				}
			}
		}
	})
}

// The match finders count bytes over all frames and start anew before the count overflows.
func TestFramesStayTheSameBeyondTwoGigabytes(t *testing.T) {
	contents := samples()
	e := encoder(t, codec.Zstd, 1)
	text, mixed := encode(t, e, contents["text"]), encode(t, e, contents["mixed"])
	for range 560 {
		encode(t, e, contents["random"])
	}
	for i := range 20 {
		if !bytes.Equal(encode(t, e, contents["text"]), text) || !bytes.Equal(encode(t, e, contents["mixed"]), mixed) {
			t.Fatalf("frame %d differs", i)
		}
	}
}

func TestStandardToolsReadFrames(t *testing.T) {
	contents := samples()
	raw := append(append(bytes.Clone(contents["odd"]), contents["random"]...), contents["mixed"]...)
	for f, tool := range map[codec.Format]string{codec.Gzip: "gzip -dc", codec.Zstd: "zstd -dc", codec.LZ4: "lz4 -dc"} {
		t.Run(string(f), func(t *testing.T) {
			e := encoder(t, f, f.DefaultLevel())
			var file []byte
			var entries []codec.SeekEntry
			for _, part := range [][]byte{contents["odd"], contents["random"], contents["mixed"]} {
				frame := encode(t, e, part)
				entries = append(entries, codec.SeekEntry{Stored: uint32(len(frame)), Raw: uint32(len(part)), Checksum: codec.FrameChecksum(frame)})
				file = append(file, frame...)
			}
			if f == codec.Zstd {
				var err error
				if file, err = codec.AppendSeekTable(file, entries); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command("sh", "-c", tool)
			cmd.Stdin, cmd.Stderr = bytes.NewReader(file), os.Stderr
			out, err := cmd.Output()
			if err != nil || !bytes.Equal(out, raw) {
				t.Errorf("%s gives %d bytes of %d, %v", tool, len(out), len(raw), err)
			}
		})
	}
}

// Digests aside, a frame itself notices damage: it gives an error or what went in.
func TestDamagedFramesGiveAnErrorOrTheirContent(t *testing.T) {
	raw := []byte("orders paid open orders paid open, and the quick brown fox jumps over the lazy dog 0123456789")
	each(t, func(t *testing.T, f codec.Format) {
		if f == codec.None {
			return // has nothing to notice by
		}
		d := decoder(t, f)
		frame := encode(t, encoder(t, f, f.DefaultLevel()), raw)
		for at := range frame {
			for bit := range 8 {
				damaged := bytes.Clone(frame)
				damaged[at] ^= 1 << bit
				got, err := d.Decode(nil, damaged, len(raw))
				if err == nil && !bytes.Equal(got, raw) || err != nil && !errors.Is(err, codec.ErrCorrupt) {
					t.Errorf("bit %d of byte %d: %q, %v", bit, at, got, err)
				}
			}
			if got, err := d.Decode(nil, frame[:at], len(raw)); !errors.Is(err, codec.ErrCorrupt) {
				t.Errorf("cut to %d of %d bytes: %q, %v", at, len(frame), got, err)
			}
		}
		for name, more := range map[string][]byte{"a byte": {0}, "itself": frame} {
			if got, err := d.Decode(nil, append(bytes.Clone(frame), more...), len(raw)); !errors.Is(err, codec.ErrCorrupt) {
				t.Errorf("with %s after it: %q, %v", name, got, err)
			}
		}
		if got, err := d.Decode(nil, frame, len(raw)); err != nil || !bytes.Equal(got, raw) {
			t.Errorf("undamaged after all that: %q, %v", got, err)
		}
	})
}

func TestFramesOfNoOrTooManyBytesAreRefused(t *testing.T) {
	each(t, func(t *testing.T, f codec.Format) {
		e, d := encoder(t, f, f.DefaultLevel()), decoder(t, f)
		for _, n := range []int{0, codec.FrameSize + 1} {
			if _, err := e.Encode(nil, make([]byte, n)); err == nil {
				t.Errorf("%d bytes were encoded", n)
			}
			if _, err := d.Decode(nil, make([]byte, 100), n); !errors.Is(err, codec.ErrCorrupt) {
				t.Errorf("decoding %d bytes: %v", n, err)
			}
		}
		if _, err := d.Decode(nil, make([]byte, codec.MaxStored+1), codec.FrameSize); !errors.Is(err, codec.ErrCorrupt) {
			t.Errorf("decoding too large a frame: %v", err)
		}
	})
}

func TestFormatsAndLevels(t *testing.T) {
	type scale struct {
		extension             string
		lowest, highest, take int
	}
	want := map[codec.Format]scale{
		codec.None: {"tar", 0, 0, 0}, codec.Gzip: {"tar.gz", 0, 9, 6},
		codec.Zstd: {"tar.zst", 1, 22, 1}, codec.LZ4: {"tar.lz4", 1, 12, 1},
	}
	for _, f := range codec.Formats() {
		lowest, highest := f.Levels()
		if got := (scale{f.Extension(), lowest, highest, f.DefaultLevel()}); got != want[f] {
			t.Errorf("%s: %+v", f, got)
		}
		for _, level := range []int{lowest - 1, highest + 1} {
			var e *codec.LevelError
			if _, err := codec.NewEncoder(f, level); !errors.As(err, &e) || e.Level != level {
				t.Errorf("%s, level %d: %v", f, level, err)
			}
		}
		if got, err := codec.Parse(string(f)); got != f || err != nil {
			t.Errorf("%s: %q, %v", f, got, err)
		}
	}
	var e *codec.FormatError
	for _, name := range []string{"", "rar", "ZSTD"} {
		_, err := codec.Parse(name)
		if _, err2 := codec.NewEncoder(codec.Format(name), 1); !errors.As(err, &e) || !errors.As(err2, &e) {
			t.Errorf("%q: %v, %v", name, err, err2)
		}
		if _, err := codec.NewDecoder(codec.Format(name)); !errors.As(err, &e) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestSeekTable(t *testing.T) {
	entries := []codec.SeekEntry{{Stored: 1, Raw: 2, Checksum: 3}, {Stored: 1 << 31, Raw: 4 << 20, Checksum: 0xFFFFFFFF}}
	table, err := codec.AppendSeekTable(nil, entries)
	if err != nil {
		t.Fatal(err)
	}
	// As the specification of the seekable format has it, byte by byte.
	want := "5e2a4d18" + "21000000" + "010000000200000003000000" + "0000008000004000ffffffff" + "0200000080b1ea928f"
	if got := fmt.Sprintf("%x", table); got != want {
		t.Errorf("table is %s", got)
	}
	got, err := codec.ParseSeekTable(table)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(entries, got); diff != "" {
		t.Error(diff)
	}
	for n := range table {
		if _, err := codec.ParseSeekTable(table[:n]); !errors.Is(err, codec.ErrCorrupt) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	if _, err := codec.ParseSeekTable(append(table, 0)); !errors.Is(err, codec.ErrCorrupt) {
		t.Errorf("a byte more: %v", err)
	}
}

// FuzzFrame looks for a frame that makes a decoder panic or give more than it is asked for.
func FuzzFrame(f *testing.F) {
	for i, format := range codec.Formats() {
		for _, raw := range [][]byte{{1}, []byte("hello, hello, hello"), make([]byte, 5000)} {
			f.Add(byte(i), encode(f, encoder(f, format, format.DefaultLevel()), raw), len(raw))
		}
	}
	decoders := map[codec.Format]codec.Decoder{}
	for _, format := range codec.Formats() {
		decoders[format] = decoder(f, format)
	}
	f.Fuzz(func(t *testing.T, format byte, frame []byte, size int) {
		if size > 1<<20 {
			return
		}
		formats := codec.Formats()
		got, err := decoders[formats[int(format)%len(formats)]].Decode(nil, frame, size)
		if err == nil && len(got) != size || err != nil && !errors.Is(err, codec.ErrCorrupt) {
			t.Errorf("%d bytes of %d, %v", len(got), size, err)
		}
	})
}

// FuzzSeekTable looks for a table that is let through and is not what it would be written as.
func FuzzSeekTable(f *testing.F) {
	for n := range 3 {
		table, err := codec.AppendSeekTable(nil, make([]codec.SeekEntry, n))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(table)
	}
	f.Fuzz(func(t *testing.T, table []byte) {
		entries, err := codec.ParseSeekTable(table)
		if err != nil {
			return
		}
		again, err := codec.AppendSeekTable(nil, entries)
		if err != nil || !bytes.Equal(again, table) {
			t.Errorf("%x is written again as %x, %v", table, again, err)
		}
	})
}
