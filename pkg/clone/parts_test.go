package clone

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func pointer[T any](v T) *T { return &v }

func TestQuoteDoublesQuotesAndLeavesBackslashesToNoBackslashEscapes(t *testing.T) {
	for in, want := range map[string]string{
		"/srv/a": "'/srv/a'", "/it's": "'/it''s'", `/a"b`: `'/a"b'`, `/a\'b`: `'/a\''b'`, "''": "''''''", "/é": "'/é'",
	} {
		if got := quote(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

// A quoted literal must end at its last byte and nowhere before, whatever is in it.
func FuzzQuoteEndsWhereItEnds(f *testing.F) {
	for _, seed := range []string{"", "'", "''", `\'`, "a'; DROP TABLE t; -- "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		q := quote(in)
		body := q[1 : len(q)-1]
		if strings.Contains(strings.ReplaceAll(body, "''", ""), "'") || strings.ReplaceAll(body, "''", "'") != in {
			t.Errorf("%q became %s", in, q)
		}
	})
}

func TestLogStatusKeepsWhatTheServerDoesNotSayUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		local, engines string
		want           LogStatus
	}{
		"all": {
			`{"gtid_executed": "a:1-3", "binary_log_file": "binlog.000001", "binary_log_position": 158}`,
			`{"InnoDB": {"LSN": 19556405, "LSN_checkpoint": 19493775}}`,
			LogStatus{
				GTIDExecuted: pointer("a:1-3"), BinlogFile: pointer("binlog.000001"), BinlogPosition: pointer(uint64(158)),
				LSN: pointer(uint64(19556405)), LSNCheckpoint: pointer(uint64(19493775)),
			},
		},
		"no binary log": {`{"gtid_executed": ""}`, `{"InnoDB": {"LSN": 1}}`, LogStatus{GTIDExecuted: pointer(""), LSN: pointer(uint64(1))}},
		"empty name":    {`{"binary_log_file": "", "binary_log_position": 0}`, `{}`, LogStatus{}},
	} {
		got, err := parseLogStatus([]byte(c.local), []byte(c.engines))
		if err != nil || !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	for _, bad := range [][2]string{{"", "{}"}, {"{}", ""}, {`{"binary_log_position": -1}`, "{}"}, {"{}", `{"InnoDB": {"LSN": "x"}}`}} {
		if got, err := parseLogStatus([]byte(bad[0]), []byte(bad[1])); err == nil {
			t.Errorf("%v gave %+v", bad, got)
		}
	}
}

func FuzzLogStatusGivesAnErrorOrAStatus(f *testing.F) {
	f.Add([]byte(`{"gtid_executed": "", "binary_log_file": "b.1", "binary_log_position": 158}`), []byte(`{"InnoDB": {"LSN": 1}}`))
	f.Fuzz(func(t *testing.T, local, engines []byte) {
		status, err := parseLogStatus(local, engines)
		if (status == nil) == (err == nil) {
			t.Errorf("got %v and %v", status, err)
		}
	})
}

// The published engine printed coordinates for every clone, whether it knew them or not.
func TestCoordinatesAreGivenOnlyWhereTheyAreKnown(t *testing.T) {
	at := func(file string, position uint64, gtid string, lsn uint64) *LogStatus {
		return &LogStatus{ServerUUID: "u", BinlogFile: &file, BinlogPosition: &position, GTIDExecuted: &gtid, LSN: &lsn}
	}
	on, off := true, false
	for name, c := range map[string]struct {
		logBin        *bool
		before, after *LogStatus
		want          string
		lsn           bool
	}{
		"quiet":          {&on, at("b.1", 5, "x:1", 7), at("b.1", 5, "x:1", 7), FromQuietWindow, true},
		"InnoDB busy":    {&on, at("b.1", 5, "x:1", 7), at("b.1", 5, "x:1", 8), FromQuietWindow, false},
		"position moved": {&on, at("b.1", 5, "x:1", 7), at("b.1", 6, "x:1", 7), FromWindow, false},
		"rotated":        {&on, at("b.1", 5, "x:1", 7), at("b.2", 5, "x:1", 7), FromWindow, false},
		"GTID moved":     {&on, at("b.1", 5, "x:1", 7), at("b.1", 5, "x:2", 7), FromWindow, false},
		"another server": {&on, at("b.1", 5, "x:1", 7), &LogStatus{ServerUUID: "v", BinlogFile: pointer("b.1"), BinlogPosition: pointer(uint64(5)), GTIDExecuted: pointer("x:1")}, FromWindow, false},
		"no binary log":  {&off, &LogStatus{}, &LogStatus{}, FromNone, false},
		"not readable":   {&on, nil, nil, FromUnknown, false},
		"half readable":  {&on, at("b.1", 5, "x:1", 7), nil, FromUnknown, false},
		"nothing known":  {nil, at("b.1", 5, "x:1", 7), at("b.1", 5, "x:1", 7), FromUnknown, false},
		"no file":        {&on, &LogStatus{}, &LogStatus{}, FromUnknown, false},
	} {
		got := coordinates(c.logBin, c.before, c.after)
		quiet := c.want == FromQuietWindow
		if got.From != c.want || (got.BinlogFile != nil) != quiet || (got.BinlogPosition != nil) != quiet ||
			(got.GTIDExecuted != nil) != quiet || (got.LSN != nil) != c.lsn {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestMeterSumsTheCopyingStagesAndNeverGoesBack(t *testing.T) {
	stages := func(current string, data ...int64) []Stage {
		list := []Stage{{Name: "DROP DATA", State: stateCompleted}}
		for i, name := range []string{"FILE COPY", "PAGE COPY", "REDO COPY", "FILE SYNC"} {
			stage := Stage{Name: name, State: stateNotStarted, Estimate: data[2*i], Data: data[2*i+1]}
			if name == current {
				stage.State = stateInProgress
			} else if stage.Data > 0 {
				stage.State = stateCompleted
			}
			list = append(list, stage)
		}
		return list
	}
	var m meter
	start := time.Now()
	if p, begun := m.add(start, stages("", 0, 0, 0, 0, 0, 0, 0, 0)); begun {
		t.Errorf("before the beginning: %+v", p)
	}
	for _, c := range []struct {
		after  time.Duration
		stages []Stage
		want   Progress
	}{
		{0, stages("FILE COPY", 100, 0, 0, 0, 0, 0, 0, 0), Progress{Stage: "FILE COPY", Done: 0, Total: 100, Rate: 0}},
		{time.Second, stages("FILE COPY", 100, 20, 0, 0, 0, 0, 0, 0), Progress{Stage: "FILE COPY", Done: 20, Total: 100, Rate: 20}},
		{2 * time.Second, stages("FILE COPY", 100, 60, 0, 0, 0, 0, 0, 0), Progress{Stage: "FILE COPY", Done: 60, Total: 100, Rate: 30}},
		{9 * time.Second, stages("PAGE COPY", 100, 100, 30, 10, 0, 0, 0, 0), Progress{Stage: "PAGE COPY", Done: 110, Total: 130, Rate: 7}},
		{10 * time.Second, stages("REDO COPY", 100, 100, 30, 30, 0, 5, 0, 0), Progress{Stage: "REDO COPY", Done: 135, Total: 135, Rate: 25}},
		{11 * time.Second, stages("REDO COPY", 100, 100, 30, 30, 0, 4, 0, 0), Progress{Stage: "REDO COPY", Done: 135, Total: 135, Rate: 12}},
	} {
		got, begun := m.add(start.Add(c.after), c.stages)
		if !begun || got != c.want {
			t.Errorf("after %s: got %+v, want %+v", c.after, got, c.want)
		}
	}
}
