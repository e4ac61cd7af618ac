package archive

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// owner is whom a file belongs to.
type owner struct{ uid, gid int }

// foreignOwners returns the owners of the chosen members that are not this process's, each once.
func (r *restorer) foreignOwners() []owner {
	own := owner{r.uid, r.gid}
	seen := map[owner]bool{own: true}
	var others []owner
	for _, m := range r.backup.index.Files {
		o := owner{m.UID, m.GID}
		if r.chosen[m] && !seen[o] {
			seen[o] = true
			others = append(others, o)
		}
	}
	return others
}

// probeOwners decides whether members get the owners that they had at the source, before any of them is written: it gives the mark
// of the target to each of these owners and back. A process may not where it lacks CAP_CHOWN, where the file system is a network's
// that takes root for nobody, or where its user namespace does not map the owner. All members then keep the process's owner.
func (r *restorer) probeOwners() error {
	r.chown = false
	var before unix.Stat_t
	fd := int(r.record.file.Fd())
	if err := unix.Fstat(fd, &before); err != nil {
		return fmt.Errorf("look at the owner of %s: %w", Marker, err)
	}
	others := r.foreignOwners()
	given := false
	for _, o := range others {
		err := uninterrupted(func() error { return unix.Fchown(fd, o.uid, o.gid) })
		switch {
		case notPermitted(err):
			return r.takeBack(fd, before, given)
		case err != nil:
			return fmt.Errorf("change owner of %s: %w", Marker, err)
		}
		given = true
	}
	if err := r.takeBack(fd, before, given); err != nil {
		return err
	}
	// A process that may not change owners at all may still have made a file whose group is that of its folder.
	r.chown = given || r.uid == 0
	return nil
}

func (r *restorer) takeBack(fd int, before unix.Stat_t, given bool) error {
	if !given {
		return nil
	}
	err := uninterrupted(func() error { return unix.Fchown(fd, int(before.Uid), int(before.Gid)) })
	if err != nil {
		return fmt.Errorf("take %s back: %w", Marker, err)
	}
	return nil
}

// notPermitted reports whether an owner cannot be given to a file by this process, or on this file system, at all.
func notPermitted(err error) bool {
	for _, refusal := range []error{unix.EPERM, unix.EACCES, unix.EINVAL, unix.EOPNOTSUPP, unix.ENOSYS, unix.EROFS} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

// keptOwner returns whom the data directory belonged to at the source, if members keep another owner than they had there.
func (r *restorer) keptOwner() *Owner {
	others := r.foreignOwners()
	if r.chown || len(others) == 0 {
		return nil
	}
	for _, m := range r.backup.index.Files {
		if m.Path == Root && r.chosen[m] {
			return &Owner{UID: m.UID, GID: m.GID}
		}
	}
	return &Owner{UID: others[0].uid, GID: others[0].gid}
}
