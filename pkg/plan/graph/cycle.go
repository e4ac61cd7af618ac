package graph

import (
	"slices"
	"strings"
)

// DuplicateError says that a step was given to [New] twice.
type DuplicateError struct{ ID ID }

func (e *DuplicateError) Error() string { return "step " + e.ID.String() + " is there twice" }

// UnknownError says that a step waits for one that is not in the graph.
type UnknownError struct{ ID, After ID }

func (e *UnknownError) Error() string {
	return "step " + e.ID.String() + " waits for " + e.After.String() + ", which does not exist"
}

// SelfError says that a step waits for itself.
type SelfError struct{ ID ID }

func (e *SelfError) Error() string { return "step " + e.ID.String() + " waits for itself" }

// CycleError says that steps wait for one another, so that none can start.
type CycleError struct {
	// Members are all the steps that can't start because of each other, in
	// the order in which New got them. They may form more than one ring.
	Members []ID
}

func (e *CycleError) Error() string {
	names := make([]string, len(e.Members))
	for i, id := range e.Members {
		names[i] = id.String()
	}
	return "steps wait for one another: " + strings.Join(names, ", ")
}

// cycles gives the strongly connected components of more than one step, found
// by Tarjan's algorithm in O(V + E). The walk keeps its own stack, since the
// depth is that of the longest chain and comes from a user's file.
func (g *Graph) cycles() [][]ID {
	t := tarjan{edges: g.after, index: make([]int, len(g.nodes)), low: make([]int, len(g.nodes)), on: make([]bool, len(g.nodes))}
	for i := range g.nodes {
		if t.index[i] == 0 {
			t.walk(i)
		}
	}
	slices.SortFunc(t.found, func(a, b []int) int { return a[0] - b[0] })
	out := make([][]ID, len(t.found))
	for i, members := range t.found {
		out[i] = g.ids(members)
	}
	return out
}

type tarjan struct {
	edges [][]int
	index []int // order of discovery from 1; 0 is not yet seen
	low   []int
	on    []bool // is on stack
	stack []int
	next  int
	found [][]int
}

// visit is where a walk stands in one step's edges.
type visit struct{ node, edge int }

func (t *tarjan) walk(root int) {
	calls := []visit{t.enter(root)}
	for len(calls) > 0 {
		top := &calls[len(calls)-1]
		if top.edge == len(t.edges[top.node]) {
			t.leave(top.node)
			node := top.node
			calls = calls[:len(calls)-1]
			if len(calls) > 0 {
				parent := calls[len(calls)-1].node
				t.low[parent] = min(t.low[parent], t.low[node])
			}
			continue
		}
		to := t.edges[top.node][top.edge]
		top.edge++
		switch {
		case t.index[to] == 0:
			calls = append(calls, t.enter(to))
		case t.on[to]:
			t.low[top.node] = min(t.low[top.node], t.index[to])
		}
	}
}

func (t *tarjan) enter(node int) visit {
	t.next++
	t.index[node], t.low[node] = t.next, t.next
	t.stack = append(t.stack, node)
	t.on[node] = true
	return visit{node: node}
}

// leave takes the component off the stack when node is the first of it seen.
func (t *tarjan) leave(node int) {
	if t.low[node] != t.index[node] {
		return
	}
	at := len(t.stack) - 1
	for t.stack[at] != node { // from the end: the component is on top
		at--
	}
	members := slices.Clone(t.stack[at:])
	t.stack = t.stack[:at]
	for _, m := range members {
		t.on[m] = false
	}
	if len(members) > 1 {
		slices.Sort(members)
		t.found = append(t.found, members)
	}
}
