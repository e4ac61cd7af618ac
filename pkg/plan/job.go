package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"runner/pkg/plan/graph"
)

const second = time.Second

func duration(s *settings, name string) time.Duration { return get[time.Duration](s, name) }

// maxJobs is the most that one for_each may make.
const maxJobs = 1000

// instance is one job of a job block: the only one, or one for an element of
// for_each.
type instance struct {
	object  *object
	address string
	key     string
	each    cty.Value // what each refers to, where there is a key
	ghost   bool      // for_each is not known: the job is looked at for what is wrong, no more
}

// jobs builds every job, sorted by dependency and address.
func (l *loader) jobs(top *object, references scope) []*Job {
	var all []instance
	refs := map[string]cty.Value{}
	for _, o := range top.blocks["job"] {
		instances := l.instances(o)
		refs[o.name()] = l.jobValue(o, instances)
		all = append(all, instances...)
	}
	s := references.with("job", cty.ObjectVal(refs))
	defaults := top.blocks["defaults"]
	l.checkDefaults(defaults, s)
	var jobs []*Job
	for _, in := range all {
		j := l.job(in, defaults, s)
		if !in.ghost {
			jobs = append(jobs, j)
		}
	}
	return l.jobOrder(jobs, all)
}

// checkDefaults evaluates defaults by themselves, since jobs may override
// what is wrong in them.
func (l *loader) checkDefaults(defaults []*object, s scope) {
	each := cty.ObjectVal(map[string]cty.Value{"key": cty.DynamicVal, "value": cty.DynamicVal})
	for _, d := range defaults {
		l.settings(d.spec, []*object{d}, s.with("each", each), d.at)
	}
}

// jobValue gives what job.NAME refers to.
func (l *loader) jobValue(o *object, instances []instance) cty.Value {
	if _, ok := o.attributes["for_each"]; !ok {
		return cty.CapsuleVal(l.types.job, &jobRef{instances[0].address})
	}
	values := map[string]cty.Value{}
	for _, in := range instances {
		if in.ghost {
			return cty.DynamicVal
		}
		values[in.key] = cty.CapsuleVal(l.types.job, &jobRef{in.address})
	}
	return cty.ObjectVal(values)
}

// instances writes out for_each.
func (l *loader) instances(o *object) []instance {
	plain := instance{object: o, address: "job." + o.name()}
	attr, ok := o.attributes["for_each"]
	if !ok {
		return []instance{plain}
	}
	ghost := plain
	ghost.ghost = true
	ghost.each = cty.ObjectVal(map[string]cty.Value{"key": cty.DynamicVal, "value": cty.DynamicVal})
	v, ok := l.value(attr.Expr, l.base, false)
	ok = ok && l.asWritten(attr.Expr)
	if !ok {
		return []instance{ghost}
	}
	elements, err := elementsOf(v)
	if err != nil {
		at := attr.Expr.Range()
		l.fail(&at, err.summary, err.detail, "")
	}
	if len(elements) == 0 {
		return []instance{ghost}
	}
	var out []instance
	for _, key := range slices.Sorted(maps.Keys(elements)) {
		out = append(out, instance{
			object: o, key: key, address: fmt.Sprintf("job.%s[%q]", o.name(), key),
			each: cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(key), "value": elements[key]}),
		})
	}
	return out
}

// elementsOf gives the elements of for_each by their keys.
func elementsOf(v cty.Value) (map[string]cty.Value, *convertError) {
	t := v.Type()
	isMap := t.IsMapType() || t.IsObjectType()
	switch {
	case v.IsMarked():
		return nil, &convertError{"Sensitive value", "for_each makes names of its keys, which are shown, so it can't hold a sensitive value."}
	case v.IsNull() || !isMap && !t.IsTupleType() && !t.IsListType() && !t.IsSetType():
		return nil, &convertError{"Wrong type", "for_each is a map, or a list of texts."}
	case v.LengthInt() > maxJobs:
		return nil, &convertError{"Too complex", fmt.Sprintf("for_each may make %d jobs.", maxJobs)}
	}
	out := map[string]cty.Value{}
	for it := v.ElementIterator(); it.Next(); {
		key, element := it.Element()
		if !isMap {
			if element.IsMarked() {
				return nil, &convertError{"Sensitive value", "for_each makes names of its elements, which are shown, so it can't hold a sensitive value."}
			}
			if element.IsNull() || element.Type() != cty.String {
				return nil, &convertError{"Wrong type", "for_each is a map, or a list of texts."}
			}
			key = element
		}
		k := key.AsString()
		if _, twice := out[k]; twice {
			return nil, &convertError{"Duplicate key", fmt.Sprintf("for_each has %q twice.", k)}
		}
		if k == "" || len(k) > maxKey || strings.ContainsFunc(k, unicode.IsControl) {
			return nil, &convertError{"Invalid value", fmt.Sprintf("A key of for_each has from 1 to %d bytes and no control characters: it names the job and its folder.", maxKey)}
		}
		out[k] = element
	}
	return out, nil
}

// job evaluates one job over the defaults.
func (l *loader) job(in instance, defaults []*object, s scope) *Job {
	if in.key != "" || in.ghost {
		s = s.with("each", in.each)
	}
	layers := append([]*object{in.object}, defaults...)
	v := l.settings(in.object.spec, layers, s, in.object.at)
	check, checksum, metadata := v.blocks["check"], v.blocks["checksum"], v.blocks["metadata"]
	job := &Job{
		Address: in.address, Name: in.object.name(), Key: in.key,
		Source: get[*Source](v, "source"), Repository: get[*Repository](v, "repository"),
		DependsOn: l.dependsOn(in.object, s),
		Labels:    get[map[string]string](v, "labels"), Timeout: duration(v, "timeout"),
		Check: Check{
			LostTables: get[string](check, "lost_tables"), MinFree: get[Amount](check, "min_free"), Plugin: get[string](check, "plugin"),
		},
		Clone: l.clone(v.blocks["clone"]), Compress: l.compress(v.blocks["compress"]), Encrypt: l.encrypt(v.blocks["encrypt"]),
		Checksum: Checksum{
			Algorithm: get[string](checksum, "algorithm"), Pages: get[string](checksum, "pages"), ReadBack: get[bool](checksum, "read_back"),
		},
		Metadata: Metadata{Annotations: get[map[string]string](metadata, "annotations")},
		Range:    l.place(in.object.at),
	}
	l.checkDonor(v, job)
	return job
}

// dependsOn gives the addresses of depends_on, sorted.
func (l *loader) dependsOn(o *object, s scope) []string {
	attr, ok := o.attributes["depends_on"]
	if !ok {
		return nil
	}
	items, diags := hcl.ExprList(attr.Expr)
	if diags.HasErrors() {
		at := attr.Expr.Range()
		l.fail(&at, "Wrong type", "depends_on is a list of jobs: [job.NAME].", "")
		return nil
	}
	var out []string
	for _, item := range items {
		v, ok := l.value(item, s, false)
		if !ok {
			continue
		}
		addresses, ok := l.addressesOf(v)
		if !ok {
			at := item.Range()
			l.fail(&at, "Wrong type", `depends_on is a list of jobs such as job.NAME or job.NAME["KEY"].`, "")
		}
		out = append(out, addresses...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// addressesOf gives the jobs that a value refers to: one, or all of a
// for_each.
func (l *loader) addressesOf(v cty.Value) ([]string, bool) {
	if v.IsNull() || v.IsMarked() {
		return nil, false
	}
	if v.Type() == l.types.job {
		ref, ok := v.EncapsulatedValue().(*jobRef)
		if !ok {
			return nil, false
		}
		return []string{ref.address}, true
	}
	if !v.Type().IsObjectType() {
		return nil, false
	}
	var out []string
	for it := v.ElementIterator(); it.Next(); {
		_, element := it.Element()
		if element.Type() != l.types.job {
			return nil, false
		}
		ref, ok := element.EncapsulatedValue().(*jobRef)
		if !ok {
			return nil, false
		}
		out = append(out, ref.address)
	}
	return out, true
}

// jobOrder sorts by dependency, then address, and reports cycles.
func (l *loader) jobOrder(jobs []*Job, all []instance) []*Job {
	slices.SortFunc(jobs, func(a, b *Job) int { return compare(a.Address, b.Address) })
	byAddress := map[string]*Job{}
	var nodes []graph.Node
	for _, j := range jobs {
		if byAddress[j.Address] != nil {
			continue // defined twice, which was reported
		}
		byAddress[j.Address] = j
		n := graph.Node{ID: graph.ID{Job: j.Address}}
		for _, d := range j.DependsOn {
			n.After = append(n.After, graph.ID{Job: d})
		}
		nodes = append(nodes, n)
	}
	g, err := graph.New(nodes)
	if err != nil {
		l.cycles(err, "jobs", func(id graph.ID) (string, hcl.Range) {
			at := slices.IndexFunc(all, func(in instance) bool { return in.address == id.Job })
			return id.Job, all[at].object.attributes["depends_on"].Expr.Range()
		})
		return nil
	}
	var out []*Job
	for _, id := range g.Order() {
		out = append(out, byAddress[id.Job])
	}
	return out
}
