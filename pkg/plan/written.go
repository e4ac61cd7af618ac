package plan

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"runner/pkg/plan/internal/hclsyn"
	"runner/pkg/plan/spec"
)

// asWritten reports whether a value can be a text as it was written. A number whose spelling is lost when it is read, such as 007, is an
// error at its place: what is in quotes is a text, and stays as it is.
func (l *loader) asWritten(e hcl.Expression) bool {
	found := l.ambiguities(e)
	for _, a := range found {
		l.fail(&a.At, "Ambiguous text", "What is written here is read as a number or a truth value, and would be told in another way where a text is wanted. Write it in quotes.", "")
	}
	return len(found) == 0
}

func (l *loader) ambiguities(e hcl.Expression) (found []hclsyn.Ambiguity) {
	if own, ok := e.(interface{ Ambiguities() []hclsyn.Ambiguity }); ok {
		return own.Ambiguities()
	}
	at := e.Range()
	for _, a := range l.ambiguous[at.Filename] {
		if a.At.Start.Byte >= at.Start.Byte && a.At.End.Byte <= at.End.Byte {
			found = append(found, a)
		}
	}
	return found
}

// ofText reports whether an attribute holds texts, so that the spelling of what is in it counts. A size, a duration and an amount are
// texts with numbers in them.
func ofText(a spec.Attribute) bool {
	switch a.Type {
	case spec.Number, spec.Bool, spec.SourceRef, spec.RepoRef, spec.Any:
		return false
	}
	return true
}

// numeric reports whether a variable of this type keeps no spelling.
func numeric(t cty.Type) bool {
	for t.IsCollectionType() {
		t = t.ElementType()
	}
	return t == cty.Number || t == cty.Bool
}
