package archive

import (
	"errors"
	"strings"
	"testing"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/store/storetest"
)

// linksOf makes a tree of folders and links: a path alone is a folder, one with => a link.
func linksOf(lines ...string) []*Member {
	members := []*Member{{Path: Root, Type: TypeDir}}
	for _, line := range lines {
		path, target, isLink := strings.Cut(line, " => ")
		m := &Member{Path: path, Type: TypeDir}
		if isLink {
			m.Type, m.Link = TypeSymlink, target
		}
		members = append(members, m)
	}
	return members
}

func TestLinksAreResolvedAsAKernelDoes(t *testing.T) {
	chain := []string{"c00 => ."}
	for i := range maxLinks {
		chain = append(chain, "c"+string(rune('0'+(i+1)/10))+string(rune('0'+(i+1)%10))+" => c"+string(rune('0'+i/10))+string(rune('0'+i%10)))
	}
	for name, test := range map[string]struct {
		tree   []string
		faulty string
	}{
		"through one":              {[]string{"a", "a/s => ..", "z => a/s/.."}, "z"},
		"through two":              {[]string{"a", "a/b", "a/b/s => ../..", "a/t => b/s", "z => a/t/.."}, "z"},
		"through one that stays":   {[]string{"a", "a/b", "a/s => b", "z => a/s/.."}, ""},
		"through one that is next": {[]string{"a", "a/b => ../z/..", "z => ."}, "a/b"},
		"as far as the root":       {[]string{"a", "a/s => ..", "z => a/s"}, ""},
		"to itself":                {[]string{"z => z"}, "z"},
		"to one another":           {[]string{"y => z", "z => y"}, "y"},
		"to nothing":               {[]string{"z => nothing/there"}, ""},
		"chain of 40":              {chain[:maxLinks], ""},
		"chain of 41":              {chain[:maxLinks+1], "c40"},
		"slashes and dots":         {[]string{"a", "a/s => .././/.", "z => ./a//s/./.."}, "z"},
		"a link twice":             {[]string{"a", "a/s => ..", "z => a/s/a/s/.."}, "z"},
	} {
		t.Run(name, func(t *testing.T) {
			m, what := checkLinks(linksOf(test.tree...))
			if (m == nil) != (test.faulty == "") || m != nil && m.Path != test.faulty {
				t.Errorf("%+v: %s", m, what)
			}
		})
	}
}

func TestTargetsOfLinksHaveABound(t *testing.T) {
	var members []*Member
	for range maxTargets/4000 + 1 {
		members = append(members, &Member{Path: "l", Type: TypeSymlink, Link: strings.Repeat("a/", 2000)})
	}
	if m, what := checkLinks(members); m == nil || !strings.Contains(what, "bytes") {
		t.Errorf("%+v %s", m, what)
	}
}

func TestALinkThatLeadsOutThroughAnotherIsNotPacked(t *testing.T) {
	f := newFolder(t)
	f.dir("a")
	f.link("a/s", "..")
	f.link("z", "a/s/..")
	_, err := Pack(t.Context(), Dir(f.done()), storetest.NewMemory(), options(codec.None))
	var e *EntryError
	if !errors.As(err, &e) || e.Path != "z" {
		t.Errorf("pack: %v", err)
	}
	m := storetest.NewMemory()
	s := newStream(t, m, codec.None, 1)
	must(t, s.Add(entry("a", TypeDir), nil))
	for path, target := range map[string]string{"a/s": "..", "z": "a/s/.."} {
		l := entry(path, TypeSymlink)
		l.Link = target
		must(t, s.Add(l, nil))
	}
	if _, err := s.Close(); !errors.As(err, &e) || e.Path != "z" {
		t.Errorf("stream: %v", err)
	}
}
