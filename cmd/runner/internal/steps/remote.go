package steps

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/dustin/go-humanize"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/clone"
	"runner/pkg/plan"
)

// Recipient is what the steps need of a server that pulls a copy, and of the one that it is pulled from.
type Recipient interface {
	clone.Donor
	Unpullable() error
	DonorFacts(ctx context.Context) (*clone.Facts, error)
	RecipientFacts(ctx context.Context, donor *clone.Facts) (*clone.Facts, error)
	CheckRemote(ctx context.Context, donor clone.Donor, theirs, ours *clone.Facts, target clone.Target) []clone.Finding
	CloneRemote(ctx context.Context, donor clone.Donor, options clone.RemoteOptions, hooks clone.Hooks) (*clone.Result, error)
	AdoptRemote(ctx context.Context, donor clone.Donor, options clone.RemoteOptions, statement clone.Effect, hooks clone.Hooks) (*clone.Result, error)
}

// writer is the server that writes a job's copy in a mode, and that everything is to be undone on: the recipient where one pulls it.
func writer(j *plan.Job, mode string) *plan.Source {
	if mode == clone.ModeRemote && j.Clone.Recipient != nil {
		return j.Clone.Recipient
	}
	return j.Source
}

// remote reports whether another server pulls the copy.
func (j *job) remote() bool { return j.checked.Mode == clone.ModeRemote }

// writer is the server that writes the copy.
func (c *checked) writer() *clone.Source {
	if c.Recipient != nil {
		return c.Recipient
	}
	return &c.Facts.Source
}

// donors are the servers that a run has begun to pull copies from, by server_uuid: what their sessions show is not somebody else's.
type donors struct {
	mu    sync.Mutex
	begun map[string]bool
}

func (d *donors) add(uuid string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.begun == nil {
		d.begun = map[string]bool{}
	}
	d.begun[uuid] = true
}

func (d *donors) has(uuid string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.begun[uuid]
}

// facts are those of the server that is copied.
func (s *checkStep) facts(ctx context.Context, server Server) (*clone.Facts, error) {
	if s.job.Clone.Recipient != nil {
		return server.DonorFacts(ctx)
	}
	return server.Facts(ctx)
}

// examineRemote looks at both servers.
func (s *checkStep) examineRemote(ctx context.Context, r *engine.Runtime, donor Server, theirs *clone.Facts, target clone.Target) (_ *clone.Source, _ []clone.Finding, err error) {
	recipient, err := s.job.host.Connect(ctx, s.job.Clone.Recipient)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, recipient.Close()) }()
	ours, err := recipient.RecipientFacts(ctx, theirs)
	if err != nil {
		return nil, nil, fmt.Errorf("read the recipient's facts: %w", err)
	}
	if before := s.before(r); before != nil && before.Recipient != nil {
		if err := sameServer(before.Recipient.ServerUUID, ours); err != nil {
			return nil, nil, err
		}
	}
	s.recipient = recipientRows(ours)
	findings := recipient.CheckRemote(ctx, donor, theirs, ours, target)
	findings = s.waitsForOurs(theirs, clone.CodeBusy, findings)
	findings = s.waitsForOurs(ours, clone.CodeRecipientBusy, findings)
	theirs.WrittenBy(ours)
	return &ours.Source, findings, nil
}

// recipientRows are the facts of a recipient that a person wants to see.
func recipientRows(f *clone.Facts) []engine.Row {
	var rows []engine.Row
	for _, row := range factRows(f) {
		switch row.Name {
		case "server", "address", "server_uuid", "data directory", "account", "keyring":
			row.Name = "recipient's " + row.Name
			rows = append(rows, row)
		}
	}
	return rows
}

// make has the copy made, by the server itself or by the recipient.
func (s *cloneStep) make(ctx context.Context, server Server, o clone.LocalOptions, h clone.Hooks) (_ *clone.Result, err error) {
	if !s.job.remote() {
		return server.CloneLocal(ctx, o, h)
	}
	donor, err := s.job.host.Connect(ctx, s.job.Source)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, donor.Close()) }()
	if err := donor.Expect(s.job.checked.Facts.Source.ServerUUID); err != nil {
		return nil, err
	}
	s.job.donors.add(s.job.checked.Facts.Source.ServerUUID)
	return server.CloneRemote(ctx, donor, s.remoteOptions(o), h)
}

// goOn takes over a copy that is being made, or was.
func (s *cloneStep) goOn(ctx context.Context, r *engine.Runtime, server Server, o clone.LocalOptions, statement clone.Effect, h clone.Hooks) (_ *clone.Result, err error) {
	if !s.job.remote() {
		return server.Adopt(ctx, o, statement, h)
	}
	donor, err := s.job.host.Connect(ctx, s.job.Source)
	if err == nil {
		if other := donor.Expect(s.job.checked.Facts.Source.ServerUUID); other != nil {
			err = errors.Join(other, donor.Close())
		}
	}
	if err != nil {
		r.Emit(engine.Note{Text: "the donor can't be asked where the copy lies in its logs: " + err.Error()})
		return server.AdoptRemote(ctx, nil, s.remoteOptions(o), statement, h)
	}
	defer func() { err = errors.Join(err, donor.Close()) }()
	s.job.donors.add(s.job.checked.Facts.Source.ServerUUID)
	return server.AdoptRemote(ctx, donor, s.remoteOptions(o), statement, h)
}

func (s *cloneStep) remoteOptions(o clone.LocalOptions) clone.RemoteOptions {
	return clone.RemoteOptions{LocalOptions: o, NetworkBandwidth: s.job.Clone.NetworkBandwidth}
}

// received is what came over the network, in words; "" for a local clone.
func received(bytes int64) string {
	if bytes <= 0 {
		return ""
	}
	return humanize.IBytes(uint64(bytes)) + " received"
}

// slowest is the smaller of two limits, of which 0 is none.
func slowest(a, b int64) int64 {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// protection is the manifest's word for how a copy was sent.
func protection(p *clone.Pulled) string {
	if p.Encrypted && p.Cipher == "" {
		return "unknown"
	}
	return p.Cipher
}
