package manifest

import "fmt"

// Bounds of a manifest besides its size, so that its bytes take no more than some five times of them as values, and are read in
// a time that grows with their number alone.
const (
	// maxDepth is how deep values may be nested; those of this format are up to six deep.
	maxDepth = 64
	// maxKeys is how many keys an object may have; annotations are the only object without a fixed number.
	maxKeys = 10_000
	// minObject is how many bytes an object has on average at least: a table that is lost, the smallest of this format, takes some 90.
	// A thousand objects may be smaller.
	minObject    = 48
	smallObjects = 1000
)

// checkShape looks at brackets and colons only: whether the rest is JSON is not its business.
func checkShape(data []byte) error {
	var keys [maxDepth + 1]int
	depth, objects, most := 0, 0, smallObjects+len(data)/minObject
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i = endOfText(data, i)
		case '{', '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("values are nested deeper than %d", maxDepth)
			}
			if keys[depth] = 0; data[i] == '[' {
				continue
			}
			if objects++; objects > most {
				return fmt.Errorf("%d bytes have more than %d objects", len(data), most)
			}
		case '}', ']':
			depth = max(depth-1, 0)
		case ':':
			if keys[depth]++; keys[depth] > maxKeys {
				return fmt.Errorf("an object has more than %d keys", maxKeys)
			}
		}
	}
	return nil
}

// endOfText returns where the string ends that begins at i; where data ends, if nowhere.
func endOfText(data []byte, i int) int {
	for i++; i < len(data) && data[i] != '"'; i++ {
		if data[i] == '\\' {
			i++
		}
	}
	return i
}
