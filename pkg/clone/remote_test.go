package clone_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"runner/pkg/clone"
	"runner/pkg/mysqld/mysqldtest"
)

// remotePassword is in no result, effect, note or error.
const remotePassword = `s3cr3t'\pass`

// servers are a donor, which listens on TCP and is large enough to be slowed down, and a recipient with data of its own.
type servers struct {
	donor, recipient *mysqldtest.Server
}

func startServers(t *testing.T, options ...mysqldtest.Option) servers {
	t.Helper()
	s := servers{donor: startBig(t, append(options, mysqldtest.WithTCP())...), recipient: mysqldtest.Start(t)}
	s.donor.Exec(t, "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'", "CREATE USER pull@'%' IDENTIFIED BY '"+strings.ReplaceAll(remotePassword, "'", "''")+"'",
		"GRANT BACKUP_ADMIN ON *.* TO pull@'%'", "GRANT SELECT ON performance_schema.* TO pull@'%'",
		"CREATE DATABASE a", "CREATE TABLE a.t (n INT PRIMARY KEY)", "INSERT INTO a.t VALUES (1), (2), (3)")
	s.recipient.Exec(t, "CREATE DATABASE own", "CREATE TABLE own.t (n INT PRIMARY KEY)", "INSERT INTO own.t VALUES (7)")
	return s
}

func (s servers) config() clone.Config {
	return clone.Config{Name: "donor", Host: "127.0.0.1", Port: s.donor.Port(), User: "pull", Password: remotePassword, TLSMode: clone.TLSRequired}
}

// unchanged wants both servers as the test found them: settings, and the recipient's data.
func (s servers) unchanged(t *testing.T) (check func()) {
	t.Helper()
	donor, recipient := settings(t, s.donor), settings(t, s.recipient)
	return func() {
		t.Helper()
		if now := settings(t, s.donor); !maps.Equal(donor, now) {
			t.Errorf("the donor's settings were %v, are %v", donor, now)
		}
		if now := settings(t, s.recipient); !maps.Equal(recipient, now) {
			t.Errorf("the recipient's settings were %v, are %v", recipient, now)
		}
		if n := s.recipient.Value(t, "SELECT n FROM own.t"); n != "7" {
			t.Errorf("the recipient's own table has %s", n)
		}
	}
}

func wantNoSecret(t *testing.T, things ...any) {
	t.Helper()
	for _, thing := range things {
		text, err := json.Marshal(thing)
		if err != nil {
			t.Fatal(err)
		}
		for _, said := range []string{string(text), fmt.Sprintf("%+v %#v", thing, thing)} {
			if strings.Contains(said, "s3cr3t") {
				t.Errorf("the password is in %s", said)
			}
		}
	}
}

func TestARemoteClone(t *testing.T) {
	s := startServers(t, mysqldtest.WithArgs("--gtid-mode=ON", "--enforce-gtid-consistency=ON"))
	for _, b := range []struct {
		name string
		test func(*testing.T, servers)
	}{
		{"is exact, boots, and leaves donor and recipient as they were", remoteWhole},
		{"keeps to the plan's limits, and has its settings recorded before they are set, and restored", remoteSettings},
		{"leaves a list of donors alone that has the donor, and adds to one that has not", remoteList},
		{"that the donor refuses says why, under the donor's number, and leaves nothing", remoteRefused},
		{"that cannot be asked for changes nothing", remoteImpossible},
		{"in a dry run sends nothing that changes anything", remoteDryRun},
		{"is killed on the recipient and awaited when it is cancelled", remoteCancelled},
		{"of a donor that is being cloned is busy, and touches nothing", remoteBusy},
		{"goes on when its sender is gone, and is adopted", remoteAdopted},
		{"that still runs after a crash is killed by undoing its statement, and its list is set back", remoteUndone},
	} {
		t.Run(b.name, func(t *testing.T) {
			check := s.unchanged(t)
			b.test(t, s)
			check()
		})
	}
}

func remoteWhole(t *testing.T, s servers) {
	recipient, donor := connect(t, s.recipient), open(t, s.config())
	directory := filepath.Join(s.recipient.Folder(), `it's "a" copy`)
	var r recorder
	result, err := recipient.CloneRemote(t.Context(), donor, clone.RemoteOptions{LocalOptions: clone.LocalOptions{Directory: directory, Bandwidth: 400 << 20}}, r.hooks())
	if err != nil {
		t.Fatal(err)
	}
	wantDirectory(t, directory, clone.DirFinished)
	wantKinds(t, "all", r.kinds(), clone.EffectGlobal, clone.EffectGlobal, clone.EffectDirectory, clone.EffectStatement)
	wantKinds(t, "open", r.left(), clone.EffectDirectory)
	address := fmt.Sprintf("127.0.0.1:%d", s.donor.Port())
	if g := decode[clone.GlobalEffect](t, r.effects[0]); g != (clone.GlobalEffect{Variable: "clone_valid_donor_list", Null: true, Set: address}) {
		t.Errorf("the first effect is %+v", g)
	}
	if want := "CLONE INSTANCE FROM 'pull'@'127.0.0.1':" + fmt.Sprint(s.donor.Port()) + " IDENTIFIED BY <secret> DATA DIRECTORY = '" + strings.ReplaceAll(directory, "'", "''") + "' REQUIRE SSL"; result.Statement != want {
		t.Errorf("the statement is %s", result.Statement)
	}
	if p := result.Pulled; p == nil || p.Donor != address || p.User != "pull" || !p.Encrypted || !strings.HasPrefix(p.Cipher, "TLS_") {
		t.Errorf("got %+v", p)
	}
	file := result.Stages[1]
	if result.Mode != clone.ModeRemote || file.Network < file.Data || result.Bytes < 700<<20 || r.progress[len(r.progress)-1].Network == 0 {
		t.Errorf("got %+v", result)
	}
	if result.Before == nil || result.Before.ServerUUID != s.donor.Value(t, "SELECT @@server_uuid") {
		t.Errorf("the logs are those of %+v", result.Before)
	}
	checkRoundTrip(t, result)
	wantNoSecret(t, result, r.effects, r.notes)

	booted := mysqldtest.Start(t, mysqldtest.WithDataDir(directory), mysqldtest.WithQuiet())
	c := result.Coordinates
	if c.From != clone.FromQuietWindow {
		t.Fatalf("coordinates are %+v", c)
	}
	got := []string{*c.BinlogFile, fmt.Sprint(*c.BinlogPosition), *c.GTIDExecuted}
	if want := booted.Query(t, "SELECT BINLOG_FILE, BINLOG_POSITION, GTID_EXECUTED FROM performance_schema.clone_status")[0]; !slices.Equal(got, want) {
		t.Errorf("coordinates are %v, the booted copy has %v", got, want)
	}
	if n := booted.Value(t, "SELECT COUNT(*) FROM a.t"); n != "3" {
		t.Errorf("the copy has %s rows", n)
	}
}

func remoteSettings(t *testing.T, s servers) {
	recipient := connect(t, s.recipient)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var during map[string]string
	r := recorder{onProgress: func(clone.Progress) {
		if during == nil {
			during = settings(t, s.recipient)
			cancel()
		}
	}}
	_, err := recipient.CloneRemote(ctx, open(t, s.config()), clone.RemoteOptions{NetworkBandwidth: 9<<20 + 1, LocalOptions: clone.LocalOptions{
		Directory: target(t), Bandwidth: 10 << 20, Threads: 2, DDL: clone.DDLBlock, DDLTimeout: 7 * time.Second,
	}}, r.hooks())
	wantKilled(t, err)
	want := map[string]string{
		"clone_max_network_bandwidth": "10", "clone_max_data_bandwidth": "10", "clone_max_concurrency": "2", "clone_block_ddl": "ON", "clone_ddl_timeout": "7",
		"clone_valid_donor_list": fmt.Sprintf("127.0.0.1:%d", s.donor.Port()),
	}
	for name, value := range want {
		if during[name] != value {
			t.Errorf("%s was %q, want %q", name, during[name], value)
		}
	}
	wantKinds(t, "open", r.left(), clone.EffectDirectory)
	if len(r.notes) != 1 || !strings.Contains(r.notes[0], "network bandwidth is rounded up to 10 MiB/s") {
		t.Errorf("notes are %q", r.notes)
	}
}

func remoteList(t *testing.T, s servers) {
	recipient, donor := connect(t, s.recipient), open(t, s.config())
	address := fmt.Sprintf("127.0.0.1:%d", s.donor.Port())
	full := errors.New("stop here")
	for list, want := range map[string]string{
		"other:1": "other:1," + address, "OTHER:1," + address: "", address: "",
	} {
		s.recipient.Exec(t, "SET GLOBAL clone_valid_donor_list = '"+list+"'")
		var set, during string
		r := recorder{onIntend: func(e clone.Effect) error {
			if e.Kind == clone.EffectGlobal {
				set = decode[clone.GlobalEffect](t, e).Set
				return nil
			}
			during = s.recipient.Value(t, "SELECT @@GLOBAL.clone_valid_donor_list")
			return full
		}}
		_, err := recipient.CloneRemote(t.Context(), donor, clone.RemoteOptions{LocalOptions: clone.LocalOptions{Directory: target(t)}}, r.hooks())
		if !errors.Is(err, full) || set != want || want != "" && during != want || want == "" && during != list {
			t.Errorf("%s: was set to %q and is %q, %v", list, set, during, err)
		}
		if after := s.recipient.Value(t, "SELECT @@GLOBAL.clone_valid_donor_list"); after != list {
			t.Errorf("%s is %s afterwards", list, after)
		}
	}
	s.recipient.Exec(t, "SET GLOBAL clone_valid_donor_list = NULL")
}

func remoteRefused(t *testing.T, s servers) {
	recipient := connect(t, s.recipient)
	for _, c := range []struct {
		name        string
		spoil, mend []string // on the donor, as others would
		recipients  bool     // on the recipient instead
		class       clone.Class
		number      uint16
	}{
		{"no privilege", []string{"REVOKE BACKUP_ADMIN ON *.* FROM pull@'%'"}, []string{"GRANT BACKUP_ADMIN ON *.* TO pull@'%'"}, false, clone.UserMustFix, 1227},
		{"no plugin", []string{"UNINSTALL PLUGIN clone"}, []string{"INSTALL PLUGIN clone SONAME 'mysql_clone.so'"}, false, clone.UserMustFix, 1524},
		{"small packets", []string{"SET GLOBAL max_allowed_packet = 1048576"}, []string{"SET GLOBAL max_allowed_packet = DEFAULT"}, false, clone.UserMustFix, 3957},
		{"small packets here", []string{"SET GLOBAL max_allowed_packet = 1048576"}, []string{"SET GLOBAL max_allowed_packet = DEFAULT"}, true, clone.UserMustFix, 3957},
		{"another collation", []string{"SET GLOBAL collation_server = 'utf8mb4_bin'"}, []string{"SET GLOBAL collation_server = DEFAULT"}, true, clone.UserMustFix, 3868},
		{"no redo log", []string{"ALTER INSTANCE DISABLE INNODB REDO_LOG"}, []string{"ALTER INSTANCE ENABLE INNODB REDO_LOG"}, false, clone.Retry, 3983},
		{"an account that may not log in", []string{"ALTER USER pull@'%' ACCOUNT LOCK"}, []string{"ALTER USER pull@'%' ACCOUNT UNLOCK"}, false, clone.UserMustFix, 3118},
	} {
		t.Run(c.name, func(t *testing.T) {
			donor, spoiled := open(t, s.config()), s.donor
			if c.recipients {
				spoiled = s.recipient
			}
			var r recorder
			r.onIntend = func(e clone.Effect) error {
				if e.Kind == clone.EffectStatement {
					spoiled.Exec(t, c.spoil...)
				}
				return nil
			}
			directory := target(t)
			result, err := recipient.CloneRemote(t.Context(), donor, clone.RemoteOptions{LocalOptions: clone.LocalOptions{Directory: directory}}, r.hooks())
			spoiled.Exec(t, c.mend...)
			wantClass(t, err, c.class, c.number)
			if result != nil || err == nil {
				t.Fatalf("got %+v", result)
			}
			wantNoSecret(t, err.Error(), r.effects, r.notes)
			wantDirectory(t, directory, clone.DirAbsent)
		})
	}
}

func remoteImpossible(t *testing.T, s servers) {
	recipient, socket := connect(t, s.recipient), connect(t, s.donor)
	var r recorder
	_, err := recipient.CloneRemote(t.Context(), socket, clone.RemoteOptions{LocalOptions: clone.LocalOptions{Directory: target(t)}}, r.hooks())
	wantClass(t, err, clone.UserMustFix, 3869)
	for _, directory := range []string{"", "copy", `/a\b`, s.recipient.Folder()} {
		if _, err := recipient.CloneRemote(t.Context(), open(t, s.config()), clone.RemoteOptions{LocalOptions: clone.LocalOptions{Directory: directory}}, r.hooks()); err == nil {
			t.Errorf("%q was cloned to", directory)
		}
	}
	wantKinds(t, "all", r.kinds())
}

func remoteDryRun(t *testing.T, s servers) {
	donor, recipient := state(t, s.donor), state(t, s.recipient)
	var r recorder
	result, err := clone.DryRun(connect(t, s.recipient)).CloneRemote(t.Context(), clone.DryRun(open(t, s.config())),
		clone.RemoteOptions{NetworkBandwidth: 8 << 20, LocalOptions: clone.LocalOptions{Directory: target(t)}}, r.hooks())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(result.Statement, "CLONE INSTANCE FROM ") || result.Directory != "" || len(result.Settings) != 2 {
		t.Errorf("got %+v", result)
	}
	wantKinds(t, "all", r.kinds(), clone.EffectGlobal, clone.EffectGlobal, clone.EffectDirectory, clone.EffectStatement)
	wantKinds(t, "open", r.left())
	wantNoSecret(t, result, r.effects, r.notes)
	if !slices.EqualFunc(donor, state(t, s.donor), slices.Equal) || !slices.EqualFunc(recipient, state(t, s.recipient), slices.Equal) {
		t.Error("the dry run changed something")
	}
}

// A recipient that is killed in the middle of a packet leaves its donor waiting for it, with DDL blocked.
func TestADonorDoesNotWaitForARecipientThatWasKilled(t *testing.T) {
	s := startServers(t)
	check := s.unchanged(t)
	recipient, donor := connect(t, s.recipient), open(t, s.config())
	for range 25 {
		ctx, cancel := context.WithCancel(t.Context())
		r := recorder{onProgress: func(clone.Progress) { cancel() }}
		_, err := recipient.CloneRemote(ctx, donor, clone.RemoteOptions{NetworkBandwidth: 10 << 20, LocalOptions: clone.LocalOptions{
			Directory: target(t), DDL: clone.DDLBlock, Interval: time.Millisecond,
		}}, r.hooks())
		cancel()
		wantKilled(t, err)
		wantKinds(t, "open", r.left(), clone.EffectDirectory)
		wantNoDonation(t, s.donor)
	}
	check()
}

// startRemote runs a remote clone at a crawl.
func startRemote(ctx context.Context, t *testing.T, s servers) *slowClone {
	t.Helper()
	c := &slowClone{recorder: &recorder{}, directory: target(t), started: make(chan struct{}), done: make(chan struct{})}
	var once sync.Once
	c.onProgress = func(clone.Progress) { once.Do(func() { close(c.started) }) }
	recipient, donor := connect(t, s.recipient), open(t, s.config())
	go func() {
		defer close(c.done)
		c.result, c.err = recipient.CloneRemote(ctx, donor, clone.RemoteOptions{NetworkBandwidth: 5 << 20, LocalOptions: clone.LocalOptions{Directory: c.directory}}, c.hooks())
	}()
	c.awaitStart(t)
	return c
}

func remoteCancelled(t *testing.T, s servers) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	run := startRemote(ctx, t, s)
	cancel()
	<-run.done
	wantKilled(t, run.err)
	if !errors.Is(run.err, context.Canceled) {
		t.Errorf("got %v", run.err)
	}
	state, err := connect(t, s.recipient).State(t.Context(), run.directory)
	if err != nil || state.State != clone.CloneFailed {
		t.Errorf("right after its return the recipient says %+v, %v", state, err)
	}
	wantDirectory(t, run.directory, clone.DirPartial)
	wantKinds(t, "open", run.left(), clone.EffectDirectory)
	wantNoSecret(t, run.err.Error(), run.effects, run.notes)
	wantNoDonation(t, s.donor)
}

// wantKilled wants a remote clone that was killed. The recipient calls it interrupted, or says that its connection to the donor
// broke, by where it was when it was killed.
func wantKilled(t *testing.T, err error) {
	t.Helper()
	if clone.ClassOf(err) != clone.Cancelled || !clone.IsNumber(err, 1317) && !clone.IsNumber(err, 1158) {
		t.Errorf("got class %s: %v", clone.ClassOf(err), err)
	}
}

// wantNoDonation wants the donor to give no copy any more, well before it would give up waiting for its recipient.
func wantNoDonation(t *testing.T, donor *mysqldtest.Server) {
	t.Helper()
	const sessions = "SELECT COUNT(*) FROM performance_schema.threads WHERE PROCESSLIST_COMMAND = 'clone'"
	for deadline := time.Now().Add(10 * time.Second); donor.Value(t, sessions) != "0"; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the donor still gives a copy")
		}
	}
}

// endDonation ends what a clone that was killed from outside may have left on the donor.
func endDonation(t *testing.T, donor *mysqldtest.Server) {
	t.Helper()
	for _, row := range donor.Query(t, "SELECT PROCESSLIST_ID FROM performance_schema.threads WHERE PROCESSLIST_COMMAND = 'clone'") {
		if _, err := donor.Pool().Exec("KILL " + row[0]); err != nil && !clone.IsNumber(err, 1094) {
			t.Error(err)
		}
	}
	wantNoDonation(t, donor)
}

func remoteBusy(t *testing.T, s servers) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	run := startRemote(ctx, t, s)
	other := mysqldtest.Start(t)
	var r recorder
	_, err := connect(t, other).CloneRemote(t.Context(), open(t, s.config()), clone.RemoteOptions{LocalOptions: clone.LocalOptions{Directory: target(t)}}, r.hooks())
	wantClass(t, err, clone.Busy, 3634)
	_, err = connect(t, s.donor).CloneLocal(t.Context(), clone.LocalOptions{Directory: target(t)}, r.hooks())
	wantClass(t, err, clone.Busy, 3634)
	_, err = connect(t, s.recipient).CloneLocal(t.Context(), clone.LocalOptions{Directory: target(t)}, r.hooks())
	wantClass(t, err, clone.Busy, 3634)
	wantKinds(t, "all", r.kinds())
	cancel()
	<-run.done

	// Somebody else's clone, who knows nothing of our lock.
	other.Exec(t, fmt.Sprintf("SET GLOBAL clone_valid_donor_list = '127.0.0.1:%d'", s.donor.Port()), "SET GLOBAL clone_max_network_bandwidth = 5")
	done := make(chan error, 1)
	go func() {
		_, err := other.Pool().Exec(fmt.Sprintf(`CLONE INSTANCE FROM pull@127.0.0.1:%d IDENTIFIED BY 's3cr3t''\\pass' DATA DIRECTORY = '%s'`, s.donor.Port(), filepath.Join(other.Folder(), "copy")))
		done <- err
	}()
	awaitDonation(t, s.donor, done)
	_, err = connect(t, s.recipient).CloneRemote(t.Context(), open(t, s.config()), clone.RemoteOptions{LocalOptions: clone.LocalOptions{Directory: target(t)}}, r.hooks())
	wantClass(t, err, clone.Busy, 3634)
	wantKinds(t, "all", r.kinds())
	other.Exec(t, "KILL QUERY "+other.Value(t, "SELECT PID FROM performance_schema.clone_status"))
	if err := <-done; err == nil {
		t.Error("it was not killed")
	}
	endDonation(t, s.donor)
}

func awaitDonation(t *testing.T, donor *mysqldtest.Server, done <-chan error) {
	t.Helper()
	for donor.Value(t, "SELECT COUNT(*) FROM performance_schema.threads WHERE PROCESSLIST_COMMAND = 'clone'") == "0" {
		select {
		case err := <-done:
			t.Fatalf("it ended: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
