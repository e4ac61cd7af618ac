package archive

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/store"
	"runner/pkg/archive/store/storetest"
	"runner/pkg/innodb/innodbtest"
)

// littleFolder has three frames of a few KB stored, so that every byte of them can be damaged.
func littleFolder(t testing.TB) string {
	f := newFolder(t)
	damaged := innodbtest.File(7, 3, 4096)
	damaged[5000] ^= 1
	f.file("a.ibd", damaged, 0o640)
	f.file("b", make([]byte, codec.FrameSize+100_000), 0o640)
	f.file("c", []byte("the end"), 0o640)
	return f.done()
}

// damaging has a remainder damaged in many ways, of which most give the same: nothing is gone on
// with, or so many of its frames are. Each of these is packed to the end once.
type damaging struct {
	dir  string
	left *storetest.Memory
	head checkpointHead
	want *result
	done map[int]bool // frames that were gone on with
}

func newDamaging(t *testing.T) *damaging {
	t.Helper()
	dir := littleFolder(t)
	d := &damaging{dir: dir, left: interrupted(t, dir, codec.Zstd, 2), done: map[int]bool{}}
	d.want, _ = packWhole(t, Dir(dir), codec.Zstd)
	var err error
	if d.head, err = newCheckpointReader(bytes.NewReader(d.bytes(checkpointName))).head(); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *damaging) bytes(name string) []byte { return d.left.Bytes(name + store.PartialSuffix) }

// try gives how many frames are gone on with, and wants them to be as they were.
func (d *damaging) try(t *testing.T, what, name string, damaged []byte) int {
	t.Helper()
	m := d.left.Clone()
	m.Set(name+store.PartialSuffix, damaged)
	p := newPacker(Dir(d.dir), codec.Zstd, options(codec.Zstd))
	resumed, err := p.goOn(t.Context(), m, d.head)
	if resumed == (err != nil) {
		t.Fatalf("%s: resumed is %v, and the error is %v", what, resumed, err)
	}
	if resumed {
		if err := errors.Join(p.keptLog.Close(), p.saved.data.Keep(), p.saved.log.Keep()); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{checkpointName, DataName(codec.Zstd)} {
			if now := m.Bytes(file + store.PartialSuffix); len(now) == 0 || !bytes.HasPrefix(d.bytes(file), now) {
				t.Fatalf("%s: %s goes on after other bytes", what, file)
			}
		}
	}
	if !d.done[p.kept] {
		d.done[p.kept] = true
		m.Set(name+store.PartialSuffix, damaged)
		a := &attempt{every: 1 << 30}
		same(t, d.want, finish(t, a, Dir(d.dir), m, codec.Zstd))
		if len(a.resumed) != 1 || a.resumed[0].Frames != int64(p.kept) || (a.resumed[0].Anew == "") != resumed {
			t.Errorf("%s: it says %+v", what, a.resumed)
		}
	}
	return p.kept
}

func TestADamagedCheckpointCostsNothingButTime(t *testing.T) {
	d := newDamaging(t)
	log := d.bytes(checkpointName)
	lines := bytes.Count(log, []byte("\n"))
	for n := range log {
		whole := bytes.Count(log[:n], []byte("\n")) - 1
		if got := d.try(t, fmt.Sprintf("cut at byte %d", n), checkpointName, cut(log, n)); got != max(whole, 0) {
			t.Errorf("cut at byte %d, it goes on with %d frames", n, got)
		}
	}
	for i := range log {
		for bit := range 8 {
			d.try(t, fmt.Sprintf("bit %d of byte %d flipped", bit, i), checkpointName, flip(log, i, 1<<bit))
		}
	}
	if got := d.try(t, "zeros after it", checkpointName, append(bytes.Clone(log), make([]byte, 4096)...)); got != lines-1 {
		t.Errorf("with zeros after it, it goes on with %d frames", got)
	}
	if got := d.try(t, "its lines twice", checkpointName, append(bytes.Clone(log), log...)); got != 0 {
		t.Errorf("with its lines twice, it goes on with %d frames", got)
	}
}

func TestATornCheckpointGoesOnFromItsLastWholeLine(t *testing.T) {
	dir := littleFolder(t)
	left := interrupted(t, dir, codec.Zstd, 2)
	name := checkpointName + store.PartialSuffix
	log := left.Bytes(name)
	left.Set(name, cut(log, len(log)-1))
	a := &attempt{every: 1}
	finish(t, a, Dir(dir), left, codec.Zstd)
	if frames := int64(bytes.Count(log, []byte("\n")) - 2); len(a.resumed) != 1 || a.resumed[0].Frames != frames || a.resumed[0].Anew != "" {
		t.Errorf("went on at %+v, not at frame %d", a.resumed, frames)
	}
}

func TestADamagedRemainderCostsNothingButTime(t *testing.T) {
	d := newDamaging(t)
	name := DataName(codec.Zstd)
	data := d.bytes(name)
	for n := range data {
		if got := d.try(t, fmt.Sprintf("cut at byte %d", n), name, cut(data, n)); got != 0 {
			t.Errorf("cut at byte %d, it goes on with %d frames", n, got)
		}
	}
	for i := range data {
		for bit := range 8 {
			if got := d.try(t, fmt.Sprintf("bit %d of byte %d flipped", bit, i), name, flip(data, i, 1<<bit)); got != 0 {
				t.Errorf("bit %d of byte %d flipped, it goes on with %d frames", bit, i, got)
			}
		}
	}
	if got := d.try(t, "bytes after it", name, append(bytes.Clone(data), "of a frame that was not finished"...)); got == 0 {
		t.Error("with bytes after it, it begins anew")
	}
}
