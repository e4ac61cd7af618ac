package clone

import (
	"fmt"
	"slices"
	"strings"
)

// checkWireCompression: a server compresses with what protocol_compression_algorithms names, and knows zstd from 8.0.18 on
// ("Connection Compression Control" of MySQL's manual).
func checkWireCompression(s subject) Finding {
	const name = "protocol_compression_algorithms"
	if !s.target.WireCompressed {
		return okay("the server sends its data as it is", "network_compression is none.")
	}
	list, there := s.facts.Variables[name]
	const leave = "or leave network_compression out of the plan"
	switch {
	case !there:
		return found(SeverityError, "the server cannot compress with zstd", fmt.Sprintf("It has no variable %s, which came with 8.0.18.", name), "leave network_compression out of the plan")
	case !slices.Contains(strings.Split(list, ","), "zstd"):
		return found(SeverityError, "the server does not compress with zstd", fmt.Sprintf("Its %s is %q.", name, list),
			fmt.Sprintf("SET GLOBAL %s = '%s'; %s", name, strings.TrimPrefix(list+",zstd", ","), leave))
	}
	return okay("the server compresses with zstd", "Its %s is %q.", name, list)
}
