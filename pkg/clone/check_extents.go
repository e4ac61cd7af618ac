package clone

import (
	"fmt"
	"strconv"
	"strings"
)

// checkSystemExtents: CLONE makes each file of the system tablespace whole extents long. One of a fixed size that is no multiple of that is
// then longer in the copy than innodb_data_file_path says, and no server starts. A stream gives each file its own size.
func checkSystemExtents(s subject) Finding {
	src := s.facts.Source
	extent := max(int64(1<<20), 64*int64(src.InnodbPageSize)) // "InnoDB File Space Management" of MySQL's manual
	var odd []string
	for _, f := range systemFiles(src.InnodbDataFilePath) {
		text, rest, _ := strings.Cut(f.rest, ":")
		size, ok := fileSize(text)
		if ok && !f.raw() && !strings.HasPrefix(rest, "autoextend") && size%extent != 0 {
			odd = append(odd, f.path+" of "+text)
		}
	}
	if len(odd) > 0 {
		return found(SeverityError, "a server could not start on a copy that a server writes",
			fmt.Sprintf("CLONE makes files of the system tablespace whole extents of %s long, and with another size than innodb_data_file_path says no server starts: %s.", bytesText(extent), most(odd)),
			"set mode to \"stream\" in the plan, which keeps the sizes")
	}
	return okay("files of the system tablespace have whole extents", "Extents have %s.", bytesText(extent))
}

// fileSize reads a size of innodb_data_file_path, in bytes, with K, M or G.
func fileSize(text string) (size int64, ok bool) {
	unit := int64(1)
	if n := len(text); n > 0 {
		if shift := strings.IndexByte("KMG", text[n-1]&^0x20); shift >= 0 {
			unit, text = 1<<(10*(shift+1)), text[:n-1]
		}
	}
	n, err := strconv.ParseInt(text, 10, 32)
	return n * unit, err == nil && n > 0
}
