package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// report collects the tables; each is printed as soon as it is known.
type report struct {
	text strings.Builder
}

func newReport(s settings, raw int64) *report {
	r := &report{}
	r.line("# Results of `make bench`")
	r.line("")
	r.line("Written by the command itself, on %s. Medians of %d runs of each side, in turns. Machines differ and drift: the ratios are what counts.",
		time.Now().UTC().Format(time.DateOnly), s.pairs)
	r.line("")
	r.line("- machine: %d CPUs (%s), %s, %s %s/%s", runtime.NumCPU(), cpuModel(), kernel(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	r.line("- directory: cloned from a real server, %.0f MB: tables of text, JSON, numbers and random bytes, and %d small tables", float64(raw)/1e6, s.tables)
	r.line("- command: `go run ./pkg/archive/bench -size %d -tables %d -pairs %d`, which is what `make bench` runs", s.megabytes, s.tables, s.pairs)
	r.line("- *written*: until the last byte is written. *durable*: until it is synced; ours always waits for that, the pipelines are followed by `sync -f`")
	return r
}

func (r *report) line(format string, args ...any) {
	line := fmt.Sprintf(format, args...) + "\n"
	r.text.WriteString(line)
	fmt.Print(line)
}

func (r *report) section(title, target string) {
	r.line("")
	r.line("## %s", title)
	r.line("")
	if target != "" {
		r.line("Target: %s.", target)
		r.line("")
	}
}

// compared is the table of a peer and of our ways to do the same, each with how many times as fast it is.
func (r *report) compared(title string, raw int64, target string, peer *side, ours ...*side) {
	r.section(title, target)
	r.line("| | written | durable | MB/s (durable) | times as fast, written | durable | MB made | size | peak memory |")
	r.line("|---|---|---|---|---|---|---|---|---|")
	r.line("| %s | %.2f s | %.2f s | %.0f | 1 | 1 | %.1f | | |", peer.name, median(peer, written), median(peer, durable),
		float64(raw)/1e6/median(peer, durable), float64(peer.size())/1e6)
	for _, s := range ours {
		r.line("| %s | %.2f s | %.2f s | %.0f | **%.2f** | **%.2f** | %.1f | %+.2f %% | %.0f MB |", s.name, median(s, written), median(s, durable),
			float64(raw)/1e6/median(s, durable), median(peer, written)/median(s, written), median(peer, durable)/median(s, durable),
			float64(s.size())/1e6, 100*(float64(s.size())/float64(peer.size())-1), float64(s.peak())/1e6)
	}
}

func (r *report) floor(raw int64, ours, floor *side) {
	encode := median(floor, func(o outcome) float64 { return o.note.Seconds["encode"] })
	sum := median(floor, func(o outcome) float64 { return o.note.Seconds["sha256"] })
	least := encode + sum/float64(runtime.GOMAXPROCS(0))
	r.section("Pack, against the floor", "at most 1.15 times the floor")
	r.line("| | seconds | MB/s |")
	r.line("|---|---|---|")
	r.line("| encode all frames, on all CPUs, from memory | %.2f | %.0f |", encode, float64(raw)/1e6/encode)
	r.line("| SHA-256 of the stored bytes, on one CPU | %.2f | |", sum)
	r.line("| floor: the first, and the second shared by all CPUs | %.2f | %.0f |", least, float64(raw)/1e6/least)
	r.line("| %s, written | %.2f | %.0f |", ours.name, median(ours, written), float64(raw)/1e6/median(ours, written))
	r.line("| **of the floor** | **%.2f** | |", median(ours, written)/least)
}

func (r *report) oneTable(all, notes, small *side) {
	r.section("Restore of one table", "under a tenth of the full restore's time")
	r.line("| | MB | durable | of the full restore | peak memory |")
	r.line("|---|---|---|---|---|")
	for _, s := range []*side{all, notes, small} {
		r.line("| %s | %.1f | %.2f s | %.3f | %.0f MB |", s.name, float64(s.size())/1e6, median(s, durable), median(s, durable)/median(all, durable), float64(s.peak())/1e6)
	}
}

func (r *report) verified(raw int64, ours *side) {
	r.section("Verify", "at least 1 GB/s of raw data")
	r.line("| | seconds | MB/s of raw data | peak memory |")
	r.line("|---|---|---|---|")
	r.line("| %s | %.2f | **%.0f** | %.0f MB |", ours.name, median(ours, written), float64(raw)/1e6/median(ours, written), float64(ours.peak())/1e6)
}

// write puts the whole report into a file, under a temporary name first.
func (r *report) write(path string) error {
	if path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	partial := path + ".partial"
	if err := os.WriteFile(partial, []byte(r.text.String()), 0o644); err != nil {
		return errors.Join(err, os.Remove(partial))
	}
	return os.Rename(partial, path)
}

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "model unknown"
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(io.LimitReader(f, 64<<10))
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "model unknown"
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "kernel unknown"
	}
	return "Linux " + unix.ByteSliceToString(u.Release[:])
}
