package archive

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/zeebo/blake3"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/digest"
	"runner/pkg/innodb"
)

// checkpointName is the file in which a resumable pack records the frames that are durable. It is
// never committed, so that it is a remainder from its first byte on and part of no backup.
const checkpointName = "pack.checkpoint"

// checkpointFormat is the format that this package writes; another one is not gone on with.
const checkpointFormat = "runner-checkpoint/1"

// checkpointHead is the first line: all that the bytes of the data file depend on.
type checkpointHead struct {
	Format    string       `json:"format"`
	Codec     codec.Format `json:"codec"`
	Level     int          `json:"level"`
	Pages     bool         `json:"pages"`
	FrameSize int64        `json:"frame_size"`
	Tree      digest.Hash  `json:"tree"` // see fingerprint
}

// frameRecord is every other line: a frame whose bytes are durable.
type frameRecord struct {
	Stored int64         `json:"stored"` // bytes
	Raw    int64         `json:"raw"`    // bytes
	Digest digest.Hash   `json:"digest"` // of the stored bytes
	Zero   bool          `json:"zero,omitempty"`
	Holes  int64         `json:"holes,omitempty"`  // bytes that were not read since they are holes
	Pieces []pieceRecord `json:"pieces,omitempty"` // those of files, in order
}

// pieceRecord is a piece of a file in a frame.
type pieceRecord struct {
	Digest digest.Hash  `json:"digest,omitzero"` // of the whole file, where it ends with the piece
	Facts  *factsRecord `json:"facts,omitempty"` // of a tablespace file
}

// factsRecord is a [pieceFacts].
type factsRecord struct {
	Pages Pages       `json:"pages"`
	Bad   []badRecord `json:"bad,omitempty"` // all of them
}

type badRecord struct {
	Page   uint32 `json:"page"`
	Reason string `json:"reason"`
}

// recordOf gives the record of a frame that went through the pipeline.
func recordOf(f *frame) *frameRecord {
	r := &frameRecord{Stored: int64(len(f.stored)), Raw: f.size, Digest: f.digest, Zero: f.zero, Holes: f.holeBytes}
	for i, piece := range f.pieces {
		if piece.source == nil {
			continue
		}
		var p pieceRecord
		if piece.last {
			p.Digest = piece.source.member.Digest
		}
		if facts := f.facts[i]; facts != nil {
			p.Facts = factsRecordOf(facts)
		}
		r.Pieces = append(r.Pieces, p)
	}
	return r
}

func factsRecordOf(f *pieceFacts) *factsRecord {
	r := &factsRecord{Pages: f.pages}
	r.Pages.describe(f.space)
	for _, b := range f.bad {
		r.Bad = append(r.Bad, badRecord{Page: b.number, Reason: b.reason})
	}
	return r
}

func (r *factsRecord) facts() *pieceFacts {
	f := &pieceFacts{
		space: innodb.Space{
			ID: r.Pages.SpaceID, First: r.Pages.FirstPage, PageSize: r.Pages.PageSize, Encrypted: r.Pages.Encrypted, Compressed: r.Pages.Compressed,
		},
		pages: r.Pages,
	}
	for _, b := range r.Bad {
		f.bad = append(f.bad, badPage{number: b.Page, reason: b.Reason})
	}
	return f
}

// checkSizes refuses what no frame can be, so that nobody reads beyond a buffer.
func (r *frameRecord) checkSizes() error {
	if r.Stored <= 0 || r.Stored > codec.MaxStored || r.Raw <= 0 || r.Raw > codec.FrameSize || r.Holes < 0 || r.Holes > r.Raw {
		return fmt.Errorf("a frame of %d bytes stored, %d raw and %d of holes", r.Stored, r.Raw, r.Holes)
	}
	return nil
}

// lineSum is the checksum of a line and of all lines before it: BLAKE3, cut off. Lines that were
// swapped, or that are of another checkpoint, have another one.
type lineSum [16]byte

// A line is the sum in hexadecimal digits, a space, JSON, and a line feed, which is written last.
const lineSumLen = 2*len(lineSum{}) + 1

func (s *lineSum) add(text []byte) {
	var h hash.Hash = blake3.New()
	h.Write(s[:])
	h.Write(text)
	var sum [32]byte
	h.Sum(sum[:0])
	copy(s[:], sum[:])
}

// appendLine appends the line that comes after the lines of the sum.
func (s *lineSum) appendLine(dst []byte, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return dst, fmt.Errorf("write checkpoint: %w", err)
	}
	s.add(text)
	dst = hex.AppendEncode(dst, s[:])
	dst = append(dst, ' ')
	dst = append(dst, text...)
	return append(dst, '\n'), nil
}

// parseLine reads a line without its line feed.
func (s *lineSum) parseLine(line []byte, v any) error {
	if len(line) < lineSumLen {
		return errors.New("too short")
	}
	text := line[lineSumLen:]
	s.add(text)
	if want := hex.EncodeToString(s[:]) + " "; string(line[:lineSumLen]) != want {
		return errors.New("its checksum does not hold")
	}
	return json.Unmarshal(text, v)
}

// maxLine bounds a line. A frame holds at most 8,192 members, for each of which a line has some
// 350 bytes, and at most 4,096 pages, of which each may be damaged.
const maxLine = 16 << 20

// checkpointReader reads a checkpoint line by line.
type checkpointReader struct {
	lines *bufio.Scanner
	sum   lineSum
	count int   // lines that were read
	bytes int64 // of these
}

func newCheckpointReader(r io.Reader) *checkpointReader {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	lines.Split(wholeLines)
	return &checkpointReader{lines: lines}
}

// wholeLines leaves out a last line without a line feed: a writer that died was writing it.
func wholeLines(data []byte, _ bool) (advance int, token []byte, err error) {
	end := bytes.IndexByte(data, '\n')
	if end < 0 {
		return 0, nil, nil
	}
	return end + 1, data[:end], nil
}

// head reads the first line.
func (c *checkpointReader) head() (checkpointHead, error) {
	var h checkpointHead
	err := c.read(&h)
	return h, err
}

// next reads the record of the next frame; after the last whole line it gives [io.EOF].
func (c *checkpointReader) next() (*frameRecord, error) {
	r := &frameRecord{}
	if err := c.read(r); err != nil {
		return nil, err
	}
	if err := r.checkSizes(); err != nil {
		return nil, fmt.Errorf("line %d of the checkpoint: %w", c.count, err)
	}
	return r, nil
}

func (c *checkpointReader) read(v any) error {
	if !c.lines.Scan() {
		if err := c.lines.Err(); err != nil {
			return fmt.Errorf("read checkpoint: %w", err)
		}
		return io.EOF
	}
	c.count++
	line := c.lines.Bytes()
	if err := c.sum.parseLine(line, v); err != nil {
		return fmt.Errorf("line %d of the checkpoint: %w", c.count, err)
	}
	c.bytes += int64(len(line)) + 1
	return nil
}
