// Package graph holds the order in which the steps of a plan run.
//
// A [Graph] is built once by [New], which finds every duplicate, every
// unknown predecessor and every cycle, and never changes afterwards: all its
// methods are safe for concurrent use. It knows nothing of what a step does.
package graph

import (
	"cmp"
	"container/heap"
	"errors"
	"slices"
)

// ID names a step: the address of its job and its own name.
type ID struct {
	Job  string // address of the job, such as job.orders or job.each["eu"]
	Step string // such as clone
}

// String gives the form that logs, the journal and the command line show: job.orders/clone.
func (id ID) String() string { return id.Job + "/" + id.Step }

// Node is a step and the steps that must have finished before it starts.
type Node struct {
	ID    ID
	After []ID // may name a step more than once; counted once
}

// Graph is an immutable directed acyclic graph of steps.
type Graph struct {
	nodes  []Node
	index  map[ID]int
	after  [][]int // predecessors by position in nodes, ascending
	before [][]int // successors by position in nodes, ascending
	order  []int
}

// New builds the graph of nodes. The error joins every problem there is: a
// [*DuplicateError] for each step given twice, an [*UnknownError] for each
// predecessor that is not in nodes, a [*SelfError] for each step that waits
// for itself, and a [*CycleError] for each set of steps that wait for one
// another. It takes time in O(V log V + E log E).
func New(nodes []Node) (*Graph, error) {
	g := &Graph{
		nodes: make([]Node, 0, len(nodes)),
		index: make(map[ID]int, len(nodes)),
	}
	var errs []error
	for _, n := range nodes {
		if _, ok := g.index[n.ID]; ok {
			errs = append(errs, &DuplicateError{ID: n.ID})
			continue
		}
		g.index[n.ID] = len(g.nodes)
		g.nodes = append(g.nodes, Node{ID: n.ID, After: slices.Clone(n.After)})
	}
	errs = append(errs, g.connect()...)
	for _, members := range g.cycles() {
		errs = append(errs, &CycleError{Members: members})
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	g.order = g.sort()
	return g, nil
}

// connect turns names into positions and reports what can't be one.
func (g *Graph) connect() []error {
	var errs []error
	g.after = make([][]int, len(g.nodes))
	g.before = make([][]int, len(g.nodes))
	for i, n := range g.nodes {
		for _, id := range n.After {
			j, ok := g.index[id]
			switch {
			case !ok:
				errs = append(errs, &UnknownError{ID: n.ID, After: id})
			case i == j:
				errs = append(errs, &SelfError{ID: id})
			default:
				g.after[i] = append(g.after[i], j)
			}
		}
		slices.Sort(g.after[i])
		g.after[i] = slices.Compact(g.after[i])
		for _, j := range g.after[i] {
			g.before[j] = append(g.before[j], i)
		}
	}
	return errs
}

// sort is Kahn's algorithm with the ready steps in a heap by position, so
// that the order is the one of the input wherever the edges leave a choice.
func (g *Graph) sort() []int {
	waits := make([]int, len(g.nodes))
	ready := &positions{}
	for i := range g.nodes {
		if waits[i] = len(g.after[i]); waits[i] == 0 {
			heap.Push(ready, i)
		}
	}
	order := make([]int, 0, len(g.nodes))
	for ready.Len() > 0 {
		i := heap.Pop(ready).(int)
		order = append(order, i)
		for _, j := range g.before[i] {
			if waits[j]--; waits[j] == 0 {
				heap.Push(ready, j)
			}
		}
	}
	return order
}

// Nodes gives the steps in the order in which New got them.
func (g *Graph) Nodes() []Node {
	out := make([]Node, len(g.nodes))
	for i, n := range g.nodes {
		out[i] = Node{ID: n.ID, After: g.ids(g.after[i])}
	}
	return out
}

// Order gives every step after all the steps that it waits for. Where that
// leaves a choice, steps keep the order in which New got them, so the result
// is the same each time.
func (g *Graph) Order() []ID { return g.ids(g.order) }

// After gives the steps that id waits for directly; nil if id is not in the graph.
func (g *Graph) After(id ID) []ID { return g.neighbours(id, g.after) }

// Before gives the steps that wait for id directly; nil if id is not in the graph.
func (g *Graph) Before(id ID) []ID { return g.neighbours(id, g.before) }

// Descendants gives every step that waits for id, directly or through others,
// in the order of [Graph.Order]; nil if there is none or id is not in the graph.
func (g *Graph) Descendants(id ID) []ID {
	start, ok := g.index[id]
	if !ok {
		return nil
	}
	seen := make([]bool, len(g.nodes))
	for stack := []int{start}; len(stack) > 0; {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, j := range g.before[i] {
			if !seen[j] {
				seen[j] = true
				stack = append(stack, j)
			}
		}
	}
	var out []ID
	for _, i := range g.order {
		if seen[i] {
			out = append(out, g.nodes[i].ID)
		}
	}
	return out
}

func (g *Graph) neighbours(id ID, edges [][]int) []ID {
	i, ok := g.index[id]
	if !ok {
		return nil
	}
	return g.ids(edges[i])
}

func (g *Graph) ids(at []int) []ID {
	if len(at) == 0 {
		return nil
	}
	out := make([]ID, len(at))
	for k, i := range at {
		out[k] = g.nodes[i].ID
	}
	return out
}

// positions is a min-heap.
type positions []int

func (p positions) Len() int           { return len(p) }
func (p positions) Less(i, j int) bool { return cmp.Less(p[i], p[j]) }
func (p positions) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *positions) Push(x any)        { *p = append(*p, x.(int)) }

func (p *positions) Pop() any {
	last := len(*p) - 1
	x := (*p)[last]
	*p = (*p)[:last]
	return x
}
