package clone_test

import (
	"os"
	"os/exec"
	"testing"
)

// rerun runs one test of this binary in a process of its own, with a variable set.
func rerun(t *testing.T, name, variable string) ([]byte, error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+name+"$", "-test.v")
	c.Env = append(os.Environ(), variable+"=1")
	return c.CombinedOutput()
}
