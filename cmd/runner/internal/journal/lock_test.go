package journal_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"runner/cmd/runner/internal/engine"
	"runner/cmd/runner/internal/journal"
)

// childVariable makes the test binary a process that records until it is killed.
const childVariable = "JOURNAL_TEST_CHILD"

// child locks a job, makes or resumes a run, and says after each entry that it
// is recorded.
func child(dir string) {
	fail := func(err error) {
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
	}
	d, err := journal.Open(dir)
	fail(err)
	_, err = d.Lock([]journal.JobKey{orders})
	fail(err)
	j, err := d.Resume(run1)
	if errors.Is(err, journal.ErrNotFound) {
		j, err = d.Create(header(run1), nil)
	}
	fail(err)
	fmt.Println("entries", len(j.History()))
	for i := 0; ; i++ {
		e, err := j.Record(engine.Entry{Type: engine.EntryIntended, Action: &engine.Action{Summary: strings.Repeat("x", i%700)}})
		fail(err)
		fmt.Println(e.Seq)
	}
}

func TestAKilledProcessLosesNoEntryAndNoLock(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	var last int64
	for round := range 8 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childVariable+"="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), "entries ") {
			t.Fatalf("round %d: the child says %q", round, lines.Text())
		}
		if round == 0 {
			checkLocked(t, d, cmd.Process.Pid)
		}
		target := last + rand.Int64N(30) + 1
		for lines.Scan() {
			if last, err = strconv.ParseInt(lines.Text(), 10, 64); err != nil {
				t.Fatalf("the child says %q", lines.Text())
			}
			if last == target {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // it was killed
		if s, err := d.Find(run1); err != nil || s.State != journal.StateInterrupted || int64(s.OpenActions) < last {
			t.Fatalf("round %d: %s, %d open actions of %d, %v", round, s.State, s.OpenActions, last, err)
		}
		j, err := d.Resume(run1)
		if err != nil {
			t.Fatal(err)
		}
		if n := int64(len(j.History())); n < last || n > last+1 {
			t.Errorf("round %d: %d entries, %d were recorded", round, n, last)
		}
		last = int64(len(j.History()))
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// checkLocked looks at the locks while the child holds them.
func checkLocked(t *testing.T, d *journal.Dir, pid int) {
	t.Helper()
	var locked *journal.LockedError
	_, err := d.Lock([]journal.JobKey{{Address: "job.other", Repository: "/r"}, orders})
	if !errors.As(err, &locked) || locked.PID != pid || locked.Run != run1 || locked.Job != orders.Address {
		t.Errorf("lock: %v", err)
	}
	_, err = d.Resume(run1)
	if !errors.As(err, &locked) || locked.PID != pid || locked.Run != run1 || locked.Job != "" || locked.Hint() == "" {
		t.Errorf("resume: %v", err)
	}
	if s, err := d.Find(run1); err != nil || s.State != journal.StateRunning {
		t.Errorf("state: %s, %v", s.State, err)
	}
}

func TestLocksAreTakenAllOrNone(t *testing.T) {
	d := open(t, t.TempDir())
	other := journal.JobKey{Address: "job.other", Repository: "/srv/backups"}
	unlock, err := d.Lock([]journal.JobKey{orders, orders})
	if err != nil {
		t.Fatal(err)
	}
	var locked *journal.LockedError
	if _, err := d.Lock([]journal.JobKey{other, orders}); !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Errorf("lock of a locked job: %v", err)
	}
	free, err := d.Lock([]journal.JobKey{other}) // the failed attempt has kept nothing
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(free(), unlock(), unlock()); err != nil {
		t.Error(err)
	}
	unlock, err = d.Lock([]journal.JobKey{other, orders})
	if err != nil {
		t.Fatal(err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

func TestTheSameAddressInAnotherRepositoryIsAnotherJob(t *testing.T) {
	dir := t.TempDir()
	d := open(t, filepath.Join(dir, "state"))
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := errors.Join(os.Mkdir(real, 0o700), os.Symlink(real, link)); err != nil {
		t.Fatal(err)
	}
	key := func(repository string) []journal.JobKey {
		return []journal.JobKey{{Address: "job.a", Repository: repository}}
	}
	unlock, err := d.Lock(key(filepath.Join(real, "not", "yet")))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unlock(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := d.Lock(key(filepath.Join(link, "x", "..", "not", "yet") + "/")); err == nil {
		t.Error("the same repository by a symbolic link was locked again")
	}
	second, err := d.Lock(key(real))
	if err != nil {
		t.Fatal(err)
	}
	if err := second(); err != nil {
		t.Error(err)
	}
}

func TestLookingAtARunDoesNotKeepAnotherFromResumingIt(t *testing.T) {
	d := open(t, t.TempDir())
	if err := start(t, d, run1).Close(); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := d.Runs(); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	for range 50 {
		j, err := d.Resume(run1)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	<-done
}
