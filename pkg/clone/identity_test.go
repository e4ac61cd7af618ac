package clone_test

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"runner/pkg/clone"
	"runner/pkg/mysqld/mysqldtest"
)

// balancer leads connections to servers: of the first so many to one, of the others to another.
type balancer struct {
	port   int
	left   atomic.Int64 // connections that still go to the first
	others atomic.Int64 // that went to the second
}

func newBalancer(t *testing.T, first, second int, n int64) *balancer {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{port: l.Addr().(*net.TCPAddr).Port}
	b.left.Store(n)
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			to := first
			if b.left.Add(-1) < 0 {
				to = second
				b.others.Add(1)
			}
			work.Go(func() { join(ctx, c, to) })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		work.Wait()
	})
	return b
}

func join(ctx context.Context, c net.Conn, port int) {
	s, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		_ = c.Close()
		return
	}
	stop := context.AfterFunc(ctx, func() { _, _ = c.Close(), s.Close() })
	defer stop()
	var both sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{c: s, s: c} {
		both.Go(func() {
			_, _ = io.Copy(to, from)
			_ = to.Close()
		})
	}
	both.Wait()
}

// An address that leads to two servers is refused as soon as a connection finds the other one, whichever it is.
func TestEveryConnectionOfARunLeadsToOneServer(t *testing.T) {
	one, two := mysqldtest.Start(t, mysqldtest.WithTCP()), mysqldtest.Start(t, mysqldtest.WithTCP())
	refused := 0
	for n := int64(1); n <= 8; n++ {
		b := newBalancer(t, one.Port(), two.Port(), n)
		s, err := clone.Open(t.Context(), clone.Config{Name: "source.mysql.test", Host: "127.0.0.1", Port: b.port, User: "root"})
		if err == nil {
			_, err = s.CloneStream(t.Context(), clone.StreamOptions{Threads: 2}, nothing{}, clone.Hooks{})
			_ = s.Close()
		}
		var other *clone.OtherServerError
		if asked := b.others.Load() > 0; asked != errors.As(err, &other) || !asked && err != nil {
			t.Errorf("%d connections to the first server, %d to the second: %v", n, b.others.Load(), err)
		}
		if other != nil {
			refused++
		}
	}
	if refused < 3 {
		t.Errorf("only %d addresses were refused", refused)
	}
}

// nothing takes a copy and keeps nothing of it.
type nothing struct{}

func (nothing) Folder(string) error                 { return nil }
func (nothing) Create(string, int64) error          { return nil }
func (nothing) WriteAt(string, []byte, int64) error { return nil }
func (nothing) Resize(string, int64) error          { return nil }
func (nothing) Rename(string, string) error         { return nil }
func (nothing) Remove(string) error                 { return nil }

func TestAServerThatIsExpectedIsTheOnlyOne(t *testing.T) {
	server := mysqldtest.Start(t)
	s := open(t, clone.Config{Name: "source.mysql.test", Socket: server.Socket(), User: "root"})
	if err := errors.Join(s.Expect(""), s.Expect(server.Value(t, "SELECT @@server_uuid"))); err != nil {
		t.Error(err)
	}
	var other *clone.OtherServerError
	if err := s.Expect("00000000-0000-0000-0000-000000000001"); !errors.As(err, &other) {
		t.Errorf("%v", err)
	}
}

// The recipient connects by itself: where its address leads to another server, the copy is not the checked donor's.
func TestARecipientThatPullsFromAnotherServerIsStopped(t *testing.T) {
	s := startServers(t)
	other := mysqldtest.Start(t, mysqldtest.WithTCP())
	other.Exec(t, "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'", "CREATE USER pull@'%' IDENTIFIED BY '"+strings.ReplaceAll(remotePassword, "'", "''")+"'",
		"GRANT BACKUP_ADMIN ON *.* TO pull@'%'", "GRANT SELECT ON performance_schema.* TO pull@'%'")
	b := newBalancer(t, s.donor.Port(), other.Port(), 1<<30)
	config := s.config()
	config.Port = b.port
	var r recorder
	hooks := r.hooks()
	intend := hooks.Intend
	hooks.Intend = func(ctx context.Context, e clone.Effect) (func(context.Context) error, error) {
		if e.Kind == clone.EffectStatement { // the next to connect is the recipient
			b.left.Store(0)
		}
		return intend(ctx, e)
	}
	_, err := connect(t, s.recipient).CloneRemote(t.Context(), open(t, config),
		clone.RemoteOptions{LocalOptions: clone.LocalOptions{Directory: filepath.Join(s.recipient.Folder(), "copy")}}, hooks)
	var another *clone.OtherServerError
	if b.others.Load() == 0 || !errors.Is(err, clone.ErrOtherDonor) && !errors.As(err, &another) {
		t.Errorf("%d connections to another server: %v", b.others.Load(), err)
	}
}
