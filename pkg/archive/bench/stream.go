package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"runner/pkg/mysqld"
)

// stream compares whole backups of a running server: ours over the clone protocol and ours by way of a directory, with what a
// DBA types who has the server clone itself and packs that.
func (b *bench) stream(ctx context.Context) (err error) {
	if b.runner == "" {
		return nil
	}
	server, err := b.donor(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop(context.WithoutCancel(ctx))) }()
	streamed, err := b.apply(server, "runner apply, mode stream", "stream", "threads = 4")
	if err != nil {
		return err
	}
	local, err := b.apply(server, "runner apply, mode local", "local", fmt.Sprintf("directory = %q", b.path("staging")))
	if err != nil {
		return err
	}
	usual := b.cloneAndTar(server)
	if err := turns(ctx, b.pairs, streamed, usual, local); err != nil {
		return err
	}
	b.report.compared("A whole backup of a running server", b.raw, "mode stream at least 2 times as fast as the usual way, below 250 MB at 4 connections", usual, streamed, local)
	b.report.line("")
	b.report.line("The usual way leaves the clone, %.0f MB, on the disk beside the archive; mode local removes it, in its time; mode stream writes nothing but the archive.", float64(b.raw)/1e6)
	return nil
}

// donor starts a server on a copy of what was cloned.
func (b *bench) donor(ctx context.Context) (*mysqld.Server, error) {
	program, err := mysqld.Find(b.cache)
	if err != nil {
		return nil, err
	}
	folder := b.path("donor")
	data := filepath.Join(folder, "data")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	if _, err := os.Stat(data); err != nil {
		if err := shell(ctx, fmt.Sprintf("cp -a '%s' '%s'", b.source, data)); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(b.path("staging"), 0o755); err != nil {
		return nil, err
	}
	server, err := mysqld.Start(ctx, mysqld.Options{
		Program: program, Folder: folder, DataDir: data, DieWithParent: true,
		Args: []string{"--disable-log-bin", "--innodb-buffer-pool-size=512M", "--innodb-redo-log-capacity=1G"},
	})
	if err != nil {
		return nil, err
	}
	// The files that only a running server has, and the first clone of one, are nobody's to pay for.
	if err := server.InstallClone(ctx); err != nil {
		return nil, errors.Join(err, server.Stop(context.WithoutCancel(ctx)))
	}
	return server, nil
}

// apply is our side: the program, from the plan to the manifest.
func (b *bench) apply(server *mysqld.Server, name, mode, how string) (*side, error) {
	repository, plan := b.path("repository-"+mode), b.path(mode+".hcl")
	text := fmt.Sprintf(`source "mysql" "donor" {
  socket = %q
  user   = "root"
}
repository "local" "bench" { path = %q }
job "bench" {
  source     = source.mysql.donor
  repository = repository.local.bench
  check { min_free = "0%%" }
  clone {
    mode = %q
    %s
  }
}
`, server.Socket(), repository, mode, how)
	if err := os.WriteFile(plan, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return &side{name: name, made: repository, run: func(ctx context.Context) (o outcome, err error) {
		start := time.Now()
		cmd := exec.CommandContext(ctx, b.runner, "apply", plan, "--state-dir", b.path("state"))
		if out, err := cmd.CombinedOutput(); err != nil {
			return o, fmt.Errorf("runner apply %s: %w: %s", mode, err, strings.TrimSpace(string(out)))
		}
		o.durable = time.Since(start)
		o.written = o.durable
		if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			o.rss = usage.Maxrss << 10
		}
		archives, err := filepath.Glob(filepath.Join(repository, "bench", "*", "data.tar.zst"))
		if err != nil || len(archives) != 1 {
			return o, fmt.Errorf("%d archives in %s (%w)", len(archives), repository, err)
		}
		o.size, err = fileSize(archives[0])
		return o, err
	}}, nil
}

// cloneAndTar is what a DBA types.
func (b *bench) cloneAndTar(server *mysqld.Server) *side {
	folder := b.path("usual")
	client := filepath.Join(b.cache, "bin", "mysql")
	line := fmt.Sprintf("mkdir '%[1]s' && '%[2]s' -uroot -S '%[3]s' -e \"CLONE LOCAL DATA DIRECTORY = '%[1]s/clone'\" && "+
		"tar -C '%[1]s/clone' -cf - . | zstd -q -3 -T0 | tee '%[1]s/peer.tar.zst' | sha256sum >/dev/null", folder, client, server.Socket())
	size := func(folder string) (int64, error) { return fileSize(filepath.Join(folder, "peer.tar.zst")) }
	return pipeline("CLONE LOCAL, then tar \\| zstd -3 -T0 \\| tee FILE \\| sha256sum", line, folder, size)
}
