package codec

import (
	"encoding/binary"
	"math"
)

// kind is what a frame seems to hold, as far as that matters for compressing it.
type kind int

const (
	// noise has no repeats and uses all bytes alike: pictures, what is compressed or encrypted. There is nothing
	// to be gained but what is between rows, and counting its bytes costs as much as all else.
	noise kind = iota
	// digits have no repeats but do not use all bytes: tokens in hexadecimal digits.
	digits
	// numbers repeat in short pieces: keys, amounts and times. A thorough search takes ten times as long there as
	// in text, for two percent.
	numbers
	// text repeats in long pieces: words, JSON, log lines.
	text

	kinds
)

const (
	samples    = 32      // a frame
	sampleSize = 2 << 10 // bytes
	tableBits  = 14

	// Percentages of the positions in the samples at which eight bytes stand that stood somewhere before; zeros
	// do not count.
	// Random bytes have none, rows of numbers 10 to 25, sentences 30, JSON and log lines 40 and more.
	numbersRepeat = 7
	textRepeats   = 27
	// noiseEntropy is the order-0 entropy, in bits per byte, from which on bytes are not worth counting.
	noiseEntropy = 7.9
)

// sample looks at parts of a frame to tell its kind.
type sample struct {
	seen  [1 << tableBits]uint32
	count [256]int
}

// kind of a frame. What is too short to be sampled counts as text.
func (s *sample) kind(raw []byte) kind {
	if len(raw) < samples*sampleSize {
		return text
	}
	clear(s.seen[:])
	clear(s.count[:])
	step := len(raw) / samples
	positions, repeated := 0, 0
	for at := 0; at+sampleSize <= len(raw); at += step {
		part := raw[at : at+sampleSize]
		if isZero(part[:64]) && isZero(part) {
			continue // says nothing, and costs nothing either way
		}
		p, r := s.repeats(part)
		positions += p
		repeated += r
		for _, b := range part {
			s.count[b]++
		}
	}
	switch percent := 100 * repeated; {
	case percent >= positions*textRepeats:
		return text
	case percent >= positions*numbersRepeat:
		return numbers
	case s.entropy() < noiseEntropy:
		return digits
	}
	return noise
}

// repeats gives the number of positions at which eight bytes stand that are not all zero, and at how many of them they
// stood somewhere before.
func (s *sample) repeats(part []byte) (positions, repeated int) {
	const prime8 = 0xcf1bbcdcb7a56463 // of the eight-byte hash of zstd
	for i := 0; i+8 <= len(part); i++ {
		v := binary.LittleEndian.Uint64(part[i:])
		if v == 0 {
			continue
		}
		positions++
		h := v * prime8
		// The bits below the place tell one string from others that share it.
		place, tag := h>>(64-tableBits), uint32(h>>(64-tableBits-32))
		if s.seen[place] == tag {
			repeated++
		}
		s.seen[place] = tag
	}
	return positions, repeated
}

// entropy of the bytes that are not zero, each by itself, in bits: runs of zeros, as between rows, are
// found by every search.
func (s *sample) entropy() float64 {
	total := 0
	for _, n := range s.count[1:] {
		total += n
	}
	bits := 0.0
	for _, n := range s.count[1:] {
		if n > 0 {
			p := float64(n) / float64(total)
			bits -= p * math.Log2(p)
		}
	}
	return bits
}

func isZero(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b) != 0 {
			return false
		}
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
