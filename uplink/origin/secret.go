package origin

// Secret is a text that formatting, logging and marshalling never show. The
// zero value is no secret at all.
type Secret struct {
	// A pointer, because fmt prints the fields of a struct that it may not
	// call methods on, and of a pointer there only the address.
	text *string
}

// NewSecret wraps text; an empty text is no secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal returns the text, for the one place that sends it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero says that there is no secret.
func (s Secret) IsZero() bool { return s.text == nil }

// String returns a placeholder.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return "[secret]"
}

// GoString returns the placeholder for %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText returns the placeholder, for encoding/json and log/slog.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
