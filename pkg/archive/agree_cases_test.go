package archive

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"runner/pkg/archive/codec"
)

// withHeader is a file whose header blocks are what before makes, and then those of the file.
func withHeader(r rawMember, before ...[]byte) rawMember {
	r.header = append(bytes.Join(before, nil), r.header...)
	return r
}

// withBlock is a file whose last header block is changed.
func withBlock(path, content string, flag byte, change func(b []byte)) rawMember {
	r := rawFile(path, content)
	r.header = ustarBlock(path, flag, 0o640, len(content), "", change)
	return r
}

func change(path string, change func(m *Member)) func(files []*Member) []*Member {
	return func(files []*Member) []*Member {
		for _, m := range files {
			if m.Path == path {
				change(m)
			}
		}
		return files
	}
}

// trees are archives without patches; what they become is the same for every reader, or each refuses them.
func trees() map[string]forgedCase {
	root, a := rawFolder(".", 0o750), rawFile("a", "hello")
	with := func(members ...rawMember) forged { return forged{members: append([]rawMember{root}, members...)} }
	long := strings.Repeat("n", 255)
	longPax := func(path string) rawMember {
		r := withHeader(rawFile("x", "hello"), paxBlocks('x', "path", path))
		r.member.Path = path
		return r
	}
	deep := strings.TrimSuffix(strings.Repeat(strings.Repeat("d", 200)+"/", 22), "/")
	indexed := func(path string, fn func(m *Member)) forged {
		f := with(a, rawFile("b", "there"))
		f.index = change(path, fn)
		return f
	}
	return map[string]forgedCase{
		"plain":                      {with(a), true},
		"without a root":             {forged{members: []rawMember{a}}, true},
		"names for a shell":          {with(rawFile("-rf", "x"), rawFile("a 'b'\n$c", "y")), true},
		"name of 255 bytes":          {with(longPax(long)), true},
		"name of 256 bytes":          {with(longPax(long + "n")), false},
		"path of 4400 bytes":         {with(longPax(deep)), false},
		"link":                       {with(a, rawLink("l", "a")), true},
		"dangling link":              {with(rawLink("l", "none")), true},
		"link out":                   {with(rawLink("l", "../x")), false},
		"link to an absolute":        {with(rawLink("l", "/etc/passwd")), false},
		"link out through a link":    {with(rawFolder("a", 0o750), rawLink("a/s", ".."), rawLink("z", "a/s/..")), false},
		"link out through two":       {with(rawFolder("a", 0o750), rawLink("a/r", ".."), rawLink("a/s", "r"), rawLink("z", "a/s/../..")), false},
		"links in a circle":          {with(rawLink("y", "z"), rawLink("z", "y")), false},
		"file below a link":          {with(rawFolder("d", 0o750), rawLink("l", "d"), rawFile("l/x", "hello")), false},
		"folder that nothing enters": {with(rawFolder("d", 0o500), rawFile("d/x", "hello")), true},
		"mark of a clone":            {with(rawFolder("#clone", 0o750), rawFile(Marker, "")), false},
		"clone folder":               {with(rawFolder("#clone", 0o750), rawFile("#clone/x", "hello")), true},
		"clone folder is a file":     {with(rawFile("#clone", "hello")), false},
		"clone folder is a link":     {with(rawLink("#clone", "d"), rawFolder("d", 0o750)), false},
		"reserved name":              {with(rawFolder("#runner", 0o750)), false},
		"name twice":                 {with(a, a), false},
		"names not sorted":           {with(rawFile("b", "x"), a), false},
		"hard link":                  {with(a, withBlock("b", "", '1', func(b []byte) { copy(b[157:], "a") })), false},
		"device":                     {with(withBlock("d", "", '3', nil)), false},
		"block device":               {with(withBlock("d", "", '4', nil)), false},
		"pipe":                       {with(withBlock("d", "", '6', nil)), false},
		"contiguous file":            {with(withBlock("a", "hello", '7', nil)), false},
		"sparse file of GNU":         {with(withBlock("a", "hello", 'S', nil)), false},
		"old file":                   {with(withBlock("a", "hello", 0, nil)), true},
		"old file with a slash":      {with(withBlock("a/", "", 0, nil)), false},
		"file with a slash":          {with(withBlock("a/", "", '0', nil)), false},
		"magic of GNU":               {with(withBlock("a", "hello", '0', func(b []byte) { copy(b[257:], "ustar  \x00") })), false},
		"no magic":                   {with(withBlock("a", "hello", '0', func(b []byte) { copy(b[257:], "\x00\x00\x00\x00\x00\x00\x00\x00") })), false},
		"prefix":                     {with(withBlock("a", "hello", '0', func(b []byte) { copy(b[345:], "d") })), false},
		"owner by name":              {with(withBlock("a", "hello", '0', func(b []byte) { copy(b[265:], "daemon") })), false},
		"group by name":              {with(withBlock("a", "hello", '0', func(b []byte) { copy(b[297:], "daemon") })), false},
		"long name of GNU":           {with(withHeader(a, ustarBlock("././@LongLink", 'L', 0, 2, "", nil), append([]byte("z\x00"), make([]byte, 510)...))), false},
		"global PAX header":          {with(withHeader(a, paxBlocks('g', "path", "b"))), false},
		"two PAX headers":            {with(withHeader(a, paxBlocks('x', "path", "a"), paxBlocks('x', "mtime", "1"))), false},
		"PAX path":                   {with(withHeader(a, paxBlocks('x', "path", "b"))), false},
		"PAX path as it is":          {with(withHeader(a, paxBlocks('x', "path", "a"))), true},
		"PAX path that is empty":     {with(withHeader(a, paxBlocks('x', "path", ""))), false},
		"PAX size":                   {with(withHeader(a, paxBlocks('x', "size", "3"))), false},
		"PAX size with a sign":       {with(withHeader(a, paxBlocks('x', "size", "+5"))), false},
		"PAX size as it is":          {with(withHeader(a, paxBlocks('x', "size", "5"))), true},
		"PAX owner":                  {with(withHeader(a, paxBlocks('x', "uid", "12345"))), false},
		"PAX owner by name":          {with(withHeader(a, paxBlocks('x', "uname", "daemon"))), false},
		"PAX time":                   {with(withHeader(a, paxBlocks('x', "mtime", "1e3"))), false},
		"PAX link of a file":         {with(withHeader(a, paxBlocks('x', "linkpath", "b"))), true},
		"PAX sparse":                 {with(withHeader(a, paxBlocks('x', "GNU.sparse.major", "1", "GNU.sparse.minor", "0", "GNU.sparse.realsize", "9"))), false},
		"PAX of acl":                 {with(withHeader(a, paxBlocks('x', "SCHILY.acl.access", "user::rwx"))), false},
		"patch among none":           {with(withHeader(a, paxBlocks('x', paxPath, "b", paxRemove, "1"))), false},
		"index has another path":     {indexed("a", func(m *Member) { m.Path = "aa" }), false},
		"index has another mode":     {indexed("a", func(m *Member) { m.Mode = 0o777 }), false},
		"index has another owner":    {indexed("a", func(m *Member) { m.UID++ }), false},
		"index has another time":     {indexed("a", func(m *Member) { m.ModTime = m.ModTime.Add(1) }), false},
		"index has another size":     {indexed("a", func(m *Member) { m.Size-- }), false},
		"index has another type":     {indexed("a", func(m *Member) { m.Type, m.Size, m.Digest = TypeDir, 0, [32]byte{} }), false},
		"index has another digest":   {indexed("a", func(m *Member) { m.Digest[0]++ }), false},
		"index has no folder":        {forged{members: []rawMember{root, rawFolder("d", 0o700), rawFile("d/x", "x")}, index: change("d", func(m *Member) { m.Mode = 0o755 })}, false},
		"index has a larger owner":   {indexed("a", func(m *Member) { m.UID = 1 << 32 }), false},
		"padding":                    {forged{members: []rawMember{root, a}, fill: 'x'}, false},
		"a member at the end":        {forged{members: []rawMember{root, a}, end: append(ustarBlock("evil", '0', 0o640, 0, "", nil), make([]byte, tarBlock)...)}, false},
		"bytes after the end":        {forged{members: []rawMember{root, a}, after: "more"}, false},
	}
}

type forgedCase struct {
	forged forged
	sound  bool
}

// patchedTrees are archives with patches.
func patchedTrees() map[string]forgedCase {
	root, a := rawFolder(".", 0o750), rawFile("a", "hello, world")
	with := func(members ...rawMember) forged {
		return forged{patched: true, members: append([]rawMember{root, a}, members...)}
	}
	write := rawPatch(0, "HELLO", paxPath, "a", paxMap, "0,5")
	stale := with(write)
	stale.index = change("a", func(m *Member) { m.Extents = []Extent{{0, 12, 1536 + 512}} })
	return map[string]forgedCase{
		"no patch":             {with(), true},
		"write":                {with(write), true},
		"write twice":          {with(write, rawPatch(1, "J", paxPath, "a", paxMap, "0,1")), true},
		"cut off":              {with(rawPatch(0, "", paxPath, "a", paxSize, "3")), true},
		"longer":               {with(rawPatch(0, "", paxPath, "a", paxSize, "5000")), true},
		"rename":               {with(rawPatch(0, "", paxPath, "a", paxRename, "b")), true},
		"remove":               {with(rawPatch(0, "", paxPath, "a", paxRemove, "1")), true},
		"create":               {with(rawPatch(0, "new", paxPath, "n", paxCreate, "1", paxMap, "0,3")), true},
		"name of 256 bytes":    {with(rawPatch(0, "", paxPath, "a", paxRename, strings.Repeat("n", 256))), false},
		"a size that none has": {with(rawPatch(0, "", paxPath, "a", paxSize, "4611686018427387904")), false},
		"write far away":       {with(rawPatch(0, "x", paxPath, "a", paxMap, "4611686018427387904,1")), false},
		"rename out":           {with(rawPatch(0, "", paxPath, "a", paxRename, "../b")), false},
		"number left out":      {with(rawPatch(1, "", paxPath, "a", paxRemove, "1")), false},
		"no such file":         {with(rawPatch(0, "", paxPath, "b", paxRemove, "1")), false},
		"map beyond":           {with(rawPatch(0, "HELLO", paxPath, "a", paxMap, "0,6")), false},
		"index of before":      {stale, false},
	}
}

func TestVerifyRestoreAndToolsAgreeOnEveryArchive(t *testing.T) {
	for name, test := range trees() {
		for _, f := range []codec.Format{codec.None, codec.Gzip, codec.Zstd} {
			t.Run(name+"/"+string(f), func(t *testing.T) { agreeOn(t, test, f, false) })
		}
	}
	for name, test := range patchedTrees() {
		for _, f := range []codec.Format{codec.None, codec.Zstd} {
			t.Run("patched/"+name+"/"+string(f), func(t *testing.T) { agreeOn(t, test, f, true) })
		}
	}
}

func agreeOn(t *testing.T, test forgedCase, f codec.Format, patched bool) {
	t.Helper()
	test.forged.format = f
	w := readAllWays(t, test.forged.make(t), f, patched)
	if what := w.disagreement(); what != "" {
		t.Error(what)
	}
	if (w.verify == nil) != test.sound {
		t.Errorf("verify: %v", w.verify)
	}
	if w.verify != nil && !typed(w.verify) {
		t.Errorf("verify has an error of no kind: %v", w.verify)
	}
}

// A restore makes the tree without the script, so it is left to verify to say that tools would not.
func TestAScriptThatMakesAnotherTreeIsNoticed(t *testing.T) {
	for name, change := range map[string]func(text string) string{
		"nothing":        func(string) string { return "" },
		"another":        func(string) string { return "#!/bin/sh\nrm -rf './#runner'; echo >b\n" },
		"one byte":       func(s string) string { return strings.Replace(s, "set -eu", "set -ee", 1) },
		"bytes after":    func(s string) string { return s + "\n" },
		"a line missing": func(s string) string { return regexp.MustCompile(`\nw 0 .*`).ReplaceAllString(s, "") },
	} {
		t.Run(name, func(t *testing.T) {
			c := patchedTrees()["write"].forged
			c.format, c.script = codec.None, change
			w := readAllWays(t, c.make(t), codec.None, true)
			if w.verify == nil || !strings.Contains(w.verify.Error(), scriptPath) || w.restore != nil {
				t.Errorf("verify: %v, restore: %v", w.verify, w.restore)
			}
		})
	}
}

// A restore of chosen paths does not read all headers, and compares those that it reads.
func TestARestoreOfPathsComparesTheHeadersThatItReads(t *testing.T) {
	moved := patchedTrees()["create"].forged
	moved.index = change("n", func(m *Member) { m.Extents, m.Size = []Extent{{1, 3, m.Extents[0].At}}, 4 })
	for name, test := range map[string]struct {
		forged forged
		path   string
	}{
		"mode":  {trees()["index has another mode"].forged, "a"},
		"path":  {trees()["index has another path"].forged, "aa"},
		"moved": {moved, "n"},
	} {
		test.forged.format = codec.None
		b := open(t, test.forged.make(t))
		if _, err := b.Restore(t.Context(), t.TempDir(), RestoreOptions{Paths: []string{test.path}}); !typed(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
