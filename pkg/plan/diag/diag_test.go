package diag

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func shown(t *testing.T, f *Files, l List, width int, color bool) string {
	t.Helper()
	var out bytes.Buffer
	if err := Render(&out, f, l, width, color); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func one(r Range) List {
	return List{{Severity: Error, Summary: "Summary", Detail: "Detail.", Range: &r}}
}

func TestRenderPointsAtTheRange(t *testing.T) {
	f := NewFiles()
	f.Add("p.hcl", []byte("a = 1\n\tbé = \"x\"  # end\r\n"))
	start := strings.Index("a = 1\n\tbé = \"x\"", `"x"`)
	got := shown(t, f, one(f.Range("p.hcl", start, start+3)), 0, false)
	want := "Error: Summary\n\n  on p.hcl:2:7\n  2 | \tbé = \"x\"  # end\n    | \t     ^^^\n\n  Detail.\n"
	if got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestRenderWithoutPlaceFileOrDetail(t *testing.T) {
	l := List{{Severity: Warning, Summary: "A", Hint: "do it"}, {Severity: Error, Summary: "B", Range: &Range{File: "gone", StartLine: 3, StartColumn: 1, EndLine: 3, EndColumn: 2}}}
	want := "Warning: A\n\n  Hint: do it\n\nError: B\n\n  on gone:3:1\n"
	if got := shown(t, NewFiles(), l, 0, false); got != want {
		t.Errorf("%q", got)
	}
}

func TestRenderWrapsAndColours(t *testing.T) {
	l := List{{Severity: Error, Summary: "S", Detail: "one two three four"}}
	if got := shown(t, NewFiles(), l, 12, false); got != "Error: S\n\n  one two\n  three four\n" {
		t.Errorf("%q", got)
	}
	if got := shown(t, NewFiles(), l, 0, true); !strings.HasPrefix(got, "\x1b[1m\x1b[31mError:\x1b[0m \x1b[1mS\x1b[0m\n") {
		t.Errorf("%q", got)
	}
}

func TestRenderNeverSendsControlCharacters(t *testing.T) {
	f := NewFiles()
	f.Add("p\x1b", []byte("a = \"\x1b[31m\u202e\x07\"\n"))
	l := one(f.Range("p\x1b", 4, 8))
	l[0].Detail = "bad \x1b]0;title\x07 text\u200b."
	got := shown(t, f, l, 40, false)
	if strings.ContainsAny(got, "\x1b\x07\u202e\u200b") {
		t.Errorf("%q", got)
	}
}

func TestHiddenTextIsReplacedWhereverTheRangeIs(t *testing.T) {
	text := `password = "hunter2" # note` + "\nnext = 1\n"
	secret := strings.Index(text, `"hunter2"`)
	for start := 0; start <= len(text); start++ {
		for end := start; end <= len(text); end++ {
			f := NewFiles()
			f.Add("p", []byte(text))
			f.Hide("p", secret, secret+len(`"hunter2"`))
			got := shown(t, f, one(f.Range("p", start, end)), 0, false)
			if strings.Contains(got, "hunter2") {
				t.Fatalf("%d to %d:\n%s", start, end, got)
			}
			if start < 20 && !strings.Contains(got, mark+" # note") {
				t.Fatalf("%d to %d:\n%s", start, end, got)
			}
		}
	}
}

func TestALongLineIsCutAroundTheRange(t *testing.T) {
	f := NewFiles()
	f.Add("p", []byte(strings.Repeat("é", 5000)+"X"+strings.Repeat("ü", 5000)))
	got := shown(t, f, one(f.Range("p", 10000, 10001)), 0, false)
	if len(got) > 1000 || !strings.Contains(got, "éXü") || !utf8.ValidString(got) {
		t.Errorf("%q", got)
	}
	all := shown(t, f, one(f.Range("p", 0, 20001)), 0, false)
	if len(all) > 1000 || !utf8.ValidString(all) {
		t.Errorf("%q", all)
	}
}

func TestOfAFileThatWasNotUnderstoodWhatLooksLikeASecretIsHidden(t *testing.T) {
	for _, text := range []string{
		"password = \"hunter2\"\n", "  Password: hunter2\n", "a = 1, password = hunter2\n", "password = <<EOT\nhunter2\nEOT\n",
		"password: |\n  hunter2\n", "password:\n  hunter2\n", "password = \"one\nhunter2\"\n", "\xfepassWORD:hunter2", "db_pass = 'hunter2'",
		"token = [\n hunter2\n]\n", "variable \"x\" {\n sensitive = true\n default = \"hunter2\"\n}\n", "{\"password\": \"hunter2\"}", "secret =\\\nhunter2",
	} {
		f := NewFiles()
		f.Add("p", []byte(text))
		f.HideGuessed("p")
		var all List
		for i := range len(text) {
			all = append(all, one(f.Range("p", i, i+1))...)
		}
		if got := shown(t, f, all, 0, false); strings.Contains(got, "hunter2") {
			t.Errorf("%q shows\n%s", text, got)
		}
	}
}

func TestSortedIsByPlaceAndTellsEverythingOnce(t *testing.T) {
	r := func(file string, line int) *Range {
		return &Range{File: file, StartLine: line, StartColumn: 1, EndLine: line, EndColumn: 2}
	}
	l := List{{Summary: "c", Range: r("b", 1)}, {Summary: "b", Range: r("a", 2)}, {Summary: "a", Range: r("a", 2)}, {Summary: "b", Range: r("a", 2)}, {Summary: "z"}}
	var got []string
	for _, d := range l.Sorted() {
		got = append(got, d.Summary)
	}
	if strings.Join(got, " ") != "z a b c" {
		t.Error(got)
	}
}

func TestJSONIsFlat(t *testing.T) {
	text, err := json.Marshal(List{{Severity: Error, Summary: "S", Detail: "D", Range: &Range{"f", 1, 2, 3, 4}, Hint: "H"}, {Severity: Warning, Summary: "W"}})
	want := `[{"severity":"error","summary":"S","detail":"D","file":"f","line":1,"column":2,"end_line":3,"end_column":4,"hint":"H"},{"severity":"warning","summary":"W","detail":""}]`
	if err != nil || string(text) != want {
		t.Errorf("%s %v", text, err)
	}
}

func TestHasErrors(t *testing.T) {
	if (List{{Severity: Warning}}).HasErrors() || !(List{{Severity: Warning}, {Severity: Error}}).HasErrors() || List(nil).HasErrors() {
		t.Error("wrong")
	}
}

func TestNearest(t *testing.T) {
	known := []string{"timeout", "labels", "a"}
	for name, want := range map[string]string{"timeot": "timeout", "label": "labels", "xyz": "", "timeouttt": "timeout", "b": "", "": ""} {
		if got := Nearest(name, known); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if DidYouMean("label", known) != ` Did you mean "labels"?` || DidYouMean("xyz", known) != "" {
		t.Error("sentence")
	}
}

type failing struct{}

var errFull = errors.New("disk full")

func (failing) Write([]byte) (int, error) { return 0, errFull }

func TestRenderReportsAFailedWrite(t *testing.T) {
	if err := Render(failing{}, NewFiles(), List{{Summary: "S"}}, 0, false); !errors.Is(err, errFull) {
		t.Error(err)
	}
}
