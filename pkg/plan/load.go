package plan

import (
	"os"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"runner/pkg/plan/diag"
	"runner/pkg/plan/internal/hclsyn"
	"runner/pkg/plan/internal/yamlsyn"
	"runner/pkg/plan/spec"
)

// LoadOptions are what a plan may depend on besides its files. The zero value
// takes everything from the process.
type LoadOptions struct {
	Vars     map[string]string        // values of variables, as --var gives them
	VarFiles []string                 // files of values, of which a later one comes first
	Getenv   func(name string) string // nil: os.Getenv. What gives "" counts as not set
	Now      time.Time                // what timestamp() gives; zero: the time of loading
	Hostname string                   // what hostname() gives; "": os.Hostname
	Dir      string                   // what relative paths in plans are relative to; "": the working directory
}

func (o LoadOptions) filled() (LoadOptions, error) {
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	var err error
	if o.Hostname == "" {
		o.Hostname, err = os.Hostname()
	}
	if o.Dir == "" && err == nil {
		o.Dir, err = os.Getwd()
	}
	return o, err
}

// Load reads the files and folders of a plan and merges them. The list holds
// everything that is wrong, sorted by place; the plan is nil if any of it is
// an error. The files are for [diag.Render] and hold no secret that was
// recognised as one.
func Load(paths []string, o LoadOptions) (*Plan, *diag.Files, diag.List) {
	l := newLoader()
	filled, err := o.filled()
	if err != nil {
		l.fail(nil, "System error", "The host name or the working directory can't be found out: "+err.Error()+".", "")
		return nil, l.files, l.diags
	}
	l.o = filled
	l.functions = l.budget.counting(l.functionTable())
	p := l.build(l.merge(l.planFiles(paths)))
	l.diags = l.diags.Sorted()
	if l.diags.HasErrors() {
		return nil, l.files, l.diags
	}
	return p, l.files, l.diags
}

// sensitive is the mark of values that must not be shown.
type sensitive struct{}

// loader is the state of one Load.
type loader struct {
	o         LoadOptions
	read      func(path string) ([]byte, error)
	files     *diag.Files
	yaml      map[string]*yamlsyn.File
	ambiguous map[string][]hclsyn.Ambiguity // by file
	diags     diag.List
	whole     bool // every file could be parsed
	functions map[string]function.Function
	budget    *budget
	secret    confidential
	parsed    map[string]parsedFile
	types     capsules
	inputs    map[string]string
	base      scope // var and local
}

func newLoader() *loader {
	return &loader{
		read: readRegular, files: diag.NewFiles(), yaml: map[string]*yamlsyn.File{}, ambiguous: map[string][]hclsyn.Ambiguity{}, budget: &budget{}, whole: true,
		secret: confidential{variables: map[string]bool{}, locals: map[string]bool{}}, parsed: map[string]parsedFile{},
		types: newCapsules(), inputs: map[string]string{},
	}
}

// fail adds an error. A nil range is no place.
func (l *loader) fail(at *hcl.Range, summary, detail, hint string) {
	d := diag.Diagnostic{Severity: diag.Error, Summary: summary, Detail: detail, Hint: hint}
	if at != nil {
		r := l.place(*at)
		d.Range = &r
	}
	l.diags = append(l.diags, d)
}

// place turns a range of either syntax into one of a file.
func (l *loader) place(r hcl.Range) diag.Range {
	if f, ok := l.yaml[yamlsyn.FileOf(r)]; ok {
		r = f.Resolve(r)
	}
	return l.files.Range(r.Filename, r.Start.Byte, r.End.Byte)
}

// report takes over what the syntaxes and HCL's evaluator found.
func (l *loader) report(diags hcl.Diagnostics) {
	for _, d := range diags {
		l.fail(d.Subject, d.Summary, d.Detail, "")
	}
}

// build evaluates the merged files in phases, each of which goes on after
// errors as long as what it finds is certain.
func (l *loader) build(top *object) *Plan {
	if !l.whole { // a name that seems missing may be in what could not be read
		return nil
	}
	l.duplicates(top)
	l.hideSources(top.blocks["locals"])
	l.base = l.newScope(map[string]cty.Value{"var": l.variables(top.blocks["variable"])})
	l.base = l.base.with("local", l.locals(top.blocks["locals"]))

	p := &Plan{Inputs: l.inputs}
	sources, repositories := map[string]cty.Value{}, map[string]cty.Value{}
	for _, o := range top.blocks["source"] {
		s := l.source(o)
		p.Sources = append(p.Sources, s)
		sources[s.Name] = cty.CapsuleVal(l.types.source, s)
	}
	for _, o := range top.blocks["repository"] {
		r := l.repository(o)
		p.Repositories = append(p.Repositories, r)
		repositories[r.Name] = cty.CapsuleVal(l.types.repository, r)
	}
	references := l.base.
		with("source", cty.ObjectVal(map[string]cty.Value{"mysql": cty.ObjectVal(sources)})).
		with("repository", cty.ObjectVal(map[string]cty.Value{"local": cty.ObjectVal(repositories)}))
	p.Jobs = l.jobs(top, references)
	if len(top.blocks["job"]) == 0 && !l.diags.HasErrors() {
		l.fail(nil, "No job", "The plan declares no job, so there is nothing to back up.", "")
	}
	if l.diags.HasErrors() {
		return nil
	}
	slices.SortFunc(p.Sources, func(a, b *Source) int { return compare(a.Address(), b.Address()) })
	slices.SortFunc(p.Repositories, func(a, b *Repository) int { return compare(a.Address(), b.Address()) })
	p.Digest = digest(p.Normalised())
	return p
}

// merge parses every file and merges what they hold.
func (l *loader) merge(names []string) *object {
	root := spec.Plan()
	top := &object{spec: root, blocks: map[string][]*object{}}
	for _, name := range names {
		body := l.parse(name, false)
		if body == nil {
			continue
		}
		part := l.object(body, root)
		for kind, blocks := range part.blocks {
			top.blocks[kind] = append(top.blocks[kind], blocks...)
		}
	}
	return top
}
