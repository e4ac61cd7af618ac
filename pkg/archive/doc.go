// Package archive packs a data directory into one file that standard tools read, and reads it
// back: FORMAT.md is the specification.
//
// The tree is written as a POSIX tar that is cut into frames of at most 4 MiB, each compressed
// on its own, so that any number of CPUs can pack and unpack, and any file can be read without
// the rest:
//
//	packed, err := archive.Pack(ctx, archive.Dir(staging), st, archive.PackOptions{Format: "zstd", Level: 1, Pages: true})
//	index, err := archive.WriteIndex(ctx, st, packed)
//	err = archive.WriteSums(ctx, st, packed.Data, index)
//	err = manifest.Write(ctx, st, m)   // last: it is the commit mark
//
//	backup, err := archive.Open(ctx, st)
//	report, err := backup.Verify(ctx, archive.VerifyOptions{})
//	restored, err := backup.Restore(ctx, target, archive.RestoreOptions{})
//
// A pack that is [PackOptions].Resumable goes on from what it had made durable when it was killed.
//
// A [Stream] writes an archive of which nobody has the whole tree: files come in ranges, in any order, and are
// renamed and removed on the way. The tar then has patches; reading it back is the same.
//
// One pass reads each byte once: page checksums, file digests, compression and the SHA-256 of
// what is stored are made while the next frame is being read. What is packed is the same at any
// number of threads. Memory is bounded by the number of threads, not by sizes.
package archive
