package showroom

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/desk"
	"github.com/bril-edge/bril/cmd/internal/showroom/privacy"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// adminOf waits for the socket of a server that has just begun.
func adminOf(t *testing.T, dir string) *privacy.Client {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		client, err := privacy.Dial(filepath.Join(dir, privacy.SocketName))
		if err == nil {
			return client
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// Whoever has a copy of the records cannot find out codes by trying all of them.
func TestCodesAreSealed(t *testing.T) {
	dir := t.TempDir()
	s, err := New(Config{Listen: "127.0.0.1:0", DataDir: dir})
	check(t, err)
	url, stop := runUntil(t, s)
	code, ok := desk.ReadCode(newPerson(t, url).book(dir, "jan@example.com", false).code)
	stop()
	db, err := records.Open(records.Config{Dir: dir})
	check(t, err)
	defer db.Close()
	if _, err := db.AppointmentByCode(t.Context(), code); !ok || !errors.Is(err, records.ErrNotFound) {
		t.Errorf("by its code alone: %v", err)
	}
	if _, err := db.AppointmentByCode(t.Context(), s.keys.Seal(code)); err != nil {
		t.Errorf("with the secret: %v", err)
	}
}

// Glasses may still hold a photo of a conversation that was erased meanwhile.
func TestAPhotoThatComesAfterTheErasure(t *testing.T) {
	dir := t.TempDir()
	db, err := records.Open(records.Config{Dir: dir})
	check(t, err)
	check(t, db.SaveConversation(t.Context(), records.Conversation{ID: "anna", Created: time.Now(), Ended: time.Now(), State: "ended"}))
	_, err = db.SetCustomer(t.Context(), "anna", records.Customer{Email: "zoe@example.com"})
	check(t, err)
	check(t, db.Close())
	url := startServer(t, Config{DataDir: dir})
	admin := adminOf(t, dir)
	counts, err := admin.Erase(t.Context(), "Zoe@example.com")
	check(t, err)
	if counts["customers"] != 1 || counts["conversations"] != 1 {
		t.Errorf("erased %v", counts)
	}
	sendPhoto(t, url, itemID, false)
	answer, text := request(t, http.MethodGet, url+"/api/uploads/"+itemID+"/receipt", "")
	for answer.StatusCode == http.StatusAccepted {
		answer, text = request(t, http.MethodGet, url+"/api/uploads/"+itemID+"/receipt", "")
	}
	if !strings.Contains(text, `"state":"refused"`) {
		t.Errorf("receipt: %s %s", answer.Status, text)
	}
	if _, err := os.Stat(filepath.Join(dir, "sessions", "anna")); !os.IsNotExist(err) {
		t.Errorf("something of it is stored: %v", err)
	}
	if answer, text := request(t, http.MethodGet, url+"/api/sessions/anna/media", ""); strings.Contains(text, itemID) {
		t.Errorf("listed: %s %s", answer.Status, text)
	}
}
