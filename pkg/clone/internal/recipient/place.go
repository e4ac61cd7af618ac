package recipient

import (
	"fmt"
	"path"
	"strings"

	"runner/pkg/clone/internal/wire"
	"runner/pkg/innodb"
)

// ExternalFolder holds files from outside the donor's data directory whose place in the copy is taken, each of the
// donor's folders under a number. The hyphen keeps it apart from every schema's folder: MySQL writes that as @002d
// ("Mapping of Identifiers to File Names" of its manual).
const ExternalFolder = "runner-external"

// place returns the path of a file in the copy. Names come from another machine and are not trusted.
func (fs *files) place(d *wire.File) (string, error) {
	name := d.Name
	if name == "" || strings.ContainsRune(name, 0) {
		return "", broken("file %d has no name", d.Index)
	}
	if err := fits(d); err != nil {
		return "", err
	}
	if external(name) {
		return fs.outsideOf(d)
	}
	p := strings.TrimPrefix(name, "./")
	if !sound(p) {
		return "", broken("the name %q of file %d leads out of the data directory, or to what a backup uses itself", name, d.Index)
	}
	return p, nil
}

// external reports whether a name leads out of the donor's data directory: an absolute one, or one from its parent on, as
// CREATE TABLESPACE … ADD DATAFILE '../x.ibd' makes it.
func external(name string) bool { return path.IsAbs(name) || strings.HasPrefix(name, "../") }

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

// outsideOf returns the path in the copy of a file from outside the donor's data directory. The copy's server finds
// it there by its space id and corrects the dictionary.
//
// The file of a shared tablespace lies at the top: in any folder below, a server refuses it (MY-012213) and opens the
// path that the dictionary has, which is the donor's own file. The file of one table lies in its schema's folder, as
// it would without DATA DIRECTORY.
func (fs *files) outsideOf(d *wire.File) (string, error) {
	if path.Clean(d.Name) != d.Name || strings.HasSuffix(d.Name, renaming) {
		return "", broken("the name %q of file %d is not clean", d.Name, d.Index)
	}
	dir, base := path.Split(d.Name)
	around, schema := path.Split(strings.TrimSuffix(dir, "/"))
	if base == "" || schema == "" {
		return "", broken("the name %q of file %d has no folder", d.Name, d.Index)
	}
	p := path.Join(schema, base)
	if !d.Tablespace() || innodb.Shared(d.FSPFlags) {
		p = base
	}
	if !sound(p) {
		return "", broken("the name %q of file %d is reserved for the backup itself", d.Name, d.Index)
	}
	if !fs.taken(p, d) {
		return p, nil
	}
	if p == base {
		return fs.free(base, d), nil
	}
	folder, known := fs.outside[around]
	if !known {
		folder = fmt.Sprintf("%s/%d", ExternalFolder, len(fs.outside))
		fs.outside[around] = folder
	}
	return path.Join(folder, schema, base), nil
}

// taken reports whether another file, or a folder, has the path.
func (fs *files) taken(p string, d *wire.File) bool {
	if _, folder := fs.folders[p]; folder {
		return true
	}
	for _, name := range []string{p, p + renaming} {
		if f := fs.byPath[name]; f != nil && (int(d.Index) >= len(fs.data) || fs.data[d.Index] != f) {
			return true
		}
	}
	return false
}

// free returns a name for a file at the top of the copy that no other file has: its own with a number.
func (fs *files) free(base string, d *wire.File) string {
	stem, extension := strings.TrimSuffix(base, path.Ext(base)), path.Ext(base)
	for n := 2; ; n++ {
		if name := fmt.Sprintf("%s.%d%s", stem, n, extension); !fs.taken(name, d) {
			return name
		}
	}
}

// makeWay moves a file from outside the donor's data directory away from the path of one inside.
func (fs *files) makeWay(d *wire.File, p string) error {
	f := fs.byPath[p]
	if f == nil || f.donor == "" || external(d.Name) || strings.Contains(p, "/") {
		return nil
	}
	return fs.rename(f, fs.free(p, d))
}
