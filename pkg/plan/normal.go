package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// The types below fix the bytes that the digest is of. A field may be added
// only with omitempty, or every digest that a journal holds becomes another.

type normalPlan struct {
	Version      int                `json:"version"`
	Sources      []normalSource     `json:"sources"`
	Repositories []normalRepository `json:"repositories"`
	Jobs         []normalJob        `json:"jobs"`
}

type normalSource struct {
	Address      string     `json:"address"`
	Host         string     `json:"host,omitempty"`
	Port         int        `json:"port,omitempty"`
	Socket       string     `json:"socket,omitempty"`
	User         string     `json:"user,omitempty"`
	PasswordFile string     `json:"password_file,omitempty"`
	DefaultsFile string     `json:"defaults_file,omitempty"`
	TLS          *normalTLS `json:"tls,omitempty"`
}

type normalTLS struct {
	Mode     string `json:"mode"`
	CAFile   string `json:"ca_file,omitempty"`
	CertFile string `json:"cert_file,omitempty"`
	KeyFile  string `json:"key_file,omitempty"`
}

type normalRepository struct {
	Address string `json:"address"`
	Path    string `json:"path"`
}

type normalJob struct {
	Address    string            `json:"address"`
	Source     string            `json:"source"`
	Repository string            `json:"repository"`
	DependsOn  []string          `json:"depends_on,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
	Timeout    string            `json:"timeout,omitempty"`
	Check      normalCheck       `json:"check"`
	Clone      normalClone       `json:"clone"`
	Compress   normalCompress    `json:"compress"`
	Encrypt    *normalEncrypt    `json:"encrypt,omitempty"`
	Checksum   normalChecksum    `json:"checksum"`
	Metadata   normalMetadata    `json:"metadata"`
}

type normalCheck struct {
	LostTables     string  `json:"lost_tables"`
	MinFreeBytes   int64   `json:"min_free_bytes,omitempty"`
	MinFreePercent float64 `json:"min_free_percent,omitempty"`
	Plugin         string  `json:"plugin"`
}

type normalClone struct {
	Mode             string `json:"mode"`
	Directory        string `json:"directory,omitempty"`
	MountedAt        string `json:"mounted_at,omitempty"`
	Bandwidth        int64  `json:"bandwidth,omitempty"`
	NetworkBandwidth int64  `json:"network_bandwidth,omitempty"`
	// NetworkCompression is left out where it is none, as it was before there was a choice.
	NetworkCompression string `json:"network_compression,omitempty"`
	Threads            int    `json:"threads,omitempty"`
	DDL                string `json:"ddl,omitempty"`
	DDLTimeout         string `json:"ddl_timeout,omitempty"`
	Recipient          string `json:"recipient,omitempty"`
	Keep               bool   `json:"keep,omitempty"`
}

type normalCompress struct {
	Format    string `json:"format"`
	Level     int    `json:"level"`
	Threads   int    `json:"threads,omitempty"`
	Bandwidth int64  `json:"bandwidth,omitempty"`
}

// normalEncrypt holds the recipients themselves, so that a file of them that has changed makes another plan.
type normalEncrypt struct {
	Recipients []string `json:"recipients"`
}

type normalChecksum struct {
	Algorithm string `json:"algorithm"`
	Pages     string `json:"pages"`
	ReadBack  bool   `json:"read_back,omitempty"`
}

type normalMetadata struct {
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Normalised gives the plan as JSON that depends on nothing but what the plan
// means: not on syntax, order, comments or the files' names. Secrets are left
// out. It is what the digest is of.
func (p *Plan) Normalised() []byte {
	out := normalPlan{Version: 1, Sources: []normalSource{}, Repositories: []normalRepository{}, Jobs: []normalJob{}}
	for _, s := range p.Sources {
		out.Sources = append(out.Sources, normalOfSource(s))
	}
	for _, r := range p.Repositories {
		out.Repositories = append(out.Repositories, normalRepository{Address: r.Address(), Path: r.Path})
	}
	for _, j := range p.Jobs {
		out.Jobs = append(out.Jobs, normalOfJob(j))
	}
	slices.SortFunc(out.Sources, func(a, b normalSource) int { return strings.Compare(a.Address, b.Address) })
	slices.SortFunc(out.Repositories, func(a, b normalRepository) int { return strings.Compare(a.Address, b.Address) })
	slices.SortFunc(out.Jobs, func(a, b normalJob) int { return strings.Compare(a.Address, b.Address) })
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil { // strings, numbers and maps of them: there is nothing that JSON can't hold
		panic("plan: normalise: " + err.Error())
	}
	return append(text, '\n')
}

func digest(normalised []byte) string {
	sum := sha256.Sum256(normalised)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func normalOfSource(s *Source) normalSource {
	out := normalSource{
		Address: s.Address(), Host: s.Host, Port: s.Port, Socket: s.Socket, User: s.User,
		PasswordFile: s.PasswordFile, DefaultsFile: s.DefaultsFile,
	}
	if s.TLS != nil {
		out.TLS = &normalTLS{Mode: s.TLS.Mode, CAFile: s.TLS.CAFile, CertFile: s.TLS.CertFile, KeyFile: s.TLS.KeyFile}
	}
	return out
}

func normalOfJob(j *Job) normalJob {
	out := normalJob{
		Address: j.Address, Source: j.Source.Address(), Repository: j.Repository.Address(),
		DependsOn: slices.Sorted(slices.Values(j.DependsOn)), Labels: maps.Clone(j.Labels),
		Check: normalCheck{
			LostTables: j.Check.LostTables, MinFreeBytes: j.Check.MinFree.Bytes,
			MinFreePercent: j.Check.MinFree.Percent, Plugin: j.Check.Plugin,
		},
		Clone: normalClone{
			Mode: j.Clone.Mode, Directory: j.Clone.Directory, MountedAt: j.Clone.MountedAt, Bandwidth: j.Clone.Bandwidth,
			NetworkBandwidth: j.Clone.NetworkBandwidth, Threads: j.Clone.Threads, DDL: j.Clone.DDL, Keep: j.Clone.Keep,
		},
		Compress: normalCompress(j.Compress),
		Checksum: normalChecksum(j.Checksum),
		Metadata: normalMetadata(j.Metadata),
	}
	if j.Clone.NetworkCompression != networkUncompressed {
		out.Clone.NetworkCompression = j.Clone.NetworkCompression
	}
	if j.Timeout != 0 {
		out.Timeout = j.Timeout.String()
	}
	if j.Clone.DDLTimeout != 0 {
		out.Clone.DDLTimeout = j.Clone.DDLTimeout.String()
	}
	if j.Encrypt != nil {
		out.Encrypt = &normalEncrypt{Recipients: j.Encrypt.Recipients}
	}
	if j.Clone.Recipient != nil {
		out.Clone.Recipient = j.Clone.Recipient.Address()
	}
	return out
}
