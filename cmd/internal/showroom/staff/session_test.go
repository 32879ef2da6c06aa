package staff

import (
	"bytes"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

func TestSessionEnds(t *testing.T) {
	for name, c := range map[string]struct {
		step   time.Duration
		header []string
		lasts  time.Duration
	}{
		"unused":         {2 * time.Hour, nil, 0},
		"in use":         {time.Hour, nil, 11 * time.Hour},
		"an open page":   {30 * time.Minute, []string{"Staff-Idle", "?1"}, 90 * time.Minute},
		"a minute early": {119 * time.Minute, nil, 6 * 119 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, nil)
			o.add("anna", RoleAdvisor, "")
			b := o.browser()
			b.login("anna", password)
			var lasted time.Duration
			for total := c.step; total < 24*time.Hour; total += c.step {
				o.clock.advance(c.step)
				status, _ := b.ask(http.MethodGet, "/api/staff/me", "", c.header...)
				if status != 200 {
					break
				}
				lasted = total
			}
			if lasted > c.lasts || lasted < c.lasts-time.Hour {
				t.Errorf("lasted %v, want %v", lasted, c.lasts)
			}
		})
	}
}

func TestSessionsAreRevoked(t *testing.T) {
	o := newOffice(t, nil)
	o.add("anna", RoleAdvisor, "")
	o.add("bert", RoleManager, "")
	one, two, bert := o.browser(), o.browser(), o.browser()
	login := `{"name":"anna","password":"` + password + `"}`
	one.must(204, http.MethodPost, "/api/staff/login", login, "User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	o.clock.advance(time.Minute)
	two.must(204, http.MethodPost, "/api/staff/login", login, "User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1")
	bert.login("bert", password)

	list := get[sessionsAnswer](one, "/api/staff/sessions").Sessions
	if len(list) != 2 || list[0].Device != "Safari, iPhone" || list[0].Current || list[1].Device != "Firefox, Linux" || !list[1].Current {
		t.Fatalf("sessions: %+v", list)
	}
	bert.must(404, http.MethodDelete, "/api/staff/sessions/"+list[0].ID, "") // not one of his
	two.must(200, http.MethodGet, "/api/staff/me", "")
	one.must(204, http.MethodDelete, "/api/staff/sessions/"+list[0].ID, "")
	two.must(401, http.MethodGet, "/api/staff/me", "")
	one.must(404, http.MethodDelete, "/api/staff/sessions/"+list[0].ID, "")

	two.must(204, http.MethodPost, "/api/staff/login", login)
	one.must(204, http.MethodDelete, "/api/staff/sessions", "")
	one.must(401, http.MethodGet, "/api/staff/me", "")
	two.must(401, http.MethodGet, "/api/staff/me", "")
	bert.must(200, http.MethodGet, "/api/staff/me", "")
}

func TestAccountsEndSessions(t *testing.T) {
	o := newOffice(t, nil)
	b := o.browser()
	for name, end := range map[string]func() error{
		"passwd":     func() error { return o.admin.SetHash(t.Context(), "anna", cheap().hash("another long one")) },
		"revoke all": func() error { return o.admin.RevokeAll(t.Context(), "anna") },
		"remove":     func() error { return o.admin.Remove(t.Context(), "anna") },
	} {
		o.add("anna", RoleAdvisor, "")
		b.login("anna", password)
		b.must(200, http.MethodGet, "/api/staff/me", "")
		check(t, end())
		if status, _ := b.ask(http.MethodGet, "/api/staff/me", ""); status != 401 {
			t.Errorf("%s: %d", name, status)
		}
		_ = o.admin.Remove(t.Context(), "anna")
	}
}

// A second login of a browser ends its first session, so that none is left that
// nobody has.
func TestSecondLogin(t *testing.T) {
	o := newOffice(t, nil)
	o.add("anna", RoleAdvisor, "")
	b := o.browser()
	b.login("anna", password)
	b.login("anna", password)
	if list := get[sessionsAnswer](b, "/api/staff/sessions").Sessions; len(list) != 1 {
		t.Errorf("sessions: %+v", list)
	}
}

func TestForgedCookies(t *testing.T) {
	o := newOffice(t, nil)
	for _, value := range []string{"", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		b := o.browser()
		at, err := url.Parse(o.url + "/api/staff/")
		check(t, err)
		b.http.Jar.SetCookies(at, []*http.Cookie{{Name: "staff", Value: value}})
		b.must(401, http.MethodGet, "/api/staff/me", "")
	}
}

// Whoever reads the database cannot log in with it.
func TestNoSecretIsStored(t *testing.T) {
	dir := t.TempDir()
	db, err := records.Open(records.Config{Dir: dir})
	check(t, err)
	t.Cleanup(func() { check(t, db.Close()) })
	o := newOffice(t, func(c *Config) { c.Records, c.Clock = db, nil })
	o.admin = NewAdmin(db)
	o.add("anna", RoleAdvisor, "")
	answer, _ := o.browser().answer(http.MethodPost, "/api/staff/login", `{"name":"anna","password":"`+password+`"}`)
	secrets := []string{password}
	for _, cookie := range answer.Cookies() {
		secrets = append(secrets, cookie.Value)
	}
	if len(secrets) != 3 {
		t.Fatalf("%d secrets", len(secrets))
	}
	found := false
	check(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, secret := range secrets {
			if bytes.Contains(data, []byte(secret)) {
				t.Errorf("%s holds %q", path, secret)
			}
		}
		found = found || bytes.Contains(data, []byte("$argon2id$"))
		return err
	}))
	if !found {
		t.Error("the database was not searched: it holds no hash")
	}
}
