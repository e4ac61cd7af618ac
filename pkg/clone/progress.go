package clone

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Stage is one row of performance_schema.clone_progress. What the server has no value for is nil or 0.
type Stage struct {
	Name     string     `json:"name"`
	State    string     `json:"state"` // as the server writes it: "Completed", "In Progress", "Not Started", "Failed"
	Begin    *time.Time `json:"begin"`
	End      *time.Time `json:"end"`
	Threads  int        `json:"threads"`
	Estimate int64      `json:"estimate"` // bytes
	Data     int64      `json:"data"`     // bytes
	Network  int64      `json:"network"`  // bytes; 0 for a local clone
	Speed    int64      `json:"speed"`    // bytes/s, the latest that the server measured; 0 when it did not
}

// Progress is how far a clone has come, over the three stages that copy data.
type Progress struct {
	Stage string // "FILE COPY", "PAGE COPY", "REDO COPY", "FILE SYNC"; never goes back
	Done  int64  // bytes; never falls
	Total int64  // bytes, the server's estimate; grows when a later stage's becomes known
	Rate  int64  // bytes/s over the last few seconds; 0 unknown
	// Network is what came over the network, bytes; never falls; 0 for a local clone.
	Network int64
}

// stageQuery asks for one clone's stages. All rows of clone_progress share one ID, so their order is
// made here, by stage; and they stay there until the next clone begins, so they count only while
// clone_status says that they are of the connection and destination asked for.
const stageQuery = `SELECT p.STAGE, p.STATE, p.BEGIN_TIME, p.END_TIME, p.THREADS, p.ESTIMATE, p.DATA, p.NETWORK, p.DATA_SPEED
FROM performance_schema.clone_progress p JOIN performance_schema.clone_status s ON s.ID = p.ID
WHERE s.PID = ? AND TRIM(TRAILING '/' FROM s.DESTINATION) = ?
ORDER BY FIELD(p.STAGE, 'DROP DATA', 'FILE COPY', 'PAGE COPY', 'REDO COPY', 'FILE SYNC', 'RESTART', 'RECOVERY')`

// readStages returns the stages of the clone that the connection pid writes into directory, in their
// order; none when the server has no such clone.
func readStages(ctx context.Context, db *sql.DB, pid int64, directory string) (stages []Stage, err error) {
	ctx, late, cancel := limit(ctx, rowTimeout)
	defer cancel()
	defer func() { err = late(err) }()
	rows, err := db.QueryContext(ctx, stageQuery, pid, directory)
	if err != nil {
		return nil, wrap("read clone progress", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var stage Stage
		var name, state sql.NullString
		var begin, end sql.NullTime
		var threads, estimate, data, network, speed sql.NullInt64
		if err := rows.Scan(&name, &state, &begin, &end, &threads, &estimate, &data, &network, &speed); err != nil {
			return nil, fmt.Errorf("read clone progress: %w", err)
		}
		stage.Name, stage.State = name.String, state.String
		stage.Begin, stage.End = timePointer(begin), timePointer(end)
		stage.Threads, stage.Estimate, stage.Data = int(threads.Int64), estimate.Int64, data.Int64
		stage.Network, stage.Speed = network.Int64, speed.Int64
		stages = append(stages, stage)
	}
	return stages, wrap("read clone progress", rows.Err())
}

// copies tells whether a stage copies data, and so counts towards the total.
func (s Stage) copies() bool {
	return s.Name == "FILE COPY" || s.Name == "PAGE COPY" || s.Name == "REDO COPY"
}

func (s Stage) started() bool { return s.State != stateNotStarted && s.State != "" }

// copiedBytes is what the copying stages wrote.
func copiedBytes(stages []Stage) (done, total int64) {
	for _, stage := range stages {
		if stage.copies() {
			done += stage.Data
			total += max(stage.Estimate, stage.Data)
		}
	}
	return done, total
}

// networkBytes is what all stages received.
func networkBytes(stages []Stage) int64 {
	var sum int64
	for _, stage := range stages {
		sum += stage.Network
	}
	return sum
}

// rateWindow is what a rate is taken over: long enough that the server's bandwidth limit, which it
// keeps by the second, does not show as a saw.
const rateWindow = 5 * time.Second

// meter turns what was read of the stages into progress.
type meter struct {
	last    Progress
	samples []sample
}

type sample struct {
	at   time.Time
	done int64
}

// add takes stages in their order, as read at a time. It reports false before the clone has begun.
func (m *meter) add(at time.Time, stages []Stage) (Progress, bool) {
	current := ""
	for _, stage := range stages {
		// The first row is done at once when there is no data to be dropped.
		if stage.started() && stage.Name != "DROP DATA" {
			current = stage.Name
		}
	}
	if current == "" {
		return Progress{}, false
	}
	done, total := copiedBytes(stages)
	done, total = max(done, m.last.Done), max(total, m.last.Total)
	m.samples = append(m.samples, sample{at, done})
	for len(m.samples) > 2 && at.Sub(m.samples[0].at) > rateWindow {
		m.samples = m.samples[1:]
	}
	m.last = Progress{Stage: current, Done: done, Total: total, Rate: m.rate(), Network: max(networkBytes(stages), m.last.Network)}
	return m.last, true
}

func (m *meter) rate() int64 {
	first, last := m.samples[0], m.samples[len(m.samples)-1]
	seconds := last.at.Sub(first.at).Seconds()
	if seconds <= 0 {
		return 0
	}
	return int64(float64(last.done-first.done) / seconds)
}

// observation is one look at a running clone.
type observation struct {
	at     time.Time
	stages []Stage
	err    error
}

// poller reads the stages of one clone, at once and then every interval, until it is stopped.
type poller struct {
	seen chan observation
	quit context.CancelFunc
	done chan struct{}
}

// pollTimeout bounds one look: a server that does not answer that long has other troubles.
const pollTimeout = 10 * time.Second

func startPoller(db *sql.DB, pid int64, directory string, interval time.Duration) *poller {
	ctx, quit := context.WithCancel(context.Background())
	p := &poller{seen: make(chan observation), quit: quit, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			p.look(ctx, db, pid, directory)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return p
}

func (p *poller) look(ctx context.Context, db *sql.DB, pid int64, directory string) {
	bounded, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	var o observation
	o.stages, o.err = readStages(bounded, db, pid, directory)
	o.at = time.Now()
	select {
	case p.seen <- o:
	case <-ctx.Done():
	}
}

// stop ends the poller and waits for it. The channel is never closed: nobody can send on it then.
func (p *poller) stop() {
	p.quit()
	<-p.done
}
