package session

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/uplink/whip"
)

func TestFaultsKeepTheHint(t *testing.T) {
	refusal := &whip.Error{Op: "publish to", URL: "http://127.0.0.1/whip/a", Status: 401, Err: whip.ErrUnauthorized, Hint: "check the token"}
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"none", errors.New("no"), ""},
		{"the endpoint's refusal", fmt.Errorf("dial: %w", refusal), "check the token"},
		{"beside a failed farewell", errors.Join(refusal, errors.New("gone")), "check the token"},
		{"of a device", fmt.Errorf("open: %w", &control.Problem{Message: "busy", Text: "close the other program"}), "close the other program"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var logged bytes.Buffer
			f := faults{log: slog.New(slog.NewTextHandler(&logged, nil))}
			f.report("uplink", test.err)
			if shown := strings.Contains(logged.String(), "hint="); shown != (test.want != "") || shown && !strings.Contains(logged.String(), test.want) {
				t.Errorf("logged %s", logged.String())
			}
			if got := f.snapshot()[0].Hint; got != test.want {
				t.Errorf("hint %q, want %q", got, test.want)
			}
		})
	}
}
