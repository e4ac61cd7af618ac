package steps

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/archive"
	"runner/pkg/archive/manifest"
	"runner/pkg/clone"
)

// Codes of findings about the files of a finished copy.
const (
	codeCopyChanged = "RUN107"
	codeCopyUnknown = "RUN108"
)

// changedFilesNamed is how many of the files that changed an error names.
const changedFilesNamed = 20

// copyList records the files that a copy had when the clone ended. The list itself is a file in the run's folder:
// with a hundred thousand tables it is not for the journal.
type copyList struct {
	Members int64  `json:"members"` // files, folders and links
	File    string `json:"file"`    // name in the run's folder
	SHA256  string `json:"sha256"`  // of that file
}

// listed is a line of the file: an entry of the copy.
type listed struct {
	Path string       `json:"path"`
	Type archive.Type `json:"type"`
	Size int64        `json:"size,omitempty"` // bytes, of a file
	Link string       `json:"link,omitempty"` // target, of a link
}

// maxListLine bounds a line of the list: a path and a target of 4096 bytes each, which JSON may write with six bytes for one.
const maxListLine = 64 << 10

// list records the files of the copy. Errors are those of reading the copy and of writing the list.
func (s *cloneStep) list(ctx context.Context, c *cloned) error {
	j := s.job
	if j.run.Folder == "" || c.Observe == "" { // a dry run
		return nil
	}
	var text strings.Builder
	members := int64(0)
	err := j.host.Staged(c.Observe).Walk(ctx, func(e archive.Entry) error {
		members++
		line, err := json.Marshal(listed{Path: e.Path, Type: e.Type, Size: e.Size, Link: e.Link})
		text.Write(line)
		text.WriteByte('\n')
		return err
	})
	if err != nil {
		return fmt.Errorf("list the copy: %w", err)
	}
	sum := sha256.Sum256([]byte(text.String()))
	name := "copy-" + j.stagingName(c.Attempt) + ".jsonl"
	if err := renameio.WriteFile(filepath.Join(j.run.Folder, name), []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("record the list of the copy: %w", err)
	}
	c.List = &copyList{Members: members, File: name, SHA256: hex.EncodeToString(sum[:])}
	return nil
}

// record lists a copy that is whole. What cannot be listed costs no copy: it is a finding.
func (s *cloneStep) record(ctx context.Context, r *engine.Runtime, c *cloned) error {
	err := s.list(ctx, c)
	if err != nil && ctx.Err() == nil {
		r.Emit(engine.Note{Text: "the files of the copy are not recorded: " + err.Error()})
		return nil
	}
	return err
}

// adoptList lists a copy that was found finished, which must have what every server has: else it is a [*ChangedCopyError].
func (s *cloneStep) adoptList(ctx context.Context, r *engine.Runtime, c *cloned) error {
	if s.job.run.Folder == "" || c.Observe == "" {
		return nil
	}
	if err := lacks(ctx, s.job.host.Staged(c.Observe), c.Observe); err != nil {
		return err
	}
	c.Findings = append(c.Findings, s.show(r, adopted()))
	return s.record(ctx, r, c)
}

// adopted is the finding about a copy that was finished while the runner was away.
func adopted() clone.Finding {
	return clone.Finding{
		Code: codeCopyUnknown, Severity: clone.SeverityInfo, Summary: "The copy was finished while the runner was not there",
		Detail: "Its files were recorded when it was found finished. Whether a file was removed before that is not known; " +
			"only the files that every server has were looked for.",
	}
}

// everyServer are files that every InnoDB data directory has: MySQL does not drop its dictionary and its first two undo tablespaces.
var everyServer = []string{"mysql.ibd", "undo_001", "undo_002"}

// lacks returns the error of a copy without the files that every server has.
func lacks(ctx context.Context, tree archive.Tree, directory string) error {
	missing := slices.Clone(everyServer)
	err := tree.Walk(ctx, func(e archive.Entry) error {
		missing = slices.DeleteFunc(missing, func(name string) bool { return name == e.Path })
		return nil
	})
	if err != nil {
		return fmt.Errorf("list the copy: %w", err)
	}
	if len(missing) == 0 {
		return nil
	}
	changed := &ChangedCopyError{Directory: directory}
	for _, name := range missing {
		changed.add(name, "is missing")
	}
	return changed
}

// read returns the entries of the list by their paths.
func (l *copyList) read(folder string) (_ map[string]listed, err error) {
	f, err := os.Open(filepath.Join(folder, l.File))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := sha256.New()
	lines := bufio.NewScanner(io.TeeReader(f, sum))
	lines.Buffer(nil, maxListLine)
	entries := map[string]listed{}
	for lines.Scan() {
		var e listed
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("%s: %w", l.File, err)
		}
		entries[e.Path] = e
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", l.File, err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != l.SHA256 {
		return nil, fmt.Errorf("%s is not the list that was recorded", l.File)
	}
	return entries, nil
}

// compare compares entries with the list; each calls fn for every entry. The error is a [*ChangedCopyError], or that of each.
func compare(entries map[string]listed, directory string, each func(fn func(listed)) error) error {
	changed := &ChangedCopyError{Directory: directory}
	found := make(map[string]bool, len(entries))
	err := each(func(e listed) {
		found[e.Path] = true
		was, known := entries[e.Path]
		switch {
		case !known:
			changed.add(e.Path, "was not there")
		case e.Type != was.Type:
			changed.add(e.Path, fmt.Sprintf("is a %s, and was a %s", e.Type, was.Type))
		case e.Size != was.Size:
			changed.add(e.Path, fmt.Sprintf("has %d bytes, and had %d", e.Size, was.Size))
		case e.Link != was.Link:
			changed.add(e.Path, "is a link to something else")
		}
	})
	if err != nil {
		return err
	}
	var missing []string
	for path := range entries {
		if !found[path] {
			missing = append(missing, path)
		}
	}
	slices.Sort(missing)
	for _, path := range missing {
		changed.add(path, "is missing")
	}
	if changed.Files == 0 {
		return nil
	}
	return changed
}

// checkCopy compares the staging directory with what it was when the clone ended, before it is packed. entries is nil
// if that is not known.
func (s *compressStep) checkCopy(ctx context.Context, r *engine.Runtime, result *packed) (entries map[string]listed, err error) {
	j := s.job
	if j.run.Folder == "" || j.cloned.Observe == "" { // a dry run
		return nil, nil
	}
	if j.cloned.List == nil {
		err = errors.New("it was not recorded")
	} else {
		entries, err = j.cloned.List.read(j.run.Folder)
	}
	if err != nil {
		result.unknown(r, err)
		return nil, nil
	}
	err = compare(entries, j.cloned.Observe, func(fn func(listed)) error {
		return j.host.Staged(j.cloned.Observe).Walk(ctx, func(e archive.Entry) error {
			fn(listed{Path: e.Path, Type: e.Type, Size: e.Size, Link: e.Link})
			return nil
		})
	})
	return entries, changedFinding(r, err)
}

// checkPacked compares the archive with what the copy was when the clone ended: packing takes hours, in which files can vanish.
func (s *compressStep) checkPacked(r *engine.Runtime, entries map[string]listed, index *archive.Index) error {
	if entries == nil {
		return nil
	}
	return changedFinding(r, compare(entries, s.job.cloned.Observe, func(fn func(listed)) error {
		for _, m := range index.Files {
			fn(listed{Path: m.Path, Type: m.Type, Size: m.Size, Link: m.Link})
		}
		return nil
	}))
}

// changedFinding shows the finding of a copy that changed, and returns the error.
func changedFinding(r *engine.Runtime, err error) error {
	var changed *ChangedCopyError
	if errors.As(err, &changed) {
		r.Finding(engine.Finding{
			Code: codeCopyChanged, Severity: engine.SeverityError, Summary: "The copy is not what it was when the clone ended",
			Detail: strings.Join(changed.Which, "\n"), Hint: changed.Hint(),
		})
	}
	return err
}

// unknown notes that a copy could not be compared.
func (p *packed) unknown(r *engine.Runtime, err error) {
	check := manifest.Check{
		Code: codeCopyUnknown, Severity: string(engine.SeverityWarning), Summary: "It is not known what the copy consisted of when the clone ended",
		Detail: "Whether anything of it was removed since was not compared: " + err.Error(),
	}
	p.Notes = append(p.Notes, check)
	r.Finding(engine.Finding{Code: check.Code, Severity: engine.Severity(check.Severity), Summary: check.Summary, Detail: check.Detail})
}

// ChangedCopyError says that a staging directory has lost files, or has others, since the clone ended. No archive was made of it.
type ChangedCopyError struct {
	Directory string
	Files     int      // that changed
	Which     []string // the first of them, each with what is wrong with it
}

func (e *ChangedCopyError) add(path, what string) {
	if e.Files++; e.Files <= changedFilesNamed {
		e.Which = append(e.Which, path+" "+what)
	}
}

// Error names the first file, and says how many there are.
func (e *ChangedCopyError) Error() string {
	s := fmt.Sprintf("%s: the copy in %s is not what it was when the clone ended: %s", codeCopyChanged, e.Directory, e.Which[0])
	if e.Files > 1 {
		s += fmt.Sprintf(", and %s", plural(e.Files-1, "more file", "more files"))
	}
	return s
}

// Hint says how to get a whole copy.
func (e *ChangedCopyError) Hint() string {
	return "a copy that lacks a file is no backup: give the run up and make another copy: runner apply --restart, with the same plan"
}
