package spec

import "time"

// Bounds that are the server's own.
const (
	mebibyte = 1 << 20
	// maxBandwidth is the largest value of clone_max_data_bandwidth and
	// clone_max_network_bandwidth: 1048576 MiB a second. Both take whole
	// mebibytes only (MySQL manual, "Clone System Variables").
	maxBandwidth = 1048576 * mebibyte
	// maxCloneThreads is the largest value of clone_max_concurrency (same section).
	maxCloneThreads = 128
	// maxDDLTimeout is the largest value of clone_ddl_timeout: 2592000 s (same section).
	maxDDLTimeout = int64(2592000 * time.Second)
	// maxThreads is ours: more workers than that are a mistake.
	maxThreads = 1024
)

func jobBlock() Block {
	return Block{
		Name: "job", Labels: []string{"name"}, Repeats: true, Doc: "A backup to make.",
		Attributes: []Attribute{
			{Name: "for_each", Type: ForEach, Doc: "Makes one job for each element of a map, or of a list of texts: `job.NAME[\"KEY\"]`, with `each.key` and `each.value`."},
			{Name: "source", Type: SourceRef, Required: true, Doc: "The server: `source.mysql.NAME`."},
			{Name: "repository", Type: RepoRef, Required: true, Doc: "Where the backup goes: `repository.local.NAME`."},
			{Name: "depends_on", Type: JobRefs, Doc: "Jobs that must have succeeded before this one starts: `[job.NAME]`; the name of a job with for_each means all of its jobs."},
			{Name: "labels", Type: Map, Doc: "Names and texts that mark the job and its backups."},
			{Name: "timeout", Type: Duration, Default: "0s", Doc: "The longest that the job may take; 0 is no limit."},
		},
		Blocks: []Block{
			checkBlock(), cloneBlock(), compressBlock(), encryptBlock(), checksumBlock(),
			{
				Name: "metadata", Doc: "What a person wants to find in the manifest.",
				Attributes: []Attribute{{Name: "annotations", Type: Map, Doc: "Names and texts that are copied to the manifest."}},
			},
			proveBlock(),
		},
	}
}

func checkBlock() Block {
	return Block{
		Name: "check", Doc: "What is tolerated before the job starts.",
		Attributes: []Attribute{
			{Name: "lost_tables", Type: Enum, Values: []string{"error", "warn", "ignore"}, Default: "error", Doc: "What it means that there are tables which CLONE leaves empty: MyISAM, CSV, ARCHIVE and others that are not InnoDB; and tables whose tablespace the server itself has not."},
			{Name: "min_free", Type: Amount, Default: "5%", Doc: "Kept free on every file system that is written to: a size or a percentage of the file system."},
			{Name: "plugin", Type: Enum, Values: []string{"require", "install"}, Default: "require", Doc: "`install` installs the clone plugin if it is absent, and removes it again afterwards."},
		},
	}
}

func cloneBlock() Block {
	return Block{
		Name: "clone", Doc: "How the data directory is copied.",
		Attributes: []Attribute{
			{Name: "mode", Type: Enum, Values: []string{"auto", "local", "remote", "stream"}, Default: "auto", Doc: "`local` lets the server copy to a directory of its own host; `remote` has another server, `recipient`, pull the copy to a directory of its host; `stream` pulls the copy over the clone protocol right into the archive; `auto` is `stream` where its findings allow it, else `remote` where there is a recipient, else `local` where there is a `directory`, and says which finding excluded a mode."},
			{Name: "directory", Type: ServerPath, Doc: "Parent of the staging directory, as mysqld sees it. Required with the modes `local` and `remote`, where mysqld is the recipient; `auto` has no other mode than `stream` without it."},
			{Name: "mounted_at", Type: ServerPath, Doc: "The same directory as the runner sees it, where that differs."},
			{Name: "bandwidth", Type: Rate, Default: "0", Min: mebibyte, Max: maxBandwidth, ZeroAllowed: true, Doc: "Most data that is read a second, at least 1M, modes `local` and `remote`, and `auto` whatever it becomes; 0 is no limit."},
			{Name: "network_bandwidth", Type: Rate, Default: "0", Min: mebibyte, Max: maxBandwidth, ZeroAllowed: true, Doc: "Most data sent a second, at least 1M, modes `remote` and `stream`, there while files are copied; 0 is no limit."},
			{Name: "network_compression", Type: Enum, Values: []string{"none", "zstd"}, Default: "none", Doc: "How the server compresses what it sends, mode `stream`. It costs the server CPU: for slow links."},
			{Name: "threads", Type: Number, Default: "0", Max: maxCloneThreads, Doc: "Most threads, or connections, that CLONE may use; 0 is the server's choice, or 4 connections."},
			{Name: "ddl", Type: Enum, Values: []string{"allow", "block"}, Doc: "Whether DDL may run on the server during the clone; without it the server's own setting holds. With mode stream it runs, unless tables lie outside the data directory: then it waits, and `allow` is an error."},
			{Name: "ddl_timeout", Type: Duration, Min: int64(time.Second), Max: maxDDLTimeout, Doc: "How long the clone waits for DDL that is running; without it the server's own setting holds. Whole seconds."},
			{Name: "recipient", Type: SourceRef, Doc: "The server that pulls and writes the copy, `source.mysql.NAME`. Required with mode `remote`; `auto` may use it."},
			{Name: "keep", Type: Bool, Default: "false", Doc: "Keep the staging directory after the archive is safe."},
		},
	}
}

func compressBlock() Block {
	return Block{
		Name: "compress", Doc: "How the archive is compressed.",
		Attributes: []Attribute{
			{Name: "format", Type: Enum, Values: []string{"none", "gzip", "zstd", "lz4"}, Default: "zstd", Doc: "The archive's compression."},
			{Name: "level", Type: Number, Doc: "On the format's own scale: zstd 1 to 22 (default 1), gzip 0 to 9 (default 6), lz4 1 to 12 (default 1); none has no level."},
			{Name: "threads", Type: Number, Default: "0", Max: maxThreads, Doc: "Workers; 0 is one for each CPU."},
			{Name: "bandwidth", Type: Rate, Default: "0", Doc: "Most data read from the staging directory a second; 0 is no limit."},
		},
	}
}

func encryptBlock() Block {
	return Block{
		Name: "encrypt", Doc: "Encrypts the archive with age; without the block it is not encrypted.",
		Attributes: []Attribute{
			{Name: "recipients", Type: List, Doc: "Public keys of those who can decrypt: `age1…` as age-keygen prints it, or an SSH public key of the type ssh-ed25519 or ssh-rsa."},
			{Name: "recipients_file", Type: Path, Doc: "File of public keys, one a line; empty lines and those that begin with `#` don't count. Read when the plan is loaded, and added to `recipients`."},
		},
	}
}

func checksumBlock() Block {
	return Block{
		Name: "checksum", Doc: "What is verified.",
		Attributes: []Attribute{
			{Name: "algorithm", Type: Enum, Values: []string{"sha256"}, Default: "sha256", Doc: "Digest of the stored files."},
			{Name: "pages", Type: Enum, Values: []string{"error", "warn", "off"}, Default: "error", Doc: "What a bad InnoDB page means; every page is verified while packing unless `off`."},
			{Name: "read_back", Type: Bool, Default: "false", Doc: "Read the stored archive again and verify it; of an encrypted one, the SHA-256 of what is stored."},
		},
	}
}

func proveBlock() Block {
	return Block{
		Name: "prove", Unsupported: true, Doc: "Boots the copy in a private server.",
		Attributes: []Attribute{
			{Name: "enabled", Type: Bool, Default: "true", Doc: "Whether it is done."},
			{Name: "mysqld", Type: Path, Doc: "The server program."},
		},
		Blocks: []Block{{
			Name: "assert", Labels: []string{"name"}, Repeats: true, Doc: "A query and what it must give.",
			Attributes: []Attribute{
				{Name: "query", Type: String, Required: true, Doc: "SQL that gives one value."},
				{Name: "expect", Type: String, Required: true, Doc: "That value as text."},
			},
		}},
	}
}
