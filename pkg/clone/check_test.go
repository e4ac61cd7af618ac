package clone

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestAHealthyServerHasNothingWrong(t *testing.T) {
	s := healthy(t)
	s.spaces = EstimateSpace(s.facts, s.target)
	for _, f := range runChecks(t.Context(), s) {
		if f.Severity != SeverityOK || f.Hint != "" || f.Summary == "" || f.Detail == "" {
			t.Errorf("got %+v", f)
		}
	}
}

func TestFindingsAreAlwaysTheSameInTheSameOrder(t *testing.T) {
	spoiled := subject{facts: &Facts{Unknown: map[string]string{}}}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for i, c := range checks() {
		if i > 0 && c.code <= checks()[i-1].code {
			t.Errorf("%s is out of order", c.code)
		}
	}
	for _, mode := range []string{ModeLocal, ModeStream} {
		of := func(s subject) subject {
			s.target.Mode = mode
			s.spaces = EstimateSpace(s.facts, s.target)
			return s
		}
		var want []string
		for _, c := range checks() {
			if c.concerns(Target{Mode: mode}) {
				want = append(want, c.code)
			}
		}
		for name, run := range map[string]func() []Finding{
			"healthy": func() []Finding {
				s := of(healthy(t))
				return runChecks(t.Context(), s)
			},
			"nothing known": func() []Finding {
				return runChecks(t.Context(), of(spoiled))
			},
			"cancelled": func() []Finding { return runChecks(cancelled, of(healthy(t))) },
		} {
			var got []string
			for _, f := range run() {
				got = append(got, f.Code)
				if name != "healthy" && f.Severity == SeverityOK && name == "cancelled" {
					t.Errorf("cancelled, and yet %+v", f)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, mode %s: got %v, want %v", name, mode, got, want)
			}
		}
	}
}

func TestEveryCodeIsDocumented(t *testing.T) {
	text, err := os.ReadFile("CHECKS.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := regexp.MustCompile(`(?m)^\| (RUN\d{3}) \|`).FindAllStringSubmatch(string(text), -1)
	var got, want []string
	for _, m := range documented {
		got = append(got, m[1])
	}
	for _, c := range checks() {
		want = append(want, c.code)
	}
	for _, c := range remoteChecks() {
		if !slices.Contains(want, c.code) {
			want = append(want, c.code)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("CHECKS.md has %v, the checks are %v", got, want)
	}
}

func TestNamesAreQuotedForWhatTheyArePastedInto(t *testing.T) {
	for got, want := range map[string]string{
		quoteAccount("o'b@r@local%"): `'o''b@r'@'local%'`,
		quoteAccount("nohost"):       `'nohost'@'%'`,
		quoteAccount(""):             `'backup'@'localhost'`,
		quoteLiteral(`a\b`):          `'a\\b'`,
		quoteName("a`b"):             "`a``b`",
		shellQuote("/var/tmp/a-b_1"): "/var/tmp/a-b_1",
		shellQuote("/a b'c"):         `'/a b'\''c'`,
		shellQuote(""):               `''`,
		bytesText(1023):              "1023 B",
		bytesText(1536):              "1.5 KiB",
		bytesText(5 << 40):           "5.0 TiB",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	many := strings.Split(strings.Repeat("t ", 12), " ")
	if got := most(many[:12]); got != "t, t, t, t, t, t, t, t, t, t and 2 more" {
		t.Errorf("got %s", got)
	}
}
