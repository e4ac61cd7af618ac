package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// side is one way to do a piece of work.
type side struct {
	name string
	made string // file or folder that a run makes; removed before it, outside its time
	run  func(ctx context.Context) (outcome, error)
	seen []outcome
}

// outcome is what one run of a side took and made.
type outcome struct {
	written time.Duration // until the last byte was written
	durable time.Duration // until all was durable
	size    int64         // bytes of what it made
	rss     int64         // peak resident bytes of the process; 0 if it is not ours
	note    note
}

// note is what a child process prints.
type note struct {
	Written int64              // Unix nanoseconds at which the last byte was written; 0: when the process ended
	Seconds map[string]float64 // of parts of the work, by name
}

func median(s *side, of func(outcome) float64) float64 {
	values := make([]float64, len(s.seen))
	for i, o := range s.seen {
		values[i] = of(o)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func written(o outcome) float64 { return o.written.Seconds() }
func durable(o outcome) float64 { return o.durable.Seconds() }

func (s *side) size() int64 { return s.seen[len(s.seen)-1].size }

func (s *side) peak() (rss int64) {
	for _, o := range s.seen {
		rss = max(rss, o.rss)
	}
	return rss
}

// turns runs the sides one after the other, over and over, so that what else the machine does meets all.
func turns(ctx context.Context, times int, sides ...*side) error {
	for range times {
		for _, s := range sides {
			if err := os.RemoveAll(s.made); err != nil {
				return err
			}
			// What the side before left to be written must not be this one's to wait for.
			syscall.Sync()
			o, err := s.run(ctx)
			if err != nil {
				return err
			}
			s.seen = append(s.seen, o)
		}
	}
	return nil
}

// pipeline is a side of standard tools: a command line of bash, all parts of which count, and the file or
// folder that is synced after it.
func pipeline(name, line, made string, size func(string) (int64, error)) *side {
	return &side{name: name, made: made, run: func(ctx context.Context) (o outcome, err error) {
		start := time.Now()
		if err := shell(ctx, line); err != nil {
			return o, err
		}
		o.written = time.Since(start)
		if err := shell(ctx, "sync -f '"+made+"'"); err != nil {
			return o, err
		}
		o.durable = time.Since(start)
		o.size, err = size(made)
		return o, err
	}}
}

func shell(ctx context.Context, line string) error {
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", line)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", line, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// own is a side of ours: this program again, for one piece of work.
func own(name, made string, size func(string) (int64, error), args ...string) *side {
	return &side{name: name, made: made, run: func(ctx context.Context) (o outcome, err error) {
		start := time.Now()
		if o, err = self(ctx, args...); err != nil {
			return o, err
		}
		o.durable = time.Since(start)
		o.written = o.durable
		if o.note.Written != 0 {
			o.written = time.Unix(0, o.note.Written).Sub(start)
		}
		if size != nil {
			o.size, err = size(made)
		}
		return o, err
	}}
}

func self(ctx context.Context, args ...string) (o outcome, err error) {
	program, err := os.Executable()
	if err != nil {
		return o, err
	}
	cmd := exec.CommandContext(ctx, program, append([]string{"-child"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return o, fmt.Errorf("%s: %w", args[0], err)
	}
	if err := json.Unmarshal(out, &o.note); err != nil {
		return o, fmt.Errorf("%s: %w: %s", args[0], err, out)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return o, fmt.Errorf("%s: no resource usage", args[0])
	}
	o.rss = usage.Maxrss << 10 // in KiB on Linux (getrusage(2))
	return o, nil
}

func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func treeSize(dir string) (int64, error) {
	var total int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		total += info.Size()
		return nil
	})
	return total, err
}
