package graph

import (
	"fmt"
	"io"
	"strings"
)

// DOT writes the graph in the language of Graphviz, a cluster for each job and
// edges in the direction of time.
func (g *Graph) DOT(w io.Writer) error {
	b := &strings.Builder{}
	fmt.Fprint(b, "digraph plan {\n  rankdir = LR;\n  node [shape = box];\n")
	for i, job := range g.jobs() {
		fmt.Fprintf(b, "  subgraph cluster_%d {\n    label = %s;\n", i, dotQuote(job.name))
		for _, n := range job.steps {
			fmt.Fprintf(b, "    n%d [label = %s];\n", n, dotQuote(g.nodes[n].ID.Step))
		}
		fmt.Fprint(b, "  }\n")
	}
	for _, i := range g.order {
		for _, j := range g.after[i] {
			fmt.Fprintf(b, "  n%d -> n%d;\n", j, i)
		}
	}
	fmt.Fprint(b, "}\n")
	return write(w, b.String())
}

// Mermaid writes the graph as a Mermaid flowchart, a subgraph for each job and
// edges in the direction of time.
func (g *Graph) Mermaid(w io.Writer) error {
	b := &strings.Builder{}
	fmt.Fprint(b, "flowchart LR\n")
	for i, job := range g.jobs() {
		fmt.Fprintf(b, "  subgraph j%d[%s]\n", i, mermaidQuote(job.name))
		for _, n := range job.steps {
			fmt.Fprintf(b, "    n%d[%s]\n", n, mermaidQuote(g.nodes[n].ID.Step))
		}
		fmt.Fprint(b, "  end\n")
	}
	for _, i := range g.order {
		for _, j := range g.after[i] {
			fmt.Fprintf(b, "  n%d --> n%d\n", j, i)
		}
	}
	return write(w, b.String())
}

func write(w io.Writer, text string) error {
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("write graph: %w", err)
	}
	return nil
}

// jobSteps are the steps of one job, by position, in order of execution.
type jobSteps struct {
	name  string
	steps []int
}

// jobs groups the steps by job, both in order of execution.
func (g *Graph) jobs() []jobSteps {
	var out []jobSteps
	at := map[string]int{}
	for _, i := range g.order {
		name := g.nodes[i].ID.Job
		k, ok := at[name]
		if !ok {
			k = len(out)
			at[name] = k
			out = append(out, jobSteps{name: name})
		}
		out[k].steps = append(out[k].steps, i)
	}
	return out
}

// dotQuote escapes what ends a quoted string in DOT; a backslash is doubled
// since DOT reads \n, \l and \r in labels.
func dotQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", " ").Replace(s) + `"`
}

// mermaidQuote uses Mermaid's entity codes: it has no backslash escapes.
func mermaidQuote(s string) string {
	return `"` + strings.NewReplacer(`#`, "#35;", `"`, "#quot;", "\n", " ").Replace(s) + `"`
}
