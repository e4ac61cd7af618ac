package steps

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"runner/cmd/runner/internal/engine"
	"runner/pkg/archive"
	"runner/pkg/archive/digest"
	"runner/pkg/archive/manifest"
)

// The codes of what the step finds; the codes of package clone end before them.
const (
	codeDamagedPages   = "RUN101"
	codePagesUnchecked = "RUN102"
	codeReadBackSealed = "RUN103"
)

// summed is the result of the step checksum.
type summed struct {
	timing
	Notes    []manifest.Check `json:"notes,omitempty"`
	ReadBack bool             `json:"read_back,omitempty"`
}

// checksumStep says what the page checksums mean and writes SHA256SUMS; where the plan asks for it, it reads the archive again.
type checksumStep struct{ job *job }

func (s *checksumStep) Run(ctx context.Context, r *engine.Runtime) (any, error) {
	j := s.job
	result := &summed{timing: timing{Begin: j.now(), Attempt: r.Attempt()}}
	for _, note := range s.streamed() {
		result.note(r, note, nil)
	}
	if note := s.pages(); note != nil {
		result.note(r, *note, damagedPages(j.packed.BadPages))
		if note.Severity == string(engine.SeverityError) {
			return nil, &DamagedError{
				Pages: j.packed.Pages.Bad, First: j.packed.BadPages[0].String(), Look: lookInto(j.packed.Spaces),
				Staging: j.cloned.Observe, Repository: j.Repository.Path,
			}
		}
	}
	dst, err := j.host.Backup(j.folder())
	if err != nil {
		return nil, err
	}
	if err := archive.WriteSums(ctx, dst, j.packed.Data, j.packed.Index); err != nil {
		return nil, j.roomless(fmt.Errorf("write sums: %w", err))
	}
	if j.Checksum.ReadBack {
		err := j.host.ReadBack(ctx, dst, &manifest.Manifest{Archive: j.archiveRecord()}, archive.VerifyOptions{
			Threads:  j.Compress.Threads,
			Progress: func(done, total int64) { r.Progress(engine.Progress{Stage: "read back", Done: done, Total: total}) },
		})
		if err != nil {
			return nil, fmt.Errorf("read back: %w", err)
		}
		result.ReadBack = true
		if j.packed.Recipients > 0 {
			result.note(r, sealedReadBack(), nil)
		}
	}
	result.End = j.now()
	j.summed = result
	return result, nil
}

// streamed are the findings about how a copy came over the clone protocol.
func (s *checksumStep) streamed() (notes []manifest.Check) {
	st := s.job.cloned.Stream
	if st == nil {
		return nil
	}
	if st.Spilled > 0 {
		notes = append(notes, manifest.Check{
			Code: codeSpilled, Severity: string(engine.SeverityWarning), Summary: "The repository could not keep up with the server",
			Detail: fmt.Sprintf("Up to %s waited in memory, and a connection up to %s. A server gives up a connection to which it can't write for net_write_timeout, or a minute.",
				humanize.IBytes(uint64(st.Spilled)), st.Stalled.Round(time.Second)),
			Hint: "look at the repository's file system, or set clone.network_bandwidth to what it can take",
		})
	}
	if st.Resumed > 0 {
		notes = append(notes, manifest.Check{
			Code: codeResumed, Severity: string(engine.SeverityInfo), Summary: "Connections to the server were lost and made again",
			Detail: fmt.Sprintf("That happened %d times; the server had kept its snapshot, and the copy is whole.", st.Resumed),
		})
	}
	return notes
}

// note keeps a finding for the manifest, and shows it.
func (s *summed) note(r *engine.Runtime, check manifest.Check, pages []engine.DamagedPage) {
	s.Notes = append(s.Notes, check)
	r.Finding(engine.Finding{
		Code: check.Code, Severity: engine.Severity(check.Severity), Summary: check.Summary, Detail: check.Detail, Hint: check.Hint,
		Pages: pages,
	})
}

// sealedReadBack says what was not read back of an encrypted archive.
func sealedReadBack() manifest.Check {
	return manifest.Check{
		Code: codeReadBackSealed, Severity: string(engine.SeverityInfo), Summary: "What was read back is encrypted",
		Detail: "The stored bytes have the SHA-256 that was made of them while they were written. Frames and files were not decrypted: the plan has public keys only.",
		Hint:   "runner verify BACKUP --identity FILE, where the secret key is",
	}
}

// pages is the finding about the pages of the copy; nil when all is well.
func (s *checksumStep) pages() *manifest.Check {
	pages := s.job.packed.Pages
	switch {
	case pages.Bad > 0:
		severity := string(engine.SeverityError)
		if s.job.Checksum.Pages == "warn" {
			severity = string(engine.SeverityWarning)
		}
		return &manifest.Check{
			Code: codeDamagedPages, Severity: severity, Summary: "Damaged InnoDB pages", Detail: s.damage(),
			Hint: damageHint(lookInto(s.job.packed.Spaces), s.job.Repository.Path),
		}
	case s.encrypted() > 0:
		return &manifest.Check{
			Code: codePagesUnchecked, Severity: string(engine.SeverityInfo), Summary: "Encrypted pages were not checked",
			Detail: fmt.Sprintf("%d of %d pages are encrypted; their checksums can't be computed without the keyring.", s.encrypted(), pages.Total),
		}
	}
	return nil
}

// encrypted counts the pages that were not checked because they are encrypted. Old copies of pages in the system
// tablespace, which no server reads, can't be checked either and are nobody's concern.
func (s *checksumStep) encrypted() (pages int64) {
	for _, space := range s.job.packed.Spaces {
		if space.Page.Encrypted {
			pages += space.Page.Uncheckable
		}
	}
	return pages
}

// Adopt takes the sums that are there.
func (s *checksumStep) Adopt(ctx context.Context, _ *engine.Runtime, result json.RawMessage) error {
	sums, err := adopt[summed](result)
	if err != nil {
		return err
	}
	dst, err := s.job.host.Backup(s.job.folder())
	if err != nil {
		return err
	}
	f, err := dst.Open(ctx, digest.SumsName)
	if err != nil {
		return fmt.Errorf("%w: %w", engine.ErrStale, err)
	}
	s.job.summed = sums
	return f.Close()
}
