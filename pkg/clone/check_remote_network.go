package clone

import (
	"fmt"
	"strconv"
	"strings"
)

// minClonePacket is the least max_allowed_packet of both servers: "Cloning Remote Data" in the manual (3957).
const minClonePacket = 2 << 20

func checkPackets(p pair) Finding {
	small := []string{}
	for _, side := range []struct {
		name string
		subject
	}{{"donor", p.donor}, {"recipient", p.recipient}} {
		text := side.facts.Variables["max_allowed_packet"]
		size, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return unknown("max_allowed_packet", fmt.Sprintf("the %s says %q", side.name, text), "SELECT @@GLOBAL.max_allowed_packet;")
		}
		if size < minClonePacket {
			small = append(small, fmt.Sprintf("%d on the %s", size, side.name))
		}
	}
	if len(small) > 0 {
		return found(SeverityError, "max_allowed_packet is too small", fmt.Sprintf("It is %s, and a clone takes %d.", strings.Join(small, " and "), minClonePacket),
			fmt.Sprintf("SET GLOBAL max_allowed_packet = %d;", minClonePacket))
	}
	return okay("max_allowed_packet is large enough", "It is at least %d on both.", minClonePacket)
}

// checkNetworkTimeout: within that time a recipient resumes after its connections broke, and that is all that can be resumed.
func checkNetworkTimeout(p pair) Finding {
	const name = "clone_donor_timeout_after_network_failure"
	text, there := p.donor.facts.Variables[name]
	if !there {
		return unknown("how long the donor waits for a recipient", "the donor has no variable "+name+" (it came with 8.0.24)", "")
	}
	if text == "0" {
		return found(SeverityInfo, "the donor does not wait for a recipient", name+" is 0: when the network fails for a moment, the clone fails.", "SET GLOBAL "+name+" = 5; -- minutes, on the donor")
	}
	return okay("the donor waits for a recipient", "When the network fails, the recipient can go on for %s minutes.", text)
}

// checkNetworkBandwidth: nothing in the plan is ignored.
func checkNetworkBandwidth(p pair) Finding {
	t := p.target
	rate := ceil(t.NetworkBandwidth, mebibyte)
	const bad = "the plan's network bandwidth cannot be honoured"
	const hint = "change network_bandwidth in the block clone of the plan"
	switch {
	case rate == 0:
		return okay("the network bandwidth is as the recipient is set", "The plan says nothing of it.")
	case !p.recipient.hasVariable(varNetworkBandwidth):
		return found(SeverityError, bad, "The recipient has no variable "+varNetworkBandwidth+".", hint)
	case rate > maxBandwidthMiB:
		return found(SeverityError, bad, fmt.Sprintf("A bandwidth of %s/s cannot be set: the server takes at most %d MiB/s.", bytesText(t.NetworkBandwidth), maxBandwidthMiB), hint)
	case t.NetworkBandwidth%mebibyte != 0:
		return found(SeverityInfo, "the network bandwidth is rounded up", fmt.Sprintf("The server takes whole MiB/s: %d B/s becomes %d MiB/s.", t.NetworkBandwidth, rate), "")
	}
	return okay("the plan's network bandwidth can be honoured", "The recipient pulls at most %d MiB/s.", rate)
}

// checkDonorList: a recipient pulls from whom it is allowed to (3869).
func checkDonorList(p pair) Finding {
	from, err := p.config.origin()
	if err != nil {
		return unknown("whether the recipient may pull from the donor", err.Error(), "")
	}
	f := p.recipient.facts
	list := f.Variables[varDonorList]
	const bad = "the recipient may not pull from the donor"
	allow := fmt.Sprintf("SET GLOBAL %s = %s; -- on the recipient", varDonorList, quoteLiteral(strings.TrimPrefix(list+","+from.address(), ",")))
	switch {
	case from.listed(list):
		return okay("the recipient may pull from the donor", "%s has %s.", varDonorList, from.address())
	case !p.recipient.hasVariable(varDonorList):
		return unknown(bad, "the recipient has no variable "+varDonorList, installPlugin)
	case f.Unknown[FactAccount] != "":
		return unknown("whether "+varDonorList+" can be set", f.Unknown[FactAccount], "SHOW GRANTS;")
	case !f.Account.Has("SYSTEM_VARIABLES_ADMIN", "", "") && !f.Account.Has("SUPER", "", ""):
		return found(SeverityError, bad, fmt.Sprintf("%s is %q, which has no %s, and %s may not set it.", varDonorList, list, from.address(), f.Account.User),
			"GRANT SYSTEM_VARIABLES_ADMIN ON *.* TO "+quoteAccount(f.Account.User)+"; -- or, as an administrator: "+allow)
	}
	return found(SeverityInfo, "the donor will be put on the recipient's list", fmt.Sprintf("%s is %q, which has no %s. It is added, and the list is set back after the clone.", varDonorList, list, from.address()), "")
}
