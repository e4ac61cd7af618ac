package graph

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func id(s string) ID {
	job, step, _ := strings.Cut(s, "/")
	return ID{Job: job, Step: step}
}

// nodes reads "a: b c" as a after b and c.
func nodes(lines ...string) []Node {
	var out []Node
	for _, l := range lines {
		name, after, _ := strings.Cut(l, ":")
		n := Node{ID: id(name)}
		for _, a := range strings.Fields(after) {
			n.After = append(n.After, id(a))
		}
		out = append(out, n)
	}
	return out
}

func names(ids []ID) string {
	var out []string
	for _, i := range ids {
		out = append(out, i.Job)
	}
	return strings.Join(out, " ")
}

func TestOrderKeepsTheInputWhereEdgesLeaveAChoice(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		in         []Node
	}{
		{"empty", "", nil},
		{"no edges", "c b a", nodes("c", "b", "a")},
		{"chain backwards", "a b c", nodes("c: b", "b: a", "a")},
		{"diamond", "a c b d", nodes("d: b c", "a", "c: a", "b: a")},
		{"same edge twice", "a b", nodes("b: a a", "a")},
		{"ready late", "x a b", nodes("b: a", "x", "a")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for range 20 {
				g, err := New(tc.in)
				if err != nil {
					t.Fatal(err)
				}
				if got := names(g.Order()); got != tc.want {
					t.Fatalf("order %q, want %q", got, tc.want)
				}
			}
		})
	}
}

func TestNeighboursAndDescendants(t *testing.T) {
	g, err := New(nodes("a", "b: a", "c: a", "d: b c", "e"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ what, got, want string }{
		{"after d", names(g.After(id("d"))), "b c"},
		{"before a", names(g.Before(id("a"))), "b c"},
		{"descendants of a", names(g.Descendants(id("a"))), "b c d"},
		{"descendants of e", names(g.Descendants(id("e"))), ""},
		{"after unknown", names(g.After(id("x"))), ""},
		{"before unknown", names(g.Before(id("x"))), ""},
		{"descendants of unknown", names(g.Descendants(id("x"))), ""},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: %q, want %q", tc.what, tc.got, tc.want)
		}
	}
	if n := g.Nodes(); len(n) != 5 || names(n[3].After) != "b c" {
		t.Errorf("nodes %v", n)
	}
}

func TestChangingTheInputDoesNotChangeTheGraph(t *testing.T) {
	in := nodes("a", "b: a")
	g, err := New(in)
	if err != nil {
		t.Fatal(err)
	}
	in[1].After[0] = id("z")
	g.Order()[0] = id("z")
	if got := names(g.Order()) + "|" + names(g.After(id("b"))); got != "a b|a" {
		t.Error(got)
	}
}

func TestNewReportsAllProblemsAtOnce(t *testing.T) {
	_, err := New(nodes("a: b", "b: c", "c: a", "s: s", "p: q", "q: p", "u: nowhere", "a"))
	want := []string{
		"step a/ is there twice",
		"step s/ waits for itself",
		"step u/ waits for nowhere/, which does not exist",
		"steps wait for one another: a/, b/, c/",
		"steps wait for one another: p/, q/",
	}
	if err == nil {
		t.Fatal("no error")
	}
	if got := strings.Split(err.Error(), "\n"); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var cycle *CycleError
	var self *SelfError
	var dup *DuplicateError
	var unknown *UnknownError
	if !errors.As(err, &cycle) || !errors.As(err, &self) || !errors.As(err, &dup) || !errors.As(err, &unknown) {
		t.Error("an error of one of the types is missing")
	}
}

func TestADeepChainNeedsNoDeepStack(t *testing.T) {
	const depth = 200_000
	in := make([]Node, depth)
	for i := range in {
		in[i].ID = ID{Job: fmt.Sprint(i)}
		if i+1 < depth {
			in[i].After = []ID{{Job: fmt.Sprint(i + 1)}}
		}
	}
	g, err := New(in)
	if err != nil {
		t.Fatal(err)
	}
	if g.Order()[0].Job != fmt.Sprint(depth-1) {
		t.Error("the last of the chain comes first")
	}
}

func TestRandomGraphsComeOutInATopologicalOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		in := make([]Node, 1+r.IntN(30))
		for i := range in {
			in[i].ID = ID{Job: fmt.Sprint(i)}
			for j := range i {
				if r.IntN(4) == 0 {
					in[i].After = append(in[i].After, ID{Job: fmt.Sprint(j)})
				}
			}
		}
		r.Shuffle(len(in), func(i, j int) { in[i], in[j] = in[j], in[i] })
		g, err := New(in)
		if err != nil {
			t.Fatal(err)
		}
		done := map[ID]bool{}
		for _, n := range g.Order() {
			for _, a := range g.After(n) {
				if !done[a] {
					t.Fatalf("%v before %v", n, a)
				}
			}
			done[n] = true
		}
		if len(done) != len(in) {
			t.Fatalf("%d of %d", len(done), len(in))
		}
	}
}

func TestDrawings(t *testing.T) {
	g, err := New([]Node{
		{ID: ID{Job: `job.each["eu"]`, Step: "check"}},
		{ID: ID{Job: `job.each["eu"]`, Step: "clone"}, After: []ID{{Job: `job.each["eu"]`, Step: "check"}}},
		{ID: ID{Job: "job.b", Step: "check"}, After: []ID{{Job: `job.each["eu"]`, Step: "clone"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var dot, mermaid strings.Builder
	if err := errors.Join(g.DOT(&dot), g.Mermaid(&mermaid)); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{"plan.dot": dot.String(), "plan.mermaid": mermaid.String()} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

type failing struct{}

var errFull = errors.New("disk full")

func (failing) Write([]byte) (int, error) { return 0, errFull }

func TestDrawingsReportAFailedWrite(t *testing.T) {
	g, err := New(nodes("a"))
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(g.DOT(failing{}), errFull) || !errors.Is(g.Mermaid(failing{}), errFull) {
		t.Error("write error lost")
	}
}
