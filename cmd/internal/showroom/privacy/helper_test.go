package privacy

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/mail"
	"github.com/bril-edge/bril/cmd/internal/showroom/media"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func monday() *clock { return &clock{time.Date(2026, 11, 30, 10, 0, 0, 0, time.UTC)} }

// showroom is all that has data, on one data directory.
type showroom struct {
	dir    string
	clock  *clock
	db     *records.DB
	media  *media.Store
	mail   *mail.Queue
	keeper *Keeper
}

// open opens a data directory as the server does.
func open(t testing.TB, dir string, c *clock, change ...func(*Config)) *showroom {
	t.Helper()
	s := &showroom{dir: dir, clock: c}
	var err error
	s.db, err = records.Open(records.Config{Dir: dir, Clock: c.Now})
	check(t, err)
	identity, err := media.LoadIdentity(dir)
	check(t, err)
	valid := regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`).MatchString
	s.media, err = media.Open(media.Config{Dir: dir, Identity: identity, ValidName: valid, Erased: Erased(s.db, nil), Clock: c.Now})
	check(t, err)
	s.mail, err = mail.Open(mail.Config{Dir: filepath.Join(dir, "outbox"), Clock: c.Now, Known: Known(s.db)})
	check(t, err)
	cfg := Config{Records: s.db, Media: s.media, Mail: s.mail, Clock: c.Now}
	for _, f := range change {
		f(&cfg)
	}
	s.keeper = New(cfg)
	t.Cleanup(func() { s.close(t) })
	return s
}

func (s *showroom) close(t testing.TB) {
	t.Helper()
	check(t, errors.Join(s.mail.Close(), s.media.Close(), s.db.Close()))
}

// The person who is looked for.
const (
	name  = "Zoë Zonneveld-Übermut"
	email = "Zoe.Zonneveld+Showroom@Example.COM"
	phone = "+31 6 98765432"
)

const conversation = "zoesconversationzoesconver"

// putItem lays a photo on the disk as the store has it; in is in its bytes. The
// store has to be opened after it.
func putItem(t testing.TB, dir, session, id, in string, c *clock) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Join(dir, "sessions", session), 0o700))
	item := media.Item{SchemaVersion: 1, ID: id, Session: session, Kind: media.Photo, ContentType: "image/jpeg", TakenAt: c.now, KeptFrom: c.now, ReceivedAt: c.now}
	text, err := json.Marshal(item)
	check(t, err)
	base := filepath.Join(dir, "sessions", session, id)
	check(t, errors.Join(os.WriteFile(base+".jpg", []byte("\xff\xd8"+in), 0o600), os.WriteFile(base+".json", text, 0o600)))
}

const (
	zoesPhoto = "zoesphotoaaaaaaaaaaaaaaaaa"
	bertsItem = "bertsitemaaaaaaaaaaaaaaaaa"
)

// story is what Zoë does until she wants to be erased; Bert was there, too.
func story(t testing.TB, dir string, c *clock) *showroom {
	t.Helper()
	putItem(t, dir, conversation, zoesPhoto, "car of "+name, c)
	putItem(t, dir, "berts", bertsItem, "car of Bert", c)
	s := open(t, dir, c)
	ctx := t.Context()
	start := c.now.Add(time.Hour)
	a, err := s.db.Book(ctx, records.Customer{Name: name, Email: email, Phone: phone, Locale: "de"},
		records.Appointment{Showroom: "utrecht", Glasses: "anna", Start: start, End: start.Add(30 * time.Minute)}, "CODE", "TOKEN")
	check(t, err)
	check(t, s.db.SaveConversation(ctx, records.Conversation{ID: conversation, Showroom: "utrecht", Customer: a.Customer, Created: c.now, State: "ended"}))
	_, err = s.db.GiveConsent(ctx, a.Customer, records.Marketing, "2026-11", "de")
	check(t, err)
	check(t, s.db.AddDelivery(ctx, records.Delivery{Conversation: conversation, Customer: a.Customer, Items: []string{zoesPhoto}}))
	check(t, s.db.SaveConversation(ctx, records.Conversation{ID: "berts", Showroom: "utrecht", Created: c.now, State: "ended"}))
	bert, err := s.db.SetCustomer(ctx, "berts", records.Customer{Name: "Bert", Email: "bert@example.com"})
	check(t, err)
	s.write(t, a.Customer, email, name, time.Time{})
	s.write(t, a.Customer, email, name, start.Add(-time.Hour/2)) // a reminder that waits
	s.write(t, bert.ID, "bert@example.com", "Bert", time.Time{})
	s.runMail(t)
	_, err = s.db.Backup(ctx)
	check(t, err)
	return s
}

func (s *showroom) write(t testing.TB, customer, to, name string, notBefore time.Time) {
	t.Helper()
	phone := phone
	if to != email {
		phone = "+31 6 11111111"
	}
	_, err := s.mail.Put(t.Context(), mail.Message{
		Kind: mail.Confirmation, Customer: customer, To: to, Name: name, Locale: "de", Subject: "Für " + name,
		Text: "Guten Tag " + name + ",\nwir rufen " + phone + " an.\n", HTML: "<p>Guten Tag " + name + ", " + phone + " " + to + "</p>", NotBefore: notBefore,
		Calendar: &mail.Event{UID: "u@bril.invalid", Start: s.clock.now, End: s.clock.now.Add(time.Hour), Summary: name},
	})
	check(t, err)
}

// needles are what is looked for, in lower case.
func needles() []string {
	return []string{strings.ToLower(name), "zonneveld", strings.ToLower(email), phone, "98765432"}
}

var runs = regexp.MustCompile(`[A-Za-z0-9+/]{4}[A-Za-z0-9+/=\r\n]{4,}`)

// forms are all readings of a file: as it is, from quoted-printable, and from
// whatever looks like base64.
func forms(content []byte) [][]byte {
	all := [][]byte{content}
	plain, _ := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(content))) // as far as it goes
	all = append(all, plain, bytes.ReplaceAll(content, []byte("_"), []byte(" ")))
	soft := bytes.ReplaceAll(bytes.ReplaceAll(content, []byte("=\r\n"), nil), []byte("=\n"), nil)
	all = append(all, soft, regexp.MustCompile(`=[0-9A-Fa-f]{2}`).ReplaceAllFunc(soft, func(code []byte) []byte {
		var b byte
		fmt.Sscanf(string(code), "=%02X", &b)
		return []byte{b}
	}))
	for _, run := range runs.FindAll(content, -1) {
		decoded, _ := base64.StdEncoding.DecodeString(strings.NewReplacer("\r", "", "\n", "").Replace(string(run))) // as far as it goes
		all = append(all, decoded)
	}
	return all
}

// found returns the files in which something of the person is, by name or content.
func (s *showroom) found(t testing.TB) (list []string) {
	t.Helper()
	check(t, filepath.WalkDir(s.dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, _ := filepath.Rel(s.dir, path)
		contents := [][]byte{[]byte(relative)}
		if entry.Type().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			contents = append(contents, forms(content)...)
		}
		for _, content := range contents {
			if holds(content) {
				list = append(list, relative)
				break
			}
		}
		return nil
	}))
	return list
}

// holds looks in any case, and for base64 of each needle at each offset.
func holds(content []byte) bool {
	lower := bytes.ToLower(content)
	for _, needle := range needles() {
		if bytes.Contains(lower, []byte(needle)) {
			return true
		}
	}
	for _, needle := range []string{name, "Zonneveld", email, phone} {
		for offset := range 3 {
			encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", offset) + needle))
			if bytes.Contains(content, []byte(strings.TrimRight(encoded[4:len(encoded)-4], "="))) {
				return true
			}
		}
	}
	return false
}

// runMail lets the queue lay out what is due.
func (s *showroom) runMail(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.mail.Run(ctx) }()
	waiting := func(e mail.Entry) bool { return e.State == mail.Queued && !e.NextTry.After(s.clock.now) }
	for deadline := time.Now().Add(10 * time.Second); slices.ContainsFunc(s.mail.List(), waiting); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("mails wait: %+v", s.mail.List())
		}
	}
	cancel()
	check(t, <-done)
}

// copied is another data directory with the same files.
func copied(t testing.TB, from string) string {
	t.Helper()
	dir := t.TempDir()
	check(t, filepath.WalkDir(from, func(path string, entry os.DirEntry, err error) error {
		to := filepath.Join(dir, strings.TrimPrefix(path, from))
		if err != nil || entry.IsDir() {
			return errors.Join(err, os.MkdirAll(to, 0o700))
		}
		content, err := os.ReadFile(path)
		return errors.Join(err, os.WriteFile(to, content, 0o600))
	}))
	return dir
}
