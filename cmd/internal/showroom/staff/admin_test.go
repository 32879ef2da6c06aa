package staff

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Both sides of the socket have the same errors, and nothing tells a hash.
func TestClient(t *testing.T) {
	o := newOffice(t, nil)
	mux := http.NewServeMux()
	for pattern, h := range o.admin.Routes() {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				writeProblem(w, err)
			}
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	h := server.Client()
	h.Transport = to{server.URL, h.Transport}
	client, ctx := NewClient(h), t.Context()

	account := Account{Name: "anna", Role: RoleAdvisor, Showroom: "antwerp", Hash: cheap().hash(password)}
	check(t, client.Add(ctx, account))
	o.loggedIn("anna")
	for name, c := range map[string]struct {
		do   func(context.Context) error
		want error
	}{
		"twice": {func(ctx context.Context) error { return client.Add(ctx, account) }, ErrExists},
		"no name": {func(ctx context.Context) error {
			return client.Add(ctx, Account{Role: RoleManager, Hash: account.Hash})
		}, ErrName},
		"a strange name": {func(ctx context.Context) error { return client.SetHash(ctx, "a/b?c", account.Hash) }, ErrUnknown},
		"no role":        {func(ctx context.Context) error { return client.Add(ctx, Account{Name: "x", Hash: account.Hash}) }, ErrRole},
		"no hash": {func(ctx context.Context) error {
			return client.Add(ctx, Account{Name: "x", Role: RoleManager, Hash: password})
		}, errHash},
		"nobody":     {func(ctx context.Context) error { return client.Remove(ctx, "bert") }, ErrUnknown},
		"nobody's":   {func(ctx context.Context) error { return client.RevokeAll(ctx, "bert") }, ErrUnknown},
		"no session": {func(ctx context.Context) error { return client.Revoke(ctx, "x") }, ErrSession},
	} {
		direct := map[string]error{"nobody": o.admin.Remove(ctx, "bert"), "no session": o.admin.Revoke(ctx, "x")}[name]
		if err := c.do(ctx); !errors.Is(err, c.want) || direct != nil && err.Error() != direct.Error() {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	accounts, err := client.Accounts(ctx)
	if err != nil || len(accounts) != 1 || accounts[0].Showroom != "antwerp" || accounts[0].Hash != "" {
		t.Errorf("%v, %+v", err, accounts)
	}
	sessions, err := client.Sessions(ctx, "anna")
	if err != nil || len(sessions) != 1 || sessions[0].Name != "anna" {
		t.Fatalf("%v, %+v", err, sessions)
	}
	check(t, client.Revoke(ctx, sessions[0].ID))
	check(t, client.SetHash(ctx, "anna", cheap().hash("another long one")))
	check(t, client.Remove(ctx, "anna"))
	if sessions, err := client.Sessions(ctx, ""); err != nil || len(sessions) != 0 {
		t.Errorf("%v, %+v", err, sessions)
	}
}

// to sends every request to one server, as a socket does.
type to struct {
	url  string
	next http.RoundTripper
}

func (s to) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host = s.url[len("http://"):]
	return s.next.RoundTrip(r)
}
