package plan

import (
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"runner/pkg/plan/diag"
	"runner/pkg/plan/internal/hclsyn"
	"runner/pkg/plan/internal/yamlsyn"
)

// parsedFile is a file of a plan, or of values.
type parsedFile struct {
	text []byte
	body hcl.Body
}

// confidential is what ends in a secret: the names of variables and local values that an attribute refers to which holds one, or
// was meant to. What they hold is shown and kept as little as the secret itself, whether or not they say that they are sensitive.
type confidential struct {
	variables, locals map[string]bool
	each              bool // secrets come out of for_each
}

var (
	valueReference = regexp.MustCompile(`\b(var|local)\s*\.\s*([\pL_][\pL\pN_-]*)`)
	eachReference  = regexp.MustCompile(`\beach\s*\.`)
)

// note takes the references in the text of a secret, or of what ends in one.
func (c *confidential) note(text string) {
	for _, found := range valueReference.FindAllStringSubmatch(text, -1) {
		if found[1] == "var" {
			c.variables[found[2]] = true
		} else {
			c.locals[found[2]] = true
		}
	}
	c.each = c.each || eachReference.MatchString(text)
}

// hideSecretNames keeps what stands behind the name of a secret in a file out of everything that is shown.
func (l *loader) hideSecretNames(name string, text []byte, body hcl.Body) {
	l.hideNamed(name, text, body, diag.Secretish)
}

func (l *loader) hideNamed(name string, text []byte, body hcl.Body, match func(string) bool) {
	var found []hclsyn.Named
	if _, native := body.(*hclsyn.Body); native {
		found = hclsyn.NamedValues(text, match)
	} else if f := l.yaml[name]; f != nil {
		found = f.NamedValues(match)
	}
	for _, n := range found {
		for _, s := range n.Literals {
			l.files.Hide(name, s.Start, s.End)
		}
		l.secret.note(string(text[n.All.Start:n.All.End]))
	}
}

// hideSources hides what local values and for_each hold that ends in a secret, and notes what these refer to in turn.
func (l *loader) hideSources(locals []*object) {
	expressions := map[string]hcl.Expression{}
	for _, o := range locals {
		for name, attr := range o.attributes {
			expressions[name] = attr.Expr
		}
	}
	for done := map[string]bool{}; ; {
		before := len(done)
		for name := range l.secret.locals {
			e := expressions[name]
			if done[name] || e == nil {
				continue
			}
			done[name] = true
			l.hide(e)
			l.secret.note(l.textOf(e))
		}
		if len(done) == before {
			break
		}
	}
	if l.secret.each {
		for name, p := range l.parsed {
			l.hideNamed(name, p.text, p.body, func(key string) bool { return key == "for_each" })
		}
	}
}

// textOf is the source of an expression.
func (l *loader) textOf(e hcl.Expression) string {
	at := e.Range()
	if f, ok := l.yaml[yamlsyn.FileOf(at)]; ok {
		at = f.Resolve(at)
	}
	text := l.parsed[at.Filename].text
	if at.Start.Byte < 0 || at.End.Byte > len(text) || at.Start.Byte > at.End.Byte {
		return ""
	}
	return strings.Clone(string(text[at.Start.Byte:at.End.Byte]))
}
