package archive

import (
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// markerDir and Marker are what CLONE itself leaves in a directory that is not complete:
// mysqld refuses to start while the file is there (storage/innobase/include/clone0clone.h,
// CLONE_INNODB_IN_PROGRESS_FILE).
const (
	markerDir = "#clone"
	Marker    = markerDir + "/#status_in_progress"
)

// reserved is where members lie that are no files of the tree. Version 1 of the format has none: a
// reader that does not know them must not take them for files.
const reserved = "#runner"

// Limits of Linux (limits.h): NAME_MAX for an element of a path, and PATH_MAX with its NUL for a whole one, before
// which the script of a tar with patches puts "./".
const (
	maxName   = 255
	maxPath   = 4096 - 1 - len("./")
	maxTarget = 4096 - 1 // of a symbolic link
)

// maxSize bounds the size of a file: a tablespace has at most 2^32 pages of 64 KiB. It is 256 TiB.
const maxSize = 1 << 48

// sizeFault returns why a file cannot have the size; empty if it can.
func sizeFault(size int64) string {
	if size < 0 || size > maxSize {
		return fmt.Sprintf("its size of %d bytes is more than a file can have", size)
	}
	return ""
}

// pathFault says why a path cannot be one of a member; empty if it can.
func pathFault(p string) string {
	switch {
	case p == Root:
		return ""
	case p == "":
		return "its name is empty"
	case len(p) > maxPath:
		return "its name is too long"
	case strings.HasPrefix(p, "/"):
		return "its name is absolute"
	case !utf8.ValidString(p):
		return "its name is not UTF-8"
	case strings.ContainsRune(p, 0):
		return "its name has a NUL byte"
	}
	if p == reserved || strings.HasPrefix(p, reserved+"/") {
		return "its name is reserved"
	}
	for _, element := range strings.Split(p, "/") {
		if element == ".." {
			return "its name leads out of the tree"
		}
		if element == "" || element == "." {
			return "its name has an empty element"
		}
		if len(element) > maxName {
			return fmt.Sprintf("an element of its name has %d bytes; file systems take at most %d", len(element), maxName)
		}
	}
	return ""
}

// linkFault says why a symbolic link cannot be a member: what it leads to must lie in the tree,
// or the copy would not be one.
func linkFault(p, target string) string {
	switch {
	case target == "":
		return "it is a symbolic link to nothing"
	case len(target) > maxTarget || longElement(target) || !utf8.ValidString(target) || strings.ContainsRune(target, 0):
		return "the target of the symbolic link is no valid path"
	case path.IsAbs(target):
		return "it is a symbolic link to the absolute path " + target
	}
	// Cleaning resolves ".." by text, which is right only where no element before it is a link.
	// checkLinks resolves the links of the whole tree.
	to := path.Join(path.Dir(p), target)
	if to == ".." || strings.HasPrefix(to, "../") {
		return "it is a symbolic link out of the tree, to " + target
	}
	return ""
}

func longElement(p string) bool {
	for element := range strings.SplitSeq(p, "/") {
		if len(element) > maxName {
			return true
		}
	}
	return false
}

// pathLess is the order of members: by elements, each by its bytes, so that a folder comes right
// before what is in it.
func pathLess(a, b string) bool {
	if a == Root || b == Root {
		return a == Root && b != Root
	}
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			// A separator ends the element, and a shorter element comes first.
			return a[i] == '/' || b[i] != '/' && a[i] < b[i]
		}
	}
	return len(a) < len(b)
}
