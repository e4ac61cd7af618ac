package plan

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"runner/pkg/plan/spec"
)

// settings are the evaluated attributes of a block.
type settings struct {
	at     hcl.Range // where the block is declared, or what it is missing from
	there  bool      // the block is in the plan
	values map[string]setting
	blocks map[string]*settings
}

type setting struct {
	value any       // in the type of loader.convert; nil if not given and without default
	at    hcl.Range // of the expression; of the block where there is none
	expr  hcl.Expression
	given bool // in the plan, and not null
	bad   bool // something about it was reported
	layer int  // which of the layers gave it
}

// get gives the value of an attribute, the zero value where there is none.
func get[T any](s *settings, name string) T {
	v, _ := s.values[name].value.(T)
	return v
}

// given says that the plan has something for one of the attributes.
func (s *settings) given(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return s.values[n].given })
}

// place gives where an attribute is given.
func (s *settings) place(name string) *hcl.Range {
	at := s.values[name].at
	return &at
}

// evaluated elsewhere: when all jobs are known, or all variables.
func special(t spec.Type) bool {
	return t == spec.JobRefs || t == spec.ForEach || t == spec.Condition || t == spec.TypeName
}

// settings evaluates a block. Of the layers, which are of the same kind, the
// first that gives an attribute counts. at is what a missing attribute is
// missing from.
func (l *loader) settings(b spec.Block, layers []*object, s scope, at hcl.Range) *settings {
	out := &settings{at: at, there: len(layers) > 0, values: map[string]setting{}, blocks: map[string]*settings{}}
	if out.there {
		out.at = layers[0].at
	}
	for _, a := range b.Attributes {
		if special(a.Type) {
			continue
		}
		out.values[a.Name] = l.setting(a, layers, s, out)
	}
	for _, inner := range b.Blocks {
		l.innerSettings(out, inner, layers, s)
	}
	return out
}

func (l *loader) innerSettings(out *settings, inner spec.Block, layers []*object, s scope) {
	var found []*object
	for _, layer := range layers {
		if inner.Repeats {
			for _, o := range layer.blocks[inner.Name] {
				l.settings(inner, []*object{o}, s, o.at) // only for what is wrong in it
			}
		} else if all := layer.blocks[inner.Name]; len(all) > 0 {
			found = append(found, all[0])
		}
	}
	if inner.Repeats {
		return
	}
	out.blocks[inner.Name] = l.settings(inner, found, s, out.at)
	if inner.Unsupported && len(found) > 0 {
		l.unsupported(found[0].at, "block "+inner.Name)
	}
}

func (l *loader) unsupported(at hcl.Range, what string) {
	l.fail(&at, "Not supported by this version", fmt.Sprintf("The %s is part of the plan language, but this version of runner can't do it, and nothing in a plan is ignored.", what), "")
}

func (l *loader) setting(a spec.Attribute, layers []*object, s scope, block *settings) setting {
	for i, layer := range layers {
		attr, ok := layer.attributes[a.Name]
		if !ok {
			continue
		}
		at := attr.Expr.Range()
		v, ok := l.value(attr.Expr, s, a.Type == spec.Secret)
		if !ok {
			return setting{at: at, given: true, bad: true, layer: i}
		}
		if v.IsNull() {
			continue
		}
		if ofText(a) && !l.asWritten(attr.Expr) {
			return setting{at: at, given: true, bad: true, layer: i}
		}
		value, ok := l.converted(a, v, at)
		if ok && a.Unsupported {
			l.unsupported(attr.NameRange, "attribute "+a.Name)
		}
		if text, isText := value.(string); ok && isText && slices.Contains(a.Later, text) {
			l.unsupported(at, fmt.Sprintf("%s %q", a.Name, text))
		}
		return setting{value: value, at: at, expr: attr.Expr, given: true, bad: !ok, layer: i}
	}
	if a.Required && block.there {
		l.fail(&block.at, "Missing attribute", fmt.Sprintf("The attribute %q is required here.", a.Name), "")
		return setting{at: block.at, bad: true}
	}
	return setting{value: l.fallback(a), at: block.at}
}

func (l *loader) converted(a spec.Attribute, v cty.Value, at hcl.Range) (any, bool) {
	if v.ContainsMarked() {
		if a.Type != spec.Secret {
			l.fail(&at, "Sensitive value", fmt.Sprintf("%s is shown in logs and kept in the manifest, so it can't hold a sensitive value.", a.Name), "")
			return nil, false
		}
		v, _ = v.UnmarkDeep()
	}
	if v.IsNull() {
		return nil, true
	}
	value, err := l.convert(a, v)
	if err != nil {
		summary := "Invalid value"
		var c *convertError
		if errors.As(err, &c) {
			summary = c.summary
		}
		l.fail(&at, summary, err.Error(), "")
		return nil, false
	}
	return value, true
}

// fallback gives the default of an attribute; nil where it has none.
func (l *loader) fallback(a spec.Attribute) any {
	if a.Default == "" || special(a.Type) {
		return nil
	}
	value, err := l.convert(a, cty.StringVal(a.Default))
	if err != nil {
		panic("plan: default of " + a.Name + ": " + err.Error()) // a mistake in spec; a test loads every default
	}
	return value
}
