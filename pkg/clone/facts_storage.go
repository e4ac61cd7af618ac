package clone

import (
	"context"
	"database/sql"
	"path"
	"strconv"
	"strings"
)

// Tablespace is a row of information_schema.innodb_tablespaces with the path of its first file.
type Tablespace struct {
	ID        int64  `json:"id"`
	Name      string `json:"name"` // schema/table for one that holds one table
	Type      string `json:"type"` // Single, General, Undo, System
	PageSize  int    `json:"page_size"`
	ZipSize   int    `json:"zip_page_size"` // of compressed rows; 0: none
	FileSize  int64  `json:"file_size"`
	Allocated int64  `json:"allocated_size"` // smaller than FileSize where pages are compressed or holes punched
	Encrypted bool   `json:"encrypted"`
	State     string `json:"state"`
	Path      string `json:"path"` // as the server writes it; "" when it does not say
}

// What information_schema.innodb_tablespaces calls kinds of tablespaces, and the one that is never cloned.
const (
	spaceUndo      = "Undo"
	spaceGeneral   = "General"
	spaceSystem    = "System"
	spaceTemporary = "innodb_temporary"
)

// LostTable is a base table of which CLONE copies the definition and not the content.
type LostTable struct {
	Schema string `json:"schema"`
	Table  string `json:"table"`
	Engine string `json:"engine"`
	Bytes  int64  `json:"bytes"` // of data, as the engine says; 0 when it does not
}

// String is schema.table (engine).
func (t LostTable) String() string { return t.Schema + "." + t.Table + " (" + t.Engine + ")" }

// ServerLog reports whether it is one of the two log tables that every server has, as CSV, and that
// hold something only with log_output = TABLE.
func (t LostTable) ServerLog() bool {
	return t.Schema == "mysql" && (t.Table == "general_log" || t.Table == "slow_log")
}

// lost lists what CLONE leaves empty: everything but InnoDB, except engines that hold nothing of their own on
// this server ("Clone Plugin Limitations"). Statistics are not cached: caching them writes to mysql.table_stats,
// so the session has them expire at once.
func (r *reader) lost(ctx context.Context) error {
	// What an account may see, it sees; whether that is all is for the check to say.
	if why, unknown := r.facts.Unknown[FactAccount]; unknown {
		return unread("the account's privileges are not known: " + why)
	}
	err := r.each(ctx, `SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE, DATA_LENGTH FROM information_schema.tables
WHERE TABLE_TYPE = 'BASE TABLE'
AND LOWER(ENGINE) NOT IN ('innodb', 'performance_schema', 'memory', 'blackhole', 'federated', 'mrg_myisam', 'ndbcluster', 'ndbinfo')
ORDER BY TABLE_SCHEMA, TABLE_NAME`,
		func(rows *sql.Rows) error {
			var t LostTable
			var size sql.NullInt64
			err := rows.Scan(&t.Schema, &t.Table, &t.Engine, &size)
			t.Bytes = size.Int64
			r.facts.Lost = append(r.facts.Lost, t)
			return err
		})
	if err == nil && !r.facts.Account.seesAllTables() {
		return unread("the account has no privilege on all tables, and information_schema.tables hides those it may not see")
	}
	return err
}

// spaces reads the tablespaces and sums them up. It takes PROCESS.
func (r *reader) spaces(ctx context.Context) error {
	f := r.facts
	paths, err := r.paths(ctx)
	if err != nil {
		return err
	}
	if f.Spaces, err = r.rows(ctx); err != nil {
		return err
	}
	for i := range f.Spaces {
		f.Spaces[i].Path = paths[f.Spaces[i].ID]
	}
	if f.Source.RedoLogCapacity, err = r.redoCapacity(ctx); err != nil {
		return err
	}
	system, err := r.systemBytes(ctx)
	if err != nil {
		return err
	}
	f.sum(system)
	return nil
}

// rows gives the tablespaces without their paths.
func (r *reader) rows(ctx context.Context) (spaces []Tablespace, err error) {
	err = r.each(ctx, `SELECT SPACE, NAME, COALESCE(SPACE_TYPE, ''), PAGE_SIZE, ZIP_PAGE_SIZE, FILE_SIZE, ALLOCATED_SIZE,
COALESCE(ENCRYPTION, 'N'), COALESCE(STATE, '') FROM information_schema.innodb_tablespaces ORDER BY SPACE`,
		func(rows *sql.Rows) error {
			var t Tablespace
			var encryption string
			err := rows.Scan(&t.ID, &t.Name, &t.Type, &t.PageSize, &t.ZipSize, &t.FileSize, &t.Allocated, &encryption, &t.State)
			t.Encrypted = encryption == "Y"
			spaces = append(spaces, t)
			return err
		})
	return spaces, err
}

// paths gives the first file of each tablespace.
func (r *reader) paths(ctx context.Context) (map[int64]string, error) {
	paths := map[int64]string{}
	err := r.each(ctx, "SELECT CAST(SPACE AS CHAR), PATH FROM information_schema.innodb_datafiles", func(rows *sql.Rows) error {
		var space, file string
		if err := rows.Scan(&space, &file); err != nil {
			return err
		}
		id, err := strconv.ParseInt(space, 10, 64)
		if _, there := paths[id]; !there {
			paths[id] = file
		}
		return err
	})
	return paths, err
}

// systemBytes is the size of the system tablespace, which innodb_tablespaces leaves out. Every one of its
// files is a row with the extents of the whole.
func (r *reader) systemBytes(ctx context.Context) (int64, error) {
	var size int64
	err := oneRow(ctx, r.conn, "SELECT COALESCE(MAX(TOTAL_EXTENTS * EXTENT_SIZE), 0) FROM information_schema.files WHERE TABLESPACE_NAME = 'innodb_system'").Scan(&size)
	return size, err
}

// redoCapacity is how large the redo log may grow, and what the server adds to the data when it asks for room
// at a clone's target. Before 8.0.30 it is the product of two variables.
func (r *reader) redoCapacity(ctx context.Context) (int64, error) {
	vars := r.facts.Variables
	if _, there := vars["innodb_redo_log_capacity"]; there {
		status, err := r.pairs(ctx, "SHOW GLOBAL STATUS LIKE 'Innodb_redo_log_capacity_resized'")
		if err != nil {
			return 0, err
		}
		// The status is what is in force: the old variables may have set it.
		if n, err := strconv.ParseInt(status["innodb_redo_log_capacity_resized"], 10, 64); err == nil && n > 0 {
			return n, nil
		}
		return strconv.ParseInt(vars["innodb_redo_log_capacity"], 10, 64)
	}
	size, err := strconv.ParseInt(vars["innodb_log_file_size"], 10, 64)
	if err != nil {
		return 0, unread("this server says nothing of its redo log's size")
	}
	files, err := strconv.ParseInt(vars["innodb_log_files_in_group"], 10, 64)
	if err != nil {
		return 0, unread("this server says nothing of the number of its redo logs")
	}
	return size * files, nil
}

// sum fills what follows from the tablespaces.
func (f *Facts) sum(system int64) {
	f.EstimateBytes, f.DiskBytes = system, system+f.Source.RedoLogCapacity
	for _, t := range f.Spaces {
		if t.Name == spaceTemporary {
			continue
		}
		f.EstimateBytes += t.FileSize
		f.DiskBytes += t.onDisk()
		if t.Encrypted {
			f.Encrypted = append(f.Encrypted, t)
		}
		if t.Type != spaceUndo && t.Type != spaceSystem && outside(t.Path) {
			f.External = append(f.External, t)
		}
	}
}

// EncryptedParts names what is encrypted: tablespaces, and the settings that have redo or undo logs encrypted.
func (f *Facts) EncryptedParts() []string {
	var parts []string
	for _, t := range f.Encrypted {
		parts = append(parts, t.Name)
	}
	for _, name := range []string{"innodb_redo_log_encrypt", "innodb_undo_log_encrypt"} {
		if isOn(f.Variables[name]) {
			parts = append(parts, name)
		}
	}
	return parts
}

// onDisk is what the server counts for the file at the target, where it punches the same holes.
func (t Tablespace) onDisk() int64 {
	if t.Allocated > 0 && t.Allocated < t.FileSize {
		return t.Allocated
	}
	return t.FileSize
}

// outside reports whether a file's path, as the server writes it, leads out of a copy: an absolute path, or one that leaves
// the data directory. A server names a file by an absolute path where it was created with one, in the data directory as
// well (CREATE TABLESPACE … ADD DATAFILE '/var/lib/mysql/x.ibd'). Undo tablespaces may: a local clone brings them into the
// copy. Any other such file stops it with 1086.
func outside(file string) bool {
	return path.IsAbs(file) || file != "" && escapes(path.Clean(file))
}

func escapes(relative string) bool {
	return relative == ".." || strings.HasPrefix(relative, "../")
}

// within reports whether a path is the directory or lies in it, by names alone.
func within(directory, file string) bool {
	directory, file = path.Clean(directory), path.Clean(file)
	return file == directory || strings.HasPrefix(file, strings.TrimSuffix(directory, "/")+"/")
}
