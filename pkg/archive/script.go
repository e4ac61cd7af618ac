package archive

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sort"
	"strings"
)

// scriptHead is POSIX but for what its comment says. What dd has copied is compared, since it takes a file
// that is too short for the end of one.
const scriptHead = `#!/bin/sh
# Makes the data directory out of an archive that was unpacked with tar. Run it in the folder that the
# archive was unpacked into, once:
#
#     sh '#runner/apply.sh'
#
# It removes #runner when it is done. If it stops before, unpack the archive anew: mysqld does not start
# on what is there. truncate is not in POSIX, nor are the flags of dd in the function unaligned.
set -eu
LC_ALL=C
export LC_ALL
fail() {
	printf 'apply.sh: %s\n' "$1" >&2
	exit 1
}
[ -f './#runner/apply.sh' ] || fail 'this is not the folder that the archive was unpacked into'
mkdir './#runner/begun' 2>/dev/null || fail 'it was begun before and stopped: unpack the archive anew'
# patch, first block in it, file, first block in it, blocks, bytes of a block
w() {
	said=$(dd if="./#runner/patch/$1" skip="$2" of="$3" seek="$4" count="$5" bs="$6" conv=notrunc 2>&1) || fail "$said"
	case $said in
	"$5+0 records in"*) ;;
	*) fail "patch $1 is too short: $said" ;;
	esac
}
# the same in bytes, for what has no common block
unaligned() {
	said=$(dd if="./#runner/patch/$1" skip="$2" of="$3" seek="$4" count="$5" bs=64k \
		iflag=skip_bytes,count_bytes oflag=seek_bytes conv=notrunc 2>&1) || fail "$said"
}
`

// scriptEnd removes what only the script needed; the shell goes on reading its file.
const scriptEnd = `rm -rf './#runner'
`

const (
	// smallestBlock is the least that dd may copy at a time: each is two system calls.
	smallestBlock = 512
	largestBlock  = 1 << 20
)

// script writes the text of apply.sh. It does not repeat the operations: it gives each file its last
// name, and what is left of its bytes.
type script struct {
	w     *bufio.Writer
	tree  *replay
	made  []*node // all that tar unpacks, in the order of the tar: a reader must come to the same script
	nodes []*node // what is in the tree, sorted
}

// writeScript writes apply.sh for a tree; nodes are what is in it, sorted.
func writeScript(w io.Writer, tree *replay, nodes []*node) error {
	s := &script{w: bufio.NewWriter(w), tree: tree, made: tree.unpacked(), nodes: nodes}
	s.line("%s", strings.TrimSuffix(scriptHead, "\n"))
	s.openFolders()
	marked := tree.nodes[markerDir] != nil
	if !marked {
		s.line("mkdir './%s'", markerDir)
	}
	s.line(": >'./%s'", Marker)
	s.clear()
	s.place()
	s.fill()
	s.closeFolders()
	s.line("rm './%s'", Marker)
	if !marked {
		s.line("rmdir './%s'", markerDir)
	}
	s.line("%s", strings.TrimSuffix(scriptEnd, "\n"))
	return s.w.Flush()
}

// line leaves errors to Flush, which gives the first.
func (s *script) line(format string, args ...any) { _, _ = fmt.Fprintf(s.w, format+"\n", args...) }

// quoted is a path as the shell takes it for nothing else.
func quoted(p string) string { return "'./" + strings.ReplaceAll(p, "'", `'\''`) + "'" }

// ownerAll are the bits that let the owner of a folder change what is in it.
const ownerAll fs.FileMode = 0o700

// openFolders lets us into folders of tar that their modes keep closed.
func (s *script) openFolders() {
	for _, n := range s.made {
		if n.entry.Type == TypeDir && !n.patched && n.entry.Mode&ownerAll != ownerAll {
			s.line("chmod u+rwx %s", quoted(n.entry.Path))
		}
	}
}

// clear takes away what tar unpacked and the tree has not, or has elsewhere, before anything else is put there.
func (s *script) clear() {
	kept := false
	var gone []string
	for _, n := range s.made {
		moved := !n.removed && n.entry.Path != n.unpacked
		switch {
		case isReserved(n.unpacked):
		case n.removed && n.entry.Type == TypeDir:
			gone = append(gone, n.unpacked)
		case n.removed:
			s.line("rm -f %s", quoted(n.unpacked))
		case moved:
			if !kept {
				s.line("mkdir './%s'", keptFolder)
				kept = true
			}
			s.line("mv -f %s %s", quoted(n.unpacked), quoted(keptName(n.number)))
		}
	}
	sort.Slice(gone, func(i, j int) bool { return pathLess(gone[j], gone[i]) }) // what is in a folder first
	for _, p := range gone {
		s.line("rmdir %s", quoted(p))
	}
}

// keptFolder has what is moved from one path to another, so that two can change places.
const keptFolder = reserved + "/kept"

func keptName(n int) string { return fmt.Sprintf("%s/%d", keptFolder, n) }

// place puts everything where it belongs that is not there yet, a folder before what is in it.
func (s *script) place() {
	for _, n := range s.nodes {
		if n.entry.Path == n.unpacked {
			continue
		}
		from := n.unpacked
		if !isReserved(from) {
			from = keptName(n.number)
		}
		if n.entry.Type == TypeDir && n.entry.Mode&ownerAll != ownerAll {
			s.line("chmod u+rwx %s", quoted(from)) // to move a folder is to write into it
		}
		s.line("mv -f %s %s", quoted(from), quoted(n.entry.Path))
	}
}

// fill gives files the bytes that did not come with the member that made them.
func (s *script) fill() {
	for _, n := range s.nodes {
		if n.extents == nil {
			continue
		}
		mode := n.entry.Mode
		shut := mode&0o200 == 0
		if shut {
			s.line("chmod u+w %s", quoted(n.entry.Path))
		}
		s.fillFile(n)
		if shut || mode&^fs.ModePerm != 0 { // writing takes setuid and setgid away
			s.line("chmod %04o %s", modeOf(mode), quoted(n.entry.Path))
		}
	}
}

func (s *script) fillFile(n *node) {
	name := quoted(n.entry.Path)
	size := n.whole
	if n.cut < size {
		s.line("truncate -s %d %s", n.cut, name)
		size = n.cut
	}
	for _, e := range n.extents {
		if e.At >= n.base.offset && e.At < n.base.offset+n.whole {
			continue // is in place
		}
		s.copy(name, e)
		size = max(size, e.Off+e.N)
	}
	if size != n.entry.Size {
		s.line("truncate -s %d %s", n.entry.Size, name)
	}
}

// copy writes one extent, in blocks that both sides begin and end with.
func (s *script) copy(name string, e Extent) {
	tar := s.tree.tar
	i := sort.Search(len(tar), func(i int) bool { return tar[i].Offset > e.At }) - 1
	patch, skip := path.Base(tar[i].Name), e.At-tar[i].Offset
	block := commonBlock(skip, e.Off, e.N)
	if block < smallestBlock && e.N > smallestBlock {
		s.line("unaligned %s %d %s %d %d", patch, skip, name, e.Off, e.N)
		return
	}
	s.line("w %s %d %s %d %d %d", patch, skip/block, name, e.Off/block, e.N/block, block)
}

// commonBlock gives the largest number up to largestBlock, or half of it, and so on, that divides all three.
func commonBlock(a, b, c int64) int64 {
	block := divisor(divisor(a, b), c)
	for block > largestBlock && block%2 == 0 {
		block /= 2
	}
	return block
}

// divisor gives the greatest common one; that of 0 and b is b.
func divisor(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// closeFolders gives folders the modes that they have in the archive, what is in them first.
func (s *script) closeFolders() {
	for i := len(s.nodes) - 1; i >= 0; i-- {
		n := s.nodes[i]
		if n.entry.Type == TypeDir && n.entry.Mode&ownerAll != ownerAll {
			s.line("chmod %04o %s", modeOf(n.entry.Mode), quoted(n.entry.Path))
		}
	}
}
