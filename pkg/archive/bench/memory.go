package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"runner/pkg/innodb/innodbtest"
)

// tableCounts are how many tables there are, each in a file of its own, for which memory is measured.
var tableCounts = []int{1, 10_000, 100_000}

// The files of the tables: small ones, since it is their number that may cost memory, and not their size.
const (
	tablePages    = 3
	tablePageSize = 4 << 10
	schemaTables  = 1000
)

// memory compares the peak resident memory of processes that pack, verify and restore few tables and many.
func (b *bench) memory(ctx context.Context) error {
	b.report.section("Peak resident memory", "below 200 MB at 100,000 tables")
	head, rule := "| tables | pack | verify | restore |", "|---|---|---|---|"
	if b.runner != "" {
		head, rule = head+" runner verify | runner restore |", rule+"---|---|"
	}
	b.report.line("%s", head)
	b.report.line("%s", rule)
	for _, tables := range tableCounts {
		folder := filepath.Join(b.work, fmt.Sprintf("tables-%d", tables))
		if err := makeTables(filepath.Join(folder, "source"), tables); err != nil {
			return err
		}
		peaks, err := peaksOf(ctx, b.settings, folder)
		if err != nil {
			return err
		}
		row := fmt.Sprintf("| %d |", tables)
		for _, p := range peaks {
			row += fmt.Sprintf(" %.0f MB |", float64(p)/1e6)
		}
		b.report.line("%s", row)
		if err := os.RemoveAll(folder); err != nil {
			return err
		}
	}
	b.report.line("")
	b.report.line("What grows: the index, some 500 bytes a table in memory, and the manifest's list of tablespaces. Data of any size costs nothing more; threads cost 8 MiB of buffers each, and their encoders.")
	return nil
}

// peaksOf packs, verifies and restores a folder, each in a process of its own.
func peaksOf(ctx context.Context, s settings, folder string) (peaks []int64, err error) {
	in := func(name string) string { return filepath.Join(folder, name) }
	works := []*exec.Cmd{}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	for _, args := range [][]string{
		{"-child", "pack", "zstd", "1", in("source"), in("backup")},
		{"-child", "verify", in("backup")},
		{"-child", "restore", in("backup"), in("restored")},
	} {
		works = append(works, exec.CommandContext(ctx, program, args...))
	}
	if s.runner != "" {
		works = append(works, exec.CommandContext(ctx, s.runner, "verify", in("backup")),
			exec.CommandContext(ctx, s.runner, "restore", in("backup"), "--to", in("restored-again")))
	}
	for _, cmd := range works {
		peak, err := peakOf(cmd)
		if err != nil {
			return nil, err
		}
		peaks = append(peaks, peak)
	}
	return peaks, nil
}

// peakOf runs a process to its end and gives its peak resident memory in bytes.
func peakOf(cmd *exec.Cmd) (int64, error) {
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%v: %w: %s", cmd.Args, err, out)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0, fmt.Errorf("%v: no resource usage", cmd.Args)
	}
	return usage.Maxrss << 10, nil // in KiB on Linux (getrusage(2))
}

// makeTables makes a data directory of tables with names of an ordinary length.
func makeTables(dir string, tables int) error {
	for i := range tables {
		schema := filepath.Join(dir, fmt.Sprintf("customer_%04d", i/schemaTables))
		if i%schemaTables == 0 {
			if err := os.MkdirAll(schema, 0o750); err != nil {
				return err
			}
		}
		name := filepath.Join(schema, fmt.Sprintf("orders_of_month_%06d.ibd", i))
		if err := os.WriteFile(name, innodbtest.File(uint32(i+1), tablePages, tablePageSize), 0o640); err != nil {
			return err
		}
	}
	return nil
}
