package steps

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"runner/pkg/archive"
	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store"
	"runner/pkg/clone"
	"runner/pkg/files"
	"runner/pkg/plan"
)

// Server is what the steps need of a MySQL server. clone.Server and clone.DryServer are Servers.
type Server interface {
	Expect(uuid string) error
	EndLost(ctx context.Context) error
	Recipient
	Facts(ctx context.Context) (*clone.Facts, error)
	Reading(ctx context.Context) (*clone.Reading, error)
	Check(ctx context.Context, facts *clone.Facts, target clone.Target) []clone.Finding
	CloneLocal(ctx context.Context, options clone.LocalOptions, hooks clone.Hooks) (*clone.Result, error)
	CloneStream(ctx context.Context, options clone.StreamOptions, sink clone.StreamSink, hooks clone.Hooks) (*clone.Result, error)
	Adopt(ctx context.Context, options clone.LocalOptions, statement clone.Effect, hooks clone.Hooks) (*clone.Result, error)
	Undo(ctx context.Context, effect clone.Effect) error
	State(ctx context.Context, directory string) (clone.CloneState, error)
	Close() error
}

// Host is everything outside the process that the steps reach: MySQL servers, staging directories, repositories.
type Host interface {
	// Connect opens a connection to the server that the source names.
	Connect(ctx context.Context, source *plan.Source) (Server, error)
	// Backup opens the folder of one backup for writing and creates it, with its parents, where it is absent.
	Backup(folder string) (store.Store, error)
	// ReadBack reads what was stored again and verifies it against what the manifest is going to say of it. Of what is
	// encrypted that is the digest of the stored bytes: those who make a backup can't decrypt it.
	ReadBack(ctx context.Context, s store.Store, m *manifest.Manifest, o archive.VerifyOptions) error
	// Staged is the tree of a finished staging directory.
	Staged(directory string) archive.Tree
	// Remove deletes a directory that the journal says is ours, with all that is in it. An absent one is no error.
	Remove(directory string) error
}

// Live is the Host that does what it is told. Its sessions say which run they are of, and which process of it.
type Live struct {
	Run     string
	Process string // unlike that of every other process of the run
}

// NewLive is the Host of this process in a run.
func NewLive(run string) Live { return Live{Run: run, Process: strings.ToLower(rand.Text())} }

// Connect opens a connection to the server that the source names.
func (l Live) Connect(ctx context.Context, source *plan.Source) (Server, error) {
	config := connection(source)
	config.Run, config.Process = l.Run, l.Process
	server, err := clone.Open(ctx, config)
	if err != nil {
		return nil, err
	}
	return server, nil
}

// Backup opens the folder of one backup and creates it, with its parents, where it is absent.
func (Live) Backup(folder string) (store.Store, error) { return store.Local(folder) }

// ReadBack reads and verifies all of it, as far as that can be done without an identity.
func (Live) ReadBack(ctx context.Context, s store.Store, m *manifest.Manifest, o archive.VerifyOptions) error {
	if m.Archive.Encryption != "" {
		_, err := archive.VerifyStored(ctx, s, m, o)
		return err
	}
	b, err := archive.OpenUncommitted(ctx, s, m)
	if err != nil {
		return err
	}
	_, err = b.Verify(ctx, o)
	return err
}

// Staged is the tree of the directory.
func (Live) Staged(directory string) archive.Tree { return archive.Dir(directory) }

// Remove deletes the directory and makes the deletion durable.
func (Live) Remove(directory string) error {
	// RemoveAll tries to delete what is absent, and a read-only file system refuses even that.
	if _, err := os.Lstat(directory); !errors.Is(err, fs.ErrNotExist) {
		if err := os.RemoveAll(directory); err != nil {
			return err
		}
	}
	err := files.SyncFolder(filepath.Dir(directory))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Dry is the Host that refuses to change anything: its servers send no statement that changes them, its repositories
// drop what is written, and its staging directories are empty.
type Dry struct{}

// Connect opens a connection on which nothing is changed.
func (Dry) Connect(ctx context.Context, source *plan.Source) (Server, error) {
	server, err := clone.Open(ctx, connection(source))
	if err != nil {
		return nil, err
	}
	return clone.DryRun(server), nil
}

// Backup opens a store that drops what it is given.
func (Dry) Backup(string) (store.Store, error) { return store.DryRun(nowhere{}), nil }

// ReadBack has nothing to read: nothing was stored.
func (Dry) ReadBack(context.Context, store.Store, *manifest.Manifest, archive.VerifyOptions) error {
	return nil
}

// Staged is an empty tree: nothing was cloned.
func (Dry) Staged(string) archive.Tree { return archive.Empty() }

// Remove keeps everything where it is.
func (Dry) Remove(string) error { return nil }

func connection(source *plan.Source) clone.Config {
	c := clone.Config{
		Name:         source.Name,
		Host:         source.Host,
		Port:         source.Port,
		Socket:       source.Socket,
		User:         source.User,
		Password:     source.Password.Reveal(),
		PasswordFile: source.PasswordFile,
		DefaultsFile: source.DefaultsFile,
	}
	if source.TLS != nil {
		c.TLSMode = source.TLS.Mode
		c.CAFile, c.CertFile, c.KeyFile = source.TLS.CAFile, source.TLS.CertFile, source.TLS.KeyFile
	}
	return c
}

// nowhere is a store with nothing in it.
type nowhere struct{}

func (nowhere) Create(_ context.Context, name string) (store.Writer, error) {
	return nil, fmt.Errorf("create %s: %w", name, errors.ErrUnsupported)
}

func (nowhere) Resume(_ context.Context, name string, _ int64) (store.Writer, error) {
	return nil, fmt.Errorf("resume %s: %w", name, fs.ErrNotExist)
}

func (nowhere) Open(_ context.Context, name string) (store.Reader, error) {
	return nil, fmt.Errorf("open %s: %w", name, fs.ErrNotExist)
}

func (nowhere) List(context.Context) ([]store.Info, error) { return nil, nil }

func (nowhere) Remove(_ context.Context, name string) error {
	return fmt.Errorf("remove %s: %w", name, fs.ErrNotExist)
}
