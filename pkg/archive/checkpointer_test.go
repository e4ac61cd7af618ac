package archive

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/store"
	"runner/pkg/archive/store/storetest"
)

func TestFramesAreMadeDurableAfterSomeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := storetest.NewMemory()
		p := newPacker(Empty(), codec.None, options(codec.None))
		if err := p.beginAnew(t.Context(), m, checkpointHead{Format: checkpointFormat}); err != nil {
			t.Fatal(err)
		}
		done, ended := make(chan struct{}), make(chan error, 1)
		go func() { ended <- p.saved.run(t.Context(), done) }()
		lines := func() int { return bytes.Count(m.Bytes(checkpointName+store.PartialSuffix), []byte("\n")) }
		for frame := 1; frame <= 3; frame++ {
			if err := p.saved.add(&frameRecord{Stored: 1, Raw: 1}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(checkpointInterval / 4)
			if got := lines(); got > frame {
				t.Errorf("frame %d was recorded at once", frame)
			}
			time.Sleep(checkpointInterval)
			synctest.Wait()
			if got := lines(); got != 1+frame {
				t.Errorf("after %d frames the checkpoint has %d lines", frame, got)
			}
		}
		close(done)
		if err := errors.Join(<-ended, p.saved.data.Abort(), p.saved.log.Abort()); err != nil {
			t.Error(err)
		}
	})
}

func TestFramesAreMadeDurableAfterSoManyBytes(t *testing.T) {
	m := storetest.NewMemory()
	p := newPacker(Empty(), codec.None, options(codec.None))
	p.checkpointBytes = 10
	if err := p.beginAnew(t.Context(), m, checkpointHead{Format: checkpointFormat}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{false, true} {
		if err := p.saved.add(&frameRecord{Stored: 6, Raw: 6}); err != nil {
			t.Fatal(err)
		}
		if got := len(p.saved.wake) == 1; got != want {
			t.Errorf("after %d bytes it is woken: %v", p.saved.stored, got)
		}
	}
	if err := errors.Join(p.saved.data.Abort(), p.saved.log.Abort()); err != nil {
		t.Error(err)
	}
}

// slowDisk takes until all is written to make the first of it durable.
type slowDisk struct {
	store.Store
	written <-chan struct{}
}

type slowWriter struct {
	store.Writer
	written <-chan struct{}
}

func (s slowDisk) Create(ctx context.Context, name string) (store.Writer, error) {
	w, err := s.Store.Create(ctx, name)
	return slowWriter{Writer: w, written: s.written}, err
}

func (w slowWriter) Sync() error {
	select {
	case <-w.written:
		return w.Writer.Sync()
	case <-time.After(time.Minute):
		return errors.New("the pack waits for the disk")
	}
}

func TestPackingDoesNotWaitForTheDisk(t *testing.T) {
	dir := framesFolder(t)
	want, frames := packWhole(t, Dir(dir), codec.LZ4)
	o := options(codec.LZ4)
	written, packed := make(chan struct{}), 0
	o.Resumable = true
	o.Progress = func(int64) {
		if packed++; packed == frames {
			close(written)
		}
	}
	p := newPacker(Dir(dir), codec.LZ4, o)
	p.checkpointBytes = 1
	m := storetest.NewMemory()
	if _, err := p.packTo(t.Context(), slowDisk{Store: m, written: written}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(m.Bytes(DataName(codec.LZ4)), want.Data) {
		t.Error("the data is not that of a pack whose disk is fast")
	}
}

// What a million frames cost is what one costs, a million times.
func BenchmarkCheckpointLine(b *testing.B) {
	record := &frameRecord{Stored: 1 << 20, Raw: codec.FrameSize, Pieces: []pieceRecord{{Facts: &factsRecord{Pages: Pages{SpaceID: 7, PageSize: 16 << 10, Total: 256}}}}}
	var sum lineSum
	var lines []byte
	for b.Loop() {
		var err error
		if lines, err = sum.appendLine(lines[:0], record); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(lines)), "bytes/line")
}
