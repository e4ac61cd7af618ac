package steps

import (
	"context"
	"errors"
	"fmt"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/clone"
)

// before is what decides whether a copy can be read, right before a copy is begun; where the source cannot be asked, it is what
// the check has read.
func (s *cloneStep) before(ctx context.Context) clone.Reading {
	if now, err := s.reading(ctx); err == nil {
		return *now
	}
	return s.job.checked.Facts.Reading
}

// reread asks the source again, once the copy is whole, for what decides whether the copy can be read, and records what
// changed meanwhile. The error is of files that appeared outside the data directory: the copy lacks them, or would have a
// server remove the source's own.
func (s *cloneStep) reread(ctx context.Context, r *engine.Runtime, before clone.Reading, c *cloned) error {
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
		return s.appeared(n.Appeared[0])
	}
	if f, changed := n.Finding(); changed {
		c.Findings = append(c.Findings, s.show(r, f))
	}
	c.RestoreCNF = n.RestoreCNF(s.job.checked.Facts.Source.RestoreCNF)
	return nil
}

// appeared is the error of a tablespace that was created outside the data directory while the copy was made.
func (s *cloneStep) appeared(file clone.OutsideFile) error {
	if s.job.remote() {
		return fmt.Errorf("tablespace file %s was created on the donor meanwhile: the recipient may have written its copy to the same path on its own host, where it is in the way of the next attempt", file.Path)
	}
	s.job.outside = true
	return retry{fmt.Errorf("tablespace file %s was created meanwhile: %w", file.Path, clone.ErrOutside)}
}

// readAgain reads from the source what before has read, and how many blocks of the copy's redo log have no checksum.
func (s *cloneStep) readAgain(ctx context.Context, c *cloned) (_ *clone.Reading, unchecked int64, err error) {
	if c.Stream != nil {
		unchecked = c.Stream.BareRedo
	} else if c.Observe != "" {
		if unchecked, err = clone.UncheckedRedo(c.Observe); err != nil {
			return nil, 0, err
		}
	}
	after, err := s.reading(ctx)
	return after, unchecked, err
}

// reading asks the source, which must be the server that was checked.
func (s *cloneStep) reading(ctx context.Context) (_ *clone.Reading, err error) {
	source, err := s.job.host.Connect(ctx, s.job.Source)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if err := source.Expect(s.job.checked.Facts.Source.ServerUUID); err != nil {
		return nil, err
	}
	return source.Reading(ctx)
}

// show emits a finding and returns it.
func (s *cloneStep) show(r *engine.Runtime, f clone.Finding) clone.Finding {
	r.Finding(engine.Finding{Code: f.Code, Severity: engine.Severity(f.Severity), Summary: f.Summary, Detail: f.Detail, Hint: f.Hint})
	return f
}
