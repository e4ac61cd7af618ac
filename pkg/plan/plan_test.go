package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"runner/pkg/plan/graph"
)

func TestASecretNeverPrints(t *testing.T) {
	type holder struct {
		Password Secret
		Inner    *struct{ Secret Secret }
	}
	h := holder{Password: NewSecret(secretWord), Inner: &struct{ Secret Secret }{NewSecret(secretWord)}}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		fmt.Fprintf(&out, verb+" "+verb+" "+verb+"\n", h, h.Password, &h.Password)
	}
	text, err := json.Marshal(map[Secret]holder{h.Password: h})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", h.Password, "holder", h)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "secret", h.Password, "holder", h)
	if strings.Contains(out.String(), secretWord) || strings.Contains(out.String(), fmt.Sprintf("%x", secretWord)) {
		t.Error(out.String())
	}
	if h.Password.Reveal() != secretWord || h.Password.IsZero() || !(Secret{}).IsZero() {
		t.Error("the secret is lost")
	}
}

func loadEverything(t *testing.T) *Plan {
	t.Helper()
	p, files, list := Load([]string{"testdata/valid/everything.yaml"}, testOptions())
	if p == nil {
		t.Fatal(render(t, files, list))
	}
	return p
}

func TestTheGraphRunsTheStepsOfAJobInOrderAndJobsByDependency(t *testing.T) {
	g, err := loadEverything(t).Graph()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(g.Order()); n != 6*5 {
		t.Errorf("%d steps", n)
	}
	first := graph.ID{Job: `job.each["eu"]`, Step: "check"}
	if got := fmt.Sprint(g.After(first)); got != "[job.base/metadata]" {
		t.Errorf("after %s", got)
	}
	if got := fmt.Sprint(g.After(graph.ID{Job: "job.base", Step: "compress"})); got != "[job.base/clone]" {
		t.Errorf("after %s", got)
	}
}

func TestSelectKeepsDependenciesAmongWhatIsSelected(t *testing.T) {
	p := loadEverything(t)
	part, err := p.Select([]string{"job.after", `job.each["us"]`})
	if err != nil {
		t.Fatal(err)
	}
	if len(part.Jobs) != 2 || fmt.Sprint(part.Jobs[1].DependsOn) != `[job.each["us"]]` || len(part.Jobs[0].DependsOn) != 0 {
		t.Errorf("%+v", part.Jobs)
	}
	if len(part.Sources) != 2 || part.Digest == p.Digest || part.Digest == "" {
		t.Errorf("%d sources, digest %s", len(part.Sources), part.Digest)
	}
	if after, _ := p.Job("job.after"); len(after.DependsOn) != 2 {
		t.Error("the plan itself has changed")
	}
	if _, err := part.Graph(); err != nil {
		t.Error(err)
	}
}

func TestSelectOfAnUnknownJobSuggestsOne(t *testing.T) {
	var unknown *UnknownJobError
	if _, err := loadEverything(t).Select([]string{"job.bsae"}); !errors.As(err, &unknown) || unknown.Nearest != "job.base" {
		t.Errorf("%v", err)
	} else if want := `the plan has no job "job.bsae"; did you mean "job.base"?`; err.Error() != want {
		t.Error(err)
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "100": 100, "100B": 100, "64K": 64 << 10, "64KiB": 64 << 10, "64KB": 64 << 10, "100M": 100 << 20, "20 G": 20 << 30, "8T": 8 << 40, "8388607T": 8388607 << 40,
		"": -1, "M": -1, "1.5G": -1, "100m": -1, "100Mb": -1, "-1": -1, "1P": -1, "100M/s": -1, "8388608T": -1, "9223372036854775808": -1, "1iB": -1,
	} {
		got, err := parseSize(text, false)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"100M/s", "100MiB/s", "100/s", "0"} {
		if _, err := parseSize(text, true); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestDurations(t *testing.T) {
	day := 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "6h": 6 * time.Hour, "2d": 2 * day, "1d12h": day + 12*time.Hour, "1.5d": 36 * time.Hour, "1h30m": 90 * time.Minute,
		"": -1, "6": -1, "d": -1, "-1h": -1, "-1d": -1, "1d-1h": -1, "1w": -1, "106752d": -1, "106751d24h": -1, "1h1d": -1,
	} {
		got, err := parseDuration(text)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestAmounts(t *testing.T) {
	for text, want := range map[string]int64{"10%": 100, "0.5 %": 5, "100%": 1000, "0": 0, "20": 20, "1K": 1024, "101%": -1, "x": -1, "-1%": -1, "%": -1} {
		got, err := parseAmount(text)
		if (err != nil) != (want < 0) || err == nil && got.Of(1000) != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestFoldersOfJobsAreSafeAndDistinct(t *testing.T) {
	for want, j := range map[string]Job{
		"orders": {Name: "orders"}, "each.eu": {Name: "each", Key: "eu"}, "each.%2F..%2Fx": {Name: "each", Key: "/../x"}, "each.a%25": {Name: "each", Key: "a%"}, "each.%C3%A9": {Name: "each", Key: "é"},
	} {
		if got := j.Folder(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
