package recipient

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"runner/pkg/clone/internal/donor"
	"runner/pkg/clone/internal/wire"
)

// lie has one response of small be another one, and gives how the session ends.
func lie(t *testing.T, when func(wire.Response) bool, do func(*donor.Conn, wire.Response) error) (*trial, error) {
	t.Helper()
	tr := &trial{play: small().Play(), donor: donor.Options{Faults: []*donor.Fault{{Lane: donor.Main, Response: -1, When: when, Do: do}}}}
	_, err := tr.run(t)
	return tr, err
}

// places are responses of each kind in each state.
func places() map[string]func(wire.Response) bool {
	return map[string]func(wire.Response) bool{
		"a plugin": donor.KindOf(wire.ResponsePluginV2), "a collation": donor.KindOf(wire.ResponseCollation), "a setting": donor.KindOf(wire.ResponseConfig),
		"JSON": donor.KindOf(wire.ResponseConfigV4), "the locators": donor.KindOf(wire.ResponseLocators), "the end of an answer": donor.KindOf(wire.ResponseComplete),
		"the end of INIT": donor.StateOf(wire.StateInit, false), "the start of FILE_COPY": donor.StateOf(wire.StateFileCopy, true), "a file": donor.FileOf("./d/empty.ibd"),
		"a description of data": donor.DataOf(wire.StateFileCopy), "data": donor.KindOf(wire.ResponseData), "the end of FILE_COPY": donor.StateOf(wire.StateFileCopy, false),
		"DDL": donor.FileOf("./d/name.ibd"), "the start of PAGE_COPY": donor.StateOf(wire.StatePageCopy, true), "a page": donor.DataOf(wire.StatePageCopy),
		"the end of PAGE_COPY": donor.StateOf(wire.StatePageCopy, false), "the start of REDO_COPY": donor.StateOf(wire.StateRedoCopy, true),
		"redo": donor.DataOf(wire.StateRedoCopy), "the end of REDO_COPY": donor.StateOf(wire.StateRedoCopy, false), "DONE": donor.StateOf(wire.StateDone, true),
	}
}

func TestWhatIsNoPacketOfTheProtocolIsRefusedAnywhere(t *testing.T) {
	for name, when := range places() {
		for what, do := range map[string]func(*donor.Conn, wire.Response) error{
			"another sequence":     donor.Sequence(1),
			"a kind that none has": donor.Change(func(r *wire.Response) { r.Kind = 50 }),
			"nothing":              donor.Change(func(r *wire.Response) { *r = wire.Response{} }),
			"less than is told":    donor.Length(1 << 10),
			"a byte too many":      donor.Length(-1),
		} {
			if name == "the end of an answer" && what == "a byte too many" {
				continue // that has but one: the packet is empty then, and the byte is another's
			}
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				f := &donor.Fault{Lane: donor.Main, Response: -1, When: when, Do: do}
				tr := &trial{play: small().Play(), donor: donor.Options{Faults: []*donor.Fault{f}}, o: Options{Idle: time.Second / 2, DDLTimeout: time.Second}}
				_, err := tr.run(t)
				// A length may promise what never comes: then the donor is silent, and what was lost is sent again.
				if err == nil && what == "less than is told" {
					same(t, tr.sink, outcome(small()))
					return
				}
				if what == "less than is told" && wire.Lost(err) {
					return // of INIT, nothing is kept
				}
				refused(t, err)
			})
		}
	}
}

func TestAnErrorOfTheDonorEndsTheSessionAnywhere(t *testing.T) {
	for name, when := range places() {
		t.Run(name+", in the protocol", func(t *testing.T) {
			_, err := lie(t, when, donor.Fail(3633, "Concurrent DDL is performed during clone operation."))
			var e *wire.DonorError
			if !errors.As(err, &e) || e.Number != 3633 || !strings.Contains(e.Message, "DDL") {
				t.Errorf("error is %v", err)
			}
		})
		t.Run(name+", as a packet", func(t *testing.T) {
			_, err := lie(t, when, donor.Refuse(&wire.ServerError{Number: 1053, State: "08S01", Message: "Server shutdown in progress"}))
			var e *wire.ServerError
			if !errors.As(err, &e) || e.Number != 1053 {
				t.Errorf("error is %v", err)
			}
		})
	}
	for _, lane := range []donor.Lane{donor.Aux, donor.Worker} {
		for at := range 3 {
			t.Run(fmt.Sprint(lane, at), func(t *testing.T) {
				s := small()
				s.Workers = 1
				if lane == donor.Worker && at < 2 {
					doneWithout(t, at)
					return
				}
				tr := &trial{play: s.Play(), o: Options{Threads: 2}, donor: donor.Options{Faults: []*donor.Fault{{
					Lane: lane, Response: at, Do: donor.Fail(1317, "Query execution was interrupted"),
				}}}}
				_, err := tr.run(t)
				var e *wire.DonorError
				if !errors.As(err, &e) || e.Number != 1317 {
					t.Errorf("error is %v", err)
				}
			})
		}
	}
}

func TestAResponseInTheWrongPlaceIsRefused(t *testing.T) {
	gone := wire.AppendDescriptor(nil, 0, &wire.Locator{CloneID: 1})
	data := wire.AppendDescriptor(nil, 0, &wire.Data{State: wire.StateFileCopy, Chunk: 1, Block: 1, Length: 1, FileSize: 9})
	for name, c := range map[string]struct {
		when func(wire.Response) bool
		do   func(*donor.Conn, wire.Response) error
	}{
		"data that nothing describes":      {donor.DataOf(wire.StateFileCopy), donor.Skip},
		"a description without data":       {donor.KindOf(wire.ResponseData), donor.Skip},
		"two descriptions of data":         {donor.KindOf(wire.ResponseData), donor.Also(wire.ResponseDescriptor, data)},
		"a plugin among files":             {donor.FileOf("mysql.ibd"), donor.Also(wire.ResponsePlugin, wire.AppendStrings(nil, "p"))},
		"locators among files":             {donor.FileOf("mysql.ibd"), donor.Also(wire.ResponseLocators, locators())},
		"a locator among files":            {donor.FileOf("mysql.ibd"), donor.Also(wire.ResponseDescriptor, gone)},
		"a description within INIT":        {donor.KindOf(wire.ResponseCollation), donor.Also(wire.ResponseDescriptor, data)},
		"data within INIT":                 {donor.KindOf(wire.ResponseCollation), donor.Also(wire.ResponseData, []byte("x"))},
		"the end in front of the first":    {donor.StateOf(wire.StateInit, false), donor.Change(func(r *wire.Response) { *r = wire.Response{Kind: wire.ResponseComplete} })},
		"the end while files are copied":   {donor.DataOf(wire.StateFileCopy), donor.Also(wire.ResponseComplete, nil)},
		"the end while pages are copied":   {donor.DataOf(wire.StatePageCopy), donor.Also(wire.ResponseComplete, nil)},
		"the end before DONE":              {donor.StateOf(wire.StateDone, true), donor.Also(wire.ResponseComplete, nil)},
		"data that is less than described": {donor.KindOf(wire.ResponseData), donor.Change(func(r *wire.Response) { r.Body = r.Body[1:] })},
		"data that is more than described": {donor.KindOf(wire.ResponseData), donor.Change(func(r *wire.Response) { r.Body = append(r.Body, 0) })},
		"no locators":                      {donor.KindOf(wire.ResponseLocators), donor.Skip},
		"a descriptor that is cut":         {donor.DataOf(wire.StateFileCopy), donor.Change(func(r *wire.Response) { r.Body = r.Body[:20] })},
		"a plugin that is cut":             {donor.KindOf(wire.ResponsePluginV2), donor.Change(func(r *wire.Response) { r.Body = r.Body[:3] })},
		"a collation that is cut":          {donor.KindOf(wire.ResponseCollation), donor.Change(func(r *wire.Response) { r.Body = r.Body[:3] })},
		"a setting that is cut":            {donor.KindOf(wire.ResponseConfigV3), donor.Change(func(r *wire.Response) { r.Body = r.Body[:3] })},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := lie(t, c.when, c.do)
			refused(t, err)
		})
	}
}

func TestAnotherEngineIsRefused(t *testing.T) {
	rocks := wire.EngineLocator{Engine: 42, Raw: locator().Raw}
	for name, body := range map[string][]byte{
		"beside InnoDB":          wire.AppendLocators(nil, wire.Version4, locator(), rocks),
		"in front of InnoDB":     wire.AppendLocators(nil, wire.Version4, rocks, locator()),
		"alone":                  wire.AppendLocators(nil, wire.Version4, rocks),
		"InnoDB twice":           wire.AppendLocators(nil, wire.Version4, locator(), locator()),
		"none":                   wire.AppendLocators(nil, wire.Version4),
		"a locator of no bytes":  wire.AppendLocators(nil, wire.Version4, wire.EngineLocator{Engine: wire.EngineInnoDB}),
		"a locator that is torn": wire.AppendLocators(nil, wire.Version4, wire.EngineLocator{Engine: wire.EngineInnoDB, Raw: locator().Raw[:33]}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := lie(t, donor.KindOf(wire.ResponseLocators), donor.Change(func(r *wire.Response) { r.Body = body }))
			refused(t, err)
		})
	}
	for name, change := range map[string]func(*wire.Response){
		"a description of another engine":  func(r *wire.Response) { r.Body[0] = 42 },
		"a description of another locator": func(r *wire.Response) { r.Body[1] = 1 },
	} {
		for place, when := range map[string]func(wire.Response) bool{"a file": donor.FileOf("mysql.ibd"), "data": donor.DataOf(wire.StateFileCopy), "a state": donor.StateOf(wire.StatePageCopy, true)} {
			t.Run(name+", "+place, func(t *testing.T) {
				_, err := lie(t, when, donor.Change(change))
				refused(t, err)
			})
		}
	}
}

func TestAnAnswerThatDoesNotEndIsRefused(t *testing.T) {
	_, err := lie(t, donor.KindOf(wire.ResponsePluginV2), func(c *donor.Conn, r wire.Response) error {
		for {
			if err := c.Respond(r); err != nil {
				return err
			}
		}
	})
	refused(t, err)
}

func TestALieAboutAStateIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		state  wire.StateKind
		start  bool
		change func(*wire.State)
	}{
		"a state is left out":                      {wire.StateFileCopy, true, func(s *wire.State) { s.State = wire.StatePageCopy }},
		"the last one comes first":                 {wire.StateFileCopy, true, func(s *wire.State) { s.State = wire.StateDone }},
		"a state comes again":                      {wire.StateRedoCopy, true, func(s *wire.State) { s.State = wire.StateFileCopy }},
		"another state ends":                       {wire.StateFileCopy, false, func(s *wire.State) { s.State = wire.StatePageCopy }},
		"an earlier state ends":                    {wire.StatePageCopy, false, func(s *wire.State) { s.State = wire.StateFileCopy }},
		"a state ends that has not begun":          {wire.StateFileCopy, true, func(s *wire.State) { s.Start = false }},
		"a state begins while another goes on":     {wire.StateFileCopy, false, func(s *wire.State) { s.State, s.Start = wire.StatePageCopy, true }},
		"the pages go on as the redo log begins":   {wire.StatePageCopy, false, func(s *wire.State) { s.State, s.Start = wire.StateRedoCopy, true }},
		"the redo log goes on at the end":          {wire.StateRedoCopy, false, func(s *wire.State) { s.State, s.Start = wire.StateDone, true }},
		"the first begins before there is a clone": {wire.StateInit, false, func(s *wire.State) { s.State, s.Start = wire.StateFileCopy, true }},
		"no chunk":                      {wire.StateFileCopy, true, func(s *wire.State) { s.Chunks = 0 }},
		"a chunk too few":               {wire.StateFileCopy, true, func(s *wire.State) { s.Chunks-- }},
		"no page":                       {wire.StatePageCopy, true, func(s *wire.State) { s.Chunks = 0 }},
		"more chunks than there can be": {wire.StateFileCopy, true, func(s *wire.State) { s.Chunks = 1<<32 - 1 }},
		"a file too many":               {wire.StateFileCopy, true, func(s *wire.State) { s.Files++ }},
		"many files too many":           {wire.StateFileCopy, true, func(s *wire.State) { s.Files = 1<<32 - 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := lie(t, donor.StateOf(c.state, c.start), donor.ChangeState(c.change))
			refused(t, err)
		})
	}
}

// doneWithout wants main to bring all of it alone where a worker is refused. Main does not wait for one, which so may come too late.
func doneWithout(t *testing.T, at int) {
	t.Helper()
	for range 100 {
		f := &donor.Fault{Lane: donor.Worker, Response: at, Do: donor.Fail(1317, "Query execution was interrupted"), Optional: true}
		tr := &trial{play: small().Play(), o: Options{Threads: 2}, donor: donor.Options{Faults: []*donor.Fault{f}}}
		tr.pull(t)
		same(t, tr.sink, outcome(small()))
		if f.Met() {
			return
		}
	}
	t.Error("no worker was refused")
}

// behind puts data where the file has ended; pages, which may be of what it has grown by, where no file can be.
func behind(offset uint64) func(*wire.Data) {
	return func(d *wire.Data) {
		at := offset
		if d.State == wire.StatePageCopy {
			at = wire.MaxSize - 1
		}
		d.Offset, d.FileSize = at, min(d.FileSize, at+1)
	}
}

func TestALieAboutDataIsRefused(t *testing.T) {
	for name, change := range map[string]func(*wire.Data){
		"chunk 0":             func(d *wire.Data) { d.Chunk = 0 },
		"a chunk too high":    func(d *wire.Data) { d.Chunk = 99 },
		"the highest chunk":   func(d *wire.Data) { d.Chunk = 1<<32 - 1 },
		"an unknown file":     func(d *wire.Data) { d.File = 77 },
		"the highest file":    func(d *wire.Data) { d.File = 1<<32 - 1 },
		"behind the file":     behind(1 << 40),
		"across its end":      behind(1 << 30),
		"more than follows":   func(d *wire.Data) { d.Length++; d.FileSize += 9 },
		"less than follows":   func(d *wire.Data) { d.Length-- },
		"an offset that none": func(d *wire.Data) { d.Offset = 1<<64 - 1 },
		"a size that none":    func(d *wire.Data) { d.FileSize = 1 << 60 },
		"INIT":                func(d *wire.Data) { d.State = wire.StateInit },
		"DONE":                func(d *wire.Data) { d.State = wire.StateDone },
		"a state ahead":       func(d *wire.Data) { d.State++ },
		"a state behind":      func(d *wire.Data) { d.State-- },
	} {
		for _, state := range []wire.StateKind{wire.StateFileCopy, wire.StatePageCopy, wire.StateRedoCopy} {
			t.Run(fmt.Sprint(name, ", ", state), func(t *testing.T) {
				_, err := lie(t, donor.DataOf(state), donor.ChangeData(change))
				refused(t, err)
			})
		}
	}
}

// badNames lead out of the copy, or to what a backup uses itself.
var badNames = []string{ //nolint:gochecknoglobals // a table
	"", ".", "..", "./", "./.", "./..", "../x.ibd", "./../x.ibd", "d/../x.ibd", "d/../../x.ibd", "./d/..", "d//t.ibd", "d/./t.ibd", "d/t.ibd/", "././t.ibd",
	"/", "//", "/t.ibd", "//x/t.ibd", "/../x/t.ibd", "/x/../t.ibd", "/x/../y/t.ibd", "/x/y/", "/..", "/x/..", "/a/#clone/x", "/a/runner-external/x", "/a/mysqld.my/x",
	"#clone", "#clone/x", "./#clone/#status_fix", "./#clone/d/t.ibd", "#runner/x", "#innodb_redo/#ib_redo0", "./#innodb_redo", "runner-external/0/d/far.ibd",
	"./runner-external", "mysqld.my", "./mysqld.my", "component_keyring_file.cnf", "runner-keyring", "./runner-keyring/x", "mysqld.my/x",
	"x.#clone_ddl", "./d/t.ibd.#clone_ddl", "/x/d/t.ibd.#clone_ddl", "a\x00b", "./d/\x00", "\x00", strings.Repeat("x", wire.MaxName+1),
	"mysql", "./d", "./ibdata1/t.ibd", "d/a.ibd/x/t.ibd", // folders and files that are there as the other
	"ibdata1", "./mysql.ibd", "d/a.ibd", // others have them
}

func TestANameThatLeadsAstrayIsRefused(t *testing.T) {
	for _, name := range badNames {
		lies := func(f *wire.File) { f.Name = name }
		for what, when := range map[string]func(wire.Response) bool{
			"of a file": donor.FileOf("/elsewhere/d/far.ibd"), "of one that DDL has renamed": donor.FileOf("./d/name.ibd"), "of one that DDL has made": donor.FileOf("./d/new.ibd"),
		} {
			t.Run(fmt.Sprintf("%.40q %s", name, what), func(t *testing.T) {
				tr, err := lie(t, when, donor.ChangeFile(lies))
				refused(t, err)
				for p := range tr.sink.files {
					if strings.HasPrefix(p, "..") || path.IsAbs(p) {
						t.Errorf("the copy has %s", p)
					}
				}
			})
		}
	}
}

func TestAFileBelowOneOfTheRedoLogOfOldIsRefused(t *testing.T) {
	s := small()
	s.Files[7].Name = "./ib_logfile0"
	_, err := (&trial{play: s.Play(), donor: donor.Options{Version: "8.0.29"}}).run(t)
	refused(t, err)
}

func TestUnusualNamesAreTaken(t *testing.T) {
	for name, want := range map[string]string{
		"./we@002dird@0020/t.ibd": "we@002dird@0020/t.ibd", "ts1.ibd": "ts1.ibd", "./a/b/c.ibd": "a/b/c.ibd", "..x.ibd": "..x.ibd", "./.../t.ibd": ".../t.ibd",
		"./#clone2/x.ibd": "#clone2/x.ibd", "./x/#clone/y.ibd": "x/#clone/y.ibd", "./#sql-ib1.ibd": "#sql-ib1.ibd", "./d/t#p#p0#sp#s.ibd": "d/t#p#p0#sp#s.ibd",
		`.\x.ibd`: `.\x.ibd`, "./ x.ibd": " x.ibd", "./ü/t.ibd": "ü/t.ibd", "./runner-external2/x.ibd": "runner-external2/x.ibd", "/a/#clone2/x.ibd": "#clone2/x.ibd",
		"./mysql/t.ibd": "mysql/t.ibd", "./d.#clone_ddl/t.ibd": "d.#clone_ddl/t.ibd", "./\xff\xfe.ibd": "\xff\xfe.ibd",
	} {
		s := small()
		s.Files[7].Name = name
		tr := &trial{play: s.Play()}
		if _, err := tr.run(t); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if _, there := tr.sink.files[want]; !there {
			t.Errorf("%q is not at %q", name, want)
		}
	}
}

func FuzzPlace(f *testing.F) {
	for _, name := range append(badNames, "./d/t.ibd", "/x/d/t.ibd", "ts.ibd") {
		f.Add(name, false)
	}
	f.Fuzz(func(t *testing.T, name string, again bool) {
		m := newMemory(t)
		q := newQueue(m, DefaultSpill)
		seal, err := newSeal()
		if err != nil {
			t.Fatal(err)
		}
		fs := newFiles(q, seal)
		fs.toTell = 10
		names := []string{"./d/t.ibd", "ts.ibd", "/x/d/e.ibd", name}
		if again {
			names = append(names, name+"/x", name)
		}
		for _, n := range names {
			d := tablespace(1, n, 0).File
			d.State, d.Index = wire.StateFileCopy, uint32(len(fs.data))
			_ = fs.announced(&d, wire.StateFileCopy) // whatever it says: the sink refuses what must not be done
		}
		if err := fs.finish(); err != nil {
			t.Fatal(err)
		}
		q.close()
		if err := q.run(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestALieAboutAFileIsRefused(t *testing.T) {
	for name, change := range map[string]func(*wire.File){
		"another index":                    func(f *wire.File) { f.Index = 50 },
		"the highest index":                func(f *wire.File) { f.Index = 1<<32 - 1 },
		"flags of no page size":            func(f *wire.File) { f.FSPFlags = 0x4021 | 9<<6 },
		"flags that none has":              func(f *wire.File) { f.FSPFlags = 1 << 20 },
		"compressed without what it needs": func(f *wire.File) { f.FSPFlags = 1 << 1 },
		"larger than a file can be":        func(f *wire.File) { f.Size = 1 << 60 },
		"another state":                    func(f *wire.File) { f.State = wire.StateDone },
		"a state that is over":             func(f *wire.File) { f.State = wire.StateInit },
		"flags that are none":              func(f *wire.File) { f.Flags = 1 << 14 },
	} {
		t.Run(name, func(t *testing.T) {
			_, err := lie(t, donor.FileOf("mysql.ibd"), donor.ChangeFile(change))
			refused(t, err)
		})
	}
	t.Run("a redo file of a number that is none", func(t *testing.T) {
		_, err := lie(t, donor.FileOf(""), donor.ChangeFile(func(f *wire.File) { f.Index = 1 << 30 }))
		refused(t, err)
	})
}
