// Package mysqld finds a MySQL server program and runs private servers with it: a data directory of
// its own, a Unix socket of its own, no defaults file, and a process that is stopped by its pid.
//
// It serves the proofs that boot a restored copy, the demo, and every test that needs a real server.
// It is not meant for servers that other people use.
package mysqld
