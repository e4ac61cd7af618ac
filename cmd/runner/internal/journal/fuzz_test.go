package journal

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"runner/cmd/runner/internal/engine"
)

// journalOf is a journal of n entries.
func journalOf(t testing.TB, n int64) []byte {
	t.Helper()
	var data []byte
	for i := range n {
		line, err := encode(engine.Entry{
			Seq: i + 1, Type: engine.EntryIntended, Action: &engine.Action{Summary: "make it so"}, Backups: []engine.Backup{{Path: "p"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, line...)
	}
	return data
}

func TestAnyFlippedBitIsNoticed(t *testing.T) {
	whole := journalOf(t, 3)
	for i := range len(whole) - 1 { // without the last newline a line is a torn one
		for bit := range 8 {
			data := bytes.Clone(whole)
			data[i] ^= 1 << bit
			if entries, _, err := parse(data); !errors.As(err, new(*DamagedError)) {
				t.Errorf("byte %d bit %d: %d entries, %v", i, bit, len(entries), err)
			}
		}
	}
}

// FuzzParse asserts that no content makes the reader panic, that what it calls
// whole is read the same when the rest is gone, and that it never skips a line.
func FuzzParse(f *testing.F) {
	data := journalOf(f, 3)
	f.Add(data)
	f.Add(data[:len(data)-5])
	f.Add(append(bytes.Clone(data), make([]byte, 20)...))
	f.Add([]byte("\n"))
	f.Add([]byte(`{"seq":1,"crc":"00000000"}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, good, err := parse(data)
		if good < 0 || good > int64(len(data)) {
			t.Fatalf("good is %d of %d", good, len(data))
		}
		if err != nil && !errors.As(err, new(*DamagedError)) {
			t.Fatalf("error is %T", err)
		}
		again, same, err := parse(data[:good])
		if err != nil || same != good {
			t.Fatalf("whole part: %d of %d, %v", same, good, err)
		}
		if diff := cmp.Diff(entries, again); diff != "" {
			t.Fatal(diff)
		}
		if n := bytes.Count(data[:good], []byte("\n")); n != len(entries) {
			t.Fatalf("%d lines, %d entries", n, len(entries))
		}
	})
}
