// Package journal keeps the record of runs on disk: what a run is about to do,
// what it has done, and how it ended, so that a run that was killed at any
// instruction can be resumed or cleaned up.
//
// # Files
//
//	<state>/runs/<run>/plan.json      the normalised plan, without secrets
//	<state>/runs/<run>/header.json    what the run is; written last: a folder without it is no run
//	<state>/runs/<run>/journal.jsonl  one entry a line, in order
//	<state>/runs/<run>/lock           held (flock) while a process works on the run
//	<state>/locks/<hash>.lock         held (flock) while a process works on a job
//
// Folders have mode 0700 and files 0600. plan.json and header.json appear
// whole or not at all (temporary name, fsync, rename, fsync of the folder).
//
// # Lines
//
// A line of journal.jsonl is a JSON object whose last member, crc, is the
// CRC-32C in hex of the line's bytes before the comma that precedes it:
//
//	{"seq":3,"time":"…","attempt":1,"type":"intended","job":"job.orders","step":"clone","action":{…},"crc":"9ae0daaf"}
//
// seq counts from 1 without gaps. Each line is fsynced before the thing that it
// announces happens. A crash can leave the last line cut off or holding zero
// bytes; [Dir.Resume] removes such a tail. It was never acknowledged to anyone,
// so nothing is lost with it. Any other damage is a *[DamagedError]: a record that can't
// be trusted is not guessed at. A reader passes over members and types that it doesn't know.
//
// # State
//
// The state of a run is not stored but derived: running while its lock is held,
// discarded if it says so, else what its last attempt_finished says, and
// interrupted if the last attempt has none because it was killed. The kernel
// drops the locks of a process that is gone, however it went.
package journal
