package steps

import (
	"maps"
	"slices"
	"time"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/manifest"
	"runner/pkg/clone"
	"runner/pkg/innodb"
)

// manifest is the record of the job's backup, as far as it is known when the step metadata begins.
func (j *job) manifest(attempt int, now time.Time) *manifest.Manifest {
	return &manifest.Manifest{
		Format: manifest.Format,
		State:  manifest.StateComplete,
		Run: manifest.Run{
			ID: j.run.ID, Job: j.Address, PlanDigest: j.run.PlanDigest, Attempt: attempt, Host: j.run.Host, Version: j.run.Version,
			Started: j.checked.Begin, Finished: now,
		},
		Labels:      maps.Clone(j.Labels),
		Annotations: maps.Clone(j.Metadata.Annotations),
		Source:      j.sourceRecord(),
		Clone:       j.cloneRecord(),
		Window:      manifest.Window{Before: logStatus(j.cloned.Before), After: logStatus(j.cloned.After)},
		Coordinates: coordinates(j.cloned.Coordinates),
		Content:     j.content(),
		Archive:     j.archiveRecord(),
		Checks:      j.findings(),
		Timings:     j.timings(attempt),
		Proofs:      []manifest.Proof{},
	}
}

// sourceRecord is the source as the check saw it, with the settings that the copy was made with in the end.
func (j *job) sourceRecord() manifest.Source {
	source := manifest.Source(j.checked.Facts.Source)
	if j.cloned.RestoreCNF != "" {
		source.RestoreCNF = j.cloned.RestoreCNF
	}
	return source
}

func (j *job) cloneRecord() manifest.Clone {
	c := j.cloned
	record := manifest.Clone{
		Mode: c.Mode, Statement: c.Statement, Directory: c.Directory, Observed: c.Observe, Began: c.Begin, Ended: c.End,
		Bytes: c.Bytes, Threads: j.Clone.Threads, Bandwidth: j.Clone.Bandwidth,
		Settings: []manifest.Setting{}, Stages: []manifest.Stage{},
	}
	if c.Stream != nil {
		record.Donor, record.Stream = j.checked.Facts.Address, streamRecord(c.Stream)
	}
	if c.Pulled != nil {
		record.Donor, record.TLS = c.Pulled.Donor, protection(c.Pulled)
	}
	for _, s := range c.Settings {
		record.Settings = append(record.Settings, manifest.Setting(s))
	}
	for _, s := range c.Stages {
		record.Stages = append(record.Stages, manifest.Stage{
			Name: s.Name, State: s.State, Began: s.Begin, Ended: s.End, Threads: s.Threads,
			Estimate: s.Estimate, Bytes: s.Data, NetworkBytes: s.Network, Speed: s.Speed,
		})
	}
	return record
}

func streamRecord(s *clone.Streamed) *manifest.Stream {
	record := &manifest.Stream{
		Protocol: s.Protocol, Connections: s.Connections, Resumed: s.Resumed, NetworkBytes: s.Network, SpilledBytes: s.Spilled,
		StalledSeconds: s.Stalled.Seconds(), CheckedPages: s.Pages, External: []manifest.External{},
	}
	if s.Encrypted {
		record.Keyring = clone.KeyringStore
	}
	for _, e := range s.External {
		record.External = append(record.External, manifest.External{Source: e.Donor, Path: e.Path})
	}
	return record
}

// logStatus is nil where the server could not be asked.
func logStatus(s *clone.LogStatus) *manifest.LogStatus {
	if s == nil {
		return nil
	}
	return &manifest.LogStatus{
		Time: s.Time, BinlogFile: value(s.BinlogFile), BinlogPosition: int64(value(s.BinlogPosition)), GTIDExecuted: value(s.GTIDExecuted),
		LSN: int64(value(s.LSN)), LSNCheckpoint: int64(value(s.LSNCheckpoint)),
	}
}

func coordinates(c clone.Coordinates) manifest.Coordinates {
	return manifest.Coordinates{
		From: c.From, BinlogFile: value(c.BinlogFile), BinlogPosition: int64(value(c.BinlogPosition)),
		GTIDExecuted: value(c.GTIDExecuted), LSN: int64(value(c.LSN)),
	}
}

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func (j *job) content() manifest.Content {
	content := manifest.Content{Tablespaces: []manifest.Tablespace{}, Lost: []manifest.Lost{}, Other: notCloned(j.checked.Facts)}
	for _, s := range j.packed.Spaces {
		file := innodb.FileOf(s.Path)
		content.Tablespaces = append(content.Tablespaces, manifest.Tablespace{
			Schema: file.Schema, Table: file.Table, Partition: file.Partition, Subpartition: file.Subpartition,
			Path: s.Path, SpaceID: int64(s.Page.SpaceID), PageSize: s.Page.PageSize,
			Pages: s.Page.Total, Encrypted: s.Page.Encrypted, Compressed: s.Page.Compressed,
		})
	}
	for _, t := range j.checked.Facts.Lost {
		content.Lost = append(content.Lost, manifest.Lost{Schema: t.Schema, Table: t.Table, Engine: t.Engine})
	}
	return content
}

func (j *job) archiveRecord() manifest.Archive {
	p := j.packed
	record := manifest.Archive{
		Compression: string(p.Codec), Level: p.Level, FrameSize: codec.FrameSize, Frames: p.Frames, ZeroFrames: p.ZeroFrames,
		Files: p.Files, RawBytes: p.RawBytes, StoredBytes: p.Data.Bytes, Data: manifest.StoredFile(p.Data), Index: manifest.StoredFile(p.Index),
		Pages: manifest.Pages{
			Checked: j.Checksum.Pages != "off", Total: p.Pages.Total, Zero: p.Pages.Zero, Bad: p.Pages.Bad,
			Uncheckable: p.Pages.Uncheckable, MinLSN: p.Pages.MinLSN, MaxLSN: p.Pages.MaxLSN,
		},
	}
	if p.Recipients > 0 {
		record.Encryption, record.Recipients = manifest.EncryptionAge, p.Recipients
	}
	if p.RawBytes > 0 {
		record.Ratio = float64(p.Data.Bytes) / float64(p.RawBytes)
	}
	return record
}

func (j *job) findings() []manifest.Check {
	all := []manifest.Check{}
	for _, f := range append(slices.Clone(j.checked.Findings), j.cloned.Findings...) {
		all = append(all, manifest.Check{Code: f.Code, Severity: string(f.Severity), Summary: f.Summary, Detail: f.Detail, Hint: f.Hint})
	}
	return append(append(all, j.packed.Notes...), j.summed.Notes...)
}

// timings are of the steps before metadata, which can't know its own end. A step that an earlier attempt did has that
// attempt's times.
func (j *job) timings(attempt int) []manifest.Timing {
	var all []manifest.Timing
	for _, step := range []struct {
		name string
		at   timing
	}{
		{Check, j.checked.timing},
		{Clone, timing{j.cloned.Begin, j.cloned.End, j.cloned.Attempt}},
		{Compress, j.packed.timing},
		{Checksum, j.summed.timing},
	} {
		outcome := "done"
		if step.at.Attempt != attempt {
			outcome = "resumed"
		}
		all = append(all, manifest.Timing{
			Step: step.name, Attempt: step.at.Attempt, Outcome: outcome, Began: step.at.Begin, Ended: step.at.End,
			Seconds: step.at.End.Sub(step.at.Begin).Seconds(),
		})
	}
	return all
}
