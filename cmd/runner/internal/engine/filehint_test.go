package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestEachErrorOfAFileHasAHintOfItsOwnThatNamesThePlace(t *testing.T) {
	seen := map[string]syscall.Errno{}
	for _, k := range fileHints() {
		err := fmt.Errorf("write index: %w", &fs.PathError{Op: "write", Path: "/srv/my backups/x", Err: k.errno})
		hint := FileHint(err)
		if named := strings.Contains(hint, "'/srv/my backups/x'"); hint == "" || !named && k.errno != syscall.ENAMETOOLONG {
			t.Errorf("%v: got the hint %q", k.errno, hint)
		}
		if other, twice := seen[hint]; twice {
			t.Errorf("%v and %v share a hint", other, k.errno)
		}
		seen[hint] = k.errno
	}
}

func TestWhereNothingIsKnownOfAFilesErrorThereIsNoHint(t *testing.T) {
	for _, err := range []error{nil, errors.New("x"), syscall.EACCES, &fs.PathError{Path: "/x", Err: errors.New("odd")}, &fs.PathError{Path: "/x", Err: syscall.EEXIST}} {
		if hint := FileHint(err); hint != "" {
			t.Errorf("%v has the hint %q", err, hint)
		}
	}
	if hint := FileHint(syscall.EMFILE); !strings.Contains(hint, "ulimit -n") {
		t.Errorf("too many open files have the hint %q", hint)
	}
	moved := &os.LinkError{Op: "rename", Old: "/a", New: "/b", Err: syscall.EROFS}
	if hint := FileHint(moved); !strings.HasSuffix(hint, "findmnt -T /b") {
		t.Errorf("a rename has the hint %q", hint)
	}
}
