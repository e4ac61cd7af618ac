package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"runner/pkg/plan/diag"
	"runner/pkg/plan/internal/hclsyn"
)

// variable is a declared variable.
type variable struct {
	object       *object
	name         string
	about        string // its description in brackets with a space before it, or ""
	typ          cty.Type
	sensitive    bool
	confidential bool // it ends in a secret
}

// given is a value from outside for a variable.
type given struct {
	value cty.Value
	from  string         // for messages
	input string         // what LoadOptions.Vars would hold; "" if it can't hold it
	raw   bool           // value is a text that is to be read as the variable's type
	bad   bool           // reported already
	expr  hcl.Expression // in a file of values; else nil
}

// variables gives the object that var refers to. What has no value is unknown
// in it, so that only its own place reports it.
func (l *loader) variables(objects []*object) cty.Value {
	declared := map[string]bool{}
	for _, o := range objects {
		declared[o.name()] = true
	}
	fromFiles := l.varFiles(objects)
	for _, name := range slices.Sorted(maps.Keys(l.o.Vars)) {
		if !declared[name] {
			l.unknownVariable(nil, name, declared)
		}
	}
	values := map[string]cty.Value{}
	var all []variable
	for _, o := range objects {
		v := l.variable(o)
		all = append(all, v)
		values[v.name] = l.variableValue(v, fromFiles)
	}
	vars := cty.ObjectVal(values)
	for _, v := range all {
		if values[v.name].IsWhollyKnown() {
			l.validate(v, l.newScope(map[string]cty.Value{"var": vars}))
		}
	}
	return vars
}

func (l *loader) unknownVariable(at *hcl.Range, name string, declared map[string]bool) {
	l.fail(at, "Unknown variable", fmt.Sprintf("A value is given for the variable %q, which the plan doesn't declare.", name)+
		diag.DidYouMean(name, slices.Sorted(maps.Keys(declared))), "")
}

// variable reads what a declaration says besides the default.
func (l *loader) variable(o *object) variable {
	s := l.settings(withoutDefault(o).spec, []*object{withoutDefault(o)}, l.newScope(nil), o.at)
	v := variable{object: o, name: o.name(), typ: cty.DynamicPseudoType, sensitive: get[bool](s, "sensitive") || s.values["sensitive"].bad}
	v.confidential = l.secret.variables[v.name]
	if attr, ok := o.attributes["default"]; ok && v.confidential {
		l.hide(attr.Expr)
	}
	if d := get[string](s, "description"); d != "" {
		v.about = " (" + d + ")"
	}
	if attr, ok := o.attributes["type"]; ok {
		v.typ = l.variableType(attr.Expr)
	}
	return v
}

// withoutDefault leaves out what is evaluated only if nothing else is given.
func withoutDefault(o *object) *object {
	out := *o
	out.attributes = maps.Clone(o.attributes)
	delete(out.attributes, "default")
	out.blocks = nil // conditions are looked at when every variable is known
	out.spec.Blocks = nil
	return &out
}

func (l *loader) variableType(e hcl.Expression) cty.Type {
	if k, ok := e.(interface {
		Keyword() (hcl.Expression, hcl.Diagnostics)
	}); ok {
		inner, diags := k.Keyword()
		if diags.HasErrors() {
			l.report(diags)
			return cty.DynamicPseudoType
		}
		e = inner
	}
	t, diags := typeexpr.TypeConstraint(e)
	for _, d := range diags {
		l.fail(d.Subject, "Invalid type", "A type is string, number, bool, any, or list(…), set(…), map(…) of one of these, or object({ name = type }). "+d.Detail, "")
	}
	if diags.HasErrors() {
		return cty.DynamicPseudoType
	}
	return t
}

// variableValue takes the first of --var, --var-file, the environment and the
// default.
func (l *loader) variableValue(v variable, fromFiles map[string]given) cty.Value {
	g, ok := l.outside(v.name, fromFiles)
	if !ok {
		return l.defaultValue(v)
	}
	value, ok := l.typed(v, g)
	if !ok {
		return cty.DynamicVal
	}
	if v.sensitive {
		return value.Mark(sensitive{})
	}
	if !v.confidential {
		l.remember(v, g, value)
	}
	return value
}

// outside gives what the options, the files and the environment hold.
func (l *loader) outside(name string, fromFiles map[string]given) (given, bool) {
	if raw, ok := l.o.Vars[name]; ok {
		return given{value: cty.StringVal(raw), from: "--var", input: raw, raw: true}, true
	}
	if g, ok := fromFiles[name]; ok {
		return g, true
	}
	if raw := l.o.Getenv("RUNNER_VAR_" + name); raw != "" {
		return given{value: cty.StringVal(raw), from: "RUNNER_VAR_" + name, input: raw, raw: true}, true
	}
	return given{}, false
}

// remember keeps a value from outside in the form that --var would take.
func (l *loader) remember(v variable, g given, value cty.Value) {
	switch {
	case g.raw:
		l.inputs[v.name] = g.input
	case value.IsNull():
	case value.Type() == cty.String:
		l.inputs[v.name] = value.AsString()
	case v.typ != cty.DynamicPseudoType:
		if text, err := ctyjson.Marshal(value, v.typ); err == nil && json.Valid(text) { // JSON is an HCL expression too
			l.inputs[v.name] = string(text)
		}
	}
}

// typed gives a value from outside the variable's type.
func (l *loader) typed(v variable, g given) (cty.Value, bool) {
	if g.bad {
		return cty.DynamicVal, false
	}
	if g.expr != nil && !numeric(v.typ) && !l.asWritten(g.expr) {
		return cty.DynamicVal, false
	}
	value := g.value
	primitive := v.typ.IsPrimitiveType() || v.typ == cty.DynamicPseudoType
	if g.raw && !primitive {
		parsed, ok := parseRaw(g.input)
		if !ok {
			l.fail(&v.object.at, "Invalid value", fmt.Sprintf("The value for variable %q from %s is no expression of type %s.", v.name, g.from, typeexpr.TypeString(v.typ)), "")
			return cty.DynamicVal, false
		}
		value = parsed
	}
	value, err := convert.Convert(value, v.typ)
	if err != nil {
		l.fail(&v.object.at, "Wrong type", fmt.Sprintf("The value for variable %q from %s is not of type %s: %v.", v.name, g.from, typeexpr.TypeString(v.typ), err), "")
		return cty.DynamicVal, false
	}
	if sizeOf(value) > maxValue {
		l.fail(&v.object.at, "Too complex", fmt.Sprintf("The value for variable %q from %s has more than %d bytes.", v.name, g.from, maxValue), "")
		return cty.DynamicVal, false
	}
	return value, true
}

// parseRaw reads a list or a map that is given as one text.
func parseRaw(raw string) (cty.Value, bool) {
	e, diags := hclsyn.ParseExpression("", []byte(raw))
	if diags.HasErrors() || len(e.Variables()) > 0 || hclsyn.ShapeOf(e).Loops > 0 || len(hclsyn.Ambiguities([]byte(raw), e)) > 0 {
		return cty.DynamicVal, false
	}
	value, diags := e.Value(nil)
	return value, !diags.HasErrors()
}

func (l *loader) defaultValue(v variable) cty.Value {
	attr, ok := v.object.attributes["default"]
	if !ok {
		l.fail(&v.object.at, "Missing variable", fmt.Sprintf("The variable %q%s has no value and no default.", v.name, v.about),
			fmt.Sprintf("--var %s=…, or set RUNNER_VAR_%s", v.name, v.name))
		return cty.DynamicVal
	}
	value, ok := l.value(attr.Expr, l.newScope(nil), v.sensitive || v.confidential)
	if !ok {
		return cty.DynamicVal
	}
	at := attr.Expr.Range()
	if !numeric(v.typ) && !l.asWritten(attr.Expr) {
		return cty.DynamicVal
	}
	value, err := convert.Convert(value, v.typ)
	switch {
	case err != nil:
		l.fail(&at, "Wrong type", fmt.Sprintf("The default of variable %q is not of type %s: %v.", v.name, typeexpr.TypeString(v.typ), err), "")
		return cty.DynamicVal
	case sizeOf(value) > maxValue:
		l.fail(&at, "Too complex", fmt.Sprintf("The value has more than %d bytes.", maxValue), "")
		return cty.DynamicVal
	case v.sensitive:
		return value.Mark(sensitive{})
	}
	return value
}

// validate evaluates the conditions of a variable.
func (l *loader) validate(v variable, s scope) {
	for _, o := range v.object.blocks["validation"] {
		for _, a := range o.spec.Attributes {
			if _, ok := o.attributes[a.Name]; !ok {
				l.fail(&o.at, "Missing attribute", fmt.Sprintf("The attribute %q is required here.", a.Name), "")
			}
		}
		condition, ok := o.attributes["condition"]
		if !ok {
			continue
		}
		at := condition.Expr.Range()
		value, ok := l.value(condition.Expr, s, v.sensitive || v.confidential)
		if !ok {
			continue
		}
		value, _ = value.UnmarkDeep()
		verdict, err := convert.Convert(value, cty.Bool)
		switch {
		case err != nil || verdict.IsNull():
			l.fail(&at, "Wrong type", "condition is true or false.", "")
		case verdict.False():
			l.fail(&at, "Invalid value", fmt.Sprintf("The value of variable %q is refused. %s", v.name, l.errorMessage(o, v, s)), "")
		}
	}
}

func (l *loader) errorMessage(o *object, v variable, s scope) string {
	const generic = "Its condition is false."
	attr, ok := o.attributes["error_message"]
	if !ok || v.confidential {
		return generic
	}
	value, ok := l.value(attr.Expr, s, true)
	if !ok || value.ContainsMarked() || value.IsNull() || value.Type() != cty.String {
		return generic
	}
	message := strings.TrimSpace(value.AsString())
	if !strings.HasSuffix(message, ".") {
		message += "."
	}
	return message
}

// varFiles reads the files of values; a later file comes first.
func (l *loader) varFiles(objects []*object) map[string]given {
	declared, secret := map[string]bool{}, map[string]bool{}
	for _, o := range objects {
		declared[o.name()] = true
		secret[o.name()] = isSensitive(o) || l.secret.variables[o.name()]
	}
	out := map[string]given{}
	for _, name := range l.o.VarFiles {
		body := l.parse(name, true)
		if body == nil {
			continue
		}
		attributes, diags := body.JustAttributes()
		l.report(diags)
		for _, variable := range sortedNames(attributes) {
			attr := attributes[variable]
			if !declared[variable] {
				l.hide(attr.Expr) // nobody knows what it is
				l.unknownVariable(&attr.NameRange, variable, declared)
				continue
			}
			if secret[variable] {
				l.hide(attr.Expr)
			}
			value, ok := l.value(attr.Expr, l.newScope(nil), secret[variable])
			out[variable] = given{value: value, from: filepath.Base(name), bad: !ok, expr: attr.Expr}
		}
	}
	return out
}

// isSensitive is certain only of what is plainly not: a mistake in the
// attribute makes the variable sensitive.
func isSensitive(o *object) bool {
	attr, ok := o.attributes["sensitive"]
	if !ok {
		return false
	}
	v, diags := attr.Expr.Value(nil)
	if diags.HasErrors() || !v.IsKnown() || v.IsNull() {
		return diags.HasErrors() || !v.IsKnown()
	}
	b, err := convert.Convert(v, cty.Bool)
	return err != nil || b.True()
}

// hideSecrets hides what a block writes down of a secret.
func (l *loader) hideSecrets(o *object) {
	for name, attr := range o.attributes {
		a, _ := o.spec.Attribute(name)
		if a.Type == "secret" || o.spec.Name == "variable" && name == "default" && isSensitive(o) {
			l.hide(attr.Expr)
		}
	}
}
