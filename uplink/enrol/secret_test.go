package enrol

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bril-edge/bril/uplink/enrol/token"
	"github.com/bril-edge/bril/uplink/origin"
)

// hintOf returns a hint as commands find it.
func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return origin.Hint(err)
}

// secretless looks for the token's secret in what is printed of values.
func secretless(t *testing.T, of token.Token, values ...any) {
	t.Helper()
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			if said := fmt.Sprintf(verb, v); strings.Contains(said, of.SecretText()) {
				t.Errorf("%s of %T has the secret: %s", verb, v, said)
			}
		}
	}
}
