package clone

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// checkSystemFiles: CLONE writes the files of the system tablespace and of undo tablespaces into the copy's top folder
// under their last names, wherever they lie on the source; general tablespaces lie there too. Two of one name would be one
// file in the copy, and a disk partition has no file in it.
func checkSystemFiles(s subject) Finding {
	f := s.facts
	where := map[string][]string{} // last name → paths
	add := func(p string) { where[path.Base(p)] = append(where[path.Base(p)], p) }
	var partitions []string
	for _, file := range systemFiles(f.Variables[varDataFilePath]) {
		add(file.path)
		if file.raw() {
			partitions = append(partitions, file.path)
		}
	}
	for _, space := range f.Spaces {
		general := space.Type == spaceGeneral && !outside(space.Path) // one outside gets another name, or is refused
		if space.Path != "" && (space.Type == spaceUndo || general) {
			add(space.Path)
		}
	}
	if len(partitions) > 0 {
		return found(SeverityError, "the system tablespace lies on a disk partition",
			"CLONE copies files, and innodb_data_file_path names disk partitions: "+most(partitions)+".",
			"move the source's data to a server whose innodb_data_file_path names files")
	}
	if twice := sameNames(where); len(twice) > 0 {
		return found(SeverityError, "two files would be one in the copy",
			fmt.Sprintf("CLONE puts the files of the system tablespace and of undo tablespaces into one folder, under their last names. These have the same: %s.", most(twice)),
			"replace an undo tablespace: CREATE UNDO TABLESPACE name ADD DATAFILE 'another_name.ibu'; ALTER UNDO TABLESPACE old SET INACTIVE; DROP UNDO TABLESPACE old; -- rename a file of the system tablespace while the server is stopped, and in innodb_data_file_path")
	}
	return okay("the files of the system and undo tablespaces have names of their own", "%d names were looked at.", len(where))
}

// sameNames lists the paths that end in the same name.
func sameNames(where map[string][]string) []string {
	var twice []string
	for _, paths := range where {
		if len(paths) > 1 {
			twice = append(twice, strings.Join(paths, " and "))
		}
	}
	slices.Sort(twice)
	return twice
}
