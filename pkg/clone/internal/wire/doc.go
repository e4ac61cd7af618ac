// Package wire is the recipient's side of MySQL's clone protocol: it logs in to a donor, turns a connection into one
// that speaks clone with COM_CLONE, sends the commands of the recipient and reads the responses of the donor. It knows
// how messages look, and nothing of their order, of states or of files: that is the session's.
//
// Two number formats meet here. Everything of the classic protocol and of the clone commands is little-endian; InnoDB's
// descriptors, which travel inside of them, are big-endian.
//
// What a donor says is not trusted: each length is held against what is there, each number against its limits, and
// whatever is outside of them is a [*ProtocolError]. Names of files are handed on as they come, checked only for what
// no name can have; where they may lie is for whoever makes the files to decide.
package wire
