package media

import (
	"bytes"
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// erasing is a store in which a test erases conversations.
func erasing(t *testing.T, dir string, gone map[string]bool) *Store {
	t.Helper()
	return open(t, dir, func(c *Config) { c.Erased = func(name string) bool { return gone[name] } })
}

func sessionMeta(n int, session string) map[string]any {
	meta := metaOf(id(n), Photo)
	meta["session"] = session
	return meta
}

func TestEraseAConversation(t *testing.T) {
	gone := map[string]bool{}
	s := erasing(t, t.TempDir(), gone)
	url := serve(t, s).URL
	for n, session := range []string{"anna", "anna", "bert"} {
		send(t, url, seal(t, s, sessionMeta(n, session), photo(t, n+1)))
	}
	drain(t, s)
	begun := seal(t, s, sessionMeta(7, "anna"), random(t, 200<<10))
	wantStatus(t, create(t, url, begun), 201)
	sendPart(t, url, begun, 100<<10)
	other := seal(t, s, sessionMeta(8, "bert"), random(t, 200<<10))
	wantStatus(t, create(t, url, other), 201)
	sendPart(t, url, other, 100<<10)

	gone["anna"] = true
	for _, want := range []int{2, 0} {
		if n, err := s.Erase("anna"); err != nil || n != want {
			t.Fatalf("%d items, %v; want %d", n, err, want)
		}
	}
	if len(s.List("anna")) != 0 || exists(t, s.path(sessionsDir, "anna")) {
		t.Error("something is left of it")
	}
	if got := receiptOf(t, s, id(7)); got.State != Refused || got.Reason != reasonErased || exists(t, s.path(uploadsDir, id(7))) {
		t.Errorf("what was on its way: %+v", got)
	}
	if len(s.List("bert")) != 1 || receiptOf(t, s, id(8)).State != Receiving {
		t.Error("another conversation's are gone")
	}
	late := seal(t, s, sessionMeta(9, "anna"), photo(t, 9))
	send(t, url, late)
	drain(t, s)
	if got := receiptOf(t, s, late.id()); got.State != Refused || len(s.List("anna")) != 0 {
		t.Errorf("what came after it: %+v", got)
	}
	wantSessions(t, s, "bert")
}

// What is being made of a conversation while it is erased, and what a crash left
// of that.
func TestEraseWhileAnItemIsMade(t *testing.T) {
	for _, step := range steps {
		if step == "write clip" {
			continue
		}
		gone := map[string]bool{}
		s := erasing(t, t.TempDir(), gone)
		i := seal(t, s, sessionMeta(1, "anna"), photo(t, 1))
		send(t, serve(t, s).URL, i)
		s.fault = func(at string) error {
			if at == step && !gone["anna"] {
				gone["anna"] = true
				_, err := s.Erase("anna")
				return err
			}
			return nil
		}
		drain(t, s)
		check(t, s.Close())
		s = erasing(t, s.cfg.Dir, gone)
		drain(t, s)
		if got := receiptOf(t, s, i.id()); got.State != Refused && step != "remove upload" && step != "keep receipt" {
			t.Errorf("%s: %+v", step, got)
		}
		if list := s.List("anna"); len(list) != 0 {
			t.Errorf("%s: listed %+v", step, list)
		}
		wantSessions(t, s)
	}
}

func TestExportOfItems(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, 2)
	put(t, s, 1)
	items := s.Items("anna")
	if len(items) != 2 || items[0].ID != id(1) || items[0].File() != id(1)+".jpg" {
		t.Fatalf("%+v", items)
	}
	file, err := s.OpenItem(items[0])
	check(t, err)
	defer file.Close()
	got, err := io.ReadAll(file)
	check(t, err)
	if !bytes.Equal(got, photo(t, 1)) {
		t.Error("another file")
	}
}

func random(t *testing.T, size int) []byte {
	t.Helper()
	b := make([]byte, size)
	_, err := rand.Read(b)
	check(t, err)
	return b
}

// sendPart uploads the first bytes of an item.
func sendPart(t *testing.T, url string, i item, size int) {
	t.Helper()
	i.cipher = i.cipher[:size]
	wantStatus(t, patch(t, url, i, 0), 204)
}

// wantSessions wants files of these conversations only.
func wantSessions(t *testing.T, s *Store, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(s.path(sessionsDir))
	check(t, err)
	if len(entries) != len(names) {
		t.Errorf("%d directories of conversations, want %v", len(entries), names)
	}
	left, err := filepath.Glob(s.path(incomingDir, "*"))
	check(t, err)
	if len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
