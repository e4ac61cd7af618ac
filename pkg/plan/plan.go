// Package plan reads what is to be backed up, how and where to.
//
// [Load] turns files in HCL or YAML into one validated [Plan], or into a list
// of everything that is wrong with them, each problem with its place. The
// language is described in LANGUAGE.md beside this file. A Plan does not
// change after it was loaded.
package plan

import (
	"fmt"
	"slices"
	"time"

	"runner/pkg/plan/diag"
	"runner/pkg/plan/graph"
)

// Plan is a validated plan.
type Plan struct {
	Sources      []*Source     // by name
	Repositories []*Repository // by kind and name
	Jobs         []*Job        // a job after those it depends on, else by address
	Digest       string        // "sha256:" and the digest of Normalised in hex
	// Inputs are the variables that came from outside and are not sensitive,
	// in the form of LoadOptions.Vars, to load the plan again.
	Inputs map[string]string
}

// Source is a server to back up.
type Source struct {
	Name         string
	Host         string // "" with a socket, or when DefaultsFile is to say it
	Port         int    // 0 with a socket, or when DefaultsFile may say it
	Socket       string // path; "" without
	User         string // "" only with DefaultsFile
	Password     Secret
	PasswordFile string // path; "" without
	DefaultsFile string // path of an option file whose group client is read; "" without
	TLS          *TLS   // nil: nothing was said
	Range        diag.Range
}

// Address is how the plan refers to the source: source.mysql.orders.
func (s *Source) Address() string { return "source.mysql." + s.Name }

// TLS says how the connection to a source is protected.
type TLS struct {
	Mode              string // disabled, preferred, required, verify-ca or verify-identity
	CAFile            string // path; "" is the system's own roots
	CertFile, KeyFile string // paths; both or neither
}

// Repository is a place that holds backups.
type Repository struct {
	Kind  string // local
	Name  string
	Path  string // absolute
	Range diag.Range
}

// Address is how the plan refers to the repository: repository.local.nas.
func (r *Repository) Address() string { return "repository." + r.Kind + "." + r.Name }

// Job is one backup to make, with every default filled in.
type Job struct {
	Address    string // job.orders, or job.each["eu"] of a job with for_each
	Name, Key  string // Key is "" without for_each
	Source     *Source
	Repository *Repository
	DependsOn  []string // addresses, sorted
	Labels     map[string]string
	Timeout    time.Duration // 0: none
	Check      Check
	Clone      Clone
	Compress   Compress
	Encrypt    *Encrypt // nil: not encrypted
	Checksum   Checksum
	Metadata   Metadata
	Range      diag.Range
}

// Check says what is tolerated before a job starts.
type Check struct {
	LostTables string // error, warn or ignore: tables that CLONE leaves empty
	MinFree    Amount // kept free on every file system that is written to
	Plugin     string // require or install
}

// Amount is either a number of bytes or a share of a whole.
type Amount struct {
	Bytes   int64
	Percent float64 // 0 to 100
}

// Of gives the amount in bytes where the whole has total bytes.
func (a Amount) Of(total int64) int64 { return a.Bytes + int64(float64(total)*a.Percent/100) }

// Clone says how the data directory is copied.
type Clone struct {
	Mode               string        // auto, local, remote or stream
	Directory          string        // absolute parent of the staging directory, as mysqld sees it
	MountedAt          string        // the same directory as the runner sees it; "" is the same path
	Bandwidth          int64         // bytes a second of data read; 0: unlimited
	NetworkBandwidth   int64         // bytes a second; 0: unlimited
	NetworkCompression string        // of what is sent in mode stream: none or zstd
	Threads            int           // 0: the server's choice
	DDL                string        // allow or block; "": leave the server's setting
	DDLTimeout         time.Duration // 0: leave the server's setting
	Recipient          *Source       // that may pull the copy, of the modes remote and auto; else nil
	Keep               bool          // keep the staging directory afterwards
}

// Compress says how the archive is compressed.
type Compress struct {
	Format    string // none, gzip, zstd or lz4
	Level     int    // on the format's own scale; its default is filled in
	Threads   int    // 0: one per CPU
	Bandwidth int64  // bytes a second read from the staging directory; 0: unlimited
}

// Encrypt says for whom the archive is encrypted with age.
type Encrypt struct {
	// Recipients are all that recipients and recipients_file name, at least one, sorted, each once: age1…, or type
	// and key of an SSH public key.
	Recipients []string
}

// Checksum says what is verified.
type Checksum struct {
	Algorithm string // sha256
	Pages     string // error, warn or off: what a bad InnoDB page means
	ReadBack  bool   // read the stored archive again and verify it
}

// Metadata is what a person wants to find in the manifest.
type Metadata struct {
	Annotations map[string]string
}

// Steps are the names of the steps of a job, in their order.
func Steps() []string { return []string{"check", "clone", "compress", "checksum", "metadata"} }

// Job gives the job of that address.
func (p *Plan) Job(address string) (*Job, bool) {
	for _, j := range p.Jobs {
		if j.Address == address {
			return j, true
		}
	}
	return nil, false
}

// Graph gives the steps of every job, one after another, and the first step
// of a job after the last of each job that it depends on.
func (p *Plan) Graph() (*graph.Graph, error) {
	steps := Steps()
	var nodes []graph.Node
	for _, j := range p.Jobs {
		var after []graph.ID
		for _, dep := range j.DependsOn {
			after = append(after, graph.ID{Job: dep, Step: steps[len(steps)-1]})
		}
		for _, step := range steps {
			id := graph.ID{Job: j.Address, Step: step}
			nodes = append(nodes, graph.Node{ID: id, After: after})
			after = []graph.ID{id}
		}
	}
	g, err := graph.New(nodes)
	if err != nil {
		return nil, fmt.Errorf("build graph of plan: %w", err)
	}
	return g, nil
}

// UnknownJobError says that a plan has no job of that address.
type UnknownJobError struct {
	Address string
	Nearest string   // what was probably meant; "" if nothing is near
	Known   []string // every address there is
}

func (e *UnknownJobError) Error() string {
	text := fmt.Sprintf("the plan has no job %q", e.Address)
	if e.Nearest != "" {
		text += fmt.Sprintf("; did you mean %q?", e.Nearest)
	}
	return text
}

// Select gives a plan of these jobs only, with the sources and repositories
// that they use and its own digest. Dependencies on jobs that are left out are
// dropped. No address selects nothing; an unknown one is an [*UnknownJobError].
func (p *Plan) Select(addresses []string) (*Plan, error) {
	var known []string
	for _, j := range p.Jobs {
		known = append(known, j.Address)
	}
	for _, a := range addresses {
		if !slices.Contains(known, a) {
			return nil, &UnknownJobError{Address: a, Nearest: diag.Nearest(a, known), Known: known}
		}
	}
	out := &Plan{Inputs: p.Inputs}
	for _, j := range p.Jobs {
		if !slices.Contains(addresses, j.Address) {
			continue
		}
		kept := *j
		kept.DependsOn = slices.DeleteFunc(slices.Clone(j.DependsOn), func(a string) bool { return !slices.Contains(addresses, a) })
		out.Jobs = append(out.Jobs, &kept)
	}
	for _, s := range p.Sources {
		if slices.ContainsFunc(out.Jobs, func(j *Job) bool { return j.Source == s || j.Clone.Recipient == s }) {
			out.Sources = append(out.Sources, s)
		}
	}
	for _, r := range p.Repositories {
		if slices.ContainsFunc(out.Jobs, func(j *Job) bool { return j.Repository == r }) {
			out.Repositories = append(out.Repositories, r)
		}
	}
	out.Digest = digest(out.Normalised())
	return out, nil
}

// Folder gives the name of the job's folder in a repository: orders, or
// each.eu. Bytes of a key that are not letters, digits, dots, hyphens or
// underscores appear as %XX, so that the name is one safe path element and no
// two jobs share one.
func (j *Job) Folder() string {
	if j.Key == "" {
		return j.Name
	}
	out := []byte(j.Name + ".")
	for _, c := range []byte(j.Key) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_' {
			out = append(out, c)
		} else {
			out = fmt.Appendf(out, "%%%02X", c)
		}
	}
	return string(out)
}
