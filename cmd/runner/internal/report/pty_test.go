package report_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"runner/cmd/runner/internal/engine"
	"runner/cmd/runner/internal/report"
)

// pty opens a pseudo-terminal of a width: the user's end and ours.
func pty(t *testing.T, width uint16) (user, ours *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(user.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	err = errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0),
		unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: width}))
	if err != nil {
		t.Fatal(err)
	}
	if ours, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	return user, ours
}

func TestOnARealTerminalItsWidthIsAskedFor(t *testing.T) {
	user, ours := pty(t, 50)
	read := make(chan []byte)
	go func() {
		data, _ := io.ReadAll(user) // ends with EIO when our end is closed
		read <- data
	}()
	var stdout bytes.Buffer
	v := report.New(report.Options{Stdout: &stdout, Stderr: ours, Terminal: true, Width: 200})
	p := player{v}
	id := step("job.orders", "clone")
	p.started([]string{"job.orders"}, "clone")
	p.begin(id)
	for i := range int64(8) {
		p.progress(id, "FILE COPY of all there is to copy", i*gib, 9*gib)
		time.Sleep(50 * time.Millisecond)
	}
	p.end(id, engine.OutcomeDone, 400*time.Millisecond, nil)
	p.finished(engine.OutcomeDone, 400*time.Millisecond, nil)
	if err := errors.Join(v.Close(), ours.Close()); err != nil {
		t.Error(err)
	}
	tty := &vt{t: t, width: 50}
	if _, err := tty.Write(bytes.ReplaceAll(<-read, []byte("\r"), nil)); err != nil {
		t.Error(err)
	}
	if got := strings.TrimRight(tty.screen(), "\n"); got != "  ✓ job.orders/clone  400ms" {
		t.Errorf("screen: %q", got)
	}
	if !strings.Contains(stdout.String(), "complete after 400ms") {
		t.Errorf("answer: %q", stdout.String())
	}
	if err := user.Close(); err != nil {
		t.Error(err)
	}
}
