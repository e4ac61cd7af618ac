package wire

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// packet is one of the recorded session.
type packet struct {
	number   int
	fromUs   bool
	sequence byte
	length   int
	note     string
	payload  []byte // less than length of those that are abridged
}

func (p packet) whole() bool { return len(p.payload) == p.length }

var headLine = regexp.MustCompile(`^#(\d+) ([<>]) seq=(\d+) len=(\d+)  (.*)$`)

// trace reads the session that was recorded between a recipient and MySQL 9.7.4, all packets of both connections.
func trace(t testing.TB) []packet {
	t.Helper()
	content, err := os.ReadFile("testdata/clone-session-trace.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []packet
	for lines := bufio.NewScanner(bytes.NewReader(content)); lines.Scan(); {
		line := lines.Text()
		if m := headLine.FindStringSubmatch(line); m != nil {
			p := packet{fromUs: m[2] == ">", note: strings.TrimSpace(m[5])}
			p.number, _ = strconv.Atoi(m[1]) // digits all of them
			sequence, _ := strconv.Atoi(m[3])
			p.sequence = byte(sequence)
			p.length, _ = strconv.Atoi(m[4])
			all = append(all, p)
			continue
		}
		if len(all) == 0 || !strings.HasPrefix(line, "      0") {
			continue
		}
		dump, _, _ := strings.Cut(line[16:], "|")
		b, err := hex.DecodeString(strings.ReplaceAll(dump, " ", ""))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		p := &all[len(all)-1]
		p.payload = append(p.payload, b...)
	}
	if len(all) != 82 {
		t.Fatalf("the trace has only %d packets", len(all))
	}
	return all
}

func TestEveryRecordedResponseParsesAsItWasAnnotated(t *testing.T) {
	seen := map[ResponseKind]int{}
	for _, p := range trace(t) {
		if p.fromUs || !strings.HasPrefix(p.note, "COM_RES_") {
			continue
		}
		r, err := parseResponse(p.payload)
		if err != nil {
			t.Errorf("#%d: %v", p.number, err)
			continue
		}
		seen[r.Kind]++
		r.Body = p.payload[1:]
		got, err := annotate(r, p.length-1)
		if err != nil || got != p.note || p.sequence != 0 {
			t.Errorf("#%d: %v\n got %s\nwant %s", p.number, err, got, p.note)
		}
	}
	for _, kind := range []ResponseKind{
		ResponseLocators, ResponseDescriptor, ResponseData, ResponseConfig, ResponseCollation, ResponsePluginV2,
		ResponseConfigV3, ResponseConfigV4, ResponseComplete,
	} {
		if seen[kind] == 0 {
			t.Errorf("no %s in the trace", kind)
		}
	}
}

// annotate says of a response what the trace says of it.
func annotate(r Response, length int) (string, error) {
	switch r.Kind {
	case ResponseData:
		return fmt.Sprintf("COM_RES_DATA %d bytes", length), nil
	case ResponseComplete:
		return "COM_RES_COMPLETE", nil
	case ResponseLocators:
		version, locators, err := ParseLocators(r.Body)
		if err != nil || len(locators) != 1 {
			return "", fmt.Errorf("%d locators: %w", len(locators), err)
		}
		l, err := ParseLocator(locators[0].Raw)
		if want := (Locator{CloneID: 91, SnapshotID: 92, State: StateInit, Raw: l.Raw}); fmt.Sprint(l) != fmt.Sprint(want) {
			return "", fmt.Errorf("locator %+v", l)
		}
		return fmt.Sprintf("COM_RES_LOCS proto=0x%04x", version), err
	case ResponseCollation:
		name, err := ParseString(r.Body)
		return fmt.Sprintf("COM_RES_COLLATION %q", name), err
	case ResponsePluginV2:
		name, library, err := ParsePlugin(r.Kind, r.Body)
		return fmt.Sprintf("COM_RES_PLUGIN_V2 %q = %q", name, library), err
	case ResponseConfig, ResponseConfigV3, ResponseConfigV4:
		name, value, err := ParseConfig(r.Body)
		return fmt.Sprintf("COM_RES_%s %q = %q", r.Kind, name, value), err
	}
	return annotateDescriptor(r.Body)
}

func annotateDescriptor(body []byte) (string, error) {
	engine, index, d, err := ParseDescriptor(body)
	if err != nil {
		return "", err
	}
	head := fmt.Sprintf("COM_RES_DATA_DESC db_type=%d loc=%d ver=100 len=%d ", engine, index, len(body)-2)
	switch d := d.(type) {
	case *Task:
		return head + fmt.Sprintf("TASK task=%d chunk=%d block=%d", d.Index, d.Chunk, d.Block), nil
	case *State:
		flags := 0
		if d.Start {
			flags |= 1
		}
		return head + fmt.Sprintf("STATE %s task=%d chunks=%d files=%d est=%d estdisk=%d flags=%d(start=%v ack=%v)",
			d.State, d.Task, d.Chunks, d.Files, d.Estimate, d.EstimateDisk, flags, d.Start, d.Ack), nil
	case *File:
		return head + fmt.Sprintf("FILE state=%s idx=%d space=%d size=%d alloc=%d fsp=%#x fsblk=%d flags=%#x chunks=%d-%d name=%q",
			d.State, d.Index, d.SpaceID, d.Size, d.Allocated, d.FSPFlags, d.BlockSize, uint16(d.Flags), d.FirstChunk, d.LastChunk, d.Name), nil
	case *Data:
		return head + fmt.Sprintf("DATA state=%s task=%d chunk=%d block=%d file=%d len=%d off=%d filesize=%d",
			d.State, d.Task, d.Chunk, d.Block, d.File, d.Length, d.Offset, d.FileSize), nil
	}
	return "", fmt.Errorf("%T", d)
}

func TestEveryRecordedDescriptorAppendsToWhatItWas(t *testing.T) {
	for _, p := range trace(t) {
		if p.fromUs || !p.whole() || p.payload[0] != byte(ResponseDescriptor) || !strings.HasPrefix(p.note, "COM_RES_") {
			continue
		}
		_, index, d, err := ParseDescriptor(p.payload[1:])
		if err != nil {
			t.Errorf("#%d: %v", p.number, err)
			continue
		}
		if got := AppendDescriptor(nil, index, d); !bytes.Equal(got, p.payload[1:]) {
			t.Errorf("#%d: %T\n got %x\nwant %x", p.number, d, got, p.payload[1:])
		}
	}
}

func TestRequestsAreThoseThatWereRecorded(t *testing.T) {
	var locator EngineLocator
	var end *State
	acks := 0
	for _, p := range trace(t) {
		switch {
		case strings.HasPrefix(p.note, "COM_INIT"):
			want := Init{Version: Version4, DDLTimeout: AllowDDL | 300, Locators: []EngineLocator{VersionLocator()}}
			if got := want.Append([]byte{byte(CommandInit)}); !bytes.Equal(got, p.payload) {
				t.Errorf("#%d: INIT\n got %x\nwant %x", p.number, got, p.payload)
			}
		case strings.HasPrefix(p.note, "COM_RES_LOCS"):
			_, locators, err := ParseLocators(p.payload[1:])
			if err != nil {
				t.Fatal(err)
			}
			locator = locators[0]
		case strings.Contains(p.note, " STATE ") && strings.Contains(p.note, "start=false"):
			_, _, d, err := ParseDescriptor(p.payload[1:])
			if err != nil {
				t.Fatal(err)
			}
			end = d.(*State)
		case strings.HasPrefix(p.note, "COM_ACK"):
			acks++
			if got := append([]byte{byte(CommandAck)}, end.AckBody(locator)...); !bytes.Equal(got, p.payload) {
				t.Errorf("#%d: ACK\n got %x\nwant %x", p.number, got, p.payload)
			}
		}
	}
	if acks != 4 {
		t.Errorf("%d ACKs", acks)
	}
}

func TestTheRecordedLoginIsWhatWouldBeSentNow(t *testing.T) {
	all := trace(t)
	g, err := parseGreeting(all[0].payload)
	if err != nil {
		t.Fatal(err)
	}
	if g.version != "9.7.4-2" || g.thread != 1443 || g.plugin != pluginCachingSHA2 || len(g.scramble) != scrambleLength {
		t.Errorf("greeting %+v", g)
	}
	l := newLogin(Config{User: "cl", Attributes: [][2]string{{"program_name", "go-clone-recipient"}}}, g, true)
	l.plugin, l.proof = pluginCachingSHA2, all[2].payload[36:68]
	got, want := l.append(nil), bytes.Clone(all[2].payload)
	// Capabilities and the largest packet may be told otherwise.
	copy(want, got[:8])
	if !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
	if start := l.appendStart(nil); !bytes.Equal(start, got[:32]) {
		t.Errorf("the request for TLS is %x", start)
	}
	for _, p := range all[:14] {
		if p.note == "OK packet" {
			if err := parseOK(p.payload); err != nil {
				t.Errorf("#%d: %v", p.number, err)
			}
		}
	}
}
