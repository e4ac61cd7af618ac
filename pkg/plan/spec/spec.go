// Package spec describes the plan language as data: which blocks there are,
// which attributes they hold, of which type, with which default. Decoding,
// suggestions and documentation follow it, so that a name is written down once.
package spec

// Type says what an attribute holds and how it is written.
type Type string

// The types.
const (
	String     Type = "string"
	Host       Type = "host"       // a host name or address without a port
	Path       Type = "path"       // ~/ is the home folder; relative to the working directory
	ServerPath Type = "serverpath" // absolute; on the server's file system
	Number     Type = "number"     // a whole number
	Bool       Type = "bool"
	Size       Type = "size"     // bytes: 100, 64K, 20G
	Rate       Type = "rate"     // bytes a second: a size, optionally with /s
	Duration   Type = "duration" // 90s, 6h, 2d
	Amount     Type = "amount"   // a size or a percentage
	Enum       Type = "enum"     // one of Values
	Map        Type = "map"      // texts by name
	List       Type = "list"     // texts
	Secret     Type = "secret"   // a text that is never shown
	SourceRef  Type = "source"   // source.mysql.NAME
	RepoRef    Type = "repository"
	JobRefs    Type = "jobs"      // a list of job.NAME
	ForEach    Type = "for_each"  // a map, or a list of texts
	TypeName   Type = "type"      // string, number, bool, list(…), map(…), object({…}), any
	Any        Type = "any"       // a value of any type
	Condition  Type = "condition" // an expression that is evaluated later
)

// Attribute describes an attribute.
type Attribute struct {
	Name     string
	Type     Type
	Doc      string
	Default  string // as one would write it; "" is none
	Required bool
	Values   []string // of an Enum: all of the language
	Later    []string // of an Enum: those of Values that this version refuses
	// Unsupported says that this version refuses the attribute, after having
	// checked its type.
	Unsupported bool
	// Min and Max bound a Number as it is, a Size or Rate in bytes and a
	// Duration in nanoseconds; zero is always allowed where Min is 0 or
	// ZeroAllowed is set. Max 0 is no bound.
	Min, Max    int64
	ZeroAllowed bool
}

// Block describes a block.
type Block struct {
	Name       string
	Labels     []string // what the labels are: kind, name
	Kinds      []string // values of the label that is called kind
	Repeats    bool     // may be there more than once, or under several labels
	Open       bool     // holds attributes of any name
	Attributes []Attribute
	Blocks     []Block
	Doc        string
	// Unsupported says that this version refuses the block, after having
	// checked what is in it.
	Unsupported bool
}

// Attribute gives the attribute of that name.
func (b Block) Attribute(name string) (Attribute, bool) {
	for _, a := range b.Attributes {
		if a.Name == name {
			return a, true
		}
	}
	return Attribute{}, false
}

// Block gives the block of that name.
func (b Block) Block(name string) (Block, bool) {
	for _, inner := range b.Blocks {
		if inner.Name == name {
			return inner, true
		}
	}
	return Block{}, false
}

// without gives a copy of the block without some attributes.
func (b Block) without(names ...string) Block {
	drop := map[string]bool{}
	for _, n := range names {
		drop[n] = true
	}
	var kept []Attribute
	for _, a := range b.Attributes {
		if !drop[a.Name] {
			a.Required = false
			kept = append(kept, a)
		}
	}
	b.Attributes = kept
	return b
}

// Plan describes a whole plan: a block without a name.
func Plan() Block {
	job := jobBlock()
	defaults := job.without("for_each", "depends_on")
	defaults.Name, defaults.Labels, defaults.Repeats = "defaults", nil, false
	defaults.Doc = "Merged under every job, block by block: what a job does not say is taken from here."
	return Block{
		Doc: "A plan, of one or several files.",
		Blocks: []Block{
			variableBlock(),
			{Name: "locals", Repeats: true, Open: true, Doc: "Names for values, used as local.NAME."},
			sourceBlock(),
			repositoryBlock(),
			defaults,
			job,
		},
	}
}

func variableBlock() Block {
	return Block{
		Name: "variable", Labels: []string{"name"}, Repeats: true,
		Doc: "A value that is given from outside, used as var.NAME.",
		Attributes: []Attribute{
			{Name: "type", Type: TypeName, Default: "any", Doc: "What the value must be or be convertible to."},
			{Name: "description", Type: String, Doc: "What the variable is for; shown when its value is missing."},
			{Name: "sensitive", Type: Bool, Default: "false", Doc: "The value is a secret: it is never shown, and may be used only where a secret is expected."},
			{Name: "default", Type: Any, Doc: "The value when none is given. Without a default a value is required. May call functions, but refers to nothing."},
		},
		Blocks: []Block{{
			Name: "validation", Repeats: true, Doc: "A condition that the value must meet.",
			Attributes: []Attribute{
				{Name: "condition", Type: Condition, Required: true, Doc: "An expression about var.NAME that is true for a good value."},
				{Name: "error_message", Type: Condition, Required: true, Doc: "What to tell the user of a bad value."},
			},
		}},
	}
}

func sourceBlock() Block {
	return Block{
		Name: "source", Labels: []string{"kind", "name"}, Kinds: []string{"mysql"}, Repeats: true,
		Doc: "A MySQL server to back up, used as source.mysql.NAME.",
		Attributes: []Attribute{
			{Name: "host", Type: Host, Doc: "Host name or address, for a connection by TCP. Not together with `socket`."},
			{Name: "port", Type: Number, Default: "3306", Min: 1, Max: 65535, Doc: "TCP port. With `defaults_file` the file's port comes before the default."},
			{Name: "socket", Type: Path, Doc: "Path of the server's Unix socket. Not together with `host`."},
			{Name: "user", Type: String, Doc: "Account. Required unless `defaults_file` is given."},
			{Name: "password", Type: Secret, Doc: "The account's password. Not together with `password_file`."},
			{Name: "password_file", Type: Path, Doc: "File whose first line is the password; read when the connection is made."},
			{Name: "defaults_file", Type: Path, Doc: "MySQL option file; group `[client]` gives what the plan does not."},
		},
		Blocks: []Block{{
			Name: "tls", Doc: "How the connection is protected.",
			Attributes: []Attribute{
				{
					Name: "mode", Type: Enum, Values: []string{"disabled", "preferred", "required", "verify-ca", "verify-identity"}, Default: "verify-identity",
					Doc: "`preferred` falls back to clear text, `required` encrypts, `verify-ca` also checks who signed the certificate, `verify-identity` also that it is this host's.",
				},
				{Name: "ca_file", Type: Path, Doc: "Certificates of the authorities that are trusted; without it the system's. Only with `verify-ca` and `verify-identity`."},
				{Name: "cert_file", Type: Path, Doc: "Certificate that the runner shows to the server. Together with `key_file`."},
				{Name: "key_file", Type: Path, Doc: "Private key of `cert_file`."},
			},
		}},
	}
}

func repositoryBlock() Block {
	return Block{
		Name: "repository", Labels: []string{"kind", "name"}, Kinds: []string{"local"}, Repeats: true,
		Doc:        "A place that holds backups, used as repository.local.NAME.",
		Attributes: []Attribute{{Name: "path", Type: Path, Required: true, Doc: "Folder on a file system of the runner's host; made when absent."}},
	}
}
