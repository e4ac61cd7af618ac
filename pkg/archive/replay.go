package archive

import (
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"sort"
	"strings"
)

// replay is the tree that the members of a tar with patches make, one after the other. The writer of
// a stream keeps it to know what it has written; a reader makes it anew from the headers.
//
// Standard tools unpack all whole members before the script applies any patch. So that both give the
// same, the path of a whole member is one that no operation has touched before.
type replay struct {
	nodes   map[string]*node    // by path, as it is now
	all     []*node             // in the order in which they were made
	touched map[string]struct{} // paths that operations have made, moved from or to, or removed
	tar     []*TarMember
	patches int64 // number of the next patch
	ended   bool  // the script was there
}

// node is a file, folder or link that a member made.
type node struct {
	number   int    // place in what tar unpacks; set by replay.unpacked
	entry    Entry  // Path and Size are those of now
	unpacked string // where tar unpacks the member: its path, or the name of a patch; empty if there is none
	base     place  // of the member
	whole    int64  // size of the content of the member
	patched  bool   // made or changed by patches
	writes   []write
	cut      int64 // the lowest size that it was cut to
	children int   // names in the folder
	removed  bool

	extents []Extent // once all is replayed; for patched files
}

func newReplay() *replay {
	return &replay{nodes: map[string]*node{}, touched: map[string]struct{}{}}
}

// fresh says whether a whole member may have this path.
func (r *replay) fresh(p string) bool {
	if _, ok := r.touched[p]; ok {
		return false
	}
	parent := r.nodes[path.Dir(p)]
	return p == Root || parent == nil || !parent.patched
}

// placeFault says why nothing can be made at a path; empty if it can.
func (r *replay) placeFault(p string) string {
	what := pathFault(p)
	switch {
	case what != "":
		return what
	case p == Marker:
		return "it is the mark of an unfinished clone"
	case r.nodes[p] != nil:
		return "it is there already"
	case p == Root || path.Dir(p) == Root:
		return ""
	}
	if parent := r.nodes[path.Dir(p)]; parent == nil || parent.entry.Type != TypeDir {
		return "what it lies in is no folder of the archive"
	}
	return ""
}

// makeFault says why an entry cannot be made; empty if it can. A patch may make what is no whole member.
func (r *replay) makeFault(e Entry, byPatch bool) string {
	what := r.placeFault(e.Path)
	switch {
	case what != "":
		return what
	case e.Type == TypeSymlink:
		return linkFault(e.Path, e.Link)
	case (e.Path == Root || e.Path == markerDir) && e.Type != TypeDir:
		return "it is no folder"
	case byPatch && (e.Path == Root || e.Path == markerDir):
		return "it cannot be made by a patch"
	case !byPatch && !r.fresh(e.Path):
		return "its name was used before"
	}
	return ""
}

// add makes what makeFault let through.
func (r *replay) add(e Entry, byPatch bool) *node {
	n := &node{entry: e, unpacked: e.Path, patched: byPatch, cut: math.MaxInt64}
	r.nodes[e.Path] = n
	r.all = append(r.all, n)
	r.enter(n)
	if byPatch {
		n.unpacked = "" // until the member that creates it is there
		r.touched[e.Path] = struct{}{}
	}
	return n
}

func (r *replay) enter(n *node) {
	if parent := r.nodes[path.Dir(n.entry.Path)]; parent != nil && n.entry.Path != Root {
		parent.children++
	}
}

func (r *replay) leave(n *node) {
	delete(r.nodes, n.entry.Path)
	r.touched[n.entry.Path] = struct{}{}
	if parent := r.nodes[path.Dir(n.entry.Path)]; parent != nil {
		parent.children--
	}
}

// file gives the file of a path, or what is wrong with it.
func (r *replay) file(p string) (*node, string) {
	n := r.nodes[p]
	switch {
	case n == nil:
		return nil, "there is no such file"
	case n.entry.Type != TypeFile:
		return nil, "it is no file"
	}
	return n, ""
}

// write takes n bytes at off from the tar.
func (n *node) write(off, bytes, at int64) {
	n.toPatched()
	n.writes = append(n.writes, write{off: off, n: bytes, at: at})
	n.entry.Size = max(n.entry.Size, off+bytes)
}

func (n *node) resize(size int64) {
	n.toPatched()
	if size < n.entry.Size {
		n.cut = min(n.cut, size)
		n.writes = append(n.writes, cutOff(size))
	}
	n.entry.Size = size
}

// toPatched makes the content of a whole member the first of the writes.
func (n *node) toPatched() {
	if !n.patched && n.entry.Size > 0 {
		n.writes = []write{{off: 0, n: n.entry.Size, at: n.base.offset}}
	}
	n.patched = true
}

func (r *replay) renameFault(from, to string) string {
	n := r.nodes[from]
	switch {
	case n == nil:
		return "there is no such file"
	case n.entry.Type == TypeDir:
		return "folders cannot be renamed"
	case to == Root || to == markerDir:
		return fmt.Sprintf("%q cannot be made by a patch", to)
	}
	if what := r.placeFault(to); what != "" {
		return fmt.Sprintf("new name %q: %s", to, what)
	}
	if n.entry.Type == TypeSymlink {
		return linkFault(to, n.entry.Link)
	}
	return ""
}

func (r *replay) rename(from, to string) {
	n := r.nodes[from]
	r.leave(n)
	n.entry.Path = to
	r.nodes[to] = n
	r.touched[to] = struct{}{}
	r.enter(n)
}

func (r *replay) removeFault(p string) string {
	n := r.nodes[p]
	switch {
	case n == nil:
		return "there is no such file"
	case p == Root || p == markerDir:
		return "this folder cannot be removed"
	case n.children > 0:
		return "the folder is not empty"
	}
	return ""
}

func (r *replay) remove(p string) {
	n := r.nodes[p]
	r.leave(n)
	n.removed = true
}

// member takes the next member of the tar as its header says it is: e with p, which is nil for a whole
// member. Errors are [*UnsafeError] for paths and operations that cannot be, and others, in plain words,
// for a tar that has not the form of one with patches.
func (r *replay) member(e Entry, p *patch, at place) error {
	if r.ended {
		return fmt.Errorf("member %q comes after %s", e.Path, scriptPath)
	}
	r.tar = append(r.tar, &TarMember{Name: e.Path, Header: at.header, Offset: at.offset, Size: e.Size})
	switch {
	case p != nil:
		if e.Path != patchName(r.patches) {
			return fmt.Errorf("member %q is patch %d", e.Path, r.patches)
		}
		r.patches++
		return r.patch(e, p, at)
	case e.Path == scriptPath && e.Type == TypeFile:
		r.ended = true
		return nil
	}
	if what := r.makeFault(e, false); what != "" {
		return &UnsafeError{Member: e.Path, What: what}
	}
	n := r.add(e, false)
	n.base, n.whole = at, e.Size
	return nil
}

func (r *replay) patch(e Entry, p *patch, at place) error {
	unsafe := func(what string) error { return &UnsafeError{Member: p.path, What: what} }
	switch {
	case sizeFault(p.end()) != "":
		return unsafe(sizeFault(p.end()))
	case p.remove:
		if what := r.removeFault(p.path); what != "" {
			return unsafe(what)
		}
		r.remove(p.path)
		return nil
	case p.rename != "":
		if what := r.renameFault(p.path, p.rename); what != "" {
			return unsafe(what)
		}
		r.rename(p.path, p.rename)
		return nil
	case p.create:
		name := e.Path
		e.Path, e.Size = p.path, 0
		if what := r.makeFault(e, true); what != "" {
			return unsafe(what)
		}
		n := r.add(e, true)
		n.unpacked, n.base, n.whole = name, at, p.payload()
		n.alter(p, at.offset)
		return nil
	}
	n, what := r.file(p.path)
	if what != "" {
		return unsafe(what)
	}
	n.alter(p, at.offset)
	return nil
}

// alter writes the ranges of a patch whose payload is at this offset of the tar, and sets the size.
func (n *node) alter(p *patch, at int64) {
	for _, r := range p.ranges {
		n.write(r.off, r.n, at)
		at += r.n
	}
	if p.size >= 0 {
		n.resize(p.size)
	}
}

// errNoScript says that a tar with patches does not end as one.
var errNoScript = errors.New("its last member is not " + scriptPath)

// end gives the members of the index once all of the tar was replayed: the tree, sorted. What headers do
// not say is left open: digests, InnoDB facts, and how much disk whole files took. starts are the
// offsets in the tar of the frames, and of the end.
func (r *replay) end(starts []int64) ([]*Member, error) {
	if !r.ended {
		return nil, errNoScript
	}
	nodes := r.sorted()
	members := make([]*Member, len(nodes))
	for i, n := range nodes {
		members[i] = n.member(starts)
	}
	return members, nil
}

// unpacked returns what tar unpacks, in the order of the tar, and numbers it.
func (r *replay) unpacked() []*node {
	nodes := slices.DeleteFunc(slices.Clone(r.all), func(n *node) bool { return n.unpacked == "" })
	sort.Slice(nodes, func(i, j int) bool { return nodes[i].base.header < nodes[j].base.header })
	for i, n := range nodes {
		n.number = i
	}
	return nodes
}

// sorted gives what is in the tree, in the order of the index, with the extents of files resolved.
func (r *replay) sorted() []*node {
	nodes := make([]*node, 0, len(r.nodes))
	for _, n := range r.nodes {
		if n.patched && n.entry.Type == TypeFile && n.extents == nil {
			n.extents = resolve(n.writes)
		}
		nodes = append(nodes, n)
	}
	sort.Slice(nodes, func(i, j int) bool { return pathLess(nodes[i].entry.Path, nodes[j].entry.Path) })
	return nodes
}

func (n *node) member(starts []int64) *Member {
	m := memberOf(n.entry)
	if n.patched && n.entry.Type == TypeFile {
		m.Extents = n.extents
		m.Allocated = liveBytes(n.extents)
		m.First, m.Last = frameRange(n.extents, starts)
		return m
	}
	m.Header, m.Offset = n.base.header, n.base.offset
	m.First, m.Last = contentFrames(starts, m)
	return m
}

func liveBytes(extents []Extent) int64 {
	n := int64(0)
	for _, e := range extents {
		n += e.N
	}
	return n
}

// frameRange gives the lowest and the highest frame that holds bytes of extents; 0 and 0 where there are none.
func frameRange(extents []Extent, starts []int64) (first, last int) {
	for i, e := range extents {
		lo, hi := frameOf(starts, e.At), frameOf(starts, e.At+e.N-1)
		if i == 0 {
			first = lo
		}
		first, last = min(first, lo), max(last, hi)
	}
	return first, last
}

// isReserved says whether a name lies where patches and the script do.
func isReserved(name string) bool {
	return name == reserved || strings.HasPrefix(name, reserved+"/")
}
