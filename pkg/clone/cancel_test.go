package clone_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"runner/pkg/clone"
	"runner/pkg/mysqld"
	"runner/pkg/mysqld/mysqldtest"
)

// Each of them interrupts a clone that would take minutes.
func TestAnInterruptedClone(t *testing.T) {
	runAll(t, startBig(t, mysqldtest.WithTCP()), []behaviour{
		{"is killed on the server, awaited and left partial when it is cancelled", cancelled},
		{"is so at a deadline too", outOfTime},
		{"is not begun when its context has ended", notBegun},
		{"is stopped by the panic of a hook on its way", panicked},
		{"is cancelled, but not by us, when somebody kills its query", killedBySomebody("QUERY")},
		{"is cancelled, but not by us, when somebody kills its connection", killedBySomebody("CONNECTION")},
		{"is followed to its end when its connection breaks", broken},
		{"can be cancelled when its connection is broken", brokenAndCancelled},
		{"is not begun when DDL does not end in time, which is worth a retry", waitsForDDL},
		{"is killed as another host's when it does not appear here", elsewhere},
	})
}

// The published engine's cancel closed a socket, whereupon the server went on cloning, and deleted
// the directory under it.
func cancelled(t *testing.T, my *mysqldtest.Server) {
	ctx, cancel := context.WithCancel(t.Context())
	s := connect(t, my)
	run := startSlow(ctx, s, clone.LocalOptions{Directory: target(t)})
	run.awaitStart(t)
	cancel()
	checkInterrupted(t, s, run, context.Canceled)
}

func outOfTime(t *testing.T, my *mysqldtest.Server) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	s := connect(t, my)
	checkInterrupted(t, s, startSlow(ctx, s, clone.LocalOptions{Directory: target(t)}), context.DeadlineExceeded)
}

func checkInterrupted(t *testing.T, s *clone.Server, run *slowClone, want error) {
	t.Helper()
	<-run.done
	state, err := s.State(context.WithoutCancel(t.Context()), run.directory)
	if err != nil || state.State != clone.CloneFailed || state.ErrorNumber != 1317 {
		t.Errorf("right after its return the server says %+v, %v", state, err)
	}
	if !errors.Is(run.err, want) || run.result != nil {
		t.Errorf("got %v, %v", run.result, run.err)
	}
	wantClass(t, run.err, clone.Cancelled, 1317)
	wantDirectory(t, run.directory, clone.DirPartial)
	wantKinds(t, "open", run.left(), clone.EffectDirectory)
}

func notBegun(t *testing.T, my *mysqldtest.Server) {
	ctx, cancel := context.WithCancel(t.Context())
	var r recorder
	r.onIntend = func(e clone.Effect) error {
		if e.Kind == clone.EffectStatement {
			cancel()
		}
		return nil
	}
	directory := target(t)
	_, err := connect(t, my).CloneLocal(ctx, clone.LocalOptions{Directory: directory}, r.hooks())
	wantClass(t, err, clone.Cancelled, 0)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	wantDirectory(t, directory, clone.DirAbsent)
}

func panicked(t *testing.T, my *mysqldtest.Server) {
	s, directory := connect(t, my), target(t)
	r := recorder{onProgress: func(clone.Progress) { panic("a view fell over") }}
	func() {
		defer func() {
			if got := recover(); got != "a view fell over" {
				t.Errorf("recovered %v", got)
			}
		}()
		_, err := s.CloneLocal(t.Context(), clone.LocalOptions{Directory: directory, Bandwidth: slow}, r.hooks())
		t.Errorf("it returned %v", err)
	}()
	if state, err := s.State(t.Context(), directory); err != nil || state.State != clone.CloneFailed {
		t.Errorf("the server says %+v, %v", state, err)
	}
}

func killedBySomebody(what string) func(*testing.T, *mysqldtest.Server) {
	return func(t *testing.T, my *mysqldtest.Server) {
		run := startSlow(t.Context(), connect(t, my), clone.LocalOptions{Directory: target(t)})
		run.awaitStart(t)
		my.Exec(t, "KILL "+what+" "+my.Value(t, "SELECT PID FROM performance_schema.clone_status"))
		<-run.done
		wantClass(t, run.err, clone.Cancelled, 1317)
		if errors.Is(run.err, context.Canceled) {
			t.Errorf("nobody cancelled: %v", run.err)
		}
		wantDirectory(t, run.directory, clone.DirPartial)
		wantKinds(t, "open", run.left(), clone.EffectDirectory)
	}
}

func broken(t *testing.T, my *mysqldtest.Server) {
	_, link, run := startBehindProxy(t.Context(), t, my)
	link.cut()
	awaitReconnect(t, my, run)
	reports := run.reports()
	my.Exec(t, "SET GLOBAL clone_max_data_bandwidth = 200")
	<-run.done
	my.Exec(t, "SET GLOBAL clone_max_data_bandwidth = 0")
	if run.err != nil {
		t.Fatal(run.err)
	}
	wantDirectory(t, run.directory, clone.DirFinished)
	wantKinds(t, "open", run.left(), clone.EffectDirectory)
	if len(run.result.Stages) != 7 || run.result.Bytes < 400<<20 {
		t.Errorf("got %+v", run.result)
	}
	if run.reports() <= reports {
		t.Error("no progress was reported after the loss")
	}
}

func startBehindProxy(ctx context.Context, t *testing.T, my *mysqldtest.Server) (*clone.Server, *proxy, *slowClone) {
	t.Helper()
	link := newProxy(t, my.Port())
	s := open(t, clone.Config{Host: "127.0.0.1", Port: link.port(), User: "root", TLSMode: "disabled"})
	run := startSlow(ctx, s, clone.LocalOptions{Directory: target(t)})
	run.awaitStart(t)
	return s, link, run
}

// awaitReconnect waits until the loss was noticed. The connection of the clone itself stays on the
// server, which has not tried to write to it.
func awaitReconnect(t *testing.T, my *mysqldtest.Server, run *slowClone) {
	t.Helper()
	for {
		select {
		case <-run.done:
			t.Fatalf("it ended: %v", run.err)
		case <-time.After(50 * time.Millisecond):
		}
		n := my.Value(t, "SELECT COUNT(*) FROM performance_schema.threads WHERE CONNECTION_TYPE = 'TCP/IP' AND TYPE = 'FOREGROUND'")
		if n != "0" && n != "1" {
			return
		}
	}
}

func brokenAndCancelled(t *testing.T, my *mysqldtest.Server) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, link, run := startBehindProxy(ctx, t, my)
	link.cut()
	awaitReconnect(t, my, run)
	cancel()
	checkInterrupted(t, s, run, context.Canceled)
}

func elsewhere(t *testing.T, my *mysqldtest.Server) {
	s := connect(t, my)
	directory := target(t)
	run := startSlow(t.Context(), s, clone.LocalOptions{Directory: directory, Observe: directory + "-here"})
	<-run.done
	if !errors.Is(run.err, clone.ErrNotSameHost) {
		t.Errorf("got %v", run.err)
	}
	wantClass(t, run.err, clone.UserMustFix, 0)
	if state, err := s.State(t.Context(), run.directory); err != nil || state.State != clone.CloneFailed {
		t.Errorf("the server says %+v, %v", state, err)
	}
	wantDirectory(t, run.directory, clone.DirPartial)
	wantKinds(t, "open", run.left(), clone.EffectDirectory)
}

func TestAServerThatDiesAndStaysAwayLeavesTheCloneUncertain(t *testing.T) {
	my := startBig(t)
	s := connect(t, my)
	run := startSlow(t.Context(), s, clone.LocalOptions{Directory: filepath.Join(my.Folder(), "copy"), Reconnect: time.Second})
	run.awaitStart(t)
	if err := my.Kill(); err != nil {
		t.Fatal(err)
	}
	<-run.done
	wantClass(t, run.err, clone.Uncertain, 0)
	wantDirectory(t, run.directory, clone.DirPartial)
	wantKinds(t, "open", run.left(), clone.EffectGlobal, clone.EffectDirectory, clone.EffectStatement)
}

func TestAServerThatWasRestartedHasLostTheCloneAndUndoFindsNothingLeft(t *testing.T) {
	my := startBig(t)
	s := connect(t, my)
	run := startSlow(t.Context(), s, clone.LocalOptions{Directory: filepath.Join(my.Folder(), "copy")})
	run.awaitStart(t)
	if err := my.Kill(); err != nil {
		t.Fatal(err)
	}
	again, err := mysqld.Start(t.Context(), mysqld.Options{Program: mysqldtest.Program(t), Folder: my.Folder(), DieWithParent: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := again.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	<-run.done
	wantClass(t, run.err, clone.Other, 0)
	if !errors.Is(run.err, clone.ErrCloneLost) {
		t.Errorf("got %v", run.err)
	}
	wantDirectory(t, run.directory, clone.DirPartial)
	wantKinds(t, "open", run.left(), clone.EffectDirectory)
	for _, e := range run.effects {
		if err := s.Undo(t.Context(), e); err != nil {
			t.Errorf("undo %s: %v", e.Kind, err)
		}
	}
}

func waitsForDDL(t *testing.T, my *mysqldtest.Server) {
	my.Exec(t, "CREATE DATABASE ddl", "CREATE TABLE ddl.t (n INT PRIMARY KEY)")
	held, err := my.Pool().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"START TRANSACTION", "SELECT * FROM ddl.t"} {
		if _, err := held.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	altered := make(chan error, 1)
	go func() {
		_, err := my.Pool().Exec("ALTER TABLE ddl.t ADD COLUMN x INT, ALGORITHM=COPY") // waits for held
		altered <- err
	}()
	for my.Value(t, "SELECT COUNT(*) FROM performance_schema.threads WHERE PROCESSLIST_INFO LIKE 'ALTER TABLE%' AND PROCESSLIST_STATE LIKE 'Waiting%'") == "0" {
		time.Sleep(20 * time.Millisecond)
	}
	directory := target(t)
	var r recorder
	_, err = connect(t, my).CloneLocal(t.Context(), clone.LocalOptions{Directory: directory, DDL: clone.DDLBlock, DDLTimeout: time.Second}, r.hooks())
	wantClass(t, err, clone.Retry, 1205)
	wantDirectory(t, directory, clone.DirAbsent)
	wantKinds(t, "open", r.left())
	if err := errors.Join(held.Close(), ignoreRollback(my)); err != nil {
		t.Fatal(err)
	}
	if err := <-altered; err != nil && !strings.Contains(err.Error(), "interrupted") {
		t.Fatal(err)
	}
}

// ignoreRollback ends what waits in the pool's connections.
func ignoreRollback(my *mysqldtest.Server) (err error) {
	rows, err := my.Pool().Query("SELECT PROCESSLIST_ID FROM performance_schema.threads WHERE PROCESSLIST_INFO LIKE 'ALTER TABLE%'")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := my.Pool().Exec("KILL QUERY " + id); err != nil {
			return err
		}
	}
	return nil
}
