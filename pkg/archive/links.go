package archive

import (
	"fmt"
	"strings"
)

const (
	// maxLinks is how many symbolic links Linux follows for one path (path_resolution(7)).
	maxLinks = 40
	// maxTargets bounds the targets of all links of a tree together, in bytes, and with that the time to resolve them.
	maxTargets = 16 << 20
)

// linkTree resolves the symbolic links of a tree as a kernel does: ".." after a link is the parent of what the link
// leads to.
type linkTree struct {
	targets  map[string]string // by the path of the link
	resolved map[string]resolvedLink
}

// resolvedLink is where a link leads.
type resolvedLink struct {
	path  string // in the tree; empty for the root
	links int    // that were followed, with the link itself
}

// checkLinks returns the first link that leads out of the tree, directly or through other links, or through more
// links than a kernel follows. Paths that nothing is at count as folders, since something may be made there later.
func checkLinks(members []*Member) (faulty *Member, what string) {
	t := linkTree{targets: map[string]string{}, resolved: map[string]resolvedLink{}}
	total := 0
	for _, m := range members {
		if m.Type != TypeSymlink {
			continue
		}
		if total += len(m.Link); total > maxTargets {
			return m, fmt.Sprintf("the targets of the symbolic links have more than %d bytes", maxTargets)
		}
		t.targets[m.Path] = m.Link
	}
	if len(t.targets) == 0 {
		return nil, ""
	}
	for _, m := range members {
		if m.Type == TypeSymlink {
			if _, what := t.resolve(m.Path, maxLinks); what != "" {
				return m, what
			}
		}
	}
	return nil, ""
}

// resolve follows a link, over at most left links.
func (t *linkTree) resolve(link string, left int) (resolvedLink, string) {
	if r, ok := t.resolved[link]; ok && r.links <= left {
		return r, ""
	}
	if left == 0 {
		return resolvedLink{}, fmt.Sprintf("it is a symbolic link that leads through more than %d others, or to itself", maxLinks)
	}
	at := resolvedLink{path: parentOf(link), links: 1}
	for element := range strings.SplitSeq(t.targets[link], "/") {
		switch element {
		case "", ".":
			continue
		case "..":
			if at.path == "" {
				return at, "it is a symbolic link that leads out of the tree, to " + t.targets[link]
			}
			at.path = parentOf(at.path)
			continue
		}
		to := element
		if at.path != "" {
			to = at.path + "/" + element
		}
		if len(to) > maxPath {
			return at, "it is a symbolic link to a path that is too long"
		}
		at.path = to
		if _, ok := t.targets[to]; !ok {
			continue
		}
		next, what := t.resolve(to, left-at.links)
		if what != "" {
			return at, what
		}
		at = resolvedLink{path: next.path, links: at.links + next.links}
	}
	t.resolved[link] = at
	return at, ""
}

// parentOf returns the path of the folder that p lies in; empty for the root.
func parentOf(p string) string {
	return p[:max(strings.LastIndexByte(p, '/'), 0)]
}
