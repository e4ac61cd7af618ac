package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/archive"
	"runner/pkg/clone"
)

// checked is the result of the step check.
type checked struct {
	timing
	// Mode is how the copy is made: what the plan says, or what the facts say where it leaves that open.
	Mode  string       `json:"mode"`
	Facts *clone.Facts `json:"facts"`
	// Recipient is the server that pulls the copy; nil: the server writes it itself.
	Recipient *clone.Source   `json:"recipient,omitempty"`
	Findings  []clone.Finding `json:"findings"`
}

// checkStep reads the server's facts and says what stands in the way. It changes nothing.
type checkStep struct {
	job       *job
	recipient []engine.Row // facts of it
}

// before is what the last check of an earlier attempt has found, whose work is still to be undone; nil: there is nothing.
func (s *checkStep) before(r *engine.Runtime) *checked {
	if len(r.Open()) == 0 {
		return nil
	}
	return lastCheck(s.job.run.History, s.job.Address)
}

func (s *checkStep) Run(ctx context.Context, r *engine.Runtime) (_ any, err error) {
	j := s.job
	begin := j.now()
	server, err := j.host.Connect(ctx, j.Source)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	facts, err := s.facts(ctx, server)
	if err != nil {
		return nil, err
	}
	if before := s.before(r); before != nil {
		if err := sameServer(before.Facts.Source.ServerUUID, facts); err != nil {
			return nil, err
		}
	}
	s.forget(r, facts)
	taken, err := s.survey(ctx, r, server, facts)
	if err != nil {
		return nil, err
	}
	s.show(ctx, r, facts, taken.target, taken.findings)
	if err := j.prerequisites(taken.findings); err != nil {
		return nil, err
	}
	j.checked = &checked{timing: timing{begin, j.now(), r.Attempt()}, Mode: taken.mode, Facts: facts, Recipient: taken.recipient, Findings: taken.findings}
	return j.checked, nil
}

// examine makes the findings. Where another server pulls the copy, it is examined too, and given.
func (s *checkStep) examine(ctx context.Context, r *engine.Runtime, server Server, facts *clone.Facts, target clone.Target) (*clone.Source, []clone.Finding, error) {
	if target.Mode == clone.ModeRemote {
		return s.examineRemote(ctx, r, server, facts, target)
	}
	return nil, s.waitsForOurs(facts, clone.CodeBusy, server.Check(ctx, facts, target)), nil
}

// waitsForOurs makes another clone on the server no obstacle where it is one of this very run: the engine keeps the two apart.
func (s *checkStep) waitsForOurs(facts *clone.Facts, code string, findings []clone.Finding) []clone.Finding {
	ours := "runner-" + s.job.run.ID + "-"
	writes := facts.Clone != nil && strings.HasPrefix(path.Base(facts.Clone.Destination), ours)
	if !writes && !s.job.donors.has(facts.Source.ServerUUID) {
		return findings
	}
	for i, f := range findings {
		if f.Code == code && f.Severity == clone.SeverityError {
			findings[i].Severity = clone.SeverityInfo
			findings[i].Summary = "another job of this run is cloning the server"
			findings[i].Detail += " This job waits until that is done."
			findings[i].Hint = ""
		}
	}
	return findings
}

// forget leaves out of the facts the connections over which an earlier attempt pulled: the server keeps its snapshot for a while
// after the runner was killed, or was cut off from it, and the step clone ends that.
func (s *checkStep) forget(r *engine.Runtime, facts *clone.Facts) {
	facts.Donations = slices.DeleteFunc(facts.Donations, func(d clone.Donation) bool {
		if d.Run == s.job.run.ID && !s.job.donors.has(facts.Source.ServerUUID) { // no job of this process has begun to pull
			return true
		}
		for _, action := range r.Open() {
			var st clone.StatementEffect
			if action.Kind == engine.ActionStatement && json.Unmarshal(action.Data, &st) == nil && st.PID == d.PID && st.Directory == "" {
				return true
			}
		}
		return false
	})
}

// target is what the job is going to do, for the checks.
func (s *checkStep) target(ctx context.Context, mode string, attempt int) clone.Target {
	j := s.job
	p := j.Clone
	theirs, _ := j.staging(attempt)
	if mode == clone.ModeLocal { // of auto: nothing is sent
		p.NetworkBandwidth, p.NetworkCompression = 0, ""
	}
	return clone.Target{
		Mode: mode, Directory: p.Directory, MountedAt: p.MountedAt, Staging: theirs,
		LostTables: j.Check.LostTables, Plugin: j.Check.Plugin, MinFree: j.Check.MinFree.Of,
		ArchivePath: filepath.Dir(j.folder()), ArchiveNeed: s.archiveNeed(ctx),
		Bandwidth: p.Bandwidth, Threads: p.Threads, DDL: p.DDL, DDLTimeout: p.DDLTimeout, Encrypted: j.Encrypt != nil,
		NetworkBandwidth: p.NetworkBandwidth, WireCompressed: wireCompressed(p),
	}
}

// Where nothing is known of how well the data compresses: what is surely needed, as a share of it.
const unknownRatio = 0.4

// archiveNeed estimates the archive from the ratio of the job's newest backup in the same format.
func (s *checkStep) archiveNeed(ctx context.Context) func(raw int64) (int64, string) {
	format := s.job.Compress.Format
	if format == "none" {
		return func(raw int64) (int64, string) { return raw, "not compressed" }
	}
	for _, m := range s.job.run.Earlier(ctx, s.job.Job) {
		if m.Archive.Compression == format && m.Archive.RawBytes > 0 {
			ratio := float64(m.Archive.StoredBytes) / float64(m.Archive.RawBytes)
			basis := fmt.Sprintf("ratio %.2f of run %s, and a fifth more", ratio, m.Run.ID)
			return func(raw int64) (int64, string) { return int64(float64(raw) * ratio * 1.2), basis }
		}
	}
	return func(raw int64) (int64, string) {
		return int64(float64(raw) * unknownRatio), "no earlier backup to go by: 0.4 of the data; it may be more"
	}
}

// show emits what was found out.
func (s *checkStep) show(ctx context.Context, r *engine.Runtime, facts *clone.Facts, target clone.Target, findings []clone.Finding) {
	r.Emit(engine.Facts{Rows: append(factRows(facts), s.recipient...)})
	for _, f := range findings {
		r.Finding(engine.Finding{Code: f.Code, Severity: engine.Severity(f.Severity), Summary: f.Summary, Detail: f.Detail, Hint: f.Hint})
	}
	r.Emit(engine.Lost{Tables: lostTables(facts), Other: notCloned(facts)})
	for _, space := range clone.EstimateSpace(facts, target) {
		row := engine.Space{Purpose: space.Purpose, Path: space.Path, Need: space.Need, Free: space.Free, Basis: space.Basis}
		if space.Unknown != "" {
			row.Need, row.Free, row.Basis = 0, -1, "unknown: "+space.Unknown
		}
		r.Emit(row)
	}
	r.Emit(s.forecast(ctx, facts, slowest(target.Bandwidth, target.NetworkBandwidth)))
}

// forecast is the time that the data takes at the pace of the newest backup, or at the bandwidth that is allowed, of which 0 is any.
func (s *checkStep) forecast(ctx context.Context, facts *clone.Facts, limit int64) engine.Forecast {
	bytes := float64(facts.EstimateBytes)
	if bytes == 0 {
		return engine.Forecast{Basis: "the size of the data is unknown"}
	}
	var (
		seconds float64
		basis   []string
	)
	if limit > 0 {
		seconds += bytes / float64(limit)
		basis = append(basis, "clone at "+humanize.IBytes(uint64(limit))+"/s")
	}
	for _, m := range s.job.run.Earlier(ctx, s.job.Job) {
		took := m.Run.Finished.Sub(m.Run.Started).Seconds()
		if m.Clone.Bytes > 0 && took > 0 {
			if pace := bytes / float64(m.Clone.Bytes) * took; pace > seconds {
				return engine.Forecast{Duration: asDuration(pace), Basis: "run " + m.Run.ID + " took " + asDuration(took).String()}
			}
			break
		}
	}
	if limit := s.job.Compress.Bandwidth; limit > 0 {
		seconds += bytes / float64(limit)
		basis = append(basis, "compress at "+humanize.IBytes(uint64(limit))+"/s")
	}
	if seconds == 0 {
		return engine.Forecast{Basis: "no bandwidth is set, and there is no earlier backup to go by"}
	}
	return engine.Forecast{Duration: asDuration(seconds), Basis: "at least: " + strings.Join(basis, ", ")}
}

func asDuration(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second)).Round(100 * time.Millisecond)
}

// prerequisites makes an error of the findings that are errors.
func (j *job) prerequisites(findings []clone.Finding) error {
	var failed []clone.Finding
	busy := true
	for _, f := range findings {
		if f.Severity == clone.SeverityError {
			failed = append(failed, f)
			busy = busy && (f.Code == clone.CodeBusy || f.Code == clone.CodeRecipientBusy)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return &PrerequisiteError{Job: j.Address, Findings: failed, Busy: busy}
}

// Adopt takes the facts of the attempt in which the clone was made: they are what the manifest must say, and a
// server that is down by now need not be asked. Where there is no clone to go on with, everything is looked at again.
func (s *checkStep) Adopt(ctx context.Context, r *engine.Runtime, result json.RawMessage) error {
	c, err := adopt[checked](result)
	if err != nil {
		return err
	}
	there, err := s.cloneIsThere(ctx, r, c)
	if err != nil {
		return err
	}
	if !there {
		return fmt.Errorf("there is no copy to go on with: %w", engine.ErrStale)
	}
	s.job.checked = c
	return nil
}

// cloneIsThere reports whether the clone of an earlier attempt is finished, packed, or still being made.
func (s *checkStep) cloneIsThere(ctx context.Context, r *engine.Runtime, c *checked) (bool, error) {
	if complete, err := hasManifest(s.job.folder()); complete || err != nil {
		return complete, err
	}
	if c.Mode == clone.ModeStream {
		return s.streamed()
	}
	for _, action := range r.Open() {
		d, ok := ours(action, placeStaging)
		if !ok {
			continue
		}
		state, err := clone.InspectDirectory(d.Ours)
		if err != nil {
			return false, err
		}
		if state == clone.DirFinished {
			return true, nil
		}
		if going, err := s.stillGoing(ctx, c.Mode, d); going || err != nil {
			return going, err
		}
	}
	return false, nil
}

// stillGoing asks the server whether it goes on with a clone whose sender was killed.
func (s *checkStep) stillGoing(ctx context.Context, mode string, d directory) (_ bool, err error) {
	server, err := s.job.host.Connect(ctx, writer(s.job.Job, mode))
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	state, err := server.State(ctx, d.Server)
	return state.State == clone.CloneInProgress, err
}

// streamed reports whether an attempt has pulled the archive whole: its index is written last.
func (s *checkStep) streamed() (bool, error) {
	for _, name := range []string{archive.IndexName, archive.IndexName + archive.SealedSuffix} {
		_, err := os.Lstat(filepath.Join(s.job.folder(), name))
		if !errors.Is(err, fs.ErrNotExist) {
			return err == nil, err
		}
	}
	return false, nil
}
