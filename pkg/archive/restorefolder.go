package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// makeTree makes folders, which stay writable for us until all is in them, and links.
func (r *restorer) makeTree() error {
	for _, m := range r.backup.index.Files {
		if !r.chosen[m] || m.Path == Root || m.Type == TypeFile {
			continue
		}
		err := r.folders.within(m.Path, func(d *openFolder, name string) error {
			if m.Type == TypeSymlink {
				return r.makeLink(d, name, m)
			}
			err := d.mkdir(name)
			if errors.Is(err, fs.ErrExist) && (m.Path == markerDir || r.continued) {
				return nil // made for the marker, or by an earlier attempt
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
	return nil
}

// makeHollows makes the files that no frame has anything of: patches made them, and nothing was ever written.
func (r *restorer) makeHollows() error {
	for _, m := range r.backup.index.Files {
		if !r.chosen[m] || m.Extents == nil || len(m.Extents) > 0 {
			continue
		}
		f, err := r.file(m)
		if err != nil {
			return errors.Join(err, r.closeOpen())
		}
		f.pieces = 1
		if err := r.release(f); err != nil {
			return err
		}
	}
	return nil
}

func (r *restorer) makeLink(d *openFolder, name string, m *Member) error {
	if err := d.symlink(m.Link, name); err != nil {
		return err
	}
	if r.chown {
		if err := d.lchown(name, m.UID, m.GID); err != nil {
			return err
		}
	}
	return d.setMemberTime(name, m)
}

// finish gives folders what they are to have, makes all durable, and takes the mark away.
func (r *restorer) finish() error {
	var marked, root *Member
	files := r.backup.index.Files
	for i := len(files) - 1; i >= 0; i-- { // what is in a folder comes before it
		m := files[i]
		switch {
		case m.Type != TypeDir || !r.chosen[m]:
		case m.Path == markerDir:
			marked = m
		case m.Path == Root:
			root = m
		default:
			if err := r.finishFolder(m); err != nil {
				return err
			}
		}
	}
	// All that was written becomes durable before the marker goes, and its going after that.
	if err := r.sync(); err != nil {
		return err
	}
	if err := r.removeMarker(marked, root); err != nil {
		return err
	}
	return r.sync()
}

// finishFolder gives a folder owner, mode and time.
func (r *restorer) finishFolder(m *Member) error {
	if err := r.setFolder(m, m.Mode); err != nil {
		return err
	}
	return r.setFolderTime(m)
}

func (r *restorer) setFolder(m *Member, mode Mode) error {
	d, err := r.folders.use(m.Path)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer r.folders.release(d)
	if r.chown {
		if err := d.Chown(m.UID, m.GID); err != nil {
			return fmt.Errorf("restore: %w", err)
		}
	}
	if err := d.Chmod(mode.FileMode()); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return nil
}

func (r *restorer) setFolderTime(m *Member) error {
	err := r.folders.within(m.Path, func(d *openFolder, name string) error { return d.setMemberTime(name, m) })
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return nil
}

// removeMarker takes the mark away, and its folder if the backup has none. What it is in has owner and mode
// before, so that little is missing should the process end right after it; but we must be able to write there.
func (r *restorer) removeMarker(marked, root *Member) error {
	const ours = 0o700
	for _, m := range []*Member{marked, root} {
		if m == nil {
			continue
		}
		if err := r.setFolder(m, m.Mode|ours); err != nil {
			return err
		}
	}
	if err := r.record.folder.unlink(path.Base(Marker)); err != nil {
		return fmt.Errorf("remove mark of an incomplete restore: %w", err)
	}
	if marked == nil {
		if err := r.folders.root.rmdir(markerDir); err != nil {
			return fmt.Errorf("remove mark of an incomplete restore: %w", err)
		}
	}
	for _, m := range []*Member{marked, root} {
		if m == nil {
			continue
		}
		if m.Mode&ours != ours {
			if err := r.setFolder(m, m.Mode); err != nil {
				return err
			}
		}
		if err := r.setFolderTime(m); err != nil {
			return err
		}
	}
	return nil
}
