package steps

import (
	"context"
	"errors"
	"fmt"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/clone"
)

// reread asks the source again, once the copy is whole, for what decides whether the copy can be read, and records what
// changed meanwhile. The error is of files that appeared outside the data directory: the copy lacks them, or would have a
// server remove the source's own.
func (s *cloneStep) reread(ctx context.Context, r *engine.Runtime, c *cloned) error {
	before := s.job.checked.Facts.Reading
	if before.Variables == nil || c.Mode != clone.ModeStream && c.Observe == "" { // a record of an earlier version; a dry run
		return nil
	}
	after, unchecked, err := s.readAgain(ctx, c)
	if err != nil {
		c.Findings = append(c.Findings, s.show(r, clone.RereadUnknown(err)))
		return nil
	}
	n := before.Reread(*after, unchecked)
	if len(n.Appeared) > 0 {
		s.job.outside = true
		return retry{fmt.Errorf("%s: %w", n.Appeared[0].Path, clone.ErrOutside)}
	}
	if f, changed := n.Finding(); changed {
		c.Findings = append(c.Findings, s.show(r, f))
	}
	c.RestoreCNF = n.RestoreCNF(s.job.checked.Facts.Source.RestoreCNF)
	return nil
}

// readAgain reads from the source what checkStep has read, and how many blocks of the copy's redo log have no checksum.
func (s *cloneStep) readAgain(ctx context.Context, c *cloned) (_ *clone.Reading, unchecked int64, err error) {
	if c.Stream != nil {
		unchecked = c.Stream.BareRedo
	} else if c.Observe != "" {
		if unchecked, err = clone.UncheckedRedo(c.Observe); err != nil {
			return nil, 0, err
		}
	}
	source, err := s.job.host.Connect(ctx, s.job.Source)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if err := askSame(ctx, source, s.job.checked.Facts.Source.ServerUUID); err != nil {
		return nil, 0, err
	}
	after, err := source.Reading(ctx)
	return after, unchecked, err
}

// show emits a finding and returns it.
func (s *cloneStep) show(r *engine.Runtime, f clone.Finding) clone.Finding {
	r.Finding(engine.Finding{Code: f.Code, Severity: engine.Severity(f.Severity), Summary: f.Summary, Detail: f.Detail, Hint: f.Hint})
	return f
}
