package clone

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"runner/pkg/mysqld/mysqldtest"
)

func TestOneCloneAtATime(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*Facts)
		want  Severity
		says  string
	}{
		"own":       {func(f *Facts) { f.Clone = &Status{PID: 12, State: stateInProgress, Destination: "/x/"} }, SeverityError, "Connection 12"},
		"given":     {func(f *Facts) { f.Donations = []Donation{{PID: 13, User: "repl", Host: "db2"}} }, SeverityError, "repl from db2"},
		"over":      {func(f *Facts) { f.Clone = &Status{PID: 12, State: stateCompleted} }, SeverityOK, "neither"},
		"failed":    {func(f *Facts) { f.Clone = &Status{PID: 12, State: stateFailed} }, SeverityOK, "neither"},
		"hidden":    {func(f *Facts) { f.Unknown[FactCloneStatus] = "denied" }, SeverityUnknown, "denied"},
		"half seen": {func(f *Facts) { f.Unknown[FactDonations] = "denied" }, SeverityUnknown, "denied"},
		"no plugin": {func(f *Facts) { f.Plugins, f.Unknown[FactCloneStatus] = nil, "no plugin" }, SeverityOK, "Without the plugin"},
		"no plugins": {func(f *Facts) {
			f.Plugins, f.Unknown[FactPlugins], f.Unknown[FactCloneStatus] = nil, "denied", "denied"
		}, SeverityUnknown, "denied"},
	} {
		s := healthy(t)
		c.spoil(s.facts)
		if f := s.check(t, CodeBusy); f.Severity != c.want || !strings.Contains(f.Detail, c.says) {
			t.Errorf("%s: got %+v", name, f)
		}
	}
}

// slow gives the server something to copy, at a rate that leaves time to look.
func slow(t *testing.T, server *mysqldtest.Server) {
	t.Helper()
	server.Exec(t, "CREATE DATABASE a", "CREATE TABLE a.t (id INT PRIMARY KEY AUTO_INCREMENT, b LONGBLOB)", "INSERT INTO a.t (b) VALUES (REPEAT('x', 60000000))",
		"SET GLOBAL clone_max_data_bandwidth = 5")
}

// beside runs a statement on a connection of its own. What it returns lifts the limit of the rate and waits for the end. (A KILL of
// a recipient that is held back by the limit was seen to leave a 9.7.4 spinning.)
func beside(t *testing.T, server *mysqldtest.Server, statement string) (finish func()) {
	t.Helper()
	done := make(chan error, 1)
	conn, err := server.Pool().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_, err := conn.ExecContext(context.Background(), statement)
		done <- errors.Join(err, conn.Close())
	}()
	return func() {
		server.Exec(t, "SET GLOBAL clone_max_data_bandwidth = 0")
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the clone ended with %v", err)
			}
		case <-time.After(2 * time.Minute):
			t.Error("the clone does not end")
		}
	}
}

// await looks until the finding is there.
func await(t *testing.T, c Config, plan Target, code string, want Severity) Finding {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		f := findings(t, c, plan)[code]
		if f.Severity == want {
			return f
		}
		if time.Now().After(deadline) {
			t.Fatalf("still %+v", f)
		}
	}
}

func TestACloneThatTheServerWritesIsSeen(t *testing.T) {
	server := mysqldtest.Start(t)
	slow(t, server)
	copied := filepath.Join(server.Folder(), "copy")
	finish := beside(t, server, "CLONE LOCAL DATA DIRECTORY = '"+copied+"'")
	f := await(t, asRoot(server), target(t, server), CodeBusy, SeverityError)
	finish()
	if !strings.Contains(f.Detail, copied) {
		t.Errorf("got %+v", f)
	}
	await(t, asRoot(server), target(t, server), CodeBusy, SeverityOK)
}

// The donor's own clone_status says nothing of it.
func TestACloneThatTheServerGivesIsSeen(t *testing.T) {
	donor := mysqldtest.Start(t, mysqldtest.WithTCP())
	slow(t, donor)
	donor.Exec(t, "CREATE USER pull@'%' IDENTIFIED BY 'p'", "GRANT BACKUP_ADMIN ON *.* TO pull@'%'")
	recipient := mysqldtest.Start(t)
	port := donor.Value(t, "SELECT @@port")
	recipient.Exec(t, "SET GLOBAL clone_valid_donor_list = '127.0.0.1:"+port+"'", "SET GLOBAL clone_max_data_bandwidth = 5")
	finish := beside(t, recipient, "CLONE INSTANCE FROM pull@127.0.0.1:"+port+" IDENTIFIED BY 'p' DATA DIRECTORY = '"+filepath.Join(recipient.Folder(), "copy")+"'")
	f := await(t, asRoot(donor), target(t, donor), CodeBusy, SeverityError)
	finish()
	if !strings.Contains(f.Detail, "of pull from") {
		t.Errorf("got %+v", f)
	}
	await(t, asRoot(donor), target(t, donor), CodeBusy, SeverityOK)
}
