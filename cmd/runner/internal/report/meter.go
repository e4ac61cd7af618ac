package report

import (
	"fmt"
	"strings"
	"time"

	"runner/cmd/runner/internal/engine"
)

// The rate is that of the last ten seconds: long enough to be calm, short
// enough to show a disk that stalls. Samples are taken four times a second.
const (
	rateWindow   = 10 * time.Second
	sampleSpace  = 250 * time.Millisecond
	rateSettling = time.Second // no rate before that
	rateStall    = 2 * time.Second
)

// meter turns a step's progress into a rate and a time left.
type meter struct {
	progress engine.Progress
	at       time.Time // of progress
	samples  []sample  // oldest first
}

type sample struct {
	at   time.Time
	done int64
}

// add takes a progress event in. A new stage, and a count that goes down,
// starts the measurement again.
func (m *meter) add(at time.Time, p engine.Progress) {
	if p.Stage != m.progress.Stage || p.Done < m.progress.Done {
		m.samples = m.samples[:0]
	}
	m.progress, m.at = p, at
	n := len(m.samples)
	if n > 0 && at.Sub(m.samples[n-1].at) < sampleSpace {
		return
	}
	m.samples = append(m.samples, sample{at: at, done: p.Done})
	for len(m.samples) > 2 && at.Sub(m.samples[1].at) >= rateWindow {
		m.samples = m.samples[1:]
	}
}

// rate is in bytes a second at a moment; 0: unknown, or nothing moves.
func (m *meter) rate(now time.Time) float64 {
	if len(m.samples) == 0 {
		return 0
	}
	// The window ends with the last news, unless there was none for so long that
	// the step has stalled: then it must be seen to slow down.
	end := m.at
	if now.Sub(end) > rateStall {
		end = now
	}
	first := m.samples[0]
	spent := end.Sub(first.at)
	if spent < rateSettling {
		return 0
	}
	return float64(m.progress.Done-first.done) / spent.Seconds()
}

// fraction is how much is done, 0 to 1; false if that is unknown.
func (m *meter) fraction() (float64, bool) {
	p := m.progress
	if p.Total <= 0 || p.Done < 0 {
		return 0, false
	}
	return min(float64(p.Done)/float64(p.Total), 1), true
}

// left is the time left; false if it is unknown.
func (m *meter) left(now time.Time) (time.Duration, bool) {
	rate := m.rate(now)
	p := m.progress
	if rate <= 0 || p.Total <= 0 || p.Done > p.Total {
		return 0, false
	}
	seconds := float64(p.Total-p.Done) / rate
	if seconds > (1000 * time.Hour).Seconds() {
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Second), true
}

// numbers are percent, bytes, rate and time left: as much as is known.
func (m *meter) numbers(now time.Time) []string {
	var parts []string
	if f, ok := m.fraction(); ok {
		parts = append(parts, fmt.Sprintf("%3d%%", int(f*100))) // 100% is for when it is all
	}
	switch p := m.progress; {
	case p.Total > 0:
		parts = append(parts, bytes(p.Done)+" of "+bytes(p.Total))
	case p.Done > 0:
		parts = append(parts, bytes(p.Done))
	}
	if rate := m.rate(now); rate >= 1 {
		parts = append(parts, bytes(int64(rate))+"/s")
	}
	if d, ok := m.left(now); ok {
		parts = append(parts, d.String()+" left")
	}
	return parts
}

// status is one line for the log.
func (m *meter) status(now time.Time) string {
	parts := m.numbers(now)
	if m.progress.Stage != "" {
		parts = append([]string{clean(m.progress.Stage)}, parts...)
	}
	if m.progress.Note != "" {
		parts = append(parts, clean(m.progress.Note))
	}
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return strings.Join(parts, ", ")
}
