package recipient

import (
	"fmt"
	"path"
	"strings"

	"runner/pkg/clone/internal/wire"
)

// ExternalFolder is where in the copy the files are that lie outside of the donor's data directory, each folder of the
// donor's under a number. The hyphen is in no folder of a schema: MySQL writes that as @002d ("Mapping of Identifiers to
// File Names" of its manual).
const ExternalFolder = "runner-external"

// place gives the path of a file in the copy. Names come from another machine and are not trusted.
func (fs *files) place(d *wire.File) (string, error) {
	name := d.Name
	if name == "" || strings.ContainsRune(name, 0) {
		return "", broken("file %d has no name", d.Index)
	}
	if strings.HasPrefix(name, "/") {
		return fs.outsideOf(d)
	}
	p := strings.TrimPrefix(name, "./")
	if !sound(p) {
		return "", broken("the name %q of file %d leads out of the data directory, or to what a backup uses itself", name, d.Index)
	}
	return p, nil
}

// sound says whether a name is clean, below the data directory, and none of those that the copy uses for itself.
func sound(p string) bool {
	if p == "" || path.Clean(p) != p || p == "." || p == ".." || strings.HasPrefix(p, "../") || strings.HasPrefix(p, "/") {
		return false
	}
	top, _, _ := strings.Cut(p, "/")
	switch top {
	case "#clone", "#runner", "#innodb_redo", ExternalFolder, ManifestFile, KeyringFile, KeyringStore:
		return false
	}
	return !strings.HasSuffix(p, renaming)
}

// outsideOf places a file of an absolute path: the last folder and the name stay, since the data dictionary knows a
// table's file by them.
func (fs *files) outsideOf(d *wire.File) (string, error) {
	if path.Clean(d.Name) != d.Name || strings.HasSuffix(d.Name, renaming) {
		return "", broken("the name %q of file %d is not clean", d.Name, d.Index)
	}
	dir, base := path.Split(d.Name)
	around, schema := path.Split(strings.TrimSuffix(dir, "/"))
	if base == "" || schema == "" {
		return "", broken("the name %q of file %d has no folder", d.Name, d.Index)
	}
	folder, known := fs.outside[around]
	if !known {
		folder = fmt.Sprintf("%s/%d", ExternalFolder, len(fs.outside))
		fs.outside[around] = folder
	}
	return path.Join(folder, schema, base), nil
}
