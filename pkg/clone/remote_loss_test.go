package clone_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"runner/pkg/clone"
	"runner/pkg/mysqld/mysqldtest"
)

// abandoned starts a remote clone as a process that is no more did, and gives the effect of its statement.
func abandoned(t *testing.T, s servers, bandwidth int) (directory string, statement clone.Effect, done chan error) {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", s.donor.Port())
	s.recipient.Exec(t, "SET GLOBAL clone_valid_donor_list = '"+address+"'", fmt.Sprintf("SET GLOBAL clone_max_network_bandwidth = %d", bandwidth))
	directory, done = target(t), make(chan error, 1)
	go func() {
		_, err := s.recipient.Pool().Exec(fmt.Sprintf(`CLONE INSTANCE FROM pull@%s IDENTIFIED BY 's3cr3t''\\pass' DATA DIRECTORY = '%s' REQUIRE SSL`, address, directory))
		done <- err
	}()
	for state := clone.DirAbsent; state != clone.DirPartial; time.Sleep(10 * time.Millisecond) {
		var err error
		if state, err = clone.InspectDirectory(directory); err != nil {
			t.Fatal(err)
		}
	}
	var pid int64
	if _, err := fmt.Sscan(s.recipient.Value(t, "SELECT PID FROM performance_schema.clone_status"), &pid); err != nil {
		t.Fatal(err)
	}
	return directory, effect(t, clone.EffectStatement, clone.StatementEffect{Statement: "CLONE INSTANCE …", Directory: directory, PID: pid}), done
}

func (s servers) undoSettings(t *testing.T) {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", s.donor.Port())
	for _, g := range []clone.GlobalEffect{
		{Variable: "clone_valid_donor_list", Null: true, Set: address},
		{Variable: "clone_max_network_bandwidth", Previous: "0", Set: s.recipient.Value(t, "SELECT @@GLOBAL.clone_max_network_bandwidth")},
	} {
		for range 2 {
			if err := connect(t, s.recipient).Undo(t.Context(), effect(t, clone.EffectGlobal, g)); err != nil {
				t.Errorf("undo %s: %v", g.Variable, err)
			}
		}
	}
}

func remoteAdopted(t *testing.T, s servers) {
	for name, known := range map[string]bool{"with the donor": true, "without the donor": false} {
		directory, statement, done := abandoned(t, s, 200)
		var donor clone.Donor
		if known {
			donor = open(t, s.config())
		}
		var r recorder
		result, err := connect(t, s.recipient).AdoptRemote(t.Context(), donor, clone.RemoteOptions{}, statement, r.hooks())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := <-done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
		wantDirectory(t, directory, clone.DirFinished)
		if result.Mode != clone.ModeRemote || result.Directory != directory || (result.After != nil) != known || (result.Pulled != nil) != known || result.Coordinates.From != clone.FromUnknown {
			t.Errorf("%s: got %+v", name, result)
		}
	}
	s.undoSettings(t)
}

func remoteUndone(t *testing.T, s servers) {
	directory, statement, done := abandoned(t, s, 5)
	if err := connect(t, s.recipient).Undo(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil {
		t.Error("it was not killed")
	}
	wantDirectory(t, directory, clone.DirPartial)
	s.undoSettings(t)
	endDonation(t, s.donor)
}

func TestADonorListThatSomebodyElseHasChangedIsLeft(t *testing.T) {
	my := mysqldtest.Start(t)
	s := connect(t, my)
	for _, c := range []struct {
		now  string
		e    clone.GlobalEffect
		want string
	}{
		{"'db1:1'", clone.GlobalEffect{Null: true, Set: "db1:1"}, "NULL"},
		{"NULL", clone.GlobalEffect{Null: true, Set: "db1:1"}, "NULL"},
		{"'a:1,db1:1'", clone.GlobalEffect{Previous: "a:1", Set: "a:1,db1:1"}, "a:1"},
		{"'mine:5'", clone.GlobalEffect{Previous: "a:1", Set: "a:1,db1:1"}, "mine:5"},
		{"NULL", clone.GlobalEffect{Previous: "a:1", Set: "a:1,db1:1"}, "NULL"},
	} {
		c.e.Variable = "clone_valid_donor_list"
		my.Exec(t, "SET GLOBAL clone_valid_donor_list = "+c.now)
		if err := s.Undo(t.Context(), effect(t, clone.EffectGlobal, c.e)); err != nil {
			t.Error(err)
		}
		if got := my.Value(t, "SELECT @@GLOBAL.clone_valid_donor_list"); got != c.want {
			t.Errorf("%s with %+v became %s, want %s", c.now, c.e, got, c.want)
		}
	}
	for _, set := range []string{"a:1' ", "a:1\n"} {
		if err := s.Undo(t.Context(), effect(t, clone.EffectGlobal, clone.GlobalEffect{Variable: "clone_valid_donor_list", Null: true, Set: set})); err == nil {
			t.Errorf("%q was taken", set)
		}
	}
}

func TestARemoteCloneOutlivesConnectionsThatAreCut(t *testing.T) {
	s := startServers(t)
	listening := mysqldtest.Start(t, mysqldtest.WithTCP())
	toRecipient, toDonor := newProxy(t, listening.Port()), newProxy(t, s.donor.Port())
	recipient := open(t, clone.Config{Host: "127.0.0.1", Port: toRecipient.port(), User: "root", TLSMode: "disabled"})
	config := s.config()
	config.Port = toDonor.port() // by which the recipient connects, too
	donor := open(t, config)
	var r recorder
	cuts := 0
	r.onProgress = func(p clone.Progress) {
		if p.Done > int64(cuts+1)*100<<20 && cuts < 3 {
			cuts++
			toDonor.cut()
			if cuts == 2 {
				toRecipient.cut()
			}
		}
	}
	directory := target(t)
	result, err := recipient.CloneRemote(t.Context(), donor, clone.RemoteOptions{NetworkBandwidth: 150 << 20, LocalOptions: clone.LocalOptions{Directory: directory}}, r.hooks())
	if err != nil {
		t.Fatal(err)
	}
	if cuts != 3 {
		t.Errorf("%d cuts", cuts)
	}
	wantDirectory(t, directory, clone.DirFinished)
	wantKinds(t, "open", r.left(), clone.EffectDirectory)
	if got := settings(t, listening)["clone_valid_donor_list"]; got != "" {
		t.Errorf("the list of donors is %s", got)
	}
	if len(result.Stages) != 7 {
		t.Errorf("got %+v", result)
	}
}

func TestARemoteCloneOfADonorThatDiesFails(t *testing.T) {
	s := startServers(t)
	// It would wait for the donor to come back for as long as the donor would have waited for it.
	s.donor.Exec(t, "SET GLOBAL clone_donor_timeout_after_network_failure = 0")
	recipient, donor := connect(t, s.recipient), open(t, s.config())
	var once sync.Once
	r := recorder{onProgress: func(clone.Progress) {
		once.Do(func() {
			if err := s.donor.Kill(); err != nil {
				t.Error(err)
			}
		})
	}}
	directory := target(t)
	result, err := recipient.CloneRemote(t.Context(), donor, clone.RemoteOptions{NetworkBandwidth: 5 << 20, LocalOptions: clone.LocalOptions{Directory: directory}}, r.hooks())
	if err == nil || result != nil || clone.ClassOf(err) == clone.Uncertain || clone.ClassOf(err) == clone.Cancelled {
		t.Errorf("got %+v, class %s, %v", result, clone.ClassOf(err), err)
	}
	wantDirectory(t, directory, clone.DirPartial)
	wantKinds(t, "open", r.left(), clone.EffectDirectory)
	if got := s.recipient.Value(t, "SELECT @@GLOBAL.clone_valid_donor_list"); got != "NULL" {
		t.Errorf("the list of donors is %s", got)
	}
}
