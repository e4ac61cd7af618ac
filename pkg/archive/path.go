package archive

import (
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

// maxPath is PATH_MAX of Linux.
const maxPath = 4096

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
	}
	return ""
}

// linkFault says why a symbolic link cannot be a member: what it leads to must lie in the tree,
// or the copy would not be one.
func linkFault(p, target string) string {
	switch {
	case target == "":
		return "it is a symbolic link to nothing"
	case len(target) > maxPath || !utf8.ValidString(target) || strings.ContainsRune(target, 0):
		return "the target of the symbolic link is no valid path"
	case path.IsAbs(target):
		return "it is a symbolic link to the absolute path " + target
	}
	// Cleaning takes "..", which is right only where no element before it is a link. A path
	// through a link is refused for members, so elements of the tree are folders; what comes after a
	// link is judged again from the top when that link is.
	to := path.Join(path.Dir(p), target)
	if to == ".." || strings.HasPrefix(to, "../") {
		return "it is a symbolic link out of the tree, to " + target
	}
	return ""
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
