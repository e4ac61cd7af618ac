package recipient

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"runner/pkg/clone/internal/donor"
	"runner/pkg/clone/internal/wire"
	"runner/pkg/innodb/innodbtest"
)

// locator is that of a scripted donor.
func locator() wire.EngineLocator {
	l := wire.Locator{CloneID: 1, SnapshotID: 2, State: wire.StateInit}
	return wire.EngineLocator{Engine: wire.EngineInnoDB, Raw: l.Append(nil)}
}

func locators() []byte { return wire.AppendLocators(nil, wire.Version4, locator()) }

func ended(state wire.StateKind, chunks, files uint32) donor.Step {
	return donor.Describe(&wire.State{State: state, Chunks: chunks, Files: files})
}

func begun(state wire.StateKind, chunks, files uint32) donor.Step {
	return donor.Describe(&wire.State{State: state, Chunks: chunks, Files: files, Start: true})
}

// acknowledged awaits that a state is acknowledged, and says so.
func acknowledged(name string) []donor.Step {
	return []donor.Step{donor.Expect(wire.CommandAck, nil), donor.Signal(name), donor.Send(wire.ResponseComplete, nil)}
}

func steps(parts ...any) (all []donor.Step) {
	for _, p := range parts {
		switch p := p.(type) {
		case donor.Step:
			all = append(all, p)
		case []donor.Step:
			all = append(all, p...)
		}
	}
	return all
}

// A connection that is let in while a state changes is told of the end of the new one before main is told of its beginning.
func TestAWorkerMayBeToldOfAStateBeforeMainIs(t *testing.T) {
	sleep := donor.Do(func(*donor.Conn) error {
		time.Sleep(50 * time.Millisecond)
		return nil
	})
	f := tablespace(1, "./d/t.ibd", 1).File
	f.State, f.FirstChunk, f.LastChunk, f.Size = wire.StateFileCopy, 1, 0, page
	s := &donor.Script{
		Main: [][]donor.Step{steps(
			donor.Expect(wire.CommandInit, nil), donor.Send(wire.ResponseLocators, locators()), donor.Send(wire.ResponseComplete, nil),
			donor.Expect(wire.CommandExecute, nil), donor.Describe(&wire.Task{}), ended(wire.StateInit, 0, 0), donor.Await("init"),
			begun(wire.StateFileCopy, 0, 1), donor.Describe(&f), ended(wire.StateFileCopy, 0, 1), donor.Await("file"),
			donor.Await("ahead"), sleep, begun(wire.StatePageCopy, 0, 0), ended(wire.StatePageCopy, 0, 0), donor.Await("page"),
			begun(wire.StateRedoCopy, 0, 0), donor.Signal("redo"), ended(wire.StateRedoCopy, 0, 0), donor.Await("log"),
			begun(wire.StateDone, 0, 0), donor.Signal("done"), donor.Send(wire.ResponseComplete, nil),
		)},
		Aux: [][]donor.Step{steps(acknowledged("init"), acknowledged("file"), acknowledged("page"), acknowledged("log"))},
		Worker: [][]donor.Step{steps(
			donor.Expect(wire.CommandAttach, nil), donor.Await("file"), donor.Send(wire.ResponseLocators, locators()), donor.Send(wire.ResponseComplete, nil),
			donor.Expect(wire.CommandExecute, nil), donor.Describe(&wire.Task{Index: 1}), ended(wire.StatePageCopy, 0, 0), donor.Signal("ahead"),
			donor.Await("redo"), begun(wire.StateRedoCopy, 0, 0), ended(wire.StateRedoCopy, 0, 0),
			donor.Await("done"), begun(wire.StateDone, 0, 0), donor.Send(wire.ResponseComplete, nil),
		)},
	}
	tr := &trial{play: s, o: Options{Threads: 2}}
	tr.pull(t)
	if len(tr.sink.files["d/t.ibd"]) != page {
		t.Errorf("the copy has %v", tr.sink.calls)
	}
}

// noMore has a connection be asked nothing any more before it ends.
func noMore(c *donor.Conn) error {
	r, err := c.Request()
	if err == nil {
		c.Problem("%s came", r.Command)
		err = errors.New("unexpected")
	}
	return err
}

// What a lost connection has not brought yet must not be acknowledged by main, which has seen the end of its own part.
func TestAStateIsNotAcknowledgedWhenAWorkerIsLostInIt(t *testing.T) {
	for range 50 { // what must not happen does so once in some hundred times
		loseAWorker(t)
	}
}

func loseAWorker(t *testing.T) {
	wait := donor.Do(func(*donor.Conn) error {
		time.Sleep(5 * time.Millisecond)
		return nil
	})
	f := tablespace(1, "./d/t.ibd", 2).File
	f.State, f.FirstChunk, f.LastChunk, f.Size = wire.StateFileCopy, 1, 0, 2*page
	sent := donor.Do(func(c *donor.Conn) error {
		d := wire.Data{State: wire.StatePageCopy, Task: 1, Chunk: 1, Block: 1, Length: page, Offset: page, FileSize: 2 * page}
		return c.Data(&d, innodbtest.Page(1, 1, 9, page, 1))
	})
	resumed := donor.Expect(wire.CommandReinit, func(body []byte) error {
		in, err := wire.ParseInit(body)
		if err != nil {
			return err
		}
		l, part, done, err := wire.ParseRestart(in.Locators[0].Raw)
		if err == nil && (l.State != wire.StatePageCopy || !slices.Equal(part, []wire.Progress{{Chunk: 1, Blocks: 1}}) || !done.Has(1)) {
			err = fmt.Errorf("%s, in part %v, done %v", l.State, part, done)
		}
		return err
	})
	s := &donor.Script{
		Main: [][]donor.Step{
			steps(
				donor.Expect(wire.CommandInit, nil), donor.Send(wire.ResponseLocators, locators()), donor.Send(wire.ResponseComplete, nil),
				donor.Expect(wire.CommandExecute, nil), donor.Describe(&wire.Task{}), ended(wire.StateInit, 0, 0), donor.Await("init"),
				begun(wire.StateFileCopy, 0, 1), donor.Describe(&f), donor.Await("worker"), ended(wire.StateFileCopy, 0, 1), donor.Await("file"),
				begun(wire.StatePageCopy, 1, 2), donor.Signal("pages"), ended(wire.StatePageCopy, 1, 2), donor.Do(noMore),
			),
			steps(resumed, donor.Do(func(c *donor.Conn) error { return c.Fail(3862, "gone") }), donor.Do(noMore)),
		},
		Aux: [][]donor.Step{steps(acknowledged("init"), acknowledged("file"), donor.Do(noMore))},
		Worker: [][]donor.Step{steps(
			donor.Expect(wire.CommandAttach, nil), donor.Send(wire.ResponseLocators, locators()), donor.Send(wire.ResponseComplete, nil),
			donor.Expect(wire.CommandExecute, nil), donor.Describe(&wire.Task{Index: 1}), donor.Signal("worker"), ended(wire.StateFileCopy, 0, 1),
			donor.Await("pages"), begun(wire.StatePageCopy, 1, 2), sent, wait, donor.Do(func(c *donor.Conn) error { return c.Cut() }),
		)},
	}
	tr := &trial{play: s, o: Options{Threads: 2, At: func(context.Context, Moment) { t.Error("the pages are said to be there") }}}
	_, err := tr.run(t)
	if l := lost(t, err); l.Within != 0 {
		t.Errorf("it is given up after %v, and not since the donor refused", l.Within)
	}
}

// A worker that is inside of a chunk of files can't be anywhere else. Main has seen its own end meanwhile, and must not wait for ever.
func TestALieToAWorkerIsRefused(t *testing.T) {
	data := func(state wire.StateKind, chunk uint32) donor.Step {
		d := wire.Data{State: state, Task: 1, Chunk: chunk, Block: 1, Length: page, FileSize: 2 * page}
		return donor.Do(func(c *donor.Conn) error { return c.Data(&d, make([]byte, page)) })
	}
	gone := wire.File{State: wire.StatePageCopy, Name: "./d/t.ibd", SpaceID: 1, FSPFlags: fsp4K, Flags: wire.FlagDeleted}
	for name, lies := range map[string]donor.Step{
		"a state begins":                     begun(wire.StatePageCopy, 1, 1),
		"the last state begins":              begun(wire.StateDone, 1, 1),
		"the next state ends":                ended(wire.StatePageCopy, 1, 1),
		"the last state ends":                ended(wire.StateDone, 1, 1),
		"the answer ends":                    donor.Send(wire.ResponseComplete, nil),
		"a page comes":                       data(wire.StatePageCopy, 1),
		"redo comes":                         data(wire.StateRedoCopy, 1),
		"data of INIT comes":                 data(wire.StateInit, 1),
		"data of DONE comes":                 data(wire.StateDone, 1),
		"data of a chunk too high comes":     data(wire.StateFileCopy, 9),
		"a file is dropped in the next":      donor.Describe(&gone),
		"a plugin comes":                     donor.Send(wire.ResponsePlugin, wire.AppendStrings(nil, "p")),
		"a locator comes":                    donor.Describe(&wire.Locator{}),
		"nothing that is a descriptor comes": donor.Send(wire.ResponseDescriptor, []byte("x")),
	} {
		t.Run(name, func(t *testing.T) {
			f := tablespace(1, "./d/t.ibd", 2).File
			f.State, f.FirstChunk, f.LastChunk, f.Size = wire.StateFileCopy, 1, 2, 2*page
			interrupted := donor.Expect(wire.CommandAck, func(body []byte) error {
				a, err := wire.ParseAck(body)
				if err == nil && a.Errno != wire.ErrnoInterrupted {
					err = fmt.Errorf("error %d, descriptor %x", a.Errno, a.Descriptor)
				}
				return err
			})
			s := &donor.Script{
				Main: [][]donor.Step{steps(
					donor.Expect(wire.CommandInit, nil), donor.Send(wire.ResponseLocators, locators()), donor.Send(wire.ResponseComplete, nil),
					donor.Expect(wire.CommandExecute, nil), donor.Describe(&wire.Task{}), ended(wire.StateInit, 0, 0), donor.Await("init"),
					begun(wire.StateFileCopy, 2, 1), donor.Describe(&f), donor.Await("worker"), ended(wire.StateFileCopy, 2, 1), donor.Signal("main"), donor.Do(noMore),
				)},
				Aux: [][]donor.Step{steps(acknowledged("init"), interrupted, donor.Send(wire.ResponseComplete, nil), donor.Do(noMore))},
				Worker: [][]donor.Step{steps(
					donor.Expect(wire.CommandAttach, nil), donor.Send(wire.ResponseLocators, locators()), donor.Send(wire.ResponseComplete, nil),
					donor.Expect(wire.CommandExecute, nil), donor.Describe(&wire.Task{Index: 1}), data(wire.StateFileCopy, 1), donor.Signal("worker"),
					donor.Await("main"), lies, donor.Do(noMore),
				)},
			}
			_, err := (&trial{play: s, o: Options{Threads: 2}}).run(t)
			refused(t, err)
		})
	}
}

// A donor that has no place for another connection is pulled over those that it has let in.
func TestAConnectionThatTheDonorHasNoPlaceForIsDoneWithout(t *testing.T) {
	s := small()
	tr := &trial{play: s.Play(), o: Options{Threads: 4}}
	var dials atomic.Int32
	tr.o.Dial = func(ctx context.Context) (*wire.Conn, error) {
		if dials.Add(1) > 2 {
			return nil, fmt.Errorf("connect to donor: %w", &wire.ServerError{Number: 1040, State: "08004", Message: "Too many connections"})
		}
		return wire.Dial(ctx, tr.server.Config())
	}
	r := tr.pull(t)
	same(t, tr.sink, outcome(s))
	if r.Connection != 1 || r.Resumed != 0 || dials.Load() != 5 {
		t.Errorf("%d connections of %d, resumed %d times", r.Connection, dials.Load(), r.Resumed)
	}
}
