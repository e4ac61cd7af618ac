package journal

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"runner/pkg/files"

	"github.com/google/renameio/v2"
)

// format is the major version of the files of a run.
const format = 1

// Names of the files of a run.
const (
	headerFile  = "header.json"
	planFile    = "plan.json"
	journalFile = "journal.jsonl"
	lockFile    = "lock"
)

// JobKey names a job beyond one plan: the same address with the same
// repository is the same job.
type JobKey struct {
	Address    string `json:"address"`
	Repository string `json:"repository"` // path
	Folder     string `json:"folder"`     // in the repository
}

// Header says what a run is. It is written once.
type Header struct {
	Format     int               `json:"format"` // major version of the files; set by Create
	Run        string            `json:"run"`
	Host       string            `json:"host"`
	Version    string            `json:"version"`
	Started    time.Time         `json:"started"`
	PlanPaths  []string          `json:"plan_paths"` // absolute
	Dir        string            `json:"dir"`        // that relative paths in the plan start from
	VarFiles   []string          `json:"var_files,omitempty"`
	Inputs     map[string]string `json:"inputs,omitempty"` // variables given from outside, none of them sensitive
	PlanDigest string            `json:"plan_digest"`
	Jobs       []JobKey          `json:"jobs"`
	PID        int               `json:"pid"` // of the first attempt
}

// Dir is a state directory.
type Dir struct {
	path string
}

// Open takes a state directory. It need not exist: looking changes nothing,
// and Create and Lock make what they need.
func Open(stateDir string) (*Dir, error) {
	if stateDir == "" {
		return nil, errors.New("open state directory: no path given")
	}
	path, err := filepath.Abs(stateDir)
	if err != nil {
		return nil, fmt.Errorf("open state directory: %w", err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("open state directory: %w", err)
	case !info.IsDir():
		return nil, &WriteError{Path: path, Err: errors.New("not a directory")}
	}
	return &Dir{path: path}, nil
}

// Path is the absolute path of the state directory.
func (d *Dir) Path() string { return d.path }

func (d *Dir) runs() string             { return filepath.Join(d.path, "runs") }
func (d *Dir) folder(run string) string { return filepath.Join(d.runs(), run) }

// idPattern is what NewRunID makes and the only thing that is taken for the
// name of a run's folder.
var idPattern = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z-[a-z2-7]{4}$`)

// RunTime is the part of a run's id that is when it began, in UTC, as time.Format takes it.
const RunTime = "20060102T150405Z"

// NewRunID makes the id of a run that starts now: sortable by time, in UTC,
// and told apart from others of the same second by four random letters.
func NewRunID(now time.Time) string {
	return now.UTC().Format(RunTime) + "-" + strings.ToLower(rand.Text()[:4])
}

// validRun refuses what is not the name of a run's folder.
func validRun(run string) error {
	if !idPattern.MatchString(run) {
		return fmt.Errorf("%q: %w: an id looks like 20261122T100329Z-k3f9", run, ErrNotFound)
	}
	return nil
}

// Create makes the record of a new run and takes the run's lock. h.Run must
// come from NewRunID. The errors are *WriteError where the state directory is
// the reason.
func (d *Dir) Create(h Header, normalisedPlan []byte) (*Journal, error) {
	if err := validRun(h.Run); err != nil {
		return nil, fmt.Errorf("create run: %w", err)
	}
	h.Format = format
	header, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("create run: encode header: %w", err)
	}
	folder := d.folder(h.Run)
	if err := d.makeFolder(d.runs()); err != nil {
		return nil, err
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, &WriteError{Path: folder, Err: err}
	}
	j, err := d.fill(folder, h, normalisedPlan, append(header, '\n'))
	if err != nil {
		// Nothing has happened yet: a folder without header is no run, so this is only tidiness.
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	return j, nil
}

// fill makes the files of a run; the header, which makes it one, comes last.
func (d *Dir) fill(folder string, h Header, plan, header []byte) (*Journal, error) {
	lock, err := lockRun(folder, h.Run)
	if err != nil {
		return nil, err
	}
	file, err := writeFiles(folder, plan, header)
	if err == nil {
		if err = syncFolder(d.runs()); err != nil {
			err = errors.Join(err, file.Close())
		}
	}
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return &Journal{folder: folder, header: h, plan: plan, file: file, lock: lock}, nil
}

// writeFiles makes plan, journal and header durable and returns the journal
// open for appending.
func writeFiles(folder string, plan, header []byte) (*os.File, error) {
	if err := writeWhole(filepath.Join(folder, planFile), plan); err != nil {
		return nil, err
	}
	name := filepath.Join(folder, journalFile)
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, &WriteError{Path: name, Err: err}
	}
	if err := file.Sync(); err != nil {
		return nil, errors.Join(&WriteError{Path: name, Err: err}, file.Close())
	}
	if err := writeWhole(filepath.Join(folder, headerFile), header); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// writeWhole makes a file appear whole or not at all, durably.
func writeWhole(name string, data []byte) error {
	folder := filepath.Dir(name)
	err := renameio.WriteFile(name, data, 0o600, renameio.WithTempDir(folder), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return &WriteError{Path: name, Err: err}
	}
	return syncFolder(folder) // renameio leaves that to its caller
}

// makeFolder makes a folder of the state directory, and what is above it,
// durably.
func (d *Dir) makeFolder(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return &WriteError{Path: path, Err: err}
	}
	if err := syncFolder(filepath.Dir(d.path)); err != nil {
		return err
	}
	return syncFolder(d.path)
}

// syncFolder makes the names in a folder durable.
func syncFolder(path string) error {
	if err := files.SyncFolder(path); err != nil {
		return &WriteError{Path: path, Err: err}
	}
	return nil
}

// names returns the ids of all runs, newest first.
func (d *Dir) names() ([]string, error) {
	entries, err := os.ReadDir(d.runs())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() || !idPattern.MatchString(e.Name()) {
			continue
		}
		if _, err := os.Stat(filepath.Join(d.runs(), e.Name(), headerFile)); errors.Is(err, fs.ErrNotExist) {
			continue // it was killed while it was made, before anything else
		}
		names = append(names, e.Name())
	}
	slices.Sort(names)
	slices.Reverse(names)
	return names, nil
}

// maxRecord is the most bytes of a file of a run's record: a journal grows by some 100 bytes an entry, and by a list of the copy's files.
const maxRecord = 1 << 30

// readHeader reads the header of a run.
func readHeader(folder string) (Header, error) {
	name := filepath.Join(folder, headerFile)
	data, err := files.Read(name, maxRecord)
	if err != nil {
		return Header{}, fmt.Errorf("read header of run: %w", err)
	}
	var h Header
	if err := json.Unmarshal(data, &h); err != nil {
		return Header{}, &DamagedError{Path: name, Err: err}
	}
	if h.Format != format {
		return Header{}, &VersionError{Path: name, Format: h.Format}
	}
	if h.Run != filepath.Base(folder) {
		return Header{}, &DamagedError{Path: name, Err: fmt.Errorf("it is the header of run %q", h.Run)}
	}
	return h, nil
}
