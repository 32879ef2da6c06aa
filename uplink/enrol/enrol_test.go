package enrol

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/uplink/enrol/enroltest"
)

// board is a bare one, with an endpoint that takes it.
func board(t *testing.T) (Config, *enroltest.Endpoint) {
	t.Helper()
	e := enroltest.New(t)
	return Config{Dir: filepath.Join(t.TempDir(), "enrolment"), Serial: "100000001234", Model: "test board", Version: "1.2.3", Time: e.Now}, e
}

func enrolled(t *testing.T) (Config, *enroltest.Endpoint, *Identity) {
	t.Helper()
	cfg, e := board(t)
	i, err := Enrol(t.Context(), cfg, e.URL, e.Token("anna"))
	if err != nil {
		t.Fatal(err)
	}
	return cfg, e, i
}

func TestEnrol(t *testing.T) {
	cfg, e, i := enrolled(t)
	loaded, err := Load(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []*Identity{i, loaded} {
		d := i.Document()
		if d.Name != "anna" || d.Label != "Anna's glasses" || d.Server != e.URL || d.WHIPURL != e.URL+"/whip/anna" || d.Recipient == "" {
			t.Errorf("document %+v", d)
		}
		if keys, err := d.SigningKeys(); err != nil || len(keys) != 1 {
			t.Errorf("keys %v, %v", keys, err)
		}
		if len(d.ICEServers) != 1 || d.ICEServers[0].Credential.Reveal() != "relay-secret" {
			t.Errorf("relays %+v", d.ICEServers)
		}
		s := i.Status()
		if s.State != Enrolled || s.NotAfter.Sub(s.RenewAt).Round(time.Hour) != e.Life/4 {
			t.Errorf("status %+v", s)
		}
	}
	for name, mode := range map[string]os.FileMode{"": 0o700, recordFile: 0o600} {
		if info, err := os.Stat(filepath.Join(cfg.Dir, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%q: %v, %v", name, info, err)
		}
	}
	keys, err := filepath.Glob(filepath.Join(cfg.Dir, "key-*.pem"))
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	if info, err := os.Stat(keys[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", info, err)
	}
	if b := e.Board(0); b.Serial != cfg.Serial || b.Model != cfg.Model || b.Version != cfg.Version {
		t.Errorf("the endpoint was told %+v", b)
	}
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer func(*enroltest.Endpoint)
		hint   string
	}{
		{"foreign", func(e *enroltest.Endpoint) { e.Forget() }, "was all of it copied, and is it for this endpoint? else " + freshHint},
		{"expired", func(e *enroltest.Endpoint) { e.Sleep(11 * time.Minute) }, freshHint},
		{"bound", func(e *enroltest.Endpoint) { e.Bind("another") }, "bril version --json shows this board's; " + freshHint},
		{"used", func(e *enroltest.Endpoint) { e.Use() }, freshHint},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg, e := board(t)
			token := e.Token("anna")
			test.answer(e)
			_, err := Enrol(t.Context(), cfg, e.URL, token)
			var hinted interface{ Hint() string }
			if !errors.Is(err, ErrToken) {
				t.Fatal(err)
			}
			if got := hintOf(err); got != test.hint {
				t.Errorf("hint %q (%v)", got, errors.As(err, &hinted))
			}
			if _, err := Load(cfg); !errors.Is(err, ErrNotEnrolled) {
				t.Errorf("after it: %v", err)
			}
			if left, _ := filepath.Glob(filepath.Join(cfg.Dir, "*")); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
			secretless(t, token, err)
		})
	}
}

// TestPin shows a server with another key: it hears nothing at all after its handshake.
func TestPin(t *testing.T) {
	cfg, e := board(t)
	other := enroltest.New(t)
	token := e.Token("anna")
	_, err := Enrol(t.Context(), cfg, other.URL, token)
	if !errors.Is(err, ErrPin) || hintOf(err) != pinHint {
		t.Errorf("%v, hint %q", err, hintOf(err))
	}
	if n := other.Requests(); n != 0 {
		t.Errorf("it heard %d requests", n)
	}
	secretless(t, token, err)
}

// TestLostAnswer loses the answer after the endpoint has made the device.
func TestLostAnswer(t *testing.T) {
	cfg, e := board(t)
	token := e.Token("anna")
	e.CutAnswers(1)
	if _, err := Enrol(t.Context(), cfg, e.URL, token); err == nil || errors.Is(err, ErrToken) {
		t.Fatal(err)
	}
	if e.Devices() != 1 {
		t.Fatal("the endpoint has made no device")
	}
	i, err := Enrol(t.Context(), cfg, e.URL, token)
	if err != nil {
		t.Fatal(err)
	}
	if e.Devices() != 1 || i.Document().Device == "" {
		t.Errorf("%d devices", e.Devices())
	}
}

// TestOtherAuthority has somebody between the board and its endpoint, after it was
// enrolled.
func TestOtherAuthority(t *testing.T) {
	_, e, i := enrolled(t)
	before := e.Requests()
	e.Impostor(t)
	err := i.Tend(t.Context())
	if err == nil || e.Requests() != before {
		t.Errorf("%v after %d requests", err, e.Requests()-before)
	}
	if s := i.Status(); s.State != Enrolled || s.Trouble == nil {
		t.Errorf("%+v", s)
	}
}

func TestRenewal(t *testing.T) {
	for _, test := range []struct {
		name  string
		slept time.Duration
		want  State // before it
		err   error
	}{
		{"not yet", 24 * time.Hour, Enrolled, nil},
		{"due", 70 * 24 * time.Hour, RenewalDue, nil},
		{"half a year in a drawer", 182 * 24 * time.Hour, Expired, nil},
		{"two years in a drawer", 730 * 24 * time.Hour, Expired, ErrExpired},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg, e, i := enrolled(t)
			was := i.Certificate().Leaf
			e.Sleep(test.slept)
			if s := i.Status(); s.State != test.want {
				t.Errorf("it is %+v", s)
			}
			if err := i.Tend(t.Context()); !errors.Is(err, test.err) {
				t.Fatal(err)
			}
			renewed := !i.Certificate().Leaf.Equal(was)
			if want := test.want != Enrolled && test.err == nil; renewed != want {
				t.Errorf("renewed: %v", renewed)
			}
			s := i.Status()
			switch {
			case test.err != nil && (s.State != Expired || hintOf(s.Trouble) != againHint):
				t.Errorf("%+v, hint %q", s, hintOf(s.Trouble))
			case test.err == nil && s.State != Enrolled:
				t.Errorf("%+v", s)
			}
			if again, err := Load(cfg); err != nil || !again.Certificate().Leaf.Equal(i.Certificate().Leaf) {
				t.Errorf("on the disk: %v", err)
			}
		})
	}
}

// TestRenewalLost loses the answer: the old certificate stays good.
func TestRenewalLost(t *testing.T) {
	_, e, i := enrolled(t)
	e.Sleep(70 * 24 * time.Hour)
	e.CutAnswers(1)
	if err := i.Tend(t.Context()); err == nil {
		t.Fatal("the answer arrived")
	}
	if err := i.Tend(t.Context()); err != nil || i.Status().State != Enrolled {
		t.Errorf("%v, %+v", err, i.Status())
	}
}

func TestRevoked(t *testing.T) {
	_, e, i := enrolled(t)
	e.Revoke()
	err := i.Tend(t.Context())
	if !errors.Is(err, ErrRevoked) || hintOf(err) != againHint || i.Status().State != Revoked {
		t.Errorf("%v, hint %q, %+v", err, hintOf(err), i.Status())
	}
}

// TestNews has the endpoint move its uploads.
func TestNews(t *testing.T) {
	cfg, e, i := enrolled(t)
	if err := i.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-i.Changed():
		t.Error("nothing has changed")
	default:
	}
	e.Move("https://uploads.example/api/uploads/")
	if err := i.Tend(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-i.Changed()
	loaded, err := Load(cfg)
	if err != nil || loaded.Document().UploadsURL != "https://uploads.example/api/uploads/" {
		t.Errorf("%v", err)
	}
}

// TestDiskFull: what cannot be kept is not gone by, nobody is told of it, and it is
// asked for again.
func TestDiskFull(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(e *enroltest.Endpoint)
		taken  func(now, old *Identity) bool
	}{
		{"a certificate", func(e *enroltest.Endpoint) { e.Sleep(70 * 24 * time.Hour) },
			func(now, old *Identity) bool { return !now.Certificate().Leaf.Equal(old.Certificate().Leaf) }},
		{"news", func(e *enroltest.Endpoint) { e.Move("https://uploads.example/api/uploads/") },
			func(now, old *Identity) bool { return now.Document().UploadsURL != old.Document().UploadsURL }},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg, e, old := enrolled(t)
			full := true
			failing := cfg
			failing.before = func(op string) error {
				if full && op == "write "+recordFile {
					return unix.ENOSPC
				}
				return nil
			}
			i, err := Load(failing)
			if err != nil {
				t.Fatal(err)
			}
			test.change(e)
			if err := i.Tend(t.Context()); !errors.Is(err, unix.ENOSPC) || i.Status().Count != 1 {
				t.Fatalf("%v, %+v", err, i.Status())
			}
			if test.taken(i, old) || len(i.Changed()) != 0 {
				t.Error("taken, and not kept")
			}
			full = false
			if err := i.Tend(t.Context()); err != nil {
				t.Fatal(err)
			}
			if loaded, err := Load(cfg); err != nil || !test.taken(i, old) || !test.taken(loaded, old) {
				t.Errorf("once there is room: %v", err)
			}
		})
	}
}

func TestReset(t *testing.T) {
	cfg, _, _ := enrolled(t)
	for range 2 {
		if err := Reset(cfg); err != nil {
			t.Fatal(err)
		}
		if left, _ := filepath.Glob(filepath.Join(cfg.Dir, "*")); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
		if _, err := Load(cfg); !errors.Is(err, ErrNotEnrolled) {
			t.Error(err)
		}
	}
}

func TestAnswerForAnother(t *testing.T) {
	for name, spoil := range map[string]func(map[string]any){
		"another key":     func(d map[string]any) { d["certificate"] = d["roots"] },
		"no certificate":  func(d map[string]any) { d["certificate"] = "" },
		"another version": func(d map[string]any) { d["schema_version"] = 2 },
		"a plain address": func(d map[string]any) { d["whip_url"] = "http://127.0.0.1/whip/anna" },
		"a name":          func(d map[string]any) { d["name"] = "../anna" },
		"a recipient":     func(d map[string]any) { d["recipient"] = "AGE-SECRET-KEY-1" },
		"a label":         func(d map[string]any) { d["label"] = "a\x1b[2J" },
	} {
		t.Run(name, func(t *testing.T) {
			cfg, e := board(t)
			e.Spoil = spoil
			if _, err := Enrol(t.Context(), cfg, e.URL, e.Token("anna")); err == nil {
				t.Fatal("taken")
			}
			if _, err := Load(cfg); !errors.Is(err, ErrNotEnrolled) {
				t.Errorf("after it: %v", err)
			}
		})
	}
}

// TestEachStepFails ends an enrolment over another one at each of its steps: the
// board is then the old device or the new one, and the next try works.
func TestEachStepFails(t *testing.T) {
	for at := 0; ; at++ {
		cfg, e, old := enrolled(t)
		n, crashed := 0, errors.New("crashed")
		failing := cfg
		failing.before = func(string) error {
			if n++; n > at {
				return crashed
			}
			return nil
		}
		token := e.Token("anna")
		_, err := Enrol(t.Context(), failing, e.URL, token)
		now, loadErr := Load(cfg)
		if loadErr != nil {
			t.Fatalf("step %d: %v", at, loadErr)
		}
		isNew := now.Document().Device != old.Document().Device
		if err == nil && !isNew {
			t.Errorf("step %d: enrolled and still the old device", at)
		}
		again, err := Enrol(t.Context(), cfg, e.URL, token)
		if err != nil {
			t.Fatalf("step %d: again: %v", at, err)
		}
		if loaded, err := Load(cfg); err != nil || loaded.Document().Device != again.Document().Device {
			t.Errorf("step %d: %v", at, err)
		}
		if left, _ := filepath.Glob(filepath.Join(cfg.Dir, "*")); len(left) != 2 {
			t.Errorf("step %d: left %v", at, left)
		}
		if n <= at {
			if at < 4 {
				t.Errorf("only %d steps", at)
			}
			return
		}
	}
}

// TestSwapped: who owns the folder around cannot have root write or remove elsewhere.
func TestSwapped(t *testing.T) {
	elsewhere := t.TempDir()
	for _, name := range []string{".profile", recordFile, keyPrefix + "a" + keySuffix} {
		if err := os.WriteFile(filepath.Join(elsewhere, name), []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	untouched := func(when string) {
		t.Helper()
		entries, err := os.ReadDir(elsewhere)
		if err != nil || len(entries) != 3 {
			t.Errorf("%s: %v, %v", when, entries, err)
		}
		if text, err := os.ReadFile(filepath.Join(elsewhere, recordFile)); string(text) != "old" {
			t.Errorf("%s: %q, %v", when, text, err)
		}
	}
	dir := filepath.Join(t.TempDir(), "enrolment")
	if err := os.Symlink(elsewhere, dir); err != nil {
		t.Fatal(err)
	}
	if err := Reset(Config{Dir: dir}); err == nil {
		t.Error("a link is followed out of the state directory")
	}
	untouched("a link from the start")

	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	f, err := openFolder(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	if err := errors.Join(os.Rename(dir, dir+"-away"), os.Symlink(elsewhere, dir)); err != nil {
		t.Fatal(err)
	}
	if err := f.write(recordFile, []byte("new")); err != nil {
		t.Error(err)
	}
	if err := f.sweep(func(string) bool { return true }); err != nil {
		t.Error(err)
	}
	untouched("a link in between")
}

// TestOwner: what root enrols is the daemon's user's, also after a crash before the
// last step.
func TestOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	const daemon = 65534
	cfg, e := board(t)
	if err := os.Chown(filepath.Dir(cfg.Dir), daemon, daemon); err != nil {
		t.Fatal(err)
	}
	named := false
	cfg.before = func(op string) error {
		if named { // enrolment.json has its name
			return errors.New("crashed")
		}
		named = op == "name "+recordFile
		return nil
	}
	if _, err := Enrol(t.Context(), cfg, e.URL, e.Token("anna")); err == nil {
		t.Error("it has not crashed")
	}
	files, err := filepath.Glob(filepath.Join(cfg.Dir, "*"))
	if err != nil || len(files) != 2 {
		t.Errorf("%v, %v", files, err)
	}
	for _, file := range append(files, cfg.Dir) {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if of, ok := info.Sys().(*syscall.Stat_t); !ok || of.Uid != daemon || of.Gid != daemon {
			t.Errorf("%s is of %v", file, info.Sys())
		}
	}
}

func TestServer(t *testing.T) {
	for _, address := range []string{"http://127.0.0.1:1", "https://a.example/whip/anna", "https://u:p@a.example", "ftp://a", "", "https://a?b"} {
		if _, err := ParseServer(address); err == nil {
			t.Errorf("%q is taken", address)
		}
	}
	u, err := ParseServer("https://a.example:8443/")
	if err != nil || u.String() != (&url.URL{Scheme: "https", Host: "a.example:8443"}).String() {
		t.Errorf("%v, %v", u, err)
	}
}

func TestBusy(t *testing.T) {
	cfg, e := board(t)
	f, err := openFolder(cfg.Dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	if _, err := Enrol(context.Background(), cfg, e.URL, e.Token("anna")); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
}
