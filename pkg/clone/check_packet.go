package clone

import (
	"fmt"
	"strconv"
)

// minPacket is the least max_allowed_packet of a donor (3957): "Cloning Remote Data" of MySQL's manual.
const minPacket = 2 << 20

// checkPacket: a donor refuses to send with smaller packets.
func checkPacket(s subject) Finding {
	text := s.facts.Variables["max_allowed_packet"]
	size, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return unknown("max_allowed_packet", fmt.Sprintf("the server says %q", text), "SELECT @@GLOBAL.max_allowed_packet;")
	}
	if size < minPacket {
		return found(SeverityError, "max_allowed_packet is too small", fmt.Sprintf("It is %d, and a server sends a clone from %d on.", size, minPacket),
			fmt.Sprintf("SET GLOBAL max_allowed_packet = %d;", minPacket))
	}
	return okay("max_allowed_packet is large enough", "It is %d, and a server sends a clone from %d on.", size, minPacket)
}
