package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"runner/pkg/mysqld/mysqldtest"
)

// roundsPerServer is how many backups are taken from one server before a new one starts, so that its tables stay small.
const roundsPerServer = 10

// TestSoak backs up servers under DML and DDL, and restores, boots and checks every backup.
//
// RUNNER_SOAK_STREAM and RUNNER_SOAK_LOCAL are the numbers of backups in each mode (1 and 1); RUNNER_SOAK_SEED repeats
// the choices of an earlier run, but not its timing. `make soak` takes 100 and 30.
func TestSoak(t *testing.T) {
	seed := uint64(number(t, "RUNNER_SOAK_SEED", int(time.Now().UnixNano()&0xffffffff)))
	t.Logf("RUNNER_SOAK_SEED=%d", seed)
	for _, mode := range []struct {
		name   string
		rounds int
	}{
		{"stream", number(t, "RUNNER_SOAK_STREAM", 1)},
		{"local", number(t, "RUNNER_SOAK_LOCAL", 1)},
	} {
		for first := 0; first < mode.rounds; first += roundsPerServer {
			s := newSoak(t, mode.name, seed+uint64(first))
			for i := first; i < min(first+roundsPerServer, mode.rounds); i++ {
				t.Run(fmt.Sprintf("%s/%d", mode.name, i), func(t *testing.T) { s.round(t, i) })
			}
			s.load.Stop(t)
		}
	}
}

// soak is one server under load, and the folder that its backups go into.
type soak struct {
	mode   string
	seed   uint64
	server *mysqldtest.Server
	load   *mysqldtest.Load
	folder string
}

const soakPlan = `
source "mysql" "here" {
  socket = "SOCKET"
  user   = "root"
}
repository "local" "disk" { path = "REPO" }
job "soak" {
  source     = source.mysql.here
  repository = repository.local.disk
  clone {
    mode    = "MODE"
    threads = THREADS
    LIMITS
  }
}
`

func newSoak(t *testing.T, mode string, seed uint64) *soak {
	t.Helper()
	s := &soak{mode: mode, seed: seed, folder: t.TempDir()}
	s.server = mysqldtest.Start(t, mysqldtest.WithArgs("--gtid-mode=ON", "--enforce-gtid-consistency=ON"))
	s.load = mysqldtest.StartLoad(t, s.server, 30, seed)
	for _, name := range []string{"repo", "staging"} {
		if err := os.Mkdir(filepath.Join(s.folder, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// round takes one backup, and wants it to verify, to restore, to boot and to be of one instant.
func (s *soak) round(t *testing.T, i int) {
	random := rand.New(rand.NewPCG(s.seed, uint64(i))) //nolint:gosec // choices, not secrets
	threads := []int{1, 2, 4, 16}[random.IntN(4)]
	limits := fmt.Sprintf("network_bandwidth = \"%dM\"", 16+random.IntN(48))
	if s.mode == "local" {
		limits = fmt.Sprintf("directory = %q\n    bandwidth = \"%dM\"", filepath.Join(s.folder, "staging"), 16+random.IntN(48))
	}
	plan := filepath.Join(s.folder, "plan.hcl")
	text := strings.NewReplacer("SOCKET", s.server.Socket(), "REPO", filepath.Join(s.folder, "repo"), "MODE", s.mode,
		"THREADS", fmt.Sprint(threads), "LIMITS", limits).Replace(soakPlan)
	if err := os.WriteFile(plan, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	before := s.load.Changes()
	s.runner(t, "apply", plan)
	if s.load.Changes() == before {
		t.Error("no table was changed meanwhile")
	}
	s.runner(t, "verify", "soak@latest", "--plan", plan)
	data := filepath.Join(s.folder, "restored")
	s.runner(t, "restore", "soak@latest", "--plan", plan, "--to", data)
	s.check(t, data)
	for _, folder := range []string{data, filepath.Join(s.folder, "repo", "soak")} {
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
	}
}

// check boots a server on the restored directory, and stops it before its files are removed.
func (s *soak) check(t *testing.T, data string) {
	t.Helper()
	copied := mysqldtest.Start(t, mysqldtest.WithDataDir(data), mysqldtest.WithQuiet())
	mysqldtest.CheckLoad(t, copied)
	if at := copied.Value(t, "SELECT GTID_EXECUTED FROM performance_schema.clone_status"); at == "" {
		t.Error("the restored server has no coordinates")
	}
	if err := copied.Kill(); err != nil {
		t.Fatal(err)
	}
}

func (s *soak) runner(t *testing.T, args ...string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "runner", args...)
	c.Env = append(os.Environ(), "RUNNER_STATE_DIR="+filepath.Join(s.folder, "state"))
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("runner %s: %v\n%s", args[0], err, out)
	}
}
