package archive

import (
	"bytes"
	"container/heap"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sort"
)

// Extent is a run of bytes of a file that was written in pieces, and where in the tar they are. In the
// index it is a list of the three numbers.
type Extent struct {
	Off int64 // in the file
	N   int64 // bytes, 1 or more
	At  int64 // offset in the tar
}

// MarshalJSON gives [Off, N, At].
func (e Extent) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "[%d,%d,%d]", e.Off, e.N, e.At), nil
}

// UnmarshalJSON reads a list of exactly three numbers.
func (e *Extent) UnmarshalJSON(text []byte) error {
	var numbers []int64
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&numbers); err != nil {
		return err
	}
	if len(numbers) != 3 {
		return errors.New("an extent is not three numbers")
	}
	e.Off, e.N, e.At = numbers[0], numbers[1], numbers[2]
	return nil
}

// write is what a file was given at one time: bytes of the tar from at on, or where at is noBytes
// zeros, since the file was cut off there.
type write struct{ off, n, at int64 }

const noBytes = -1

func (w write) end() int64 { return w.off + w.n }

// cutOff is the write that a cut to a size stands for: what comes after it reads as zeros until it is
// written again.
func cutOff(size int64) write { return write{off: size, n: math.MaxInt64 - size, at: noBytes} }

// resolve gives what is left of writes, of which later ones win, sorted by offset in the file.
// Neighbours are one extent where they are neighbours in the tar too. It takes the time of sorting them.
func resolve(writes []write) []Extent {
	order := make([]int, len(writes))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return writes[order[i]].off < writes[order[j]].off })
	extents := []Extent{}
	var open latest
	for pos := int64(0); len(order) > 0 || len(open) > 0; {
		for len(order) > 0 && writes[order[0]].off <= pos {
			heap.Push(&open, order[0])
			order = order[1:]
		}
		for len(open) > 0 && writes[open[0]].end() <= pos {
			heap.Pop(&open)
		}
		next := int64(math.MaxInt64)
		if len(order) > 0 {
			next = writes[order[0]].off
		}
		if len(open) > 0 {
			w := writes[open[0]]
			next = min(next, w.end())
			if w.at != noBytes {
				extents = appendExtent(extents, Extent{Off: pos, N: next - pos, At: w.at + pos - w.off})
			}
		}
		pos = next
		if pos == math.MaxInt64 {
			break
		}
	}
	return extents
}

func appendExtent(extents []Extent, e Extent) []Extent {
	if n := len(extents); n > 0 {
		last := &extents[n-1]
		if last.Off+last.N == e.Off && last.At+last.N == e.At {
			last.N += e.N
			return extents
		}
	}
	return append(extents, e)
}

// latest is a heap of numbers of writes, the last of them on top.
type latest []int

func (l latest) Len() int           { return len(l) }
func (l latest) Less(i, j int) bool { return l[i] > l[j] }
func (l latest) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *latest) Push(x any)        { *l = append(*l, x.(int)) }

func (l *latest) Pop() any {
	x := (*l)[len(*l)-1]
	*l = (*l)[:len(*l)-1]
	return x
}
