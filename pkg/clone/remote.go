package clone

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// ModeRemote is the Result's Mode where a recipient has pulled the copy from another server.
const ModeRemote = "remote"

// RemoteOptions say where a recipient is to write its copy, and what it may spend on it. Directory, Observe and all settings
// are the recipient's.
type RemoteOptions struct {
	LocalOptions
	// NetworkBandwidth is the most that may be sent, bytes/s. The server takes whole MiB/s, so it is rounded up to
	// the next; 0 leaves the server's setting as it is.
	NetworkBandwidth int64
}

// Donor is a server that a recipient can pull a copy from: a *Server or a *DryServer. The recipient is told its Config's host,
// port, user and password, and to use TLS unless its TLSMode is disabled.
type Donor interface{ giving() *Server }

func (s *Server) giving() *Server    { return s }
func (d *DryServer) giving() *Server { return d.s }

// Unpullable says why no recipient can pull from the server by the address that it is connected to at; nil: one can.
func (s *Server) Unpullable() error {
	_, err := s.config.origin()
	return err
}

// Unpullable is Server.Unpullable.
func (d *DryServer) Unpullable() error { return d.s.Unpullable() }

// Pulled says where a remote copy came from.
type Pulled struct {
	Donor     string `json:"donor"`     // host:port, as the recipient was told
	User      string `json:"user"`      // the account on it
	Encrypted bool   `json:"encrypted"` // the statement requires TLS
	Cipher    string `json:"cipher"`    // of TLS, as the donor said; "": none, or it was over before it was looked at
}

// CloneRemote makes this server, the recipient, pull a copy of the donor into a directory on the recipient's host (CLONE INSTANCE FROM … DATA
// DIRECTORY), and returns when that is finished. The recipient's own data is not touched.
//
// It goes about it as CloneLocal does: what is said there of hooks, settings, the end of ctx, lost connections and errors holds for
// the recipient. On the donor nothing is set; both servers are reserved. Where the recipient's clone_valid_donor_list lacks the donor, it is
// among the settings. Result.Before, After and Coordinates are the donor's. No secret is in any effect, note, result or error.
func (s *Server) CloneRemote(ctx context.Context, donor Donor, o RemoteOptions, h Hooks) (*Result, error) {
	return cloneRemote(ctx, s, sending{s}, donor.giving(), o, h)
}

// CloneRemote goes the whole way of Server.CloneRemote without a clone at its end, as DryServer.CloneLocal does.
func (d *DryServer) CloneRemote(ctx context.Context, donor Donor, o RemoteOptions, h Hooks) (*Result, error) {
	return cloneRemote(ctx, d.s, withholding{}, donor.giving(), o, h)
}

// AdoptRemote goes on with a remote clone as Adopt does with a local one. A nil donor is one that cannot be reached: where the
// copy lies in its logs stays unknown then.
func (s *Server) AdoptRemote(ctx context.Context, donor Donor, o RemoteOptions, statement Effect, h Hooks) (*Result, error) {
	return adoptRemote(ctx, s, sending{s}, donor, o, statement, h)
}

// AdoptRemote looks at the clone that Server.AdoptRemote would go on with; it neither kills nor finishes anything.
func (d *DryServer) AdoptRemote(ctx context.Context, donor Donor, o RemoteOptions, statement Effect, h Hooks) (*Result, error) {
	return adoptRemote(ctx, d.s, withholding{}, donor, o, statement, h)
}

// pull is what a remote clone has beyond a local one.
type pull struct {
	donor     *Server // nil: it cannot be reached
	from      origin
	bandwidth int64          // of the network, bytes/s; 0: as the recipient is set
	sessions  map[int64]bool // of the donor, in which the recipient pulls
}

func newRemote(s *Server, out outlet, donor *Server, o RemoteOptions, h Hooks) *localClone {
	return &localClone{
		s: s, out: out, o: o.LocalOptions, h: h, pull: &pull{donor: donor, bandwidth: o.NetworkBandwidth},
		result: &Result{Mode: ModeRemote, Stages: []Stage{}, Settings: []Setting{}},
	}
}

func cloneRemote(ctx context.Context, s *Server, out outlet, donor *Server, o RemoteOptions, h Hooks) (_ *Result, err error) {
	if o.LocalOptions, err = o.normalise(); err != nil {
		return nil, err
	}
	c := newRemote(s, out, donor, o, h)
	if c.pull.from, err = donor.config.origin(); err != nil {
		return nil, refusal(erDonorList, err)
	}
	if c.sent, c.result.Statement, err = c.pull.from.cloneInstance(o.Directory); err != nil {
		return nil, err
	}
	c.result.Pulled = c.pull.pulled()
	// Held until the end: other runs must neither clone the donor nor have it cloned meanwhile.
	conn, err := donor.conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, discard(conn)) }()
	release, err := out.reserve(ctx, conn)
	if err != nil {
		return nil, wrap("reserve the donor", err)
	}
	defer release()
	if err := c.idleDonor(ctx); err != nil {
		return nil, err
	}
	return c.all(ctx)
}

func adoptRemote(ctx context.Context, s *Server, out outlet, donor Donor, o RemoteOptions, statement Effect, h Hooks) (_ *Result, err error) {
	if donor == nil {
		return newRemote(s, out, nil, o, h).adopt(ctx, statement)
	}
	c := newRemote(s, out, donor.giving(), o, h)
	if c.pull.from, err = c.pull.donor.config.origin(); err != nil {
		return nil, refusal(erDonorList, err)
	}
	c.result.Pulled = c.pull.pulled()
	return c.adopt(ctx, statement)
}

func (p *pull) pulled() *Pulled {
	return &Pulled{Donor: p.from.address(), User: p.from.user, Encrypted: p.from.encrypted}
}

// idleDonor refuses a donor that takes part in a clone already: it would refuse too, after settings of the recipient were changed.
func (c *localClone) idleDonor(ctx context.Context) error {
	if err := c.idle(ctx, c.pull.donor); err != nil {
		return wrap("look at the donor", err)
	}
	var pid int64
	err := oneRow(ctx, c.pull.donor.db, "SELECT COALESCE(MIN(PROCESSLIST_ID), 0) FROM performance_schema.threads WHERE LOWER(PROCESSLIST_COMMAND) = 'clone'").Scan(&pid)
	switch {
	case err != nil && number(err) == 0:
		return wrap("look at the donor", err)
	case err != nil:
		c.h.note("whether another server is cloning the donor could not be read: %v", err)
	case pid != 0:
		return refusal(erCloneBusy, fmt.Errorf("another server is cloning the donor: connection %d", pid))
	}
	return nil
}

// donorList is the setting by which the recipient may pull from the donor; none where its list has the donor already. What
// else is in the list stays allowed.
func (c *localClone) donorList(ctx context.Context) ([]assignment, error) {
	if c.pull == nil {
		return nil, nil
	}
	list, err := c.s.global(ctx, varDonorList)
	switch {
	case IsNumber(err, erUnknownVariable): // set says what that means
	case err != nil:
		return nil, err
	case c.pull.from.listed(list.String):
		return nil, nil
	}
	return []assignment{{varDonorList, strings.TrimPrefix(list.String+","+c.pull.from.address(), ",")}}, nil
}

const (
	erCloneDonor = 3862 // the donor's own refusal is in the message
	erDonorList  = 3869

	erServerShutdown = 1053
)

// donorNumber finds the donor's number in what the recipient says of it.
var donorNumber = regexp.MustCompile(`(?i)donor error: (?:connect failed: )?(\d{4})\b`)

// explained is an error of the statement without secrets. Where it is the donor's, it is under the donor's number; and where the recipient lost
// the donor, it is none of our own connection, and so nothing is uncertain: the statement has ended.
func (c *localClone) explained(err error) error {
	if c.pull == nil || err == nil || number(err) == 0 {
		return err
	}
	err = c.pull.from.withoutSecret(err)
	n := number(err)
	if found := donorNumber.FindStringSubmatch(err.Error()); n == erCloneDonor && found != nil {
		if inner, parseErr := strconv.ParseUint(found[1], 10, 16); parseErr == nil {
			n = uint16(inner)
		}
	}
	k, ok := known(n)
	switch {
	case n == erServerShutdown, !ok, n == number(err) && k.class != Uncertain:
		return err
	case k.class == Uncertain:
		k.class = Retry
	}
	return &Error{Number: k.number, Name: k.name, Class: k.class, Op: "clone", Err: err}
}
