package steps

import (
	"context"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/clone"
)

// way is one of the modes in which a copy could be made, and what stands in its way.
type way struct {
	mode      string
	target    clone.Target
	recipient *clone.Source
	findings  []clone.Finding
	why       string // why it cannot be taken, where no finding says so
}

// excluded names what excludes a way; empty: nothing does.
func (w way) excluded() string {
	if w.why != "" {
		return w.why
	}
	var codes []string
	for _, f := range w.findings {
		if f.Severity == clone.SeverityError {
			codes = append(codes, fmt.Sprintf("%s (%s)", f.Code, f.Summary))
		}
	}
	return strings.Join(codes, ", ")
}

// survey examines the mode that the plan says, or those that auto may become, and gives the one that is taken.
func (s *checkStep) survey(ctx context.Context, r *engine.Runtime, server Server, facts *clone.Facts) (way, error) {
	if mode := s.job.Clone.Mode; mode != "auto" {
		return s.way(ctx, r, server, facts, mode)
	}
	if before := s.before(r); before != nil { // what is to be undone lies where that mode has put it
		r.Emit(engine.Note{Text: fmt.Sprintf("mode auto is %s: as in the attempt before", before.Mode)})
		return s.way(ctx, r, server, facts, before.Mode)
	}
	var seen []way
	for _, mode := range s.modes(server) {
		w, err := s.way(ctx, r, server, facts, mode)
		if err != nil && mode != clone.ModeRemote {
			return way{}, err
		}
		if err != nil { // of the recipient, which another mode does without
			w = way{mode: mode, why: err.Error()}
		}
		seen = append(seen, w)
		if w.excluded() == "" {
			break
		}
	}
	taken := seen[len(seen)-1]
	if taken.excluded() != "" { // then the first, whose findings say what is to be mended
		taken = seen[0]
	}
	r.Emit(engine.Note{Text: reasons(taken, seen)})
	s.compare(ctx, r, server, facts, taken)
	if taken.mode != clone.ModeRemote {
		s.recipient = nil
	}
	return taken, nil
}

// modes are those that auto may become, the best first: a stream needs no staging directory, holds up no DDL, and is the fastest.
func (s *checkStep) modes(server Server) []string {
	p := s.job.Clone
	modes := []string{clone.ModeStream}
	if p.Recipient != nil && p.Directory != "" && server.Unpullable() == nil {
		modes = append(modes, clone.ModeRemote)
	}
	if p.Directory != "" {
		modes = append(modes, clone.ModeLocal)
	}
	return modes
}

// reasons says which mode is taken, and what excluded those before it.
func reasons(taken way, seen []way) string {
	var out []string
	for _, w := range seen {
		if why := w.excluded(); why != "" {
			out = append(out, fmt.Sprintf("%s is excluded by %s", w.mode, why))
		}
	}
	switch {
	case taken.excluded() != "":
		return fmt.Sprintf("mode auto is %s, for want of another: %s", taken.mode, strings.Join(out, "; "))
	case len(out) == 0:
		return fmt.Sprintf("mode auto is %s: its findings allow it", taken.mode)
	}
	return fmt.Sprintf("mode auto is %s: %s", taken.mode, strings.Join(out, "; "))
}

// compare tells what mode local would take, where a plan that need not use it could.
func (s *checkStep) compare(ctx context.Context, r *engine.Runtime, server Server, facts *clone.Facts, taken way) {
	if taken.mode != clone.ModeStream || s.job.Clone.Directory == "" || s.job.Clone.Recipient != nil {
		return
	}
	w := way{mode: clone.ModeLocal, target: s.target(ctx, clone.ModeLocal, r.Attempt())}
	w.findings = s.waitsForOurs(facts, clone.CodeBusy, server.Check(ctx, facts, w.target))
	if why := w.excluded(); why != "" {
		r.Emit(engine.Note{Text: "mode local would be excluded by " + why})
		return
	}
	r.Emit(engine.Note{Text: fmt.Sprintf("mode local would do as well: it takes %s in the staging directory beside the archive, which mode stream does not", humanize.IBytes(uint64(max(0, facts.DiskBytes))))})
}

// way examines one mode.
func (s *checkStep) way(ctx context.Context, r *engine.Runtime, server Server, facts *clone.Facts, mode string) (way, error) {
	w := way{mode: mode, target: s.target(ctx, mode, r.Attempt())}
	var err error
	w.recipient, w.findings, err = s.examine(ctx, r, server, facts, w.target)
	return w, err
}
