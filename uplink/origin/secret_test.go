package origin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretNeverShows(t *testing.T) {
	secret := NewSecret("hunter2")
	inside := struct {
		Open   Secret
		closed Secret
	}{secret, secret}
	var shown bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&shown, verb+" "+verb+" "+verb+"\n", secret, inside, &inside)
	}
	if err := json.NewEncoder(&shown).Encode(inside); err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewTextHandler(&shown, nil)).Info("x", "secret", secret, "inside", inside)
	slog.New(slog.NewJSONHandler(&shown, nil)).Info("x", "secret", secret, "inside", inside)
	hex := fmt.Sprintf("%x", "hunter2")
	if text := shown.String(); strings.Contains(text, "hunter2") || strings.Contains(text, hex) {
		t.Errorf("shown in:\n%s", text)
	}
	if secret.Reveal() != "hunter2" || secret.IsZero() || !NewSecret("").IsZero() || (Secret{}).Reveal() != "" {
		t.Error("the secret is not what it was made of")
	}
}
