package donor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"runner/pkg/clone/internal/wire"
)

// recipient is the least that takes over a session: files are in memory, and one lock orders everything.
type recipient struct {
	config  wire.Config
	workers int
	locator wire.EngineLocator
	base    wire.Locator

	mu       sync.Mutex
	cond     *sync.Cond
	err      error
	state    wire.StateKind
	started  wire.StateKind // up to which the first connection has told a start
	acked    wire.StateKind
	ended    map[int]bool // connections, by number; true: told the end of the state
	names    map[uint32]string
	told     map[uint32]uint64
	files    map[uint32][]byte
	redo     map[uint32][]byte
	all      bool // files of the state are told
	blocks   map[uint32]uint32
	whole    wire.Bitmap
	partial  map[uint32]bool
	deleted  map[uint32]bool
	data     int
	announce int
}

func newRecipient(c wire.Config, workers int) *recipient {
	r := &recipient{
		config: c, workers: workers, state: wire.StateInit, ended: map[int]bool{}, names: map[uint32]string{}, told: map[uint32]uint64{},
		files: map[uint32][]byte{}, redo: map[uint32][]byte{}, blocks: map[uint32]uint32{}, partial: map[uint32]bool{}, deleted: map[uint32]bool{},
	}
	r.cond = sync.NewCond(&r.mu)
	return r
}

const idle = 20 * time.Second

func (r *recipient) connect(ctx context.Context) (*wire.Conn, error) {
	c, err := wire.Dial(ctx, r.config)
	if err != nil {
		return nil, err
	}
	if err := c.Clone(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// ask sends a command and gives every response to fn, up to the end of the answer.
func ask(ctx context.Context, c *wire.Conn, command wire.Command, body []byte, fn func(wire.Response) error) error {
	if err := c.Send(ctx, command, body); err != nil {
		return err
	}
	for {
		resp, err := c.Receive(ctx, idle)
		switch {
		case err != nil:
			return err
		case resp.Kind == wire.ResponseComplete:
			return nil
		case resp.Kind == wire.ResponseError:
			return wire.ParseError(resp.Body)
		}
		if err := fn(resp); err != nil {
			return err
		}
	}
}

func nothing(wire.Response) error { return nil }

// run is one attempt: from INIT, or from REINIT when there was one before.
func (r *recipient) run(ctx context.Context) error {
	first, err := r.connect(ctx)
	if err != nil {
		return err
	}
	aux, err := r.connect(ctx)
	if err != nil {
		return errors.Join(err, first.Close())
	}
	conns := []*wire.Conn{first, aux}
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	if err := r.begin(ctx, first); err != nil {
		return err
	}
	// Whether an answer that was lost followed an ACK is not known: the donor says, by what it sends next.
	r.ended, r.err, r.acked = map[int]bool{0: false}, nil, 0
	var work sync.WaitGroup
	defer work.Wait()
	err = r.execute(ctx, first, aux, 0, func() {
		for n := 1; n <= r.workers; n++ {
			w, err := r.connect(ctx)
			if err != nil {
				r.fail(err)
				return
			}
			conns = append(conns, w)
			if err := r.attach(ctx, w, n); err != nil {
				r.fail(err)
				return
			}
			work.Go(func() {
				if err := r.execute(ctx, w, aux, n, func() {}); err != nil {
					r.fail(err)
					_ = first.Close()
					return
				}
				if err := ask(ctx, w, wire.CommandExit, nil, nothing); err != nil {
					r.fail(err)
				}
			})
		}
	})
	if err != nil {
		r.fail(err)
		for _, c := range conns {
			_ = c.Close()
		}
		work.Wait()
		return r.err
	}
	work.Wait()
	if r.err != nil {
		return r.err
	}
	return errors.Join(ask(ctx, aux, wire.CommandExit, nil, nothing), ask(ctx, first, wire.CommandExit, nil, nothing),
		first.Reset(ctx), first.Quit(), aux.Quit())
}

func (r *recipient) begin(ctx context.Context, c *wire.Conn) error {
	in := wire.Init{Version: wire.Version4, DDLTimeout: wire.AllowDDL | 300}
	if r.locator.Raw == nil {
		return ask(ctx, c, wire.CommandInit, in.Append(nil), func(resp wire.Response) error {
			if resp.Kind != wire.ResponseLocators {
				return nil
			}
			_, locators, err := wire.ParseLocators(resp.Body)
			if err != nil || len(locators) != 1 {
				return fmt.Errorf("%d locators: %w", len(locators), err)
			}
			r.locator = locators[0]
			r.base, err = wire.ParseLocator(r.locator.Raw)
			return err
		})
	}
	var incomplete []wire.Progress
	for chunk := range r.partial {
		incomplete = append(incomplete, wire.Progress{Chunk: chunk, Blocks: r.blocks[chunk]})
	}
	in.Locators = []wire.EngineLocator{r.base.Restart(r.state, r.all, incomplete, r.whole)}
	// What was acknowledged already is not told to have ended once more.
	return ask(ctx, c, wire.CommandReinit, in.Append(nil), nothing)
}

func (r *recipient) attach(ctx context.Context, c *wire.Conn, n int) error {
	in := wire.Init{Version: wire.Version4, DDLTimeout: wire.AllowDDL | 300, Locators: []wire.EngineLocator{r.locator}}
	if err := ask(ctx, c, wire.CommandAttach, in.Append(nil), nothing); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended[n] = false
	return nil
}

func (r *recipient) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
	r.cond.Broadcast()
}

// until waits for the others. The caller holds the lock.
func (r *recipient) until(so func() bool) error {
	for !so() && r.err == nil {
		r.cond.Wait()
	}
	return r.err
}

func (r *recipient) execute(ctx context.Context, c, aux *wire.Conn, n int, announced func()) error {
	var d wire.Data
	due := false
	if n == 0 && r.all && r.state == wire.StateFileCopy {
		announced()
	}
	return ask(ctx, c, wire.CommandExecute, nil, func(resp wire.Response) error {
		if due != (resp.Kind == wire.ResponseData) {
			return fmt.Errorf("%s, data is due: %v", resp.Kind, due)
		}
		if due {
			due = false
			return r.store(&d, resp.Body)
		}
		is, err := wire.ParseDataInto(resp.Body, &d)
		if err != nil || is {
			due = is
			return err
		}
		_, _, described, err := wire.ParseDescriptor(resp.Body)
		if err != nil {
			return err
		}
		switch v := described.(type) {
		case *wire.File:
			if r.file(v) && n == 0 {
				announced()
			}
		case *wire.State:
			return r.turn(ctx, aux, n, v)
		}
		return nil
	})
}

// file takes a file over; it reports whether it was the last of FILE_COPY.
func (r *recipient) file(f *wire.File) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, known := r.names[f.Index]
	switch {
	case f.Redo():
		if r.redo[f.Index] == nil {
			r.redo[f.Index] = make([]byte, f.Size)
		}
		r.all = int(f.Index) == r.announce-1
		return false
	case f.Deleted() && f.State == r.state:
		r.deleted[f.Index] = true
		for chunk := f.FirstChunk; chunk <= f.LastChunk; chunk++ {
			r.begun(chunk)
			delete(r.partial, chunk)
		}
		return false
	case f.Deleted():
		delete(r.files, f.Index)
		delete(r.names, f.Index)
		r.deleted[f.Index] = true
		return false
	case known && f.State != r.state:
		r.names[f.Index], r.told[f.Index] = f.Name, max(f.Size, r.told[f.Index])
		return false
	}
	r.names[f.Index], r.told[f.Index] = f.Name, f.Size
	r.all = r.state == wire.StateFileCopy && int(f.Index) == r.announce-1
	return r.all
}

func (r *recipient) begun(chunk uint32) {
	for uint32(len(r.whole))*32 < chunk {
		r.whole = append(r.whole, 0)
	}
	r.whole.Set(chunk)
}

func (r *recipient) store(d *wire.Data, b []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.data++
	// A connection that joins after a restart may be ahead of the first, which has yet to tell what DDL did.
	if err := r.until(func() bool { return r.state >= d.State }); err != nil {
		return err
	}
	if d.State != r.state || int(d.Length) != len(b) {
		return fmt.Errorf("%d bytes in %s for %+v", len(b), r.state, d)
	}
	files := r.files
	if d.State == wire.StateRedoCopy {
		files = r.redo
	} else if r.deleted[d.File] {
		return nil
	}
	if need := int(d.Offset) + len(b); need > len(files[d.File]) {
		files[d.File] = append(files[d.File], make([]byte, need-len(files[d.File]))...)
	}
	copy(files[d.File][d.Offset:], b)
	if d.State == wire.StatePageCopy && d.Offset == 0 {
		r.told[d.File] = max(r.told[d.File], d.FileSize)
	}
	if d.Block != r.blocks[d.Chunk]+1 {
		return fmt.Errorf("block %d of chunk %d after block %d", d.Block, d.Chunk, r.blocks[d.Chunk])
	}
	r.blocks[d.Chunk] = d.Block
	r.begun(d.Chunk)
	r.partial[d.Chunk] = true
	return nil
}

// turn takes over the start or the end of a state.
func (r *recipient) turn(ctx context.Context, aux *wire.Conn, n int, s *wire.State) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case s.Ack:
		return nil
	case s.Start && n == 0:
		// Told again after a restart, of the state that the recipient is in or of the next.
		r.state, r.announce, r.all = s.State, int(s.Files), s.State == wire.StatePageCopy
		r.blocks, r.whole, r.partial = map[uint32]uint32{}, nil, map[uint32]bool{}
		for other := range r.ended {
			r.ended[other] = false
		}
		r.started = s.State
		r.cond.Broadcast()
		return nil
	case s.Start:
		return r.until(func() bool { return r.started >= s.State })
	}
	if err := r.until(func() bool { return r.state >= s.State }); err != nil || s.State < r.state {
		return err
	}
	r.ended[n] = true
	r.cond.Broadcast()
	if n != 0 {
		return nil
	}
	err := r.until(func() bool { return !slices.Contains(slices.Collect(maps.Values(r.ended)), false) })
	if err != nil {
		return err
	}
	if r.acked == s.State {
		return errors.New("a state ends that was acknowledged")
	}
	r.acked = s.State
	r.mu.Unlock()
	defer r.mu.Lock()
	return ask(ctx, aux, wire.CommandAck, s.AckBody(r.locator), nothing)
}

// result is what there is at the end, by name; of redo by number.
func (r *recipient) result() map[string][]byte {
	all := map[string][]byte{}
	for index, name := range r.names {
		if r.deleted[index] {
			continue
		}
		b := r.files[index]
		if n := int(r.told[index]); n > len(b) {
			b = append(b, make([]byte, n-len(b))...)
		}
		all[name] = b
	}
	for index, b := range r.redo {
		all[fmt.Sprint("redo ", index)] = b
	}
	return all
}
