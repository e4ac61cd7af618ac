package clone

import (
	"fmt"
	"path"
	"strings"
)

// restoreVariables are the settings that a server needs to read a copy, in the order in which an option file has them:
// how files and names were written ("InnoDB Startup Configuration" and "Clone Plugin Limitations" of MySQL's manual).
// None may lead a server out of the copy. The directories of a source (innodb_data_home_dir, innodb_undo_directory,
// innodb_log_group_home_dir, innodb_doublewrite_dir, innodb_directories, innodb_temp_data_file_path,
// innodb_temp_tablespaces_dir, innodb_tmpdir) are absent, since every file of a copy lies in the copy.
func restoreVariables() []string {
	return []string{
		"innodb_page_size", varDataFilePath, "innodb_checksum_algorithm", varLogChecksums,
		"lower_case_table_names", "character_set_server", "collation_server",
	}
}

const (
	varDataFilePath = "innodb_data_file_path"
	varLogChecksums = "innodb_log_checksums"
)

// restoreCNF returns the option file that a server needs to start on a copy. whose names the server whose keyring the copy
// needs.
func restoreCNF(f *Facts, whose string) string {
	src := f.Source
	var b strings.Builder
	fmt.Fprintf(&b, "# Made on %s (%s); start a server of the series %s with it.\n", src.Version, src.VersionComment, f.Version.Series())
	if src.Keyring != "" {
		fmt.Fprintf(&b, "# The %s used the keyring %s, which is not part of a copy: set it up as it was there.\n", whose, src.Keyring)
	}
	if len(src.Components) > 0 || len(src.Plugins) > 0 {
		fmt.Fprintf(&b, "# It loads on its own, from its plugin directory: %s\n", strings.Join(append(append([]string{}, src.Plugins...), src.Components...), " "))
	}
	b.WriteString("[mysqld]\n")
	for _, name := range restoreVariables() {
		value := f.Variables[name]
		if name == varDataFilePath {
			value = baseNames(value)
		}
		if value != "" {
			fmt.Fprintf(&b, "%s = %s\n", name, optionText(value))
		}
	}
	return b.String()
}

// optionText quotes a value as an option file needs it: a # begins a comment there, and a backslash an escape
// sequence ("Using Option Files" of MySQL's manual).
func optionText(value string) string {
	if !strings.ContainsAny(value, "#\"'\\") {
		return value
	}
	return `"` + strings.ReplaceAll(value, `\`, `\\`) + `"`
}

// systemFile is one file of the system tablespace, as innodb_data_file_path has it.
type systemFile struct {
	path string // as written
	rest string // what follows the path: the size, autoextend, newraw, raw
}

// systemFiles splits a value of innodb_data_file_path: path:size[:autoextend[:max:size]] for each file, with semicolons
// between them ("System Tablespace Data File Configuration" of MySQL's manual).
func systemFiles(value string) []systemFile {
	var files []systemFile
	for part := range strings.SplitSeq(value, ";") {
		if part == "" {
			continue
		}
		file, rest, _ := strings.Cut(part, ":")
		files = append(files, systemFile{path: file, rest: rest})
	}
	return files
}

// raw reports whether the file is a disk partition: newraw or raw follows its size.
func (f systemFile) raw() bool { return strings.HasSuffix(f.rest, "raw") }

// baseNames returns innodb_data_file_path for a copy, in which each file lies at the top.
func baseNames(value string) string {
	var parts []string
	for _, f := range systemFiles(value) {
		parts = append(parts, path.Base(f.path)+":"+f.rest)
	}
	return strings.Join(parts, ";")
}
