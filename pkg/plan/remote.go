package plan

import (
	"fmt"
	"net/netip"

	"github.com/hashicorp/hcl/v2"
)

const (
	modeAuto   = "auto"
	modeRemote = "remote"
	modeStream = "stream"
)

// remoteSettings refuses what mode remote lacks, and what has no effect without it. What a job takes from defaults
// beside a mode of its own is not meant for that mode, and is left out.
func (l *loader) remoteSettings(s *settings, c *Clone) {
	switch {
	case s.values["mode"].bad:
		return
	case c.Mode == modeAuto: // which may come to have a use for all of it
		return
	case c.Mode == modeRemote:
		if !s.given("recipient") {
			l.fail(s.place("mode"), "Missing attribute", "clone.recipient is required with mode \"remote\": the server that pulls the copy and writes it.",
				"recipient = source.mysql.NAME, of a second source")
		}
		return
	}
	if s.besideMode("recipient") {
		l.fail(s.place("recipient"), "Conflicting attributes", fmt.Sprintf("A recipient pulls the copy with mode \"remote\", and would have no effect with mode %q.", c.Mode),
			"set mode to \"remote\", or leave recipient out")
	}
	c.Recipient = nil
	if c.Mode == modeStream {
		return
	}
	if c.NetworkBandwidth > 0 && s.besideMode("network_bandwidth") {
		l.fail(s.place("network_bandwidth"), "Conflicting attributes", fmt.Sprintf("With mode %q nothing is sent over the network; bandwidth limits what is read.", c.Mode),
			"set bandwidth, or leave network_bandwidth out")
	}
	c.NetworkBandwidth = 0
}

// besideMode reports whether an attribute is given for the mode that holds: where the mode is, or nearer to the job.
func (s *settings) besideMode(name string) bool {
	mode, value := s.values["mode"], s.values[name]
	return value.given && (!mode.given || value.layer <= mode.layer)
}

// checkDonor refuses a source that no recipient can pull from: CLONE INSTANCE names it as host:port, in which an IPv6
// address cannot be written ("Cloning Remote Data" in MySQL's manual). Mode auto streams from such a one.
func (l *loader) checkDonor(job *settings, j *Job) {
	if j.Clone.Recipient == nil || j.Source == nil {
		return
	}
	at, remote := job.place("source"), j.Clone.Mode == modeRemote
	if address, err := netip.ParseAddr(j.Source.Host); remote && err == nil && address.Is6() {
		l.fail(at, "Conflicting attributes", fmt.Sprintf("The host of %s is an IPv6 address, and CLONE takes names and IPv4 addresses only.", j.Source.Address()),
			"give the address a name, in DNS or in /etc/hosts on the recipient's host and on this one, and set host to it")
	}
	if remote && j.Source.Socket != "" {
		l.fail(at, "Conflicting attributes", fmt.Sprintf("With mode \"remote\" the recipient connects to %s by TCP, and it has a socket.", j.Source.Address()),
			"set host and port of the source in place of socket, as the recipient reaches it")
	}
	if r := j.Clone.Recipient; sameServer(j.Source, r) {
		l.fail(recipientPlace(job), "Conflicting attributes", fmt.Sprintf("The recipient is %s, which is the source itself.", r.Address()),
			"name another server as recipient, or set mode to \"local\"")
	}
}

func recipientPlace(job *settings) *hcl.Range { return job.blocks["clone"].place("recipient") }

// sameServer tells it by what the plan says; two ways to one server are told apart only by asking it.
func sameServer(a, b *Source) bool {
	if a == b {
		return true
	}
	if a.Socket != "" || b.Socket != "" {
		return a.Socket == b.Socket
	}
	return a.Host != "" && a.Host == b.Host && a.Port == b.Port
}
