package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

func table() File {
	return File{
		State: StateFileCopy, Size: 114688, Allocated: 114688, FSPFlags: 0x4021, BlockSize: 4096, SpaceID: 7, Index: 3,
		FirstChunk: 4, LastChunk: 4, Name: "./d/t.ibd",
	}
}

func with(change func(*File)) *File {
	f := table()
	change(&f)
	return &f
}

func TestDescriptorsComeBackAsTheyWere(t *testing.T) {
	key, iv := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	for name, d := range map[string]Descriptor{
		"task":       &Task{Index: 127, Chunk: 2, Block: 3},
		"state":      &State{State: StatePageCopy, Task: 1, Chunks: 2, Files: 3, Estimate: 1 << 40, EstimateDisk: 1 << 41, Start: true},
		"keep-alive": &State{State: StateFileCopy, Ack: true},
		"file":       with(func(*File) {}),
		"encrypted":  with(func(f *File) { f.Flags, f.Key, f.IV = FlagAES|FlagKey, key, iv }),
		"redo":       &File{State: StateRedoCopy, Size: 1 << 20, FSPFlags: NoFSPFlags, SpaceID: SpaceIDRedo, FirstChunk: 1, LastChunk: 1},
		"deleted":    with(func(f *File) { f.Flags, f.Name = FlagDeleted, "" }),
		"long name":  with(func(f *File) { f.Name = strings.Repeat("x", MaxName) }),
		"odd name":   with(func(f *File) { f.Name = "../\xff\n" }),
		"data":       &Data{State: StateRedoCopy, Task: 1, Chunk: 2, Block: 3, File: 4, Length: 5, Offset: 6, FileSize: 7},
		"locator":    &Locator{CloneID: 1, SnapshotID: 2, Index: 3, State: StateInit, AllFiles: true},
	} {
		t.Run(name, func(t *testing.T) {
			body := AppendDescriptor(nil, 5, d)
			engine, index, got, err := ParseDescriptor(body)
			if err != nil || engine != EngineInnoDB || index != 5 {
				t.Fatalf("engine %d, index %d, %v", engine, index, err)
			}
			if raw := withoutRaw(got); raw != nil && !bytes.Equal(raw, body[2:]) {
				t.Errorf("raw is %x, want %x", raw, body[2:])
			}
			if !reflect.DeepEqual(got, d) {
				t.Errorf("got  %+v\nwant %+v", got, d)
			}
			for i := range body { // what was parsed must not change with the buffer
				body[i] = 0xAA
			}
			if !reflect.DeepEqual(got, d) {
				t.Errorf("it shares the body: %+v", got)
			}
		})
	}
}

// withoutRaw takes away what was kept as it came, and gives it.
func withoutRaw(d Descriptor) (raw []byte) {
	switch d := d.(type) {
	case *State:
		raw, d.Raw = d.Raw, nil
	case *Locator:
		raw, d.Raw = d.Raw, nil
	}
	return raw
}

func TestWhatIsOutOfItsLimitsIsAProtocolError(t *testing.T) {
	file := with(func(*File) {}).Append(nil)
	data := (&Data{State: StateFileCopy, Chunk: 1, Block: 1, Length: 10}).Append(nil)
	state := (&State{State: StateInit}).Append(nil)
	put := func(b []byte, at int, value uint32) []byte {
		b = bytes.Clone(b)
		binary.BigEndian.PutUint32(b[at:], value)
		return b
	}
	put64 := func(b []byte, at int, value uint64) []byte {
		b = bytes.Clone(b)
		binary.BigEndian.PutUint64(b[at:], value)
		return b
	}
	put16 := func(b []byte, at int, value uint16) []byte {
		b = bytes.Clone(b)
		binary.BigEndian.PutUint16(b[at:], value)
		return b
	}
	for name, b := range map[string][]byte{
		"nothing":                    {},
		"a header cut off":           file[:11],
		"another version":            put(file, 0, 101),
		"a length that is too long":  put(file, 4, uint32(len(file))+1),
		"a length that is too short": put(file, 4, uint32(len(file))-1),
		"type 0":                     put(file, 8, 0),
		"type 6":                     put(file, 8, 6),
		"state 0":                    put(file, 12, 0),
		"state 6":                    put(data, 12, 6),
		"state 257":                  put(state, 12, 257),
		"unknown flags of a state":   put16(state, 44, 4),
		"unknown flags of a file":    put16(file, 40, 0x40),
		"a key that is not there":    put16(file, 40, uint16(FlagKey)),
		"a size above all":           put64(file, 16, MaxSize+1),
		"a negative allocated size":  put64(file, 24, 1<<63),
		"a name that is too long":    with(func(f *File) { f.Name = strings.Repeat("x", MaxName+1) }).Append(nil),
		"a name's length that lies":  put(file, 58, 9),
		"a huge name's length":       put(file, 58, math.MaxUint32),
		"a name with a zero byte":    with(func(f *File) { f.Name = "./d/\x00t.ibd" }).Append(nil),
		"a name without an end":      append(bytes.Clone(file[:len(file)-1]), 'x'),
		"no name":                    with(func(f *File) { f.Name = "" }).Append(nil),
		"only a zero byte for name":  zeroName(),
		"compressed pages of 32K":    with(func(f *File) { f.FSPFlags = 6 << 1 }).Append(nil),
		"pages of 2 KiB":             with(func(f *File) { f.FSPFlags = 2 << 6 }).Append(nil),
		"pages of 128 KiB":           with(func(f *File) { f.FSPFlags = 8 << 6 }).Append(nil),
		"more data than a packet":    put(data, 32, MaxData+1),
		"an offset above all":        put64(data, 36, MaxSize),
		"an offset that overflows":   put64(data, 36, math.MaxUint64-5),
		"a file size above all":      put64(data, 44, MaxSize+1),
		"data cut off":               put(data[:51], 4, 51),
		"data that goes on":          put(append(bytes.Clone(data), 0), 4, 53),
		"state cut off":              put(state[:45], 4, 45),
		"task cut off":               put((&Task{}).Append(nil)[:23], 4, 23),
		"file cut off":               put(file[:61], 4, 61),
		"locator cut off":            put(new(Locator).Append(nil)[:33], 4, 33),
		"locator of state 6":         (&Locator{State: 6}).Append(nil),
	} {
		t.Run(name, func(t *testing.T) {
			_, _, d, err := ParseDescriptor(append([]byte{EngineInnoDB, 0}, b...))
			var malformed *ProtocolError
			if !errors.As(err, &malformed) || d != nil {
				t.Fatalf("got %+v, %v", d, err)
			}
			if Lost(err) {
				t.Error("it counts as a loss")
			}
		})
	}
}

func zeroName() []byte {
	b := with(func(f *File) { f.Name = "" }).Append(nil)
	binary.BigEndian.PutUint32(b[4:], uint32(len(b))+1)
	binary.BigEndian.PutUint32(b[58:], 1)
	return append(b, 0)
}

func TestAnotherEngineIsRefused(t *testing.T) {
	body := AppendDescriptor(nil, 0, &Task{})
	body[0] = 13
	var malformed *ProtocolError
	if _, _, _, err := ParseDescriptor(body); !errors.As(err, &malformed) {
		t.Errorf("got %v", err)
	}
	if _, err := ParseDataInto(body, new(Data)); !errors.As(err, &malformed) {
		t.Errorf("data: got %v", err)
	}
}

func TestDataIsParsedIntoAValueAndNothingElseIs(t *testing.T) {
	want := Data{State: StateFileCopy, Task: 1, Chunk: 2, Block: 3, File: 4, Length: 5, Offset: 6, FileSize: 7}
	var got Data
	if is, err := ParseDataInto(AppendDescriptor(nil, 0, &want), &got); !is || err != nil || got != want {
		t.Errorf("got %+v, %v, %v", got, is, err)
	}
	if is, err := ParseDataInto(AppendDescriptor(nil, 0, &Task{}), &got); is || err != nil || got != want {
		t.Errorf("of a task: %+v, %v, %v", got, is, err)
	}
	body := AppendDescriptor(nil, 0, &want)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := ParseDataInto(body, &got); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestPageSizesFollowFromFSPFlags(t *testing.T) {
	for _, test := range []struct {
		flags uint32
		size  int
	}{
		{0, 16384},
		{0x4800, 16384},
		{0x4021, 16384},
		{NoFSPFlags, 0},
		{3 << 6, 4096},
		{4 << 6, 8192},
		{5 << 6, 16384},
		{6 << 6, 32768},
		{7 << 6, 65536},
		{1 << 1, 1024},
		{4 << 1, 8192},
		{5<<1 | 5<<6, 16384},
		{6 << 1, 0},
		{1 << 6, 0},
		{8 << 6, 0},
	} {
		f := File{FSPFlags: test.flags}
		if got := f.PageSize(); got != test.size {
			t.Errorf("%#x: %d, want %d", test.flags, got, test.size)
		}
	}
}

func TestFilesSayWhatTheyAre(t *testing.T) {
	redo := File{SpaceID: SpaceIDRedo, FSPFlags: NoFSPFlags}
	pool := File{SpaceID: SpaceIDBufferPool, FSPFlags: NoFSPFlags, FirstChunk: 1, LastChunk: 1}
	undo := File{SpaceID: 4294967279, FirstChunk: 2, LastChunk: 1}
	small := File{SpaceID: 5, FSPFlags: 4<<1 | 1, Flags: FlagZlib | FlagAES | FlagRenamed}
	for _, test := range []struct {
		what      string
		got, want bool
	}{
		{"redo is redo", redo.Redo(), true},
		{"redo is no tablespace", redo.Tablespace(), false},
		{"redo is not undo", redo.Undo(), false},
		{"the pool is", pool.BufferPool(), true},
		{"the pool is no tablespace", pool.Tablespace(), false},
		{"the pool has a chunk", pool.Empty(), false},
		{"undo is undo", undo.Undo(), true},
		{"the lowest undo is", (&File{SpaceID: 0xFFFFFFF0 - 127*400000}).Undo(), true},
		{"what is below is not", (&File{SpaceID: 0xFFFFFFF0 - 127*400000 - 1}).Undo(), false},
		{"undo is empty", undo.Empty(), true},
		{"undo is a tablespace", undo.Tablespace(), true},
		{"mysql.ibd is not undo", (&File{SpaceID: SpaceIDDictionary}).Undo(), false},
		{"small is compressed", small.Compressed(), true},
		{"redo is not compressed", redo.Compressed(), false},
		{"small is page-compressed", small.PageCompressed(), true},
		{"small is encrypted", small.Encrypted(), true},
		{"small is renamed", small.Renamed(), true},
		{"small is not deleted", small.Deleted(), false},
	} {
		if test.got != test.want {
			t.Errorf("%s: %v", test.what, test.got)
		}
	}
}

func TestTheAckOfAStateIsItsDescriptorWithAFlag(t *testing.T) {
	raw := (&State{State: StateFileCopy, Task: 3, Chunks: 9, Files: 4, Estimate: 5}).Append(nil)
	_, _, d, err := ParseDescriptor(append([]byte{EngineInnoDB, 0}, raw...))
	if err != nil {
		t.Fatal(err)
	}
	s := d.(*State)
	l := EngineLocator{Engine: EngineInnoDB, Raw: new(Locator).Append(nil)}
	a, err := ParseAck(s.AckBody(l))
	want := bytes.Clone(raw)
	want[45] = 2
	if err != nil || a.Errno != 0 || !bytes.Equal(a.Descriptor, want) || !bytes.Equal(a.Locator.Raw, l.Raw) {
		t.Errorf("got %+v, %v", a, err)
	}
	if !bytes.Equal(s.Raw, raw) {
		t.Error("the state itself has changed")
	}
	cancel, err := ParseAck(Ack{Errno: ErrnoInterrupted, Locator: l}.Append(nil))
	if err != nil || cancel.Errno != 1317 || len(cancel.Descriptor) != 0 {
		t.Errorf("got %+v, %v", cancel, err)
	}
}

func TestTheRestartLocatorIsAsTheProtocolHasIt(t *testing.T) {
	l := Locator{CloneID: 91, SnapshotID: 92, Index: 1, State: StateInit}
	done := NewBitmap(40)
	for _, chunk := range []uint32{1, 32, 33} {
		done.Set(chunk)
	}
	before := append(Bitmap(nil), done...)
	got := l.Restart(StateFileCopy, true, []Progress{{Chunk: 34, Blocks: 5}}, done)
	want := []byte{
		0, 0, 0, 100, 0, 0, 0, 34 + 4 + 8 + 4 + 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 91, 0, 0, 0, 0, 0, 0, 0, 92, 0, 0, 0, 1, 2, 1,
		0, 0, 0, 1, 0, 0, 0, 34, 0, 0, 0, 5, 0, 0, 0, 2, 0x80, 0, 0, 1, 0, 0, 0, 3,
	}
	if got.Engine != EngineInnoDB || !bytes.Equal(got.Raw, want) {
		t.Errorf("got  %x\nwant %x", got.Raw, want)
	}
	if !reflect.DeepEqual(done, before) {
		t.Error("the set of the caller has changed")
	}
	back, incomplete, set, err := ParseRestart(got.Raw)
	if err != nil || back.CloneID != 91 || back.State != StateFileCopy || !back.AllFiles ||
		!reflect.DeepEqual(incomplete, []Progress{{34, 5}}) || !set.Has(34) || !set.Has(32) || set.Has(2) || set.Has(0) || set.Has(65) {
		t.Errorf("got %+v, %v, %b, %v", back, incomplete, set, err)
	}
	beyond := l.Restart(StateRedoCopy, false, []Progress{{Chunk: 65, Blocks: 1}}, nil)
	if _, _, set, err := ParseRestart(beyond.Raw); err != nil || len(set) != 3 || !set.Has(65) {
		t.Errorf("a set without room: %b, %v", set, err)
	}
	for _, state := range []StateKind{StateInit, StateDone} {
		if raw := l.Restart(state, false, []Progress{{1, 1}}, done).Raw; len(raw) != 34 || raw[32] != byte(state) {
			t.Errorf("%s: %x", state, raw)
		}
	}
}

func TestARestartLocatorThatLiesIsAProtocolError(t *testing.T) {
	good := Locator{}.Restart(StateFileCopy, true, []Progress{{1, 2}}, NewBitmap(1)).Raw
	for name, change := range map[string]func(b []byte) []byte{
		"more chunks than there are": func(b []byte) []byte { b[37] = 2; return b },
		"very many chunks":           func(b []byte) []byte { copy(b[34:], "\xff\xff\xff\xff"); return b },
		"more words than there are":  func(b []byte) []byte { b[49] = 2; return b },
		"fewer words than there are": func(b []byte) []byte { b[49] = 0; return b },
		"an end in a number":         func(b []byte) []byte { b[7] = 36; return b },
	} {
		var malformed *ProtocolError
		if _, _, _, err := ParseRestart(change(bytes.Clone(good))); !errors.As(err, &malformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
