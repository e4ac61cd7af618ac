package codec

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func fill(row func(r *rand.Rand) []byte) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b []byte
	for len(b) < FrameSize {
		b = append(b, row(r)...)
	}
	return b[:FrameSize]
}

func random(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestAFrameIsOfTheKindOfItsContent(t *testing.T) {
	words := strings.Fields("order paid sent closed customer street weather invoice reminder the of and to a in is thank you for your kind regards")
	contents := map[string]struct {
		row  func(r *rand.Rand) []byte
		want kind
	}{
		"random bytes":            {func(r *rand.Rand) []byte { return random(r, 4096) }, noise},
		"pictures, between zeros": {func(r *rand.Rand) []byte { return append(random(r, 3000), make([]byte, 500)...) }, noise},
		"tokens":                  {func(r *rand.Rand) []byte { return fmt.Appendf(nil, "%x", random(r, 32)) }, digits},
		"rows of numbers": {func(r *rand.Rand) []byte {
			b := binary.BigEndian.AppendUint32([]byte{0, 0, 0x10, 0x80}, r.Uint32N(1000))
			return append(binary.BigEndian.AppendUint64(b, 1<<40+r.Uint64N(1<<20)), random(r, 8)...)
		}, numbers},
		"sentences": {func(r *rand.Rand) []byte {
			return []byte(words[r.IntN(len(words))] + " " + words[r.IntN(len(words))] + " ")
		}, text},
		"JSON": {func(r *rand.Rand) []byte {
			return fmt.Appendf(nil, `{"sku": "A-%d", "quantity": %d, "price": %d.50}`, r.IntN(9999), r.IntN(9), r.IntN(500))
		}, text},
		"zeros": {func(*rand.Rand) []byte { return make([]byte, 4096) }, text},
	}
	var s sample
	for name, c := range contents {
		raw := fill(c.row)
		for range 2 { // what was sampled before does not matter
			if got := s.kind(raw); got != c.want {
				t.Errorf("%s: kind %d, want %d", name, got, c.want)
			}
		}
	}
	if got := s.kind(random(rand.New(rand.NewPCG(1, 2)), samples*sampleSize-1)); got != text {
		t.Errorf("too short to be sampled: kind %d", got)
	}
}
