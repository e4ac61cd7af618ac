package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

const (
	tarBlock = 512
	// tarEnd is the two blocks of zeros that a tar ends with.
	tarEnd = 2 * tarBlock
	// maxHeader bounds the header blocks of one member: a path and a link of PATH_MAX each, and
	// a few short records.
	maxHeader = 32 << 10
)

// padded rounds up to whole tar blocks.
func padded(n int64) int64 { return (n + tarBlock - 1) &^ (tarBlock - 1) }

// tarName is how a path is written in the tar: folders end with a slash, as tar itself does.
func tarName(p string, t Type) string {
	if t == TypeDir {
		return p + "/"
	}
	return p
}

// tarHeader gives the header blocks of an entry. They depend on nothing else, so that two runs
// give the same bytes; names of owners are left out, which differ between hosts.
func tarHeader(e Entry) ([]byte, error) { return tarHeaderWith(e, nil) }

// tarHeaderWith is tarHeader with PAX records besides those that the entry needs.
func tarHeaderWith(e Entry, records map[string]string) ([]byte, error) {
	h := &tar.Header{
		Format:     tar.FormatPAX,
		Name:       tarName(e.Path, e.Type),
		Mode:       int64(modeOf(e.Mode)),
		Uid:        e.UID,
		Gid:        e.GID,
		ModTime:    e.ModTime,
		PAXRecords: records,
	}
	switch e.Type {
	case TypeDir:
		h.Typeflag = tar.TypeDir
	case TypeSymlink:
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.Link
	default:
		h.Typeflag, h.Size = tar.TypeReg, e.Size
	}
	var b bytes.Buffer
	if err := tar.NewWriter(&b).WriteHeader(h); err != nil {
		return nil, fmt.Errorf("write tar header of %s: %w", e.Path, err)
	}
	return b.Bytes(), nil
}

// paxRecords are those that version 1 of the format knows. Any other, GNU's of sparse files among
// them, would make tools read something else than the index says.
var paxRecords = []string{"path", "linkpath", "size", "mtime", "uid", "gid"}

// parseTarHeader reads the header blocks of one member and nothing after them. Errors say what is
// wrong in plain words; a type that is refused gives an [*UnsafeError].
func parseTarHeader(blocks []byte) (Entry, error) {
	h, err := readTarHeader(blocks, func(key string) bool { return known(key, paxRecords) })
	if err != nil {
		return Entry{}, err
	}
	return entryOfTar(h)
}

func readTarHeader(blocks []byte, allowed func(key string) bool) (*tar.Header, error) {
	in := bytes.NewReader(blocks)
	h, err := tar.NewReader(in).Next()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("end of the tar")
		}
		return nil, fmt.Errorf("read tar header: %w", err)
	}
	if in.Len() != 0 {
		return nil, fmt.Errorf("read tar header: %d bytes after it", in.Len())
	}
	if h.Format&(tar.FormatPAX|tar.FormatUSTAR) == 0 {
		return nil, fmt.Errorf("read tar header: format %v is neither PAX nor USTAR", h.Format)
	}
	for key, value := range h.PAXRecords {
		if !allowed(key) {
			return nil, fmt.Errorf("read tar header: unknown PAX record %q", key)
		}
		if err := checkRecord(key, value); err != nil {
			return nil, fmt.Errorf("read tar header: %w", err)
		}
	}
	if h.Uname != "" || h.Gname != "" {
		return nil, fmt.Errorf("read tar header: owner has the name %q:%q, which tools take before its number", h.Uname, h.Gname)
	}
	return h, checkBlocks(blocks)
}

// checkRecord refuses values that tools read in different ways: empty ones, which some take for a deleted record,
// and numbers that are not plain.
func checkRecord(key, value string) error {
	switch key {
	case "size", "uid", "gid":
		_, err := parseDecimal(value)
		return err
	case "mtime":
		seconds, fraction, point := strings.Cut(strings.TrimPrefix(value, "-"), ".")
		if _, err := strconv.ParseUint(seconds, 10, 63); err != nil || point && strings.Trim(fraction, "0123456789") != "" {
			return fmt.Errorf("PAX record %s is %q", key, value)
		}
	}
	if value == "" {
		return fmt.Errorf("PAX record %s is empty", key)
	}
	return nil
}

// checkBlocks wants at most one PAX header and then the header of the member: tools do not agree on more.
func checkBlocks(blocks []byte) error {
	one, err := headerBlocks(blocks)
	switch {
	case err != nil:
		return fmt.Errorf("read tar header: %w", err)
	case len(one) != len(blocks):
		return errors.New("read tar header: it is several")
	}
	return nil
}

func known(key string, keys []string) bool {
	for _, k := range keys {
		if k == key {
			return true
		}
	}
	return false
}

func entryOfTar(h *tar.Header) (Entry, error) {
	if h.Mode < 0 || h.Mode > int64(modeAll) {
		return Entry{}, fmt.Errorf("read tar header: mode %o", h.Mode)
	}
	e := Entry{
		Path: h.Name, UID: h.Uid, GID: h.Gid, ModTime: h.ModTime.UTC(),
		Mode: Mode(h.Mode).FileMode(), Size: h.Size,
	}
	switch h.Typeflag {
	case tar.TypeReg:
		e.Type = TypeFile
	case tar.TypeDir:
		e.Type, e.Path = TypeDir, strings.TrimSuffix(h.Name, "/")
	case tar.TypeSymlink:
		e.Type, e.Link = TypeSymlink, h.Linkname
	default:
		return e, &UnsafeError{Member: h.Name, What: fmt.Sprintf("it is of the tar type %q", h.Typeflag)}
	}
	if e.Type != TypeFile && e.Size != 0 {
		return e, fmt.Errorf("read tar header: %s has content, but is no file", e.Path)
	}
	return e, nil
}

// entryMatches says in which field a member of the tar differs from the index; empty if in none.
func entryMatches(e Entry, m *Member) string {
	switch {
	case e.Path != m.Path:
		return fmt.Sprintf("path is %q", e.Path)
	case e.Type != m.Type:
		return fmt.Sprintf("type is %q", e.Type)
	case e.Size != m.Size:
		return fmt.Sprintf("size is %d", e.Size)
	case modeOf(e.Mode) != m.Mode:
		return fmt.Sprintf("mode is %04o", modeOf(e.Mode))
	case e.UID != m.UID || e.GID != m.GID:
		return fmt.Sprintf("owner is %d:%d", e.UID, e.GID)
	case !e.ModTime.Equal(m.ModTime):
		return "modification time is " + e.ModTime.Format(time.RFC3339Nano)
	case e.Link != m.Link:
		return fmt.Sprintf("link is to %q", e.Link)
	}
	return ""
}
