package manager

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	service "github.com/bril-edge/bril/cmd/internal/showroom/fleet"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
	"github.com/bril-edge/bril/configs/fleet"
)

// asks is a client of a service that answers each path with a value.
func asks(t *testing.T, answers map[string]any) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.Method+" "+r.URL.RequestURI()]
		if !ok {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		_ = json.NewEncoder(w).Encode(answer) // the client looks at it
	}))
	t.Cleanup(server.Close)
	c, err := New(Config{Server: server.URL, Token: "bfm1.token"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.http.CloseIdleConnections)
	return c
}

func bundle(serial uint64) fleet.Bundle {
	now := time.Now()
	return fleet.Bundle{Serial: serial, Audience: fleet.Audience{Fleet: "bril"}, NotBefore: now, Expires: now.Add(time.Hour),
		Secrets: map[string]string{}, Configuration: "photo:\n  quality: 80\n"}
}

func newKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sealed(t *testing.T, b fleet.Bundle, key ed25519.PrivateKey) json.RawMessage {
	t.Helper()
	data, err := fleet.Sign(b, key)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// What a service says of an old bundle does not count: a manager would sign it.
func TestSignedTakesNoWordOfTheService(t *testing.T) {
	ours, theirs := newKey(t), newKey(t)
	public := ours.Public().(ed25519.PublicKey)
	told := service.Bundle{Configuration: "uplink:\n  whip_url: https://elsewhere.example\n", Envelope: sealed(t, bundle(3), ours)}
	forged := told
	forged.Envelope = sealed(t, bundle(3), theirs)
	c := asks(t, map[string]any{"GET /api/fleet/bundles/3": told, "GET /api/fleet/bundles/4": told, "GET /api/fleet/bundles/5": forged})

	b, err := c.Signed(t.Context(), 3, public)
	if err != nil || b.Configuration != bundle(3).Configuration {
		t.Errorf("got %q, %v; want what was signed", b.Configuration, err)
	}
	if _, err := c.Signed(t.Context(), 4, public); err == nil {
		t.Error("bundle 3 passed as bundle 4")
	}
	if _, err := c.Signed(t.Context(), 5, public); !errors.Is(err, fleet.ErrSignature) {
		t.Errorf("got %v of what another key has signed", err)
	}
	if _, err := c.Signed(t.Context(), 5, public, theirs.Public().(ed25519.PublicKey)); err == nil {
		t.Error("bundle 3 passed as bundle 5")
	}
}

// A service that asks for the last serial there is would end the fleet.
func TestSerialOfTheServiceIsBounded(t *testing.T) {
	for _, next := range []uint64{0, maxAsked + 1, 1<<64 - 1} {
		c := asks(t, map[string]any{"GET /api/fleet": service.Overview{Fleet: "bril", NextSerial: next}})
		_, _, err := c.SignAndPush(t.Context(), bundle(1), newKey(t), service.Push{}, false)
		if err == nil || !strings.Contains(err.Error(), "nothing was signed") {
			t.Errorf("next serial %d: got %v", next, err)
		}
	}
	c := asks(t, map[string]any{"GET /api/fleet": service.Overview{Fleet: "bril", NextSerial: maxAsked},
		"POST /api/fleet/bundles": service.Rollout{Serial: maxAsked}})
	if r, _, err := c.SignAndPush(t.Context(), bundle(1), newKey(t), service.Push{}, false); err != nil || r.Serial != maxAsked {
		t.Errorf("got %d, %v", r.Serial, err)
	}
}

// The audit is checked here: who could change it could say that it is intact, too.
func TestAuditIsChecked(t *testing.T) {
	db, err := records.Open(records.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, action := range []string{"push", "pause", "resume"} {
		if err := db.Audit(t.Context(), records.FleetEntry{At: time.Now(), Who: "Marie", Action: action, Object: "bundle 1", Reason: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := db.FleetAudit(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		change func(*service.Audit)
		intact bool
	}{
		"as it was written":     {func(*service.Audit) {}, true},
		"the service says no":   {func(a *service.Audit) { a.Intact = false }, false},
		"another reason":        {func(a *service.Audit) { a.Entries[1].Reason = "y" }, false},
		"another hash":          {func(a *service.Audit) { a.Entries[2].Hash = a.Entries[1].Hash }, false},
		"one left out":          {func(a *service.Audit) { a.Entries = append(a.Entries[:1], a.Entries[2:]...) }, false},
		"the first ones missed": {func(a *service.Audit) { a.Entries = a.Entries[1:] }, false},
	} {
		t.Run(name, func(t *testing.T) {
			told := service.Audit{Intact: true}
			for _, e := range kept {
				told.Entries = append(told.Entries, service.Entry(e))
			}
			row.change(&told)
			c := asks(t, map[string]any{"GET /api/fleet/audit?after=0": told, "GET /api/fleet/audit?after=3": service.Audit{Intact: told.Intact}})
			all, err := c.Audit(t.Context())
			if err != nil || all.Intact != row.intact {
				t.Errorf("intact %v, %v; want %v", all.Intact, err, row.intact)
			}
		})
	}
}

// A token goes to the server that it is for, and nowhere unencrypted.
func TestServerIsChecked(t *testing.T) {
	for _, cfg := range []Config{
		{Server: "http://showroom.example", Token: "t"}, {Server: "showroom.example", Token: "t"}, {Server: "ftp://showroom.example", Token: "t"},
		{Server: "https://showroom.example"}, {Server: "https://showroom.example", Token: "a\nb"},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v passed", cfg)
		}
	}
}
