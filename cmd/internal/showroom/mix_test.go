package showroom

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/rtctest"
)

// talk is a customer in a conversation on a pair of glasses of their own.
type talk struct {
	*person
	booking
	cid, key string
	glasses  string
	page     <-chan event
	events   <-chan event
	p        *rtctest.Publisher
}

// twoTalks are live at once, on two pairs with tokens of their own.
func twoTalks(t *testing.T) (s *Server, both [2]*talk) {
	t.Helper()
	dir, clock := t.TempDir(), newClock()
	hours := writeHours(t, "anna", "bert")
	s, err := New(Config{Listen: "127.0.0.1:0", DataDir: dir, Clock: clock.now, Hours: hours, TokenFile: tokenFile(t, "anna-token", "bert-token")})
	check(t, err)
	url := runServer(t, s)
	for i, name := range []string{"anna", "bert"} {
		c := &talk{person: newPerson(t, url), glasses: name}
		c.booking = c.book(dir, fmt.Sprintf("customer%d@example.com", i), false)
		c.events = glassesOf(t, url, name, "Authorization", "Bearer "+name+"-token")
		both[i] = c
	}
	if !both[0].start.Equal(both[1].start) {
		t.Fatalf("booked at %v and %v", both[0].start, both[1].start)
	}
	clock.set(both[0].start)
	for _, c := range both {
		c.begin(s)
	}
	return s, both
}

// begin joins, rings and is answered by whichever glasses ring.
func (c *talk) begin(s *Server) {
	c.t.Helper()
	c.cid = c.join(c.code)
	c.key = s.keys.Key(c.cid)
	c.page, _ = c.listen("/api/sessions/" + c.cid + "/events")
	c.ask(200, "POST", "/api/conversations/"+c.cid+"/ring", "")
	seen, err := s.desk.Lookup(c.t.Context(), c.cid)
	check(c.t, err)
	c.glasses = seen.Glasses
	p, room := publish(c.t, c.url, c.glasses, c.glasses+"-token")
	if room != c.cid {
		c.t.Fatalf("%s publishes in %s, not in %s", c.glasses, room, c.cid)
	}
	c.p = p
	flow(c.t, p)
	await(c.t, c.page, "call", `"live"`)
}

// writeHours is a showroom that never closes, with these glasses.
func writeHours(t *testing.T, glasses ...string) string {
	t.Helper()
	text := "showrooms:\n  - id: showroom\n    title: Showroom\n    time_zone: UTC\n    glasses: [" + strings.Join(glasses, ", ") + "]\n    hours:\n"
	for _, day := range []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"} {
		text += "      " + day + ": 00:00-24:00\n"
	}
	return writeFile(t, "hours.yaml", text)
}

// Two customers at once, on two pairs of glasses: whatever one has opens nothing of
// the other's, and nothing of the one's is told to the other.
func TestTwoConversationsAreNeverMixedUp(t *testing.T) {
	_, both := twoTalks(t)
	for i, c := range both {
		other := both[1-i]
		if c.cid == other.cid || c.glasses == other.glasses {
			t.Fatalf("%s on %s, %s on %s", c.cid, c.glasses, other.cid, other.glasses)
		}
		testForeignDoors(t, c, other)
		testForeignGlasses(t, c, other)
	}
	// Each ends alone.
	both[0].ask(204, "POST", "/api/conversations/"+both[0].cid+"/end", "")
	await(t, both[0].page, "call", `"ended"`)
	if c := both[1].ask(200, "GET", "/api/conversations/"+both[1].cid, ""); c.text("state") != "live" {
		t.Errorf("the other's: %v", c)
	}
	for i, c := range both {
		other := both[1-i]
		for _, events := range []<-chan event{c.page, c.events} {
			for len(events) > 0 {
				if e := <-events; strings.Contains(e.data, other.cid) && c.glasses != other.glasses && events == c.page {
					t.Errorf("a customer was told of the other's: %v", e)
				}
			}
		}
	}
}

// testForeignDoors tries every URL of the other's conversation with all that c has.
func testForeignDoors(t *testing.T, c, other *talk) {
	t.Helper()
	own := c.cookie(t)
	credentials := map[string][]string{
		"cookie": {"Cookie", own}, "key": {"Authorization", "Bearer " + c.key}, "code": {"Authorization", "Bearer " + c.code},
		"appointment's token": {"Authorization", "Bearer " + c.token}, "glasses' token": {"Authorization", "Bearer " + c.glasses + "-token"},
		"nothing": {"Accept", "*/*"},
	}
	doors := operations(func(o operation) bool {
		return o.isOf("customer") || strings.HasPrefix(o.path, "/whep/") || strings.HasPrefix(o.path, "/talk/") || strings.HasPrefix(o.path, "/media/")
	})
	for what, credential := range credentials {
		for _, o := range doors {
			path := strings.NewReplacer("{cid}", other.cid, "{name}", other.cid, "{file}", itemID+".jpg", "{id}", strangeID).Replace(o.path)
			if o.method == http.MethodOptions || what == "glasses' token" && o.isOf("glasses") {
				continue // which say nothing; what glasses may see is below
			}
			text, kind := o.body()
			want := http.StatusUnauthorized
			if strings.HasSuffix(path, "/access") {
				text, want = `{"key":"`+c.key+`"}`, http.StatusForbidden
			}
			o.send(t, c.url+path, text, kind, want, credential...)
		}
	}
	// The own ones open the own ones: what was tried is what would open.
	answer, body := request(t, "GET", c.url+"/api/conversations/"+c.cid, "", "Cookie", own)
	expect(t, "own cookie", answer, body, 200)
	answer, body = request(t, "GET", c.url+"/api/conversations/"+c.cid, "", "Authorization", "Bearer "+c.key)
	expect(t, "own key", answer, body, 200)
	if a := c.ask(200, "GET", "/api/appointment", "", "Authorization", "Bearer "+c.token); a.text("state") == "" {
		t.Errorf("own appointment: %v", a)
	}
	media := func(cid string) string { return "/api/sessions/" + cid + "/media" }
	c.ask(200, "GET", media(c.cid), "", "Authorization", "Bearer "+c.glasses+"-token")
	c.ask(401, "GET", media(other.cid), "", "Authorization", "Bearer "+c.glasses+"-token")
	c.ask(404, "GET", "/api/appointment", "", "Authorization", "Bearer "+c.code)
	c.ask(404, "GET", "/api/appointment", "", "Authorization", "Bearer "+c.key)
}

// cookie is the value that opens the own conversation.
func (c *talk) cookie(t *testing.T) string {
	t.Helper()
	r, err := http.NewRequest("GET", c.url+"/api/conversations/"+c.cid, nil)
	check(t, err)
	cookies := c.Jar.Cookies(r.URL)
	if len(cookies) != 1 {
		t.Fatalf("%d cookies", len(cookies))
	}
	return cookies[0].String()
}

// testForeignGlasses: the glasses of one cannot answer, end, pause or take over the
// other's, nor hear its customer.
func testForeignGlasses(t *testing.T, c, other *talk) {
	t.Helper()
	token := []string{"Authorization", "Bearer " + c.glasses + "-token"}
	c.ask(409, "POST", "/api/glasses/"+c.glasses+"/answer", `{"conversation":"`+other.cid+`","answer":"accept"}`, token...)
	c.ask(409, "POST", "/api/glasses/"+c.glasses+"/end", `{"conversation":"`+other.cid+`"}`, token...)
	c.ask(409, "POST", "/api/glasses/"+other.glasses+"/end", `{"conversation":"`+other.cid+`"}`, token...)
	held := c.ask(409, "GET", "/api/glasses/"+other.glasses+"/events", "", token...)
	if held.text("type") != "urn:bril:problem:held" {
		t.Errorf("another's name: %v", held)
	}
	intruder := rtctest.NewPublisher(t, rtctest.Options{})
	if status, _ := intruder.Post(c.url+"/whip/"+other.cid, c.glasses+"-token", intruder.Offer()); status != http.StatusNotFound {
		t.Errorf("published by the conversation's ID: %d", status)
	}
	intruder = rtctest.NewPublisher(t, rtctest.Options{})
	if status, _ := intruder.Post(c.url+"/whip/"+other.glasses, c.glasses+"-token", intruder.Offer()); status == http.StatusCreated {
		for _, link := range intruder.Response.Header.Values("Link") {
			if strings.Contains(link, other.cid) {
				t.Errorf("published in the other's: %s", link)
			}
		}
	}
	ear := rtctest.NewViewer(t, soundOnly)
	if status, _ := posted(t, ear.Client, c.url+"/hear/"+other.cid, c.glasses+"-token"); status != http.StatusForbidden {
		t.Errorf("heard the other's customer: %d", status)
	}
}

// 10,000 wrong codes, from many connections of one address, are stopped: few of them
// are looked at, and none opens anything. A right code from elsewhere is not held up.
func TestGuessedCodesAreStopped(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	s, err := New(Config{Listen: "127.0.0.1:0", DataDir: dir, Clock: clock.now})
	check(t, err)
	url := runServer(t, s)
	jan := newPerson(t, url)
	b := jan.book(dir, "jan@example.com", false)
	clock.set(b.start)
	const guesses, guessers = 10_000, 8
	var next, looked, stopped atomic.Int64
	var running sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: guessers}, Timeout: rtctest.Timeout}
	defer client.CloseIdleConnections()
	for range guessers {
		running.Go(func() {
			for n := next.Add(1); n <= guesses; n = next.Add(1) {
				answer, err := client.Post(url+"/api/join", jsonType, strings.NewReader(fmt.Sprintf(`{"code":"%08d"}`, n)))
				if err != nil {
					t.Error(err)
					return
				}
				answer.Body.Close()
				switch answer.StatusCode {
				case http.StatusNotFound:
					looked.Add(1)
				case http.StatusTooManyRequests:
					stopped.Add(1)
				default:
					t.Errorf("guess %d: %s", n, answer.Status)
				}
			}
		})
	}
	running.Wait()
	t.Logf("of %d guesses %d were looked at", guesses, looked.Load())
	if looked.Load() > 20 || looked.Load()+stopped.Load() != guesses {
		t.Errorf("%d looked at, %d stopped", looked.Load(), stopped.Load())
	}
	clock.set(b.start.Add(5 * time.Minute))
	if cid := jan.join(b.code); !isConversation(cid) {
		t.Errorf("the right code opens %q", cid)
	}
}
