package staff

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestHashKeepsItsParameters(t *testing.T) {
	stored := cheap().hash(password)
	if !strings.HasPrefix(stored, "$argon2id$v=19$m=8,t=1,p=1$") {
		t.Errorf("stored %s", stored)
	}
	for _, c := range []struct {
		now             Params
		password        string
		right, outdated bool
	}{
		{cheap(), password, true, false},
		{cheap(), password + "x", false, false},
		{Params{16, 1, 1}, password, true, true},
		{Params{8, 2, 1}, password, true, true},
	} {
		right, outdated, err := c.now.verify(c.password, stored)
		if err != nil || right != c.right || outdated != c.outdated {
			t.Errorf("%+v %q: %v %v %v", c.now, c.password, right, outdated, err)
		}
	}
	if again := cheap().hash(password); again == stored {
		t.Error("two hashes have the same salt")
	}
}

func TestDefaultCost(t *testing.T) {
	if p := (Params{}).withDefaults(); p.Memory < 64<<10 || p.Passes < 3 {
		t.Errorf("%+v is less than RFC 9106 recommends", p)
	}
}

func FuzzParseHash(f *testing.F) {
	f.Add(cheap().hash(password))
	f.Add("$argon2id$v=19$m=4294967295,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, stored string) {
		p, salt, key, err := parseHash(stored)
		if err == nil && (p.encode(salt, key) != stored || p.Memory > maxMemory || p.Passes > maxPasses) {
			t.Errorf("%q is taken", stored)
		}
	})
}

func TestCheckPassword(t *testing.T) {
	for text, ok := range map[string]bool{
		password: true, "twelve chars": true, "eleven char": false, "": false, "één wachtwoord": true,
		"two lines\nof text": false, strings.Repeat("x", 1025): false, "not UTF-8 \xff\xff\xff": false,
	} {
		if err := CheckPassword(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestLogin(t *testing.T) {
	o := newOffice(t, nil)
	o.add("anna", RoleAdvisor, "antwerp")
	b := o.browser()
	b.must(401, http.MethodGet, "/api/staff/me", "")
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"wrong password": {`{"name":"anna","password":"wrong horse battery"}`, 401},
		"nobody":         {`{"name":"bert","password":"wrong horse battery"}`, 401},
		"no name":        {`{"password":"x"}`, 401},
		"very long":      {`{"name":"anna","password":"` + strings.Repeat("x", 2000) + `"}`, 401},
		"too long":       {`{"name":"anna","password":"` + strings.Repeat("x", 5000) + `"}`, 413},
		"no JSON":        {`name=anna`, 400},
	} {
		if status, text := b.ask(http.MethodPost, "/api/staff/login", c.body); status != c.status {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	answer, _ := b.answer(http.MethodPost, "/api/staff/login", `{"name":" Anna ","password":"`+password+`"}`)
	if answer.StatusCode != 204 {
		t.Fatalf("login: %d", answer.StatusCode)
	}
	for _, cookie := range answer.Cookies() {
		if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Secure || !strings.HasPrefix(cookie.Path, "/api") || len(cookie.Value) < 43 {
			t.Errorf("cookie %v", cookie)
		}
	}
	if me := get[meAnswer](b, "/api/staff/me"); me.Name != "anna" || me.Role != RoleAdvisor || len(me.Showrooms) != 1 || me.Showrooms[0].ID != "antwerp" {
		t.Errorf("me: %+v", me)
	}
	b.must(204, http.MethodPost, "/api/staff/logout", "")
	b.must(204, http.MethodPost, "/api/staff/logout", "")
	b.must(401, http.MethodGet, "/api/staff/me", "")
}

func TestCookiesAreSecureOverTLS(t *testing.T) {
	o := newOffice(t, func(c *Config) { c.Secure = true })
	o.add("anna", RoleAdvisor, "")
	answer, _ := o.browser().answer(http.MethodPost, "/api/staff/login", `{"name":"anna","password":"`+password+`"}`)
	if len(answer.Cookies()) != 2 {
		t.Errorf("%d cookies", len(answer.Cookies()))
	}
	for _, cookie := range answer.Cookies() {
		if !cookie.Secure {
			t.Errorf("cookie %v", cookie)
		}
	}
}

// Another site's page gets nowhere, whatever the browser sends along.
func TestCrossSiteRequests(t *testing.T) {
	o := newOffice(t, nil)
	o.add("anna", RoleAdvisor, "")
	b := o.browser()
	login := `{"name":"anna","password":"` + password + `"}`
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
	} {
		b.must(403, http.MethodPost, "/api/staff/login", login, header...)
	}
	b.must(204, http.MethodPost, "/api/staff/login", login, "Sec-Fetch-Site", "same-origin", "Origin", o.url)
	for _, request := range [][2]string{{http.MethodPost, "logout"}, {http.MethodDelete, "sessions"}, {http.MethodDelete, "sessions/x"}} {
		b.must(403, request[0], "/api/staff/"+request[1], "", "Origin", "https://evil.example")
	}
	b.must(200, http.MethodGet, "/api/staff/me", "")
}

func TestMethods(t *testing.T) {
	b := newOffice(t, nil).browser()
	answer, _ := b.answer(http.MethodPut, "/api/staff/sessions", "")
	if answer.StatusCode != 405 || answer.Header.Get("Allow") != "DELETE, GET" {
		t.Errorf("%d, Allow: %s", answer.StatusCode, answer.Header.Get("Allow"))
	}
}

func TestGuessesAreCounted(t *testing.T) {
	o := newOffice(t, nil)
	o.add("anna", RoleAdvisor, "")
	at := o.browser()
	if status := at.login("anna", password); status != 204 {
		t.Fatalf("login: %d", status)
	}
	guesser := o.browser()
	for i := range freeOfAddress {
		if status := guesser.login("anna", fmt.Sprint("guess number ", i)); status != 401 {
			t.Fatalf("guess %d: %d", i, status)
		}
	}
	answer, _ := guesser.answer(http.MethodPost, "/api/staff/login", `{"name":"anna","password":"`+password+`"}`)
	if answer.StatusCode != 429 || answer.Header.Get("Retry-After") != "30" {
		t.Errorf("the right password after too many wrong ones: %d, Retry-After %s", answer.StatusCode, answer.Header.Get("Retry-After"))
	}
	// From the same address, and that of a proxy: a browser that is known gets in.
	if status := at.login("anna", password); status != 204 {
		t.Errorf("a known browser while somebody guesses: %d", status)
	}
	o.clock.advance(refill)
	if status := guesser.login("anna", password); status != 204 {
		t.Errorf("after the wait: %d", status)
	}
}

// Of a name that nobody has, too: a cookie that could be made without logging in
// would let it be guessed on and on, and so tell it from others.
func TestNoCookieOfAKnownBrowserIsMadeUp(t *testing.T) {
	o := newOffice(t, nil)
	zero := o.staff.cfg.Passwords.encode(make([]byte, saltSize), make([]byte, hashSize))
	b := o.browser()
	last := 0
	for i := range freeOfAddress + 1 {
		cookie := newDeviceCookie("nobody", zero, false)
		body := fmt.Sprintf(`{"name":"nobody","password":"guess number %d"}`, i)
		answer, _ := b.answer(http.MethodPost, "/api/staff/login", body, "Cookie", cookie.Name+"="+cookie.Value)
		last = answer.StatusCode
	}
	if last != 429 {
		t.Errorf("guess after guess with new cookies: %d", last)
	}
	if other := newOffice(t, nil); other.staff.dummy == o.staff.dummy {
		t.Error("two servers have the same key for names that nobody has")
	}
}

// What is typed as a name and is none stays out of the log and of the memory.
func TestWhatIsNoName(t *testing.T) {
	var log bytes.Buffer
	o := newOffice(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	o.add("anna", RoleAdvisor, "")
	b := o.browser()
	for _, typed := range []string{password, strings.Repeat("x", 1000), "anna"} {
		if status := b.login(typed, "wrong horse battery"); status != 401 {
			t.Errorf("login as %.20s: %d", typed, status)
		}
	}
	if text := log.String(); strings.Contains(text, password) || strings.Contains(text, "xxx") || !strings.Contains(text, "name=anna") {
		t.Errorf("logged: %s", text)
	}
	names := o.staff.guesses.names
	known := names.Len()
	if names.GiveBack(Name(strings.Repeat("x", 1000)), o.clock.Now()); names.Len() != known {
		t.Error("a very long name is remembered")
	}
}

// The limits of names, with guesses from many addresses.
func TestNobodyIsLockedOutForEver(t *testing.T) {
	g := newGuesses()
	now := time.Unix(1_800_000_000, 0)
	taken := 0
	for i := range 1000 {
		from := netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)})
		if _, ok := g.take(now, g.counts("anna", from, "")); ok {
			taken++
		}
	}
	if taken != freeOfName {
		t.Errorf("%d guesses from 1,000 addresses at once", taken)
	}
	home := netip.MustParseAddr("198.51.100.7")
	wait, ok := g.take(now, g.counts("anna", home, ""))
	if ok || wait > refill {
		t.Errorf("the owner at a new browser waits %v", wait)
	}
	for range 1000 { // refused guesses make the wait no longer
		g.take(now, g.counts("anna", home, ""))
	}
	if _, ok := g.take(now.Add(wait), g.counts("anna", home, "")); !ok {
		t.Error("the wait did not end")
	}
	if _, ok := g.take(now, g.counts("bert", home, "")); !ok {
		t.Error("another name is locked out")
	}
	if _, ok := g.take(now, g.counts("anna", home, "anna X")); !ok {
		t.Error("a known browser is locked out")
	}
}

// A name that nobody has costs one hash, with today's parameters, as others do.
// Which it is can be seen from what it is compared with: times are no test on a
// busy machine.
func TestUnknownNamesCostTheSame(t *testing.T) {
	o := newOffice(t, nil)
	o.add("anna", RoleAdvisor, "")
	for _, name := range []string{"anna", "nobody"} {
		account, err := o.staff.account(t.Context(), name)
		check(t, err)
		if used, _, _, err := parseHash(account.Hash); err != nil || used != o.staff.cfg.Passwords {
			t.Errorf("%s: a hash with %+v, %v", name, used, err)
		}
		for _, wrong := range []string{"", "wrong horse battery", strings.Repeat("x", 2000)} {
			begin := time.Now()
			if right, err := o.staff.check(t.Context(), &account, wrong); right || err != nil {
				t.Errorf("%s: %v %v", name, right, err)
			}
			t.Logf("%s: a wrong password of %d bytes takes %v", name, len(wrong), time.Since(begin))
		}
	}
}

func TestRehash(t *testing.T) {
	o := newOffice(t, func(c *Config) { c.Passwords = Params{Memory: 16, Passes: 1, Threads: 1} })
	o.add("anna", RoleAdvisor, "") // with 8 KiB
	b := o.browser()
	if status := b.login("anna", "wrong horse battery"); status != 401 {
		t.Fatalf("login: %d", status)
	}
	stored := func() string {
		account, err := o.db.Staff(t.Context(), "anna")
		check(t, err)
		return account.Hash
	}
	if !strings.Contains(stored(), "$m=8,") {
		t.Errorf("a wrong password changed the hash to %s", stored())
	}
	for range 2 {
		if status := b.login("anna", password); status != 204 {
			t.Fatalf("login: %d", status)
		}
		if !strings.Contains(stored(), "$m=16,") {
			t.Errorf("the hash is still %s", stored())
		}
	}
}

func TestTooManyLoginsAtOnce(t *testing.T) {
	o := newOffice(t, nil)
	for range maxWaiting {
		o.staff.waiting <- struct{}{}
	}
	answer, _ := o.browser().answer(http.MethodPost, "/api/staff/login", `{"name":"anna","password":"x"}`)
	if answer.StatusCode != 503 || answer.Header.Get("Retry-After") != "2" {
		t.Errorf("%d, Retry-After %s", answer.StatusCode, answer.Header.Get("Retry-After"))
	}
}
