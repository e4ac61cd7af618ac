// Package files knows what differs between file systems, and between the files that others may have put there.
//
// [SyncFolder] makes names durable, also where a file system has no such thing. [RoomAt] is how much room there is, as df shows
// it. [Open] and [Read] open plain files alone, so that a pipe or a device that somebody has put in the place of one holds nobody
// up. [ExpandHome] is what a path with ~ stands for.
package files
