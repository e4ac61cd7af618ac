package recipient

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"runner/pkg/clone/internal/wire"
	"runner/pkg/innodb"
)

// renaming is what a file that DDL has renamed is called until all messages of the batch are there: they come by file
// index, so that of two files that have swapped their names one would be in the other's way.
const renaming = ".#clone_ddl"

// mysqlSchema is the folder that a data directory must have, even where no file of it is cloned.
const mysqlSchema = "mysql"

// file is one that the donor has told of.
type file struct {
	path    string
	donor   string // its name on the donor, if that leads out of the data directory; else empty
	size    int64  // that it must have in the end
	given   int64  // that it has in the sink
	dead    bool   // dropped while its state was copied: what is still sent of it goes nowhere
	removed bool   // there is no such file in the sink
	redo    bool
	flags   wire.FileFlags
	space   innodb.Space // PageSize 0: not a tablespace

	first, last uint32          // chunks
	bad         map[uint32]bool // pages that were damaged when they were last sent, or were never sent whole
}

// files are the donor's, by index: those of the data, and those of the redo log, which are counted on their own.
type files struct {
	queue   *queue
	seal    *seal
	modern  bool    // the redo log is in a folder of its own, as from 8.0.30 on
	version uint32  // of the server, as pages have it
	toTell  uint32  // that the donor has announced for FILE_COPY
	data    []*file // by index
	redo    map[uint32]*file
	system  []*file // of the system tablespace, in their order
	byPath  map[string]*file
	folders map[string]int    // files in each
	outside map[string]string // folder on the donor → folder in the copy
}

func newFiles(q *queue, seal *seal) *files {
	f := &files{queue: q, seal: seal, redo: map[uint32]*file{}, byPath: map[string]*file{}, folders: map[string]int{}, outside: map[string]string{}}
	f.folder(mysqlSchema)
	f.folders[mysqlSchema]++ // it stays
	return f
}

// follow tells the files what follows from the donor's release.
func (fs *files) follow(release uint32) {
	fs.version = release
	fs.modern = release >= 80030 // "Redo Log" of the manual of 8.0: the redo log's folder came with 8.0.30
}

// broken is an error of what came in the wrong place, or says what can't be.
func broken(format string, args ...any) error {
	return &wire.ProtocolError{What: "session", Why: fmt.Sprintf(format, args...)}
}

// announced takes a description of a file that came in a state: of a file of that state, or of a change by DDL that is
// made before the next one begins (CLONE-PROTOCOL, sections 6.3 and 7).
func (fs *files) announced(d *wire.File, state wire.StateKind) error {
	if d.Redo() {
		return fs.announceRedo(d)
	}
	if int64(d.Index) > int64(len(fs.data)) {
		return broken("file %d is told of after file %d", d.Index, len(fs.data)-1)
	}
	known := int(d.Index) < len(fs.data)
	switch {
	case d.State == state && known:
		if d.Deleted() {
			fs.data[d.Index].dead = true
		}
		return nil
	case d.State == state:
		if state == wire.StateFileCopy && d.Index >= fs.toTell {
			return broken("file %d is told of, and %d were announced", d.Index, fs.toTell)
		}
		return fs.create(d, false)
	case d.State != state+1:
		return broken("file %d is told of for state %d in state %d", d.Index, d.State, state)
	case known:
		return fs.changed(fs.data[d.Index], d)
	case int64(d.Index) >= int64(fs.toTell)+maxByDDL:
		return broken("DDL has made more than %d files", maxByDDL)
	}
	return fs.create(d, true)
}

// changed makes what DDL did to a file that is known. All of it may be told twice.
func (fs *files) changed(f *file, d *wire.File) error {
	switch {
	case d.Deleted():
		if f.removed {
			return nil
		}
		f.dead = true
		fs.remove(f)
		return nil
	case d.Renamed():
		to, err := fs.place(d)
		if err != nil {
			return err
		}
		f.size, f.donor = max(f.size, int64(d.Size)), outsideName(d.Name)
		if f.removed || f.path == to || f.path == to+renaming {
			return nil
		}
		return fs.rename(f, to+renaming)
	}
	f.flags = d.Flags
	return nil
}

// create makes a file. One that DDL has made begins with the pages that recovery expects of it.
func (fs *files) create(d *wire.File, byDDL bool) error {
	f := &file{donor: outsideName(d.Name), size: int64(d.Size), flags: d.Flags, first: d.FirstChunk, last: d.LastChunk}
	if d.Tablespace() {
		space, err := innodb.SpaceOf(d.SpaceID, d.FSPFlags)
		if err != nil {
			return broken("file %d, %s: %v", d.Index, d.Name, err)
		}
		f.space = space
		f.space.First = fs.pagesBefore(d)
		if size := uint64(space.PageSize); d.Size%size != 0 { // until the page comes whole
			f.bad = map[uint32]bool{uint32(d.Size / size): true}
		}
	}
	if d.Deleted() { // a place in the sequence of indexes
		f.dead, f.removed = true, true
		fs.data = append(fs.data, f)
		return nil
	}
	var err error
	if f.path, err = fs.place(d); err != nil {
		return err
	}
	if err := fs.makeWay(d, f.path); err != nil {
		return err
	}
	if err := fs.vacant(f.path); err != nil {
		return err
	}
	fs.data = append(fs.data, f)
	if f.system() {
		fs.system = append(fs.system, f)
	}
	fs.enter(f)
	if !byDDL {
		fs.make(f)
		return nil
	}
	pages := firstPages(f.space, d, fs.version)
	if err := fs.seal.firstPage(f.space, d, pages.first); err != nil {
		return err
	}
	f.size = max(f.size, pages.size)
	fs.make(f)
	if pages.first != nil {
		name := f.path
		fs.queue.do(func(s Sink) error { return s.WriteAt(name, pages.first, 0) })
	}
	return nil
}

// pagesBefore gives the number of the first page of a file: more than 0 in the later files of the system tablespace.
func (fs *files) pagesBefore(d *wire.File) uint32 {
	if d.SpaceID != 0 {
		return 0
	}
	var pages int64
	for _, f := range fs.system {
		pages += f.size / int64(f.space.PageSize)
	}
	return uint32(pages)
}

// system reports whether it is a file of the system tablespace, whose space id is 0.
func (f *file) system() bool { return f.space.PageSize > 0 && f.space.ID == 0 && !f.redo }

// announceRedo makes a file of the redo log; the donor may tell of it on several connections.
func (fs *files) announceRedo(d *wire.File) error {
	if fs.redo[d.Index] != nil {
		return nil
	}
	if d.Index > maxRedoFiles {
		return broken("there is a redo file %d", d.Index)
	}
	name := fmt.Sprintf("#innodb_redo/#ib_redo%d", d.Index)
	if !fs.modern {
		name = fmt.Sprintf("ib_logfile%d", d.Index)
	}
	f := &file{path: name, size: int64(d.Size), redo: true}
	if err := fs.vacant(name); err != nil {
		return err
	}
	fs.redo[d.Index] = f
	fs.enter(f)
	fs.make(f)
	return nil
}

// maxRedoFiles bounds the indexes of redo files: a donor archives at most 1000 (CLONE-PROTOCOL, section 10).
const maxRedoFiles = 1 << 16

// make puts the creation of a file, and of the folders that it lies in, into the queue.
func (fs *files) make(f *file) {
	name, size := f.path, f.size
	f.given = size
	fs.queue.do(func(s Sink) error { return s.Create(name, size) })
}

// vacant refuses a path at which something is, or that leads through a file.
func (fs *files) vacant(p string) error {
	if _, there := fs.folders[p]; there {
		return broken("a file has the name %s of a folder", p)
	}
	for at := p; at != "."; at = path.Dir(at) {
		if fs.byPath[at] != nil {
			return broken("there is a file %s, and another is to be %s", at, p)
		}
	}
	return nil
}

// enter gives a file its name, and the folders that this needs.
func (fs *files) enter(f *file) {
	fs.byPath[f.path] = f
	if dir := path.Dir(f.path); dir != "." {
		fs.folder(dir)
		fs.folders[dir]++
	}
}

// folder makes a folder that is not there yet, and those around it.
func (fs *files) folder(dir string) {
	if _, there := fs.folders[dir]; there {
		return
	}
	if around := path.Dir(dir); around != "." {
		fs.folder(around)
		fs.folders[around]++
	}
	fs.folders[dir] = 0
	fs.queue.do(func(s Sink) error { return s.Folder(dir) })
}

func (fs *files) leave(f *file) {
	delete(fs.byPath, f.path)
	if dir := path.Dir(f.path); dir != "." {
		fs.folders[dir]--
	}
}

func (fs *files) remove(f *file) {
	f.removed = true
	fs.leave(f)
	name := f.path
	fs.queue.do(func(s Sink) error { return s.Remove(name) })
}

func (fs *files) rename(f *file, to string) error {
	if err := fs.vacant(to); err != nil {
		return err
	}
	from := f.path
	fs.leave(f)
	f.path = to
	fs.enter(f)
	fs.queue.do(func(s Sink) error { return s.Rename(from, to) })
	return nil
}

// finishRenames gives the files that DDL has renamed their names.
func (fs *files) finishRenames() error {
	for _, f := range fs.data {
		to, found := strings.CutSuffix(f.path, renaming)
		if f.removed || !found {
			continue
		}
		if err := fs.rename(f, to); err != nil {
			return err
		}
	}
	return nil
}

// finish gives files the sizes that they must have, and removes folders in which nothing is: the first start of a server
// makes those of schemas without files, and one of a schema that was dropped would be in the way of its next creation.
func (fs *files) finish() error {
	for _, f := range fs.data {
		if !f.removed {
			fs.extend(f)
		}
	}
	for _, dir := range fs.emptyFolders() {
		fs.queue.do(func(s Sink) error { return s.Remove(dir) })
	}
	if !fs.seal.used {
		return nil
	}
	keyring, err := fs.seal.keyring()
	if err != nil {
		return fmt.Errorf("write keyring: %w", err)
	}
	fs.queue.do(func(s Sink) error { return s.Create(KeyringStore, int64(len(keyring))) })
	fs.queue.do(func(s Sink) error { return s.WriteAt(KeyringStore, keyring, 0) })
	return nil
}

// extend makes a file as long as it must be; one that is larger than an extent has whole extents, but for those of the
// system tablespace, whose sizes the configuration gives.
func (fs *files) extend(f *file) {
	size := max(f.size, f.given)
	if f.space.PageSize > 0 && !f.system() {
		extent := extentOf(f.space)
		if size > extent {
			size = (size + extent - 1) / extent * extent
		}
	}
	if size == f.given {
		return
	}
	name := f.path
	f.size, f.given = size, size
	fs.queue.do(func(s Sink) error { return s.Resize(name, size) })
}

// extentOf is the size of an extent in bytes: 1 MiB, or 64 pages where those are larger; of compressed pages as many as of
// what they hold ("InnoDB File Space Management" of MySQL's manual).
func extentOf(s innodb.Space) int64 {
	pages := max(int64(1<<20/s.Logical), 64)
	return int64(s.PageSize) * pages
}

// emptyFolders are those in which nothing is, the inner ones first.
func (fs *files) emptyFolders() (empty []string) {
	names := make([]string, 0, len(fs.folders))
	for dir := range fs.folders {
		names = append(names, dir)
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(b, a) })
	for _, dir := range names {
		if fs.folders[dir] > 0 {
			continue
		}
		empty = append(empty, dir)
		if around := path.Dir(dir); around != "." {
			fs.folders[around]--
		}
	}
	return empty
}

// externals are the files that lie outside of the donor's data directory.
func (fs *files) externals() (all []External) {
	for _, f := range fs.data {
		if f.donor != "" && !f.removed {
			all = append(all, External{Donor: f.donor, Path: f.path})
		}
	}
	return all
}

// outsideName is a name that leads out of the donor's data directory, and empty for any other.
func outsideName(name string) string {
	if !external(name) {
		return ""
	}
	return name
}

// count is the number of files in the copy.
func (fs *files) count() int { return len(fs.byPath) }
