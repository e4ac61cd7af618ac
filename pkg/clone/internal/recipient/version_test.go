package recipient

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"runner/pkg/clone/internal/donor"
	"runner/pkg/clone/internal/wire"
)

func TestEveryVersionIsAskedInItsOwnWay(t *testing.T) {
	for version, c := range map[string]struct {
		protocol uint32
		late     bool // settings follow the locators
		allows   bool // DDL
		redo     string
		number   uint32
	}{
		"8.0.17":                {wire.Version1, true, false, "ib_logfile0", 80017},
		"8.0.19":                {wire.Version1, true, false, "ib_logfile0", 80019},
		"8.0.20":                {wire.Version2, false, false, "ib_logfile0", 80020},
		"8.0.26":                {wire.Version3, false, false, "ib_logfile0", 80026},
		"8.0.27":                {wire.Version3, false, true, "ib_logfile0", 80027},
		"8.0.29":                {wire.Version3, false, true, "ib_logfile0", 80029},
		"8.0.30":                {wire.Version3, false, true, "#innodb_redo/#ib_redo0", 80030},
		"8.0.36":                {wire.Version3, false, true, "#innodb_redo/#ib_redo0", 80036},
		"8.0.36-28.1":           {wire.Version3, false, true, "#innodb_redo/#ib_redo0", 80036},
		"8.0.40-0ubuntu0.24.04": {wire.Version3, false, true, "#innodb_redo/#ib_redo0", 80040},
		"8.4.3":                 {wire.Version3, false, true, "#innodb_redo/#ib_redo0", 80403},
		"9.7.4":                 {wire.Version4, false, true, "#innodb_redo/#ib_redo0", 90704},
		"26.7.0":                {wire.Version4, false, true, "#innodb_redo/#ib_redo0", 260700},
	} {
		for _, block := range []bool{false, true} {
			name := version
			if block {
				name += ", DDL is blocked"
			}
			t.Run(name, func(t *testing.T) {
				s := small()
				s.Protocol, s.Late, s.Workers = c.protocol, c.late, 1
				s.Configs = [][2]string{{"clone_donor_timeout_after_network_failure", "7"}}
				s.PageChanges = append(s.PageChanges, fresh(11, "./d/initial.ibd", 10, fsp4K))
				tr := &trial{play: s.Play(), donor: donor.Options{Version: version}, o: Options{Threads: 2, BlockDDL: block, DDLTimeout: 77 * time.Second}}
				r := tr.pull(t)
				want := outcome(s)
				log := want["#innodb_redo/#ib_redo0"]
				delete(want, "#innodb_redo/#ib_redo0")
				want[c.redo] = log
				want["d/initial.ibd"] = initialFile(7*page, page, 11, fsp4K, c.number, false)
				same(t, tr.sink, want)
				asked(t, tr.server, c.allows && !block)
				told(t, r.Donor, version, c.protocol)
			})
		}
	}
}

// asked looks at what the donor was asked for.
func asked(t *testing.T, s *donor.Server, allows bool) {
	t.Helper()
	seen := map[wire.Command]int{}
	for _, r := range s.Requests() {
		seen[r.Command]++
		if r.Command != wire.CommandInit && r.Command != wire.CommandAttach {
			continue
		}
		in, err := wire.ParseInit(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		word := uint32(77)
		if allows {
			word |= 1 << 31
		}
		if in.DDLTimeout != word || r.Command == wire.CommandInit && in.Version != wire.Version4 {
			t.Errorf("%s: DDL %#x, want %#x; version %#x", r.Command, in.DDLTimeout, word, in.Version)
		}
	}
	want := map[wire.Command]int{wire.CommandInit: 1, wire.CommandAttach: 1, wire.CommandExecute: 2, wire.CommandAck: 4, wire.CommandExit: 3}
	for command, n := range want {
		if seen[command] != n {
			t.Errorf("%d times %s, want %d", seen[command], command, n)
		}
	}
}

// told looks at what is known of the donor.
func told(t *testing.T, d Donor, version string, protocol uint32) {
	t.Helper()
	if d.Version != version || d.Protocol != protocol {
		t.Errorf("version %s, protocol %#x", d.Version, d.Protocol)
	}
	library, minutes := "", defaultReconnect
	if protocol >= wire.Version2 {
		library = "mysql_clone.so"
	}
	if protocol >= wire.Version3 {
		minutes = 7 * time.Minute
	}
	if want := []Plugin{{"binlog", ""}, {"InnoDB", ""}, {"caching_sha2_password", ""}, {"clone", library}}; !slices.Equal(d.Plugins, want) {
		t.Errorf("plugins are %v", d.Plugins)
	}
	if d.ReconnectWithin != minutes || len(d.Collations) != 2 || (d.JSON != nil) != (protocol >= wire.Version4) {
		t.Errorf("it said %+v", d)
	}
	if !slices.Contains(d.Configuration, Setting{"version", version}) || !slices.Contains(d.Configuration, Setting{"innodb_page_size", "4096"}) || len(d.Configuration) != 7 {
		t.Errorf("settings are %v", d.Configuration)
	}
}

func TestAVersionThatIsNoneIsRefusedBeforeAnythingIsAskedFor(t *testing.T) {
	for _, version := range []string{"8", "8.0", "8.0.x", "8.0.30.1", "eight", "-", "8..30", "8.0.-1", "8.0.300", "8.0.100", "+8.0.30", " 8.0.30", "8.0.30 "} {
		t.Run(version, func(t *testing.T) {
			tr := &trial{play: small().Play(), donor: donor.Options{Version: version}}
			_, err := tr.run(t)
			refused(t, err)
			if n := len(tr.server.Requests()); n != 0 || len(tr.sink.files) != 0 {
				t.Errorf("%d requests; the copy has %d files", n, len(tr.sink.files))
			}
		})
	}
}

func TestParseVersion(t *testing.T) {
	for text, want := range map[string]uint32{
		"8.0.17": 80017, "8.0.36-28.1": 80036, "9.7.4-2": 90704, "26.7.0": 260700, "8.4.3-commercial": 80403, "99.99.99": 999999, "0.0.0": 0,
	} {
		if v, ok := parseVersion(text); v != want || !ok {
			t.Errorf("%s: %d, %v", text, v, ok)
		}
	}
}

func FuzzParseVersion(f *testing.F) {
	for _, s := range []string{"8.0.17", "8.0.36-28.1", "26.7.0", "", "..", "-1.2.3", "1.2.999999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, ok := parseVersion(text)
		if v > 999999 || !ok && v != 0 {
			t.Errorf("%q: %d, %v", text, v, ok)
		}
	})
}

// A zero would have DDL abort the clone, and bit 31 is not for the timeout to set.
func TestATimeoutOfDDLIsOneThatADonorTakes(t *testing.T) {
	for given, want := range map[time.Duration]uint32{
		0: 300, -1: 300, time.Nanosecond: 1, 300 * time.Millisecond: 1, time.Second: 1, 1500 * time.Millisecond: 2,
		time.Hour: 3600, math.MaxInt64: 2592000,
	} {
		o := Options{DDLTimeout: given, BlockDDL: true}.withDefaults()
		if got := (&session{o: o}).ddlWord(); got != want {
			t.Errorf("%v: %d seconds, want %d", given, got, want)
		}
	}
}

func TestHowLongADonorKeepsASnapshotIsBelievedWithinReason(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"0": 0, "1": time.Minute, "30": 30 * time.Minute, "31": defaultReconnect, "-1": defaultReconnect, "many": defaultReconnect,
		"99999999999": defaultReconnect, "9223372036854775807": defaultReconnect, "": defaultReconnect,
	} {
		d := Donor{ReconnectWithin: defaultReconnect}
		d.set("clone_donor_timeout_after_network_failure", value)
		if d.ReconnectWithin != want || len(d.Configuration) != 0 {
			t.Errorf("%q: %v, %v", value, d.ReconnectWithin, d.Configuration)
		}
	}
}

// What the donor agrees to is the lower of two versions: another is none that it can have agreed to.
func TestAVersionOfTheProtocolThatWasNotOfferedIsRefused(t *testing.T) {
	for _, version := range []uint32{0, 1, wire.Version1 - 1, wire.Version4 + 1, 1<<32 - 1} {
		tr := &trial{play: small().Play(), donor: donor.Options{Faults: []*donor.Fault{{
			Lane: donor.Main, Response: -1, When: donor.KindOf(wire.ResponseLocators), Do: donor.Change(func(r *wire.Response) {
				_, all, err := wire.ParseLocators(r.Body)
				if err != nil {
					t.Error(err)
				}
				r.Body = wire.AppendLocators(nil, version, all...)
			}),
		}}}}
		_, err := tr.run(t)
		refused(t, err)
	}
}

// occupied is a donor that has another clone at first.
type occupied struct {
	donor.Play
	left int
}

func (o *occupied) Serve(c *donor.Conn, first donor.Request) error {
	for first.Command == wire.CommandInit && o.left > 0 {
		o.left--
		if err := c.Fail(cloneInProgress, "Too many concurrent clone operations."); err != nil {
			return err
		}
		var err error
		if first, err = c.Request(); err != nil {
			return err
		}
	}
	return o.Play.Serve(c, first)
}

func TestADonorThatIsBusyIsAskedAgainForAWhile(t *testing.T) {
	t.Run("with patience", func(t *testing.T) {
		s, notes := small(), 0
		tr := &trial{play: &occupied{s.Play(), 3}, o: Options{Patience: time.Minute, Note: func(string) { notes++ }}}
		tr.pull(t)
		same(t, tr.sink, outcome(s))
		if notes != 3 {
			t.Errorf("%d notes", notes)
		}
	})
	for name, patience := range map[string]time.Duration{"without": 0, "with too little": 30 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			tr := &trial{play: &occupied{small().Play(), 1000}, o: Options{Patience: patience}}
			_, err := tr.run(t)
			var e *wire.DonorError
			if !errors.As(err, &e) || e.Number != cloneInProgress {
				t.Errorf("error is %v", err)
			}
		})
	}
}
