package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"runner/pkg/archive/codec"
)

// bench is one run of all comparisons.
type bench struct {
	settings
	raw    int64 // bytes of the source directory
	report *report
}

// compare does one comparison after the other and writes the results.
func compare(ctx context.Context, s settings) error {
	raw, err := treeSize(s.source)
	if err != nil {
		return err
	}
	b := &bench{settings: s, raw: raw, report: newReport(s, raw)}
	// Once, so that all sides find the directory in the page cache.
	if err := shell(ctx, "tar -cf - -C '"+s.source+"' . | cat >/dev/null"); err != nil {
		return err
	}
	for _, c := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"zstd3", b.packZstd3},
		{"zstd1", b.packZstd1},
		{"gzip", b.packGzip},
		{"usual", b.packUsual},
		{"floor", b.floor},
		{"restore", b.restore},
		{"table", b.oneTable},
		{"verify", b.verify},
		{"memory", b.memory},
		{"stream", b.stream},
	} {
		if s.only != "" && s.only != c.name {
			continue
		}
		if err := c.run(ctx); err != nil {
			return err
		}
	}
	return b.report.write(s.results)
}

func (b *bench) path(name string) string { return filepath.Join(b.work, name) }

// pack is our side: a whole backup, as a run makes it from the end of the clone on.
func (b *bench) pack(format codec.Format, level int) *side {
	name := fmt.Sprintf("runner, %s level %d", format, level)
	size := func(folder string) (int64, error) { return fileSize(filepath.Join(folder, "data."+format.Extension())) }
	return own(name, b.path("backup"), size, "pack", string(format), strconv.Itoa(level), b.source, b.path("backup"))
}

// tool is the pipeline that a DBA writes.
func (b *bench) tool(compressor string) *side {
	peer := b.path("peer.tar")
	line := fmt.Sprintf("tar -C '%[1]s' -cf - . | %[2]s | tee '%[3]s' | sha256sum >/dev/null", b.source, compressor, peer)
	return pipeline("tar \\| "+compressor+" \\| tee FILE \\| sha256sum", line, peer, fileSize)
}

// packZstd3 compares our default level, and our own level 3, with what most people type.
func (b *bench) packZstd3(ctx context.Context) error {
	ours, thorough, tool := b.pack(codec.Zstd, codec.Zstd.DefaultLevel()), b.pack(codec.Zstd, 3), b.tool("zstd -q -3 -T0")
	if err := turns(ctx, b.pairs, ours, tool, thorough); err != nil {
		return err
	}
	b.report.compared("Pack, against zstd -3", b.raw, "at least 2 times as fast, no larger", tool, ours, thorough)
	return nil
}

func (b *bench) packZstd1(ctx context.Context) error {
	ours, tool := b.pack(codec.Zstd, 1), b.tool("zstd -q -1 -T0")
	if err := turns(ctx, b.pairs, ours, tool); err != nil {
		return err
	}
	b.report.compared("Pack, against zstd -1", b.raw, "at least 1.5 times as fast, within 1 % of the size", tool, ours)
	return nil
}

func (b *bench) packGzip(ctx context.Context) error {
	ours, tool := b.pack(codec.Gzip, codec.Gzip.DefaultLevel()), b.tool("pigz -6")
	if err := turns(ctx, min(b.pairs, 3), ours, tool); err != nil {
		return err
	}
	b.report.compared("Pack, gzip, against pigz", b.raw, "at least 1.8 times as fast, within 3 % of the size", tool, ours)
	return nil
}

// packUsual compares with what Go programs usually do.
func (b *bench) packUsual(ctx context.Context) error {
	ours := b.pack(codec.Zstd, codec.Zstd.DefaultLevel())
	usual := own("archive/tar + compress/gzip 6, read again for SHA-256", b.path("usual.tar.gz"), fileSize, "usual", b.source, b.path("usual.tar.gz"))
	if err := turns(ctx, min(b.pairs, 2), ours, usual); err != nil {
		return err
	}
	b.report.compared("Pack, against the usual Go way", b.raw, "at least 8 times as fast", usual, ours)
	return nil
}

// floor is what the encoding and one SHA-256 of the stored bytes take on all CPUs when nothing else is done.
func (b *bench) floor(ctx context.Context) error {
	level := codec.Zstd.DefaultLevel()
	ours := b.pack(codec.Zstd, level)
	floor := own("encode alone, SHA-256 alone", "", nil, "floor", string(codec.Zstd), strconv.Itoa(level), b.source)
	if err := turns(ctx, b.pairs, ours, floor); err != nil {
		return err
	}
	b.report.floor(b.raw, ours, floor)
	return nil
}

// packed makes the backup that is read, where no comparison before has left one.
func (b *bench) packed(ctx context.Context) error {
	if _, err := os.Stat(b.path("backup")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, err := b.pack(codec.Zstd, codec.Zstd.DefaultLevel()).run(ctx)
	return err
}

func (b *bench) restore(ctx context.Context) error {
	if err := b.packed(ctx); err != nil {
		return err
	}
	target := b.path("restored")
	ours := own("runner restore, everything verified", target, treeSize, "restore", b.path("backup"), target)
	line := fmt.Sprintf("mkdir '%[2]s' && zstd -qdc '%[1]s/data.tar.zst' | tar -x -C '%[2]s'", b.path("backup"), target)
	tool := pipeline("zstd -dc \\| tar x", line, target, treeSize)
	if err := turns(ctx, b.pairs, ours, tool); err != nil {
		return err
	}
	b.report.compared("Restore", b.raw, "at least 2 times as fast to the last byte, 1.6 times when durable", tool, ours)
	return nil
}

// oneTable compares the restore of one table of some size and of a small one with that of everything.
func (b *bench) oneTable(ctx context.Context) error {
	if err := b.packed(ctx); err != nil {
		return err
	}
	all := own("runner restore, everything", b.path("restored"), treeSize, "restore", b.path("backup"), b.path("restored"))
	notes := own("runner restore --path shop/notes.ibd", b.path("one"), treeSize, "restore", b.path("backup"), b.path("one"), "shop/notes.ibd")
	small := own("runner restore --path shop/small0000.ibd", b.path("one"), treeSize, "restore", b.path("backup"), b.path("one"), "shop/small0000.ibd")
	if err := turns(ctx, b.pairs, all, notes, small); err != nil {
		return err
	}
	b.report.oneTable(all, notes, small)
	return nil
}

func (b *bench) verify(ctx context.Context) error {
	if err := b.packed(ctx); err != nil {
		return err
	}
	ours := own("runner verify", "", nil, "verify", b.path("backup"))
	if err := turns(ctx, b.pairs, ours); err != nil {
		return err
	}
	b.report.verified(b.raw, ours)
	return nil
}
