package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"runner/cmd/runner/internal/report"
	"runner/pkg/plan/graph"
)

func (a *app) graphCommand() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "graph PATH...",
		Short: "Draw the steps of a plan",
		Long: "Prints the steps of every job and what each waits for, as a drawing for Graphviz (dot) or for Markdown (mermaid)." +
			exits("done", helpFailed, helpUsage),
		Example: `  runner graph plan.hcl | dot -Tsvg > plan.svg
  runner graph plan.hcl --format mermaid`,
		Args: a.arguments(1, -1),
		RunE: func(c *cobra.Command, args []string) error {
			if format != "dot" && format != "mermaid" {
				return usagef(c.CommandPath(), "--format is %q and must be dot or mermaid", format)
			}
			p, err := a.load(args, now())
			if err != nil {
				return err
			}
			g, err := p.Graph()
			if err != nil {
				return err
			}
			return a.draw(g, format)
		},
	}
	c.Flags().StringVar(&format, "format", "dot", "dot or mermaid")
	return c
}

// graphLine: type graph.
type graphLine struct {
	Format string `json:"format"` // dot or mermaid
	Text   string `json:"text"`   // the drawing
}

func (a *app) draw(g *graph.Graph, format string) error {
	write := g.DOT
	if format == "mermaid" {
		write = g.Mermaid
	}
	if !a.global.json {
		return write(a.Stdout)
	}
	var text strings.Builder
	if err := write(&text); err != nil {
		return err
	}
	return report.JSONLine(a.Stdout, "graph", graphLine{format, text.String()})
}
