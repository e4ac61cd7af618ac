package clone

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// checkDonorAddress: the recipient connects by itself, to what it is told. Whether it gets there is known once it tries.
func checkDonorAddress(p pair) Finding {
	from, err := p.config.origin()
	var bad *originError
	if errors.As(err, &bad) {
		return found(SeverityError, "the recipient cannot be told where the donor is", upperFirst(bad.Error())+".", bad.Hint())
	}
	recipient := p.recipient.facts.Source
	_, elsewhere := hostUUID(recipient.DataDir)
	if loopback(from.host) && elsewhere != nil && p.target.MountedAt != "" {
		return found(SeverityWarning, "the donor's address may mean another server to the recipient",
			fmt.Sprintf("The recipient is told to connect to %s, which is its own host, and it does not seem to be on this one.", from.address()),
			"set the source's host to the name by which the recipient's host knows it")
	}
	if own := p.donor.facts.Source.Port; own != 0 && own != from.port {
		return found(SeverityWarning, "the donor is reached by another port than its own",
			fmt.Sprintf("The recipient is told to connect to %s, and the donor listens on %d: there is something in between. CLONE does not pass through MySQL Router.", from.address(), own),
			"SELECT @@hostname, @@port;")
	}
	return okay("the recipient can be told where the donor is", "It connects to %s as %s; whether it gets there is known when it does.", from.address(), from.user)
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && address.IsLoopback()
}

// checkTwoServers: a server does not pull from itself (3871).
func checkTwoServers(p pair) Finding {
	donor, recipient := p.donor.facts.Source.ServerUUID, p.recipient.facts.Source.ServerUUID
	switch {
	case donor == "" || recipient == "":
		return unknown("whether donor and recipient are two servers", "one of them does not say its server_uuid", "SELECT @@server_uuid;")
	case strings.EqualFold(donor, recipient):
		return found(SeverityError, "donor and recipient are one server", fmt.Sprintf("Both have the server_uuid %s.", donor), "name another server as recipient, or set mode to \"local\"")
	}
	return okay("donor and recipient are two servers", "Their server_uuids are %s and %s.", donor, recipient)
}
