package archive

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// withoutChown is set in the environment of a test that runs once more, as a process that may not give files away.
const withoutChown = "RUNNER_TEST_WITHOUT_CHOWN"

// Root may not give files away in a container whose user namespace lacks the owner, nor without CAP_CHOWN.
func TestARestoreThatMayNotGiveFilesAwayKeepsThemAndSaysSo(t *testing.T) {
	if os.Getenv(withoutChown) != "" || os.Geteuid() != 0 {
		restoreWithoutChown(t)
		return
	}
	for _, wrapper := range [][]string{
		{"setpriv", "--bounding-set=-chown", "--inh-caps=-chown"},
		{"unshare", "--user", "--map-root-user"},
	} {
		command := exec.CommandContext(t.Context(), wrapper[0], append(wrapper[1:], os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1")...)
		command.Env = append(os.Environ(), withoutChown+"=1")
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("%q: %v\n%s", wrapper, err, out)
		}
	}
}

func restoreWithoutChown(t *testing.T) {
	t.Helper()
	m := newMemoryOf(t, owned{Tree: Dir(largeFolder(t)), uid: 1234, gid: 4321})
	target := filepath.Join(t.TempDir(), "restored")
	result, err := open(t, m).Restore(t.Context(), target, RestoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if o := result.KeptOwner; o == nil || *o != (Owner{1234, 4321}) {
		t.Errorf("the owner that was not kept is %v", o)
	}
	err = Dir(target).Walk(t.Context(), func(e Entry) error {
		if e.UID != os.Geteuid() {
			t.Errorf("%s belongs to %d", e.Path, e.UID)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if marked(t, target) {
		t.Error("the target is marked as unfinished")
	}
}
