package recipient

import (
	"strings"
	"testing"

	"runner/pkg/clone/internal/donor"
	"runner/pkg/clone/internal/wire"
)

func TestFilesOfWhichNoCloneConsistsAreRefused(t *testing.T) {
	var (
		buffers = wire.File{SpaceID: wire.SpaceIDBufferPool, FSPFlags: wire.NoFSPFlags}
		other   = wire.File{SpaceID: 9, FSPFlags: wire.NoFSPFlags}
		system  = wire.File{SpaceID: 0, FSPFlags: fsp4K}
		table   = wire.File{SpaceID: 9, FSPFlags: fsp4K}
		undo    = wire.File{SpaceID: 0xFFFFFFEF, FSPFlags: fsp4K}
	)
	for _, c := range []struct {
		file  wire.File
		names []string
		fits  bool
	}{
		{buffers, []string{"ib_buffer_pool", "./pool.dump", "/var/lib/dump/ib_buffer_pool", "pool"}, true},
		{buffers, []string{
			"mysqld-auto.cnf", "./MYSQLD-AUTO.CNF", "auto.cnf", "my.cnf", ".my.cnf", ".mylogin.cnf", "my.ini", "backup-my.cnf", "mysqld.my", "component_keyring_file.cnf", "ca.pem",
			"server-key.pem", "d/db.opt", "d/t.sdi", "d/t.MYD", "d/t.CSV", "d/t.frm", "d/t.TRG", "x.so", "binlog.000001", "binlog.index", "mysql_upgrade_info", "mysql_upgrade_history",
			"debian-5.7.flag", "ib_logfile0", "#ib_16384_0.dblwr", "#innodb_redo/#ib_redo1", "ibtmp1", "undo_001", "d/t.cfg", "d/t.isl", "runner-keyring", "host.err", "host.pid", ".hidden",
		}, false},
		{other, []string{"ib_buffer_pool", "t.ibd"}, false},
		{system, []string{"ibdata1", "./ibdata2", "/far/ibdata3", "system.dat", "sys.ibd"}, true},
		{system, []string{"mysqld-auto.cnf", "undo_001", "ibtmp1", "x.ibu", "ib_logfile1"}, false},
		{table, []string{"./d/t.ibd", "general.ibd", "d/t#p#p0.ibd", "d/#sql-ib1-2.ibd", "/far/d/t.ibd"}, true},
		{table, []string{"d/t", "d/t.cnf", "mysqld-auto.cnf", "ibdata1", "undo_001", "d/t.ibd.cnf", "d/t.IBD"}, false},
		{undo, []string{"undo_001", "./undo_127", "mine.ibu", "/far/mine.ibu"}, true},
		{undo, []string{"undo_1", "undo_0001", "my.cnf", "d/t.ibd"}, false},
	} {
		for _, name := range c.names {
			c.file.Name = name
			if err := fits(&c.file); (err == nil) != c.fits {
				t.Errorf("%s of space %#x: %v", name, c.file.SpaceID, err)
			}
		}
	}
}

func TestNamesThatNoFileSystemTakesAreRefused(t *testing.T) {
	for name, fitting := range map[string]bool{
		"d/" + strings.Repeat("x", 251) + ".ibd":             true,
		"d/" + strings.Repeat("x", 252) + ".ibd":             false,
		strings.Repeat("d", 256) + "/x.ibd":                  false,
		strings.Repeat("dddddddd/", 454) + "xxxxx.ibd":       true,
		strings.Repeat("dddddddd/", 454) + "xxxxxxxxxxx.ibd": false,
	} {
		if err := fits(&wire.File{Name: name, SpaceID: 9, FSPFlags: fsp4K}); (err == nil) != fitting {
			t.Errorf("%d bytes: %v", len(name), err)
		}
	}
}

func TestMoreFilesThanAnnouncedAreRefused(t *testing.T) {
	f := tablespace(1, "./d/t.ibd", 1).File
	f.State, f.FirstChunk, f.LastChunk, f.Size = wire.StateFileCopy, 1, 0, page
	more := f
	more.Index, more.SpaceID, more.Name = 1, 2, "./d/u.ibd"
	s := &donor.Script{
		Main: [][]donor.Step{steps(
			donor.Expect(wire.CommandInit, nil), donor.Send(wire.ResponseLocators, locators()), donor.Send(wire.ResponseComplete, nil),
			donor.Expect(wire.CommandExecute, nil), donor.Describe(&wire.Task{}), ended(wire.StateInit, 0, 0), donor.Await("init"),
			begun(wire.StateFileCopy, 0, 1), donor.Describe(&f), donor.Describe(&more), donor.Do(noMore),
		)},
		Aux: [][]donor.Step{steps(acknowledged("init"), donor.Expect(wire.CommandAck, nil), donor.Send(wire.ResponseComplete, nil), donor.Do(noMore))},
	}
	_, err := (&trial{play: s}).run(t)
	refused(t, err)
}
