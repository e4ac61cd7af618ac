package wire

import "encoding/binary"

// What follows is what a donor says: for tests, and to hold what is parsed against.

// AppendLocators appends the body of LOCS.
func AppendLocators(b []byte, version uint32, locators ...EngineLocator) []byte {
	b = binary.LittleEndian.AppendUint32(b, version)
	for _, l := range locators {
		b = l.Append(b)
	}
	return b
}

// AppendStrings appends the body of PLUGIN, COLLATION (one string), PLUGIN_V2 or one of the CONFIGs (two).
func AppendStrings(b []byte, all ...string) []byte {
	for _, s := range all {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return b
}

// AppendError appends the body of ERROR.
func AppendError(b []byte, number uint32, message string) []byte {
	return append(binary.LittleEndian.AppendUint32(b, number), message...)
}
