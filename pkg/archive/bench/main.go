// Command bench packs, verifies and restores a directory that a real MySQL server has cloned, and does the
// same with the pipelines of standard tools that a DBA would write, in turns in one run.
//
// It prints medians, ratios, sizes and the peak memory of our processes, and writes them to a file. All sides
// read from the page cache. Each is timed twice: until the last byte is written, and until it is durable.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: error: %v\n", err)
		os.Exit(1)
	}
}

type settings struct {
	cache     string // folder of make mysql
	source    string // directory to pack; empty: one is made
	work      string // folder for all that is written; empty: a temporary one
	results   string // file to write the tables to; empty: none
	megabytes int
	tables    int // small ones
	pairs     int
	only      string // one comparison, by its name; empty: all
	runner    string // program whose memory is measured too; empty: none
}

func run(ctx context.Context) (err error) {
	var s settings
	flag.StringVar(&s.cache, "cache", ".cache/mysql", "where make mysql puts MySQL")
	flag.StringVar(&s.source, "source", "", "pack this directory instead of making one")
	flag.StringVar(&s.work, "work", "", "write here and leave what was made, instead of in a temporary folder")
	flag.StringVar(&s.results, "results", "", "write the tables to this file too, as Markdown")
	flag.IntVar(&s.megabytes, "size", 2100, "MB of the directory that is made")
	flag.IntVar(&s.tables, "tables", 5000, "how many of its tables are small")
	flag.IntVar(&s.pairs, "pairs", 5, "how often each side runs")
	flag.StringVar(&s.only, "only", "", "one of zstd3, zstd1, gzip, usual, floor, restore, table, verify, memory, stream; empty: all")
	flag.StringVar(&s.runner, "runner", "", "a runner, whose memory is measured too, and which backs a server up")
	child := flag.String("child", "", "internal: one piece of work, in a process of its own")
	flag.Parse()
	if *child != "" {
		return runChild(ctx, *child, flag.Args())
	}
	if s.work == "" {
		if s.work, err = os.MkdirTemp("", "runner-bench-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(s.work)) }()
	}
	if s.source == "" {
		s.source = filepath.Join(s.work, "clone")
		if _, err := os.Stat(s.source); err != nil {
			if err := makeClone(ctx, s); err != nil {
				return err
			}
		}
	}
	if s.source, err = filepath.Abs(s.source); err != nil {
		return err
	}
	return compare(ctx, s)
}
