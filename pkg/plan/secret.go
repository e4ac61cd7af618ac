package plan

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "***redacted***"

// Secret is a text that does not show itself: it prints as ***redacted***
// under every verb of package fmt, in JSON and in logs. The zero value is no
// secret.
type Secret struct {
	// A pointer, since package fmt prints the fields of what it finds behind a
	// pointer under a verb that does not fit, without asking any method.
	value *string
}

// NewSecret wraps value.
func NewSecret(value string) Secret { return Secret{value: &value} }

// Reveal gives the text itself.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero says that there is no text.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

func (s Secret) String() string { return redacted }

// GoString is what %#v of a struct that holds a Secret prints.
func (s Secret) GoString() string { return redacted }

// Format answers every verb, those that would print the fields included.
func (s Secret) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, redacted) // a fmt.State keeps its own error
}

// MarshalText serves JSON and every other text encoding.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue serves package slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
