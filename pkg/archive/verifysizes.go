package archive

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"runner/pkg/innodb"
)

// megabyte is what a server rounds the sizes of system tablespace files down to, before it compares them with its
// configuration ("System Tablespace Data File Configuration" of MySQL's manual).
const megabyte = 1 << 20

// systemFile is a file of the system tablespace as innodb_data_file_path has it.
type systemFile struct {
	path  string // in the data directory of a copy, in which each lies at the top
	bytes int64
	grows bool // autoextend
}

// systemFiles reads a value of innodb_data_file_path: path:size[:autoextend[:max:size]] for each file, with semicolons between
// them. It leaves out disk partitions, and what it cannot read.
func systemFiles(value string) (files []systemFile) {
	for part := range strings.SplitSeq(value, ";") {
		name, rest, _ := strings.Cut(part, ":")
		size, options, _ := strings.Cut(rest, ":")
		bytes, ok := parseSize(size)
		if !ok || strings.HasSuffix(size, "raw") || name == "" {
			continue
		}
		files = append(files, systemFile{path: path.Base(name), bytes: bytes, grows: strings.HasPrefix(options, "autoextend")})
	}
	return files
}

// parseSize reads a size with the units K, M and G that the configuration has.
func parseSize(text string) (bytes int64, ok bool) {
	unit := int64(1)
	if n := len(text); n > 0 {
		if shift := strings.IndexByte("KMG", text[n-1]&^0x20); shift >= 0 {
			unit, text = 1<<(10*(shift+1)), text[:n-1]
		}
	}
	n, err := strconv.ParseInt(text, 10, 32)
	return n * unit, err == nil && n > 0
}

// CheckSystemSizes compares the files of the system tablespace with innodb_data_file_path of the server that they are of: with
// other sizes, no server starts. The error is [ErrCorrupt]. A tree without tablespaces has nothing to compare.
func (idx *Index) CheckSystemSizes(dataFilePath string) error {
	for _, f := range systemSizes(dataFilePath, idx.Files) {
		return &CorruptError{File: IndexName, Offset: -1, Member: f.Member, What: f.Detail}
	}
	return nil
}

// systemSizes are the files of the system tablespace that have not the size with which a server of the recorded configuration
// starts, and what is wrong with each.
func systemSizes(dataFilePath string, members []*Member) (wrong []Finding) {
	sizes, tablespaces := map[string]int64{}, false
	for _, member := range members {
		if member.Type == TypeFile {
			sizes[member.Path] = member.Size
			tablespaces = tablespaces || innodb.IsTablespace(member.Path)
		}
	}
	if !tablespaces {
		return nil
	}
	for _, f := range systemFiles(dataFilePath) {
		size, there := sizes[f.path]
		have, want := size/megabyte, f.bytes/megabyte
		detail := ""
		switch {
		case !there:
			detail = "missing; innodb_data_file_path names it"
		case f.grows && have < want:
			detail = fmt.Sprintf("%d bytes; innodb_data_file_path says at least %d", size, f.bytes)
		case !f.grows && have != want:
			detail = fmt.Sprintf("%d bytes; innodb_data_file_path says %d, and no server starts with another size", size, f.bytes)
		default:
			continue
		}
		wrong = append(wrong, Finding{Code: CodeSize, File: IndexName, Offset: -1, Member: f.path, Page: -1, Detail: detail})
	}
	return wrong
}
