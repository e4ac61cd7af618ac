package plan

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"runner/pkg/plan/diag"
	"runner/pkg/plan/spec"
)

// convertError says what is wrong with a value; its summary is that of the
// diagnostic.
type convertError struct{ summary, detail string }

func (e *convertError) Error() string { return e.detail }

func wrongType(format string, args ...any) error {
	return &convertError{"Wrong type", fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return &convertError{"Invalid value", fmt.Sprintf(format, args...)}
}

// convert gives a value in the Go type that its attribute is kept in. The
// value is known, not null and not marked. The error is a *convertError and
// shows the value only where it can be no secret.
func (l *loader) convert(a spec.Attribute, v cty.Value) (any, error) {
	switch a.Type {
	case spec.Number:
		return wholeNumber(a, v)
	case spec.Bool:
		b, err := convert.Convert(v, cty.Bool)
		if err != nil {
			return nil, wrongType("%s is true or false.", a.Name)
		}
		return b.True(), nil
	case spec.Map:
		return stringMap(a, v)
	case spec.List:
		return stringList(a, v)
	case spec.SourceRef:
		return reference[Source](a, v, l.types.source, "source.mysql")
	case spec.RepoRef:
		return reference[Repository](a, v, l.types.repository, "repository.local")
	case spec.Any:
		return v, nil
	}
	s, err := asText(v)
	if err != nil {
		return nil, wrongType("%s is a text.", a.Name)
	}
	return l.fromText(a, s)
}

// maxDigits keeps a number such as 1e999999999 from being written out.
const maxDigits = 400

func asText(v cty.Value) (string, error) {
	if v.Type() == cty.Number {
		if bits := v.AsBigFloat().MantExp(nil); bits > 4*maxDigits || bits < -4*maxDigits {
			return "", errTooBig
		}
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil {
		return "", fmt.Errorf("convert to text: %w", err)
	}
	return s.AsString(), nil
}

// fromText converts what is written as a text.
func (l *loader) fromText(a spec.Attribute, s string) (any, error) {
	if strings.ContainsRune(s, 0) {
		return nil, invalid("%s can't hold a NUL character.", a.Name)
	}
	if a.Type == spec.Secret {
		return NewSecret(s), nil
	}
	if s == "" {
		return nil, invalid("%s is empty. To leave it out, leave the attribute out or set it to null.", a.Name)
	}
	switch a.Type {
	case spec.Path:
		full, err := l.absolute(s)
		if err != nil {
			return nil, invalid("%s is %q; %v.", a.Name, s, err)
		}
		return full, nil
	case spec.ServerPath:
		if !path.IsAbs(s) {
			return nil, invalid("%s is %q; a path on the server is absolute.", a.Name, s)
		}
		return path.Clean(s), nil
	case spec.Host:
		return host(a, s)
	case spec.Size, spec.Rate:
		n, err := parseSize(s, a.Type == spec.Rate)
		if err != nil {
			return nil, invalid("%s is %q; %v.", a.Name, s, err)
		}
		return n, inBounds(a, n, formatSize)
	case spec.Duration:
		d, err := parseDuration(s)
		if err != nil {
			return nil, invalid("%s is %q; %v.", a.Name, s, err)
		}
		return d, inBounds(a, int64(d), func(n int64) string { return time.Duration(n).String() })
	case spec.Amount:
		amount, err := parseAmount(s)
		if err != nil {
			return nil, invalid("%s is %q; %v.", a.Name, s, err)
		}
		return amount, nil
	case spec.Enum:
		if !slices.Contains(a.Values, s) {
			return nil, invalid("%s is %q; it is one of %s.%s", a.Name, s, strings.Join(a.Values, ", "), diag.DidYouMean(s, a.Values))
		}
	}
	return s, nil
}

func inBounds(a spec.Attribute, n int64, show func(int64) string) error {
	switch {
	case n == 0 && a.ZeroAllowed:
		return nil
	case n < a.Min && a.Max == 0:
		return invalid("%s is %s; it is at least %s.", a.Name, show(n), show(a.Min))
	case n < a.Min || a.Max != 0 && n > a.Max:
		zero := ""
		if a.ZeroAllowed {
			zero = "0 or "
		}
		return invalid("%s is %s; it is %sfrom %s to %s.", a.Name, show(n), zero, show(a.Min), show(a.Max))
	}
	return nil
}

// formatSize gives a size in the largest unit that divides it.
func formatSize(n int64) string {
	for i, unit := range []string{"T", "G", "M", "K"} {
		if size := int64(1) << (10 * (4 - i)); n >= size && n%size == 0 {
			return strconv.FormatInt(n/size, 10) + unit
		}
	}
	return strconv.FormatInt(n, 10)
}

func host(a spec.Attribute, s string) (any, error) {
	if _, err := netip.ParseAddr(s); err == nil {
		return s, nil
	}
	if name, port, ok := strings.Cut(s, ":"); ok {
		return nil, invalid("%s is %q; the port is an attribute of its own: host = %q and port = %s.", a.Name, s, name, port)
	}
	if strings.ContainsAny(s, "/ \t\n@") {
		return nil, invalid("%s is %q, which is no host name or address.", a.Name, s)
	}
	return s, nil
}

func wholeNumber(a spec.Attribute, v cty.Value) (any, error) {
	n, err := convert.Convert(v, cty.Number)
	if err != nil {
		return nil, wrongType("%s is a whole number.", a.Name)
	}
	whole, accuracy := n.AsBigFloat().Int64()
	if accuracy != 0 || whole != int64(int(whole)) {
		return nil, wrongType("%s is a whole number.", a.Name)
	}
	return int(whole), inBounds(a, whole, func(n int64) string { return strconv.FormatInt(n, 10) })
}

var errNoText = errors.New("no text")

func textOf(v cty.Value) (string, error) {
	if v.IsNull() {
		return "", errNoText
	}
	return asText(v)
}

func stringMap(a spec.Attribute, v cty.Value) (any, error) {
	if !v.Type().IsMapType() && !v.Type().IsObjectType() {
		return nil, wrongType("%s is a map from names to texts.", a.Name)
	}
	out := map[string]string{}
	for it := v.ElementIterator(); it.Next(); {
		key, element := it.Element()
		s, err := textOf(element)
		if err != nil {
			return nil, wrongType("%s is a map from names to texts; the value of %q is no text.", a.Name, key.AsString())
		}
		if key.AsString() == "" {
			return nil, invalid("%s has an empty name.", a.Name)
		}
		out[key.AsString()] = s
	}
	return out, nil
}

func stringList(a spec.Attribute, v cty.Value) (any, error) {
	if !v.Type().IsTupleType() && !v.Type().IsListType() && !v.Type().IsSetType() {
		return nil, wrongType("%s is a list of texts.", a.Name)
	}
	out := []string{}
	for it := v.ElementIterator(); it.Next(); {
		_, element := it.Element()
		s, err := textOf(element)
		if err != nil {
			return nil, wrongType("%s is a list of texts.", a.Name)
		}
		out = append(out, s)
	}
	return out, nil
}

// reference unpacks what source.mysql.NAME and repository.local.NAME give.
func reference[T any](a spec.Attribute, v cty.Value, want cty.Type, form string) (any, error) {
	if v.Type() == want {
		if p, ok := v.EncapsulatedValue().(*T); ok {
			return p, nil
		}
	}
	if v.Type() == cty.String && strings.HasPrefix(v.AsString(), form) {
		return nil, wrongType("%s is a reference, not a text: in HCL %s without quotes, in YAML ${%s}.", a.Name, v.AsString(), v.AsString())
	}
	return nil, wrongType("%s is a reference such as %s.NAME.", a.Name, form)
}
