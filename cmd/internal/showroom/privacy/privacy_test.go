package privacy

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/mail"
	"github.com/bril-edge/bril/cmd/internal/showroom/media"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

func TestErasedFromEveryFile(t *testing.T) {
	c := monday()
	s := story(t, t.TempDir(), c)
	before := s.found(t)
	// The search finds her wherever she is, so that it finding nothing means something.
	for _, kind := range []string{"showroom.db-wal", "backups/", "outbox/confirmation", "outbox/queue", ".jpg"} {
		if !slices.ContainsFunc(before, func(path string) bool { return strings.Contains(path, kind) }) {
			t.Errorf("%s: not found before; found in %v", kind, before)
		}
	}
	ended := ""
	s.keeper.cfg.End = func(_ context.Context, id string) { ended += id }
	counts, err := s.keeper.Erase(t.Context(), strings.ToUpper(email))
	check(t, err)
	want := records.Counts{"customers": 1, "appointments": 1, "conversations": 1, "consents": 1, "deliveries": 1, "mails": 2, "photos_and_clips": 1}
	if fmt.Sprint(counts) != fmt.Sprint(want) || ended != conversation {
		t.Errorf("erased %v, want %v; ended %q", counts, want, ended)
	}
	if left := s.found(t); len(left) != 0 {
		t.Errorf("she is in %v", left)
	}
	if s.media.List(conversation) == nil || len(s.media.List(conversation)) != 0 || len(s.media.List("berts")) != 1 {
		t.Error("the wrong photos are there")
	}
	if list := s.mail.List(); len(list) != 1 {
		t.Errorf("Bert's mail: %+v", list)
	}
	if _, err := s.keeper.Erase(t.Context(), email); !errors.Is(err, records.ErrNotFound) {
		t.Errorf("once more: %v", err)
	}
	s.close(t)
	s = open(t, s.dir, c)
	if left := s.found(t); len(left) != 0 {
		t.Errorf("after a restart she is in %v", left)
	}
	if _, err := s.db.Find(t.Context(), "bert@example.com"); err != nil {
		t.Error(err)
	}
}

// A letter that was being written while its reader was erased is not kept: nothing
// would lead to it any more.
func TestNoMailIsPutForWhoWasErased(t *testing.T) {
	s := story(t, t.TempDir(), monday())
	who, err := s.db.Find(t.Context(), email)
	check(t, err)
	message := mail.Message{Kind: mail.Media, Customer: who.Customers[0], To: email, Name: name, Locale: "de", Subject: "Fotos", Text: "Guten Tag " + name}
	_, err = s.keeper.Erase(t.Context(), email)
	check(t, err)
	if _, err := s.mail.Put(t.Context(), message); !errors.Is(err, mail.ErrErased) {
		t.Errorf("put after the erasure: %v", err)
	}
	if left := s.found(t); len(left) != 0 {
		t.Errorf("she is in %v", left)
	}
}

func TestGoneAfterTheRetention(t *testing.T) {
	const day = 24 * time.Hour
	for asked, want := range map[time.Duration]time.Duration{0: media.MaxRetention, 400 * day: media.MaxRetention, 30 * day: 30 * day} {
		c := monday()
		s := story(t, t.TempDir(), c)
		var log bytes.Buffer
		s.keeper = New(Config{Records: s.db, Media: s.media, Mail: s.mail, Clock: c.Now, Retention: asked, Log: slog.New(slog.NewTextHandler(&log, nil))})
		for n := range 10 {
			id := fmt.Sprint("rated", n)
			check(t, s.db.SaveConversation(t.Context(), records.Conversation{ID: id, Showroom: "utrecht", Created: c.now}))
			check(t, s.db.Rate(t.Context(), id, true))
		}
		c.now = c.now.Add(want)
		if _, err := s.keeper.Purge(t.Context()); err != nil || len(s.found(t)) == 0 {
			t.Errorf("%v: purged early, %v", asked, err)
		}
		c.now = c.now.Add(2 * time.Hour)
		counts, err := s.keeper.Purge(t.Context())
		check(t, err)
		if left := s.found(t); len(left) != 0 {
			t.Errorf("%v: she is in %v", asked, left)
		}
		if counts["customers"] != 2 || counts["backups"] != 1 || counts["mails"] == 0 {
			t.Errorf("%v: purged %v", asked, counts)
		}
		if r, ok, err := s.db.Ratings(t.Context(), "utrecht"); !ok || r.Up != 10 || err != nil {
			t.Errorf("%v: the aggregates: %+v", asked, r)
		}
		if text := log.String(); !strings.Contains(text, "msg=purged") || !strings.Contains(text, "customers=2") || holds(log.Bytes()) {
			t.Errorf("%v: logged %s", asked, text)
		}
		s.close(t)
	}
}

func TestExportHasAllOfAPerson(t *testing.T) {
	c := monday()
	s := story(t, t.TempDir(), c)
	var out bytes.Buffer
	check(t, s.keeper.Export(t.Context(), email, Archive, &out))
	archive, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	check(t, err)
	content := map[string]string{}
	for _, f := range archive.File {
		r, err := f.Open()
		check(t, err)
		text, err := io.ReadAll(r)
		check(t, err)
		content[f.Name] = string(text)
	}
	if got := content["media/"+conversation+"/"+zoesPhoto+".jpg"]; got != "\xff\xd8car of "+name {
		t.Errorf("her photo: %q", got)
	}
	var data Data
	check(t, json.Unmarshal([]byte(content["data.json"]), &data))
	if len(data.Tables["customers"]) != 1 || data.Tables["customers"][0]["email"] != email || len(data.Tables["consents"]) != 1 || len(data.Mails) != 2 || len(data.Items) != 1 {
		t.Errorf("%+v", data)
	}
	mails := 0
	for path := range content {
		if strings.HasPrefix(path, "mail/") && strings.HasSuffix(path, ".eml") {
			mails++
		}
	}
	if text := fmt.Sprint(content); mails != 2 || strings.Contains(strings.ToLower(text), "bert") || strings.Contains(text, "token_hash") {
		t.Errorf("%d mails, or somebody else's: %s", mails, text)
	}
	out.Reset()
	check(t, s.keeper.Export(t.Context(), email, JSON, &out))
	check(t, json.Unmarshal(out.Bytes(), &data))
	out.Reset()
	if err := s.keeper.Export(t.Context(), "nobody@example.com", Archive, &out); !errors.Is(err, records.ErrNotFound) || out.Len() != 0 {
		t.Errorf("of nobody: %v, %d bytes", err, out.Len())
	}
}

// dying kills the process at the nth call of what is outside the records.
type dying struct {
	Media
	Mail
	left int
}

func (d *dying) step() {
	if d.left--; d.left == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
}

type dyingMedia struct{ *dying }

func (d dyingMedia) Items(c string) []media.Item             { return d.Media.Items(c) }
func (d dyingMedia) OpenItem(i media.Item) (*os.File, error) { return d.Media.OpenItem(i) }
func (d dyingMedia) Purge(now time.Time) int                 { return d.Media.Purge(now) }
func (d dyingMedia) Erase(c string) (int, error) {
	d.step()
	n, err := d.Media.Erase(c)
	d.step()
	return n, err
}

type dyingMail struct{ *dying }

func (d dyingMail) Export(c string) ([]mail.Copy, error) { return d.Mail.Export(c) }
func (d dyingMail) Purge(t time.Time) (int, error)       { return d.Mail.Purge(t) }
func (d dyingMail) Erase(c string) (int, error) {
	d.step()
	n, err := d.Mail.Erase(c)
	d.step()
	return n, err
}

const (
	killDir = "BRIL_TEST_KILL_DIR"
	killAt  = "BRIL_TEST_KILL_AT"
)

// TestKilled is the process that is killed; by itself it does nothing.
func TestKilled(t *testing.T) {
	dir := os.Getenv(killDir)
	if dir == "" {
		return
	}
	left, err := strconv.Atoi(os.Getenv(killAt))
	check(t, err)
	s := open(t, dir, monday())
	d := &dying{Media: s.media, Mail: s.mail, left: left}
	k := New(Config{Records: s.db, Media: dyingMedia{d}, Mail: dyingMail{d}, Clock: s.clock.Now})
	_, err = k.Erase(t.Context(), email)
	check(t, err)
}

func TestKilledWhileErasing(t *testing.T) {
	c := monday()
	prepared := story(t, t.TempDir(), c)
	prepared.close(t)
	for step := 1; step <= 5; step++ {
		dir := copied(t, prepared.dir)
		command := exec.Command(os.Args[0], "-test.run=^TestKilled$", "-test.count=1")
		command.Env = append(os.Environ(), killDir+"="+dir, fmt.Sprintf("%s=%d", killAt, step))
		out, err := command.CombinedOutput()
		if killed := err != nil; killed != (step < 5) {
			t.Fatalf("step %d: %v\n%s", step, err, out)
		}
		// The next start finishes it, before anybody asks.
		s := open(t, dir, c)
		_, err = s.keeper.Purge(t.Context())
		check(t, err)
		if left := s.found(t); len(left) != 0 {
			t.Errorf("step %d: she is in %v", step, left)
		}
		s.close(t)
	}
}

func TestRunFinishesAndEnds(t *testing.T) {
	c := monday()
	s := story(t, t.TempDir(), c)
	who, err := s.db.Find(t.Context(), email)
	check(t, err)
	broken := errors.New("broken off")
	if _, err := s.db.Remove(t.Context(), who, func(context.Context, records.Scope) error { return broken }); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	log := make(lines, 16)
	k := New(Config{Records: s.db, Media: s.media, Mail: s.mail, Clock: c.Now, Log: slog.New(slog.NewTextHandler(log, nil))})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- k.Run(ctx) }()
	if line := <-log; !strings.Contains(line, "photos_and_clips=1") {
		t.Errorf("logged %s", line)
	}
	cancel()
	check(t, <-done)
	if left := s.found(t); len(left) != 0 {
		t.Errorf("she is in %v", left)
	}
}

type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

func TestTheRecordIsOfAllThatIsStored(t *testing.T) {
	record := NewRecord()
	var text bytes.Buffer
	check(t, record.WriteText(&text))
	for _, table := range record.Tables {
		for _, c := range table.Columns {
			if !strings.Contains(text.String(), "  - "+c.Name+": "+c.What) {
				t.Errorf("%s.%s is not printed", table.Name, c.Name)
			}
		}
	}
	fields := map[string][]Field{}
	for _, f := range record.Files {
		if f.What == "" || f.Why == "" || f.Ground == "" || f.Kept == "" || f.Who == "" {
			t.Errorf("%s: not all is said", f.Path)
		}
		fields[f.Path] = f.Fields
	}
	wantFields(t, reflect.TypeFor[media.Item](), fields["sessions/CONVERSATION/ID.json"])
	wantFields(t, reflect.TypeFor[mail.Entry](), fields["outbox/"])

	s := story(t, t.TempDir(), monday())
	entries, err := os.ReadDir(s.dir)
	check(t, err)
	for _, entry := range entries {
		described := slices.ContainsFunc(record.Files, func(f Files) bool {
			first, rest, _ := strings.Cut(f.Path, ", ")
			return strings.HasPrefix(first, entry.Name()) || rest != "" && slices.ContainsFunc(strings.Split(rest, ", "), func(end string) bool { return first+end == entry.Name() })
		})
		if !described {
			t.Errorf("%s is not in the record", filepath.Join("DATA", entry.Name()))
		}
	}
}

func wantFields(t *testing.T, of reflect.Type, described []Field) {
	t.Helper()
	var want, got []string
	for i := range of.NumField() {
		tag, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		want = append(want, tag)
	}
	for _, f := range described {
		if f.What == "" || f.Why == "" {
			t.Errorf("%v.%s: not all is said", of, f.Name)
		}
		got = append(got, f.Name)
	}
	if !slices.Equal(want, got) {
		t.Errorf("%v has %v, described are %v", of, want, got)
	}
}
