package clone

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"runner/pkg/files"
	"runner/pkg/innodb"
)

// Reading is what decides whether a server can read the files of a copy, and whether the copy has all of them. It is read
// before a clone and after it: most of it can change meanwhile.
type Reading struct {
	ServerUUID string `json:"server_uuid"`
	// Variables are the settings that files are written with. A variable that the server lacks is absent.
	Variables map[string]string `json:"variables"`
	Encrypted []string          `json:"encrypted"` // tablespaces, and the settings that have logs encrypted
	Outside   []OutsideFile     `json:"outside"`   // tablespace files outside the data directory, undo tablespaces among them
	Unknown   string            `json:"unknown"`   // why tablespaces could not be read; "": they were
}

// OutsideFile is the file of a tablespace that lies outside the data directory.
type OutsideFile struct {
	Space int64  `json:"space"`
	Path  string `json:"path"`
}

const (
	varChecksumAlgorithm = "innodb_checksum_algorithm"
	strictAlgorithm      = "strict_"
)

// readingVariables are the variables of InnoDB's and the server's that files are read with ("InnoDB Startup Options and System
// Variables" and "Server System Variables" of MySQL's manual). Sizes of buffers, flushing and folders are not among them.
func readingVariables() []string {
	return []string{
		"innodb_page_size", varDataFilePath, varChecksumAlgorithm, varLogChecksums, "innodb_redo_log_encrypt",
		"innodb_undo_log_encrypt", "lower_case_table_names", "character_set_server", "collation_server",
	}
}

// reading takes it from facts.
func (f *Facts) reading() Reading {
	r := Reading{ServerUUID: f.Source.ServerUUID, Variables: map[string]string{}, Encrypted: append([]string{}, f.EncryptedParts()...), Outside: []OutsideFile{}, Unknown: f.Unknown[FactSpaces]}
	for _, name := range readingVariables() {
		if value, there := f.Variables[name]; there {
			r.Variables[name] = value
		}
	}
	for _, space := range f.Spaces {
		if outside(space.Path) && space.Name != spaceTemporary {
			r.Outside = append(r.Outside, OutsideFile{Space: space.ID, Path: space.Path})
		}
	}
	return r
}

// Reading asks the server again. The error is of the connection, or of what every account may read.
func (s *Server) Reading(ctx context.Context) (_ *Reading, err error) {
	conn, err := s.conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	f := &Facts{Read: time.Now().UTC(), Unknown: map[string]string{}}
	r := &reader{conn: conn, facts: f}
	if err := r.variables(ctx); err != nil {
		return nil, err
	}
	if err := r.spaces(ctx); err != nil {
		if class := ClassOf(err); class == Uncertain || class == Cancelled {
			return nil, wrap("read tablespaces", err)
		}
		f.Unknown[FactSpaces] = err.Error()
	}
	reading := f.reading()
	return &reading, nil
}

// Reading is Server.Reading, which only reads.
func (d *DryServer) Reading(ctx context.Context) (*Reading, error) { return d.s.Reading(ctx) }

// Reread is the difference between two readings, before a clone and after it.
type Reread struct {
	// Settings are those that a server needs to read the copy.
	Settings map[string]string
	Changes  []string // what changed meanwhile, a sentence each
	// Appeared are files that were made outside the data directory meanwhile. See ErrOutside.
	Appeared []OutsideFile

	encrypted bool // something was encrypted meanwhile
}

// Reread compares r, from before the clone, with the reading after it. unchecked is how many blocks of the copy's redo
// log have no checksum.
func (r Reading) Reread(after Reading, unchecked int64) Reread {
	n := Reread{Settings: map[string]string{}}
	for _, name := range readingVariables() {
		was, is := r.Variables[name], after.Variables[name]
		if is != "" {
			n.Settings[name] = is
		}
		if was == is {
			continue
		}
		n.Changes = append(n.Changes, fmt.Sprintf("%s was %s before the clone, and %s after it.", name, was, is))
		if name == varChecksumAlgorithm {
			n.Settings[name] = strings.TrimPrefix(is, strictAlgorithm) // which reads pages with either
		}
	}
	n.logChecksums(r, after, unchecked)
	for _, part := range after.Encrypted {
		if !slices.Contains(r.Encrypted, part) && after.Variables[part] == "" {
			n.Changes, n.encrypted = append(n.Changes, part+" was encrypted meanwhile."), true
		}
	}
	for _, file := range after.Outside {
		if after.Unknown == "" && r.Unknown == "" && !slices.Contains(r.Outside, file) {
			n.Appeared = append(n.Appeared, file)
		}
	}
	return n
}

// logChecksums sets the variable OFF where any block of the redo log may have no checksum: a server with OFF reads all.
func (n *Reread) logChecksums(before, after Reading, unchecked int64) {
	was, there := before.Variables[varLogChecksums]
	if !there {
		return
	}
	off := !isOn(was) || !isOn(after.Variables[varLogChecksums])
	if unchecked > 0 && !off {
		n.Changes = append(n.Changes, fmt.Sprintf("%d blocks of the redo log have no checksum: %s was OFF for a while.", unchecked, varLogChecksums))
	}
	if off || unchecked > 0 {
		n.Settings[varLogChecksums] = "OFF"
	}
}

// UncheckedRedo returns how many blocks of the redo log of a copied data directory have no checksum.
func UncheckedRedo(directory string) (blocks int64, err error) {
	for _, pattern := range []string{"#innodb_redo/#ib_redo*", "ib_logfile*"} {
		files, err := fs.Glob(os.DirFS(directory), pattern)
		if err != nil {
			return 0, fmt.Errorf("list redo log: %w", err)
		}
		for _, name := range files {
			n, err := uncheckedBlocks(filepath.Join(directory, filepath.FromSlash(name)))
			if err != nil {
				return 0, fmt.Errorf("read redo log: %w", err)
			}
			blocks += n
		}
	}
	return blocks, nil
}

func uncheckedBlocks(path string) (blocks int64, err error) {
	file, err := files.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Seek(innodb.RedoHeaderSize, io.SeekStart); err != nil {
		return 0, err
	}
	b := make([]byte, 1<<20)
	for {
		n, err := io.ReadFull(file, b)
		blocks += int64(innodb.RedoBlocksWithoutChecksum(b[:n]))
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return blocks, nil
		case err != nil:
			return 0, err
		}
	}
}

// RestoreCNF returns cnf, the restore_cnf of the check, with these settings.
func (n Reread) RestoreCNF(cnf string) string {
	var b strings.Builder
	written := map[string]bool{}
	line := func(name, value string) {
		written[name] = true
		if name == varDataFilePath {
			value = baseNames(value)
		}
		fmt.Fprintf(&b, "%s = %s\n", name, optionText(value))
	}
	for text := range strings.Lines(cnf) {
		name, _, setting := strings.Cut(text, " = ")
		if value, changed := n.Settings[name]; setting && changed {
			line(name, value)
			continue
		}
		b.WriteString(text)
	}
	for _, name := range restoreVariables() {
		if value, changed := n.Settings[name]; changed && !written[name] {
			line(name, value)
		}
	}
	return b.String()
}
