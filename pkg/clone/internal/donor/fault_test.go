package donor

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"runner/pkg/clone/internal/wire"
)

func TestFaultsReachTheRecipient(t *testing.T) {
	protocol := func(err error) bool { var e *wire.ProtocolError; return errors.As(err, &e) }
	says := func(text string) func(error) bool {
		return func(err error) bool { return err != nil && strings.Contains(err.Error(), text) }
	}
	failed := func(err error) bool {
		var e *wire.DonorError
		return errors.As(err, &e) && e.Number == 1017 && e.Message == "Can't find file"
	}
	down := &wire.ServerError{Number: 1053, State: "08S01", Message: "Server shutdown in progress"}
	for name, test := range map[string]struct {
		when func(wire.Response) bool
		do   func(*Conn, wire.Response) error
		is   func(error) bool
	}{
		"a donor's error":         {DataOf(wire.StateFileCopy), Fail(1017, "Can't find file"), failed},
		"a server's error":        {DataOf(wire.StatePageCopy), Refuse(down), says("1053")},
		"sequence":                {KindOf(wire.ResponseData), Sequence(3), protocol},
		"a name that climbs":      {FileOf("ibdata1"), ChangeFile(func(f *wire.File) { f.Name = "../../etc/x" }), nil},
		"a lie about data":        {DataOf(wire.StateFileCopy), ChangeData(func(d *wire.Data) { d.Length++ }), says("bytes in FILE_COPY")},
		"a lie about a state":     {StateOf(wire.StatePageCopy, true), ChangeState(func(s *wire.State) { s.State = wire.StateRedoCopy }), says("bytes in REDO_COPY")},
		"a size above all":        {FileOf("mysql.ibd"), ChangeFile(func(f *wire.File) { f.Size = 1 << 60 }), protocol},
		"data that is not sent":   {KindOf(wire.ResponseData), Skip, says("data is due: true")},
		"data that is not due":    {DataOf(wire.StateFileCopy), Also(wire.ResponseData, []byte("x")), says("data is due: false")},
		"an unknown response":     {KindOf(wire.ResponseLocators), Change(func(r *wire.Response) { r.Kind = 77 }), protocol},
		"a wait":                  {KindOf(wire.ResponseLocators), Stall(50 * time.Millisecond), nil},
		"a length that is short":  {KindOf(wire.ResponseLocators), Length(-3), func(err error) bool { return err != nil }},
		"a connection that ended": {StateOf(wire.StateFileCopy, false), CutAll, wire.Lost},
	} {
		t.Run(name, func(t *testing.T) {
			s := small()
			d := Start(t, Options{Play: s.Play(), Faults: []*Fault{{Lane: Main, Response: -1, When: test.when, Do: test.do}}})
			err := newRecipient(d.Config(), 0).run(t.Context())
			if test.is == nil && err != nil || test.is != nil && !test.is(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// spy is a test that doesn't fail when what it tests does.
type spy struct {
	testing.TB
	failed   []string
	cleanups []func()
}

func (s *spy) Helper()                      {}
func (s *spy) Cleanup(fn func())            { s.cleanups = append(s.cleanups, fn) }
func (s *spy) Error(args ...any)            { s.failed = append(s.failed, args[0].(string)) }
func (s *spy) Errorf(f string, args ...any) { s.failed = append(s.failed, f) }

func TestWhatARecipientDoesWrongFailsItsTest(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(first, aux *wire.Conn, r *recipient) (*wire.Conn, error) // gives where an answer comes, or a cut
		want string
	}{
		"nothing": {func(first, _ *wire.Conn, _ *recipient) (*wire.Conn, error) {
			return first, first.Send(t.Context(), wire.CommandExit, nil)
		}, ""},
		"a fault that is not met": {func(first, _ *wire.Conn, _ *recipient) (*wire.Conn, error) {
			return first, first.Send(t.Context(), wire.CommandExit, nil)
		}, "nothing met the fault"},
		"an ACK of a state that has not ended": {func(_, aux *wire.Conn, r *recipient) (*wire.Conn, error) {
			body := (&wire.State{State: wire.StateFileCopy}).AckBody(r.locator)
			return aux, aux.Send(t.Context(), wire.CommandAck, body)
		}, "FILE_COPY in INIT"},
		"an ACK of another clone": {func(_, aux *wire.Conn, _ *recipient) (*wire.Conn, error) {
			body := (&wire.State{State: wire.StateInit}).AckBody(wire.EngineLocator{Engine: wire.EngineInnoDB, Raw: new(wire.Locator).Append(nil)})
			return aux, aux.Send(t.Context(), wire.CommandAck, body)
		}, "another locator"},
		"a command that is none": {func(first, _ *wire.Conn, _ *recipient) (*wire.Conn, error) {
			return first, first.Send(t.Context(), 9, nil)
		}, "command 9 is no command"},
		"an ATTACH to nothing": {func(_, aux *wire.Conn, _ *recipient) (*wire.Conn, error) {
			return aux, aux.Send(t.Context(), wire.CommandAttach, wire.Init{}.Append(nil))
		}, "ATTACH"},
		"a restart with what was not sent": {func(_, aux *wire.Conn, r *recipient) (*wire.Conn, error) {
			l := r.base.Restart(wire.StateInit, true, nil, nil)
			l.Raw[32] = byte(wire.StateFileCopy)
			return aux, aux.Send(t.Context(), wire.CommandReinit, wire.Init{Locators: []wire.EngineLocator{l}}.Append(nil))
		}, "REINIT in FILE_COPY, the clone is in INIT"},
	} {
		t.Run(name, func(t *testing.T) {
			s := small()
			watched := &spy{TB: t}
			var faults []*Fault
			if name == "a fault that is not met" {
				faults = append(faults, &Fault{Lane: Worker, Do: Cut})
			}
			d := Start(watched, Options{Play: s.Play(), Faults: faults})
			r := newRecipient(d.Config(), 0)
			first, err := r.connect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			aux, err := r.connect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := r.begin(t.Context(), first); err != nil {
				t.Fatal(err)
			}
			asked, err := test.do(first, aux, r)
			if err != nil {
				t.Fatal(err)
			}
			// Whatever the answer is, the command has been seen once it is there.
			if _, err := asked.Receive(t.Context(), idle); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
			if err := errors.Join(first.Close(), aux.Close()); err != nil {
				t.Fatal(err)
			}
			for _, cleanup := range watched.cleanups {
				cleanup()
			}
			all := strings.Join(watched.failed, "\n")
			if test.want == "" && all != "" || !strings.Contains(all, test.want) {
				t.Errorf("got %q, want %q", all, test.want)
			}
		})
	}
}

func TestAnOlderDonorSaysLess(t *testing.T) {
	for _, test := range []struct {
		version  string
		protocol uint32
		late     bool
		last     wire.ResponseKind // in front of COMPLETE
		configs  int
		plugin   wire.ResponseKind
	}{
		{"8.0.17", wire.Version1, true, wire.ResponseConfig, 7, wire.ResponsePlugin},
		{"8.0.20", wire.Version2, false, wire.ResponseLocators, 7, wire.ResponsePluginV2},
		{"8.4.6", wire.Version3, false, wire.ResponseLocators, 8, wire.ResponsePluginV2},
		{"9.7.4", 0, false, wire.ResponseLocators, 9, wire.ResponsePluginV2},
	} {
		t.Run(test.version, func(t *testing.T) {
			s := small()
			s.Protocol, s.Late = test.protocol, test.late
			d := Start(t, Options{Play: s.Play(), Version: test.version})
			r := newRecipient(d.Config(), 0)
			c, err := r.connect(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if c.ServerVersion() != test.version {
				t.Errorf("greets as %s", c.ServerVersion())
			}
			var last wire.ResponseKind
			configs, plugins := 0, 0
			err = ask(t.Context(), c, wire.CommandInit, wire.Init{Version: wire.Version4}.Append(nil), func(r wire.Response) error {
				last = r.Kind
				switch r.Kind {
				case wire.ResponseConfig, wire.ResponseConfigV3, wire.ResponseConfigV4:
					configs++
				case test.plugin:
					plugins++
				}
				return nil
			})
			if err != nil || last != test.last || configs != test.configs || plugins != 4 {
				t.Errorf("%d settings, %d plugins, %s last, %v", configs, plugins, last, err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAScriptPlaysItsStepsInOrderAndOverSeveralConnections(t *testing.T) {
	script := &Script{
		Main: [][]Step{{
			Expect(wire.CommandInit, func(body []byte) error {
				if !bytes.Equal(body, []byte("body")) {
					return errors.New("another body")
				}
				return nil
			}),
			Await("acked"),
			Describe(&wire.Task{Index: 7}),
			Send(wire.ResponseComplete, nil),
		}},
		Aux: [][]Step{{
			Expect(wire.CommandAck, nil),
			Signal("acked"),
			Do(func(c *Conn) error {
				if lane, n := c.Lane(); lane != Aux || n != 0 {
					c.Problem("it is %s %d", lane, n)
				}
				return c.Complete()
			}),
		}},
	}
	d := Start(t, Options{Play: script})
	r := newRecipient(d.Config(), 0)
	first, err := r.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	aux, err := r.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Send(t.Context(), wire.CommandInit, []byte("body")); err != nil {
		t.Fatal(err)
	}
	if err := ask(t.Context(), aux, wire.CommandAck, nil, nothing); err != nil {
		t.Fatal(err)
	}
	resp, err := first.Receive(t.Context(), idle)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, d, err := wire.ParseDescriptor(resp.Body); err != nil || d.(*wire.Task).Index != 7 {
		t.Errorf("%v, %v", d, err)
	}
	if resp, err = first.Receive(t.Context(), idle); err != nil || resp.Kind != wire.ResponseComplete {
		t.Errorf("%v, %v", resp, err)
	}
	for _, c := range []*wire.Conn{aux, first} {
		if err := ask(t.Context(), c, wire.CommandExit, nil, nothing); err != nil {
			t.Error(err)
		}
		if err := errors.Join(c.Reset(t.Context()), c.Quit()); err != nil {
			t.Error(err)
		}
	}
	// Which of the first two came first is open.
	if all := d.Requests(); len(all) != 4 || all[2].Lane != Aux || all[3].Lane != Main || all[3].Command != wire.CommandExit {
		t.Errorf("requests %v", all)
	}
}
