package manifest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"runner/pkg/archive/digest"
	"runner/pkg/archive/store"
)

// MaxBytes is the largest manifest that is read. A server with a hundred thousand tablespaces
// needs some 25 MB.
const MaxBytes = 256 << 20

var (
	// ErrMissing says that there is no manifest, and so no backup.
	ErrMissing = errors.New("no manifest: the backup was never completed")
	// ErrCorrupt says that a manifest is not what was written.
	ErrCorrupt = errors.New("manifest is corrupt")
	// ErrFormat says that a manifest has a format of another major version, or none.
	ErrFormat = errors.New("manifest has an unknown format")
)

// Error says what is wrong with a manifest. It is [ErrCorrupt] or [ErrFormat].
type Error struct {
	Kind error
	What string
}

func (e *Error) Error() string { return fmt.Sprintf("%v: %s", e.Kind, e.What) }
func (e *Error) Unwrap() error { return e.Kind }

const (
	tablespaceBytes  = 300 // what one takes in a manifest, with long names
	tablespacesDepth = 2   // of the list of them: of the object content
)

const (
	digestPrefix = "sha256:"
	digestKey    = "\n  \"digest\": \"" + digestPrefix
)

var noDigest = strings.Repeat("0", 2*sha256.Size)

// Write makes the manifest of a backup durable, in place of one that is there. It sets
// m.Format and m.Digest, and all times to UTC. A backup that is not consistent in itself
// gives an error that is [ErrCorrupt] and writes nothing.
func Write(ctx context.Context, s store.Store, m *Manifest) error {
	data, err := Encode(m)
	if err != nil {
		return err
	}
	if err := store.WriteAll(ctx, s, Name, data); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return nil
}

// Read reads and checks the manifest of a backup. Errors are [ErrMissing], [ErrFormat],
// [ErrCorrupt], or those of the store.
func Read(ctx context.Context, s store.Store) (*Manifest, error) {
	data, err := store.ReadAll(ctx, s, Name, MaxBytes)
	var large *store.TooLargeError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrMissing
	case errors.As(err, &large):
		return nil, &Error{Kind: ErrCorrupt, What: large.Error()}
	case err != nil:
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	return Decode(data)
}

// Encode gives the bytes of a manifest: JSON with sorted keys, an indentation of two spaces and
// a line feed at the end.
func Encode(m *Manifest) ([]byte, error) {
	m.Format = Format
	m.Digest = digestPrefix + noDigest
	m.normalise()
	if what := m.fault(); what != "" {
		return nil, &Error{Kind: ErrCorrupt, What: what}
	}
	data, err := encode(m)
	if err != nil {
		return nil, fmt.Errorf("encode manifest: %w", err)
	}
	at := bytes.Index(data, []byte(digestKey))
	if at < 0 {
		return nil, fmt.Errorf("encode manifest: no digest field")
	}
	sum := sha256.Sum256(data)
	digits := data[at+len(digestKey):][:2*sha256.Size]
	hex.Encode(digits, sum[:])
	m.Digest = digestPrefix + string(digits)
	return data, nil
}

// noTablespaces is the list of tablespaces when it is empty. No string holds this, since a line feed in one is escaped.
const noTablespaces = "\n    \"tablespaces\": []"

// encode gives the canonical form. The tablespaces, which there may be a hundred thousand of, are written into their
// place one by one, so that the whole is not there twice.
func encode(m *Manifest) ([]byte, error) {
	without := *m
	without.Content.Tablespaces = []Tablespace{}
	plain, err := json.Marshal(&without)
	if err != nil {
		return nil, err
	}
	var frame, out bytes.Buffer
	if err := writeCanonical(&frame, plain); err != nil {
		return nil, err
	}
	before, after, found := strings.Cut(frame.String(), noTablespaces)
	if !found || len(m.Content.Tablespaces) == 0 {
		return frame.Bytes(), nil
	}
	out.Grow(frame.Len() + tablespaceBytes*len(m.Content.Tablespaces))
	out.WriteString(before + strings.TrimSuffix(noTablespaces, "[]"))
	c := canonicaliser{&out}
	for i := range m.Content.Tablespaces {
		plain, err := json.Marshal(&m.Content.Tablespaces[i])
		if err == nil {
			err = c.element(plain, i, tablespacesDepth+1)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := c.end('[', ']', len(m.Content.Tablespaces), tablespacesDepth); err != nil {
		return nil, err
	}
	out.WriteString(after)
	return out.Bytes(), nil
}

// Decode reads what [Encode] wrote. Errors are [ErrFormat] and [ErrCorrupt].
func Decode(data []byte) (*Manifest, error) {
	if err := checkFormat(data); err != nil {
		return nil, err
	}
	if err := checkDigest(data); err != nil {
		return nil, err
	}
	if err := checkShape(data); err != nil {
		return nil, &Error{Kind: ErrCorrupt, What: err.Error()}
	}
	ok, err := isCanonical(data)
	if err != nil {
		return nil, &Error{Kind: ErrCorrupt, What: err.Error()}
	}
	if !ok {
		return nil, &Error{Kind: ErrCorrupt, What: "not in canonical form (sorted keys, none twice, indented by two spaces)"}
	}
	m := new(Manifest)
	if err := json.Unmarshal(data, m); err != nil {
		return nil, &Error{Kind: ErrCorrupt, What: err.Error()}
	}
	if what := m.fault(); what != "" {
		return nil, &Error{Kind: ErrCorrupt, What: what}
	}
	return m, nil
}

// checkFormat comes first, so that a manifest of a later version is told apart from damage.
func checkFormat(data []byte) error {
	var head struct {
		Format string `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return &Error{Kind: ErrCorrupt, What: err.Error()}
	}
	if head.Format != Format {
		return &Error{Kind: ErrFormat, What: fmt.Sprintf("%q; this version reads %q", head.Format, Format)}
	}
	return nil
}

func checkDigest(data []byte) error {
	at := bytes.Index(data, []byte(digestKey))
	from := at + len(digestKey)
	if at < 0 || len(data) < from+2*sha256.Size {
		return &Error{Kind: ErrCorrupt, What: "no digest of its own"}
	}
	h := sha256.New()
	h.Write(data[:from])
	h.Write([]byte(noDigest))
	h.Write(data[from+2*sha256.Size:])
	if hex.EncodeToString(h.Sum(nil)) != string(data[from:from+2*sha256.Size]) {
		return &Error{Kind: ErrCorrupt, What: "digest of its own does not match"}
	}
	return nil
}

// isCanonical says whether data is in the canonical form; errors are of what is no JSON at all.
func isCanonical(data []byte) (bool, error) {
	c := &comparison{want: data}
	switch err := writeCanonical(c, data); {
	case errors.Is(err, errDiffers), errors.Is(err, errTwice):
		return false, nil
	case err != nil:
		return false, err
	}
	return len(c.want) == 0, nil
}

// fault says what contradicts itself; empty if nothing does.
func (m *Manifest) fault() string {
	a := m.Archive
	switch {
	case m.State != StateComplete:
		return fmt.Sprintf("state is %q, not %q", m.State, StateComplete)
	case m.Run.ID == "" || m.Run.Job == "":
		return "run.id or run.job is empty"
	case !knownOrigin(m.Coordinates.From):
		return fmt.Sprintf("coordinates.from is %q", m.Coordinates.From)
	case a.RawBytes < 0 || a.Frames < 0 || a.Files < 0 || a.FrameSize <= 0:
		return "a size in archive is negative"
	case a.Encryption != "" && a.Encryption != EncryptionAge:
		return fmt.Sprintf("archive.encryption is %q", a.Encryption)
	case (a.Encryption == "") != (a.Recipients == 0) || a.Recipients < 0:
		return fmt.Sprintf("archive.encryption is %q with %d recipients", a.Encryption, a.Recipients)
	case a.StoredBytes != a.Data.Bytes || a.RawBytes != a.Data.RawBytes:
		return "sizes of archive and archive.data differ"
	}
	for _, f := range []StoredFile{a.Data, a.Index} {
		if f.Name == "" || strings.ContainsAny(f.Name, "/\x00") || f.Bytes < 0 || f.RawBytes < 0 || !digest.IsHex(f.SHA256, sha256.Size) {
			return fmt.Sprintf("name, size or digest of stored file %q is wrong", f.Name)
		}
	}
	return ""
}

func knownOrigin(from string) bool {
	switch from {
	case FromQuietWindow, FromBootedCopy, FromWindow, FromNone, FromUnknown:
		return true
	}
	return false
}

// normalise sets times to UTC and gives lists and maps that are nil their empty form, so that
// a reader in any language meets one type per field.
func (m *Manifest) normalise() {
	for _, t := range m.times() {
		*t = t.UTC()
	}
	m.Labels = orEmptyMap(m.Labels)
	m.Annotations = orEmptyMap(m.Annotations)
	m.Source.Unknown = orEmptyMap(m.Source.Unknown)
	m.Source.UndoTablespaces = orEmpty(m.Source.UndoTablespaces)
	m.Source.Plugins = orEmpty(m.Source.Plugins)
	m.Source.Components = orEmpty(m.Source.Components)
	m.Clone.Settings = orEmpty(m.Clone.Settings)
	m.Clone.Stages = orEmpty(m.Clone.Stages)
	m.Content.Tablespaces = orEmpty(m.Content.Tablespaces)
	m.Content.Lost = orEmpty(m.Content.Lost)
	m.Content.Other = orEmpty(m.Content.Other)
	m.Checks = orEmpty(m.Checks)
	m.Timings = orEmpty(m.Timings)
	m.Proofs = orEmpty(m.Proofs)
	for i := range m.Proofs {
		m.Proofs[i].Detail = orEmpty(m.Proofs[i].Detail)
	}
}

func (m *Manifest) times() []*time.Time {
	ts := []*time.Time{&m.Run.Started, &m.Run.Finished, &m.Clone.Began, &m.Clone.Ended}
	for i := range m.Clone.Stages {
		for _, t := range []*time.Time{m.Clone.Stages[i].Began, m.Clone.Stages[i].Ended} {
			if t != nil {
				ts = append(ts, t)
			}
		}
	}
	for _, w := range []*LogStatus{m.Window.Before, m.Window.After} {
		if w != nil {
			ts = append(ts, &w.Time)
		}
	}
	for i := range m.Timings {
		ts = append(ts, &m.Timings[i].Began, &m.Timings[i].Ended)
	}
	for i := range m.Proofs {
		ts = append(ts, &m.Proofs[i].Time)
	}
	return ts
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func orEmptyMap(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
