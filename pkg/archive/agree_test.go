package archive

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/zeebo/blake3"

	"runner/pkg/archive/codec"
	"runner/pkg/archive/digest"
	"runner/pkg/archive/manifest"
	"runner/pkg/archive/store/storetest"
)

// rawMember is a member of a tar that no writer of ours makes: its header blocks as they are, and what an index believes of it.
type rawMember struct {
	header  []byte
	content string
	member  Member // path, type, mode, link; the rest is filled in
}

// ustarBlock makes a header block with a checksum that holds. change may write over its bytes before that.
func ustarBlock(name string, flag byte, mode Mode, size int, link string, change func(b []byte)) []byte {
	b := make([]byte, tarBlock)
	put := func(at int, format string, args ...any) { copy(b[at:], fmt.Sprintf(format, args...)) }
	put(0, "%s", name)
	put(100, "%07o", mode)
	put(108, "%07o", os.Geteuid())
	put(116, "%07o", os.Getegid())
	put(124, "%011o", size)
	put(136, "%011o", written.Unix())
	b[156] = flag
	put(157, "%s", link)
	put(257, "ustar\x0000")
	if change != nil {
		change(b)
	}
	copy(b[148:156], "        ")
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	put(148, "%06o\x00 ", sum)
	return b
}

// paxBlocks makes a PAX header of records, each key and value.
func paxBlocks(flag byte, records ...string) []byte {
	var text []byte
	for i := 0; i < len(records); i += 2 {
		rest := " " + records[i] + "=" + records[i+1] + "\n"
		n := len(rest) + 1
		for len(strconv.Itoa(n))+len(rest) != n {
			n = len(strconv.Itoa(n)) + len(rest)
		}
		text = append(text, strconv.Itoa(n)+rest...)
	}
	blocks := ustarBlock("PaxHeaders.0/x", flag, 0o644, len(text), "", nil)
	return append(append(blocks, text...), make([]byte, padded(int64(len(text)))-int64(len(text)))...)
}

func rawFile(path, content string) rawMember {
	return rawMember{ustarBlock(path, '0', 0o640, len(content), "", nil), content, Member{Path: path, Type: TypeFile, Mode: 0o640}}
}

func rawFolder(path string, mode Mode) rawMember {
	return rawMember{ustarBlock(path+"/", '5', mode, 0, "", nil), "", Member{Path: path, Type: TypeDir, Mode: mode}}
}

func rawLink(path, target string) rawMember {
	return rawMember{ustarBlock(path, '2', 0o777, 0, target, nil), "", Member{Path: path, Type: TypeSymlink, Mode: 0o777, Link: target}}
}

func rawPatch(n int, content string, records ...string) rawMember {
	name := patchName(int64(n))
	header := append(paxBlocks('x', records...), ustarBlock(name, '0', 0o600, len(content), "", nil)...)
	return rawMember{header, content, Member{Path: name, Type: TypeFile, Mode: 0o600}}
}

// forged is a backup of raw members, each in a frame of its own, with an index that believes them.
type forged struct {
	format  codec.Format
	members []rawMember
	patched bool
	end     []byte                             // of the tar; nil: as it should be
	fill    byte                               // fills up blocks
	index   func(files []*Member) []*Member    // changes what the index lists
	script  func(text string) string           // changes the script
	after   string                             // bytes after the end of the data file, which the manifest counts or not
	counted bool                               // the manifest counts them
	change  func(idx *Index, tar []*TarMember) // changes the index as a whole
}

func (f *forged) make(t *testing.T) *storetest.Memory {
	t.Helper()
	if f.patched {
		f.members = append(slices.Clone(f.members), f.scriptMember(t))
	}
	idx := &Index{Format: IndexFormat, Codec: f.format, Digest: DigestName}
	var data []byte
	var seek []codec.SeekEntry
	encoder, err := codec.NewEncoder(f.format, f.format.DefaultLevel())
	must(t, err)
	emit := func(raw []byte) {
		stored, err := encoder.Encode(nil, raw)
		must(t, err)
		idx.Frames = append(idx.Frames, Frame{Offset: int64(len(data)), Stored: int64(len(stored)), Raw: int64(len(raw)), Digest: blake3.Sum256(stored)})
		seek = append(seek, codec.SeekEntry{Stored: uint32(len(stored)), Raw: uint32(len(raw)), Checksum: codec.FrameChecksum(stored)})
		data = append(data, stored...)
		idx.Raw += int64(len(raw))
	}
	for i, r := range f.members {
		m, tar := f.place(i, r, idx.Raw)
		idx.Files = append(idx.Files, m)
		idx.Tar = append(idx.Tar, tar)
		raw := append(bytes.Clone(r.header), r.content...)
		emit(append(raw, bytes.Repeat([]byte{f.fill}, int(padded(int64(len(raw))))-len(raw))...))
	}
	if f.end == nil {
		f.end = make([]byte, tarEnd)
	}
	emit(f.end)
	if f.format == codec.Zstd {
		data, err = codec.AppendSeekTable(data, seek)
		must(t, err)
	}
	idx.Stored = int64(len(data))
	f.finish(idx)
	return f.store(t, idx, data)
}

func (f *forged) place(i int, r rawMember, at int64) (*Member, *TarMember) {
	m := r.member
	m.UID, m.GID, m.ModTime, m.Size = os.Geteuid(), os.Getegid(), written.Truncate(1e9).UTC(), int64(len(r.content))
	m.Header, m.Offset, m.First, m.Last = at, at+int64(len(r.header)), i, i
	if m.Type == TypeFile {
		m.Digest = blake3.Sum256([]byte(r.content))
	}
	return &m, &TarMember{Name: m.Path, Header: m.Header, Offset: m.Offset, Size: m.Size}
}

// finish makes the index of what lies in the tar.
func (f *forged) finish(idx *Index) {
	if f.patched {
		idx.Format = PatchedFormat
		r := newReplay()
		for i, raw := range f.members {
			e, p, err := parsePatchedHeader(raw.header)
			if err == nil {
				_ = r.member(e, p, place{header: idx.Tar[i].Header, offset: idx.Tar[i].Offset})
			}
		}
		starts := []int64{0}
		for _, frame := range idx.Frames {
			starts = append(starts, starts[len(starts)-1]+frame.Raw)
		}
		digests := map[int64]digest.Hash{}
		for _, m := range idx.Files {
			digests[m.Offset] = m.Digest
		}
		idx.Files, _ = r.end(starts)
		for _, m := range idx.Files {
			if m.Type == TypeFile && m.Extents == nil {
				m.Digest = digests[m.Offset]
			}
		}
	}
	if f.index != nil {
		idx.Files = f.index(idx.Files)
	}
	if !f.patched {
		idx.Tar = nil
	}
	if f.change != nil {
		f.change(idx, idx.Tar)
	}
}

func (f *forged) scriptMember(t *testing.T) rawMember {
	t.Helper()
	r := newReplay()
	at := int64(0)
	for _, raw := range f.members {
		e, p, err := parsePatchedHeader(raw.header)
		offset := at + int64(len(raw.header))
		if err == nil {
			_ = r.member(e, p, place{header: at, offset: offset})
		}
		at = offset + padded(int64(len(raw.content)))
	}
	var text bytes.Buffer
	must(t, writeScript(&text, r, r.sorted()))
	script := text.String()
	if f.script != nil {
		script = f.script(script)
	}
	m := rawFile(scriptPath, script)
	return m
}

func (f *forged) store(t *testing.T, idx *Index, data []byte) *storetest.Memory {
	t.Helper()
	m := storetest.NewMemory()
	whole := append(bytes.Clone(data), f.after...)
	sized := data
	if f.counted {
		sized = whole
	}
	p := &Packed{
		Index: idx, Format: f.format, RawBytes: idx.Raw, Files: int64(len(idx.Files)),
		Data: Stored{Name: DataName(f.format), Bytes: int64(len(sized)), SHA256: fmt.Sprintf("%x", sha256Of(sized)), RawBytes: idx.Raw},
	}
	m.Set(p.Data.Name, whole)
	index, err := WriteIndex(t.Context(), m, p)
	must(t, err)
	must(t, WriteSums(t.Context(), m, p.Data, index))
	must(t, manifest.Write(t.Context(), m, testManifest(p.Manifest(index))))
	return m
}

// ways is what the three readers of an archive make of it.
type ways struct {
	verify, restore, tools error
	restored, unpacked     []string // the trees, of those that had no error
}

func readAllWays(t *testing.T, m *storetest.Memory, f codec.Format, patched bool) (w ways) {
	t.Helper()
	b, err := Open(t.Context(), m)
	if err != nil {
		w.verify, w.restore = err, err
	} else {
		_, w.verify = b.Verify(t.Context(), VerifyOptions{Threads: 1})
		target := filepath.Join(t.TempDir(), "restored")
		if _, w.restore = b.Restore(t.Context(), target, RestoreOptions{Threads: 1}); w.restore == nil {
			w.restored = treeOf(t, target, patched)
		}
	}
	if w.verify != nil {
		return w // tar would make devices, and whatever else it is told to
	}
	dir := filepath.Join(t.TempDir(), "unpacked")
	must(t, os.Mkdir(dir, 0o750))
	flag := map[codec.Format]string{codec.Zstd: "--zstd", codec.Gzip: "-z", codec.None: "--same-permissions"}[f]
	tar := exec.CommandContext(t.Context(), "tar", "--warning=no-unknown-keyword", "--same-permissions", flag, "-x", "-C", dir)
	tar.Stdin = bytes.NewReader(m.Bytes(DataName(f)))
	if out, err := tar.CombinedOutput(); err != nil {
		w.tools = fmt.Errorf("tar: %w: %s", err, out)
	} else if patched {
		if out, err := runScript(dir); err != nil {
			w.tools = fmt.Errorf("apply.sh: %w: %s", err, out)
		}
	}
	if w.tools == nil {
		w.unpacked = treeOf(t, dir, patched)
	}
	return w
}

// treeOf lists a tree: with times, which the script of a tar with patches cannot set, where there are none; without the root.
func treeOf(t *testing.T, dir string, patched bool) []string {
	t.Helper()
	if patched {
		return contents(t, dir)
	}
	return describeTree(t, dir)[1:]
}

// disagreement says how the three ways differ; empty if they agree on a tree, or verify and restore refuse both.
func (w ways) disagreement() string {
	switch {
	case w.verify == nil && w.restore != nil:
		return fmt.Sprintf("verify passes, restore: %v", w.restore)
	case w.verify != nil && w.restore == nil:
		return fmt.Sprintf("restore passes, verify: %v", w.verify)
	case w.verify == nil && w.tools != nil:
		return fmt.Sprintf("verify passes, %v", w.tools)
	case w.verify == nil && !slices.Equal(w.restored, w.unpacked):
		return fmt.Sprintf("restored:\n%s\nwith tar:\n%s", strings.Join(w.restored, "\n"), strings.Join(w.unpacked, "\n"))
	}
	return ""
}
