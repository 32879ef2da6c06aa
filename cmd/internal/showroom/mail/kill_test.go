package mail

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A process that is killed at each step, by the kernel and not by a fault.
func TestKilled(t *testing.T) {
	if dir := os.Getenv("BRIL_KILLED_DIR"); dir != "" {
		killed(t, dir)
		return
	}
	for _, test := range []struct {
		step    string
		smtp    bool
		put     bool // Put returned before it
		letters int  // that arrive
	}{
		{step: "put message", smtp: true},
		{step: "put entry", smtp: true},
		{step: "send", smtp: true, put: true, letters: 1},
		{step: "accepted", smtp: true, put: true, letters: 2}, // the one window
		{step: "note", smtp: true, put: true, letters: 2},     // still in it
		{step: "record", smtp: true, put: true, letters: 1},
		{step: "clear", smtp: true, put: true, letters: 1},
		{step: "lay out", put: true},
		{step: "record", put: true},
		{step: "clear", put: true},
	} {
		t.Run(fmt.Sprintf("%s, SMTP %v", test.step, test.smtp), func(t *testing.T) {
			s := newSink(t, nil, false)
			cfg := Config{Dir: filepath.Join(t.TempDir(), "outbox")}
			if test.smtp {
				cfg.SMTP = "smtp://" + s.addr
			}
			c := exec.Command(os.Args[0], "-test.run=^TestKilled$")
			c.Env = append(os.Environ(), "BRIL_KILLED_DIR="+cfg.Dir, "BRIL_KILLED_STEP="+test.step, "BRIL_KILLED_SMTP="+cfg.SMTP)
			out, err := c.CombinedOutput()
			if err == nil || !strings.Contains(err.Error(), "killed") {
				t.Fatalf("%v\n%s", err, out)
			}
			if strings.Contains(string(out), "put returned") != test.put {
				t.Errorf("output %s", out)
			}
			q := open(t, cfg)
			q.pass(t.Context())
			wantKept(t, q, s, test.put, test.letters)
		})
	}
}

// killed is the process that is.
func killed(t *testing.T, dir string) {
	q := open(t, Config{Dir: dir, SMTP: os.Getenv("BRIL_KILLED_SMTP")})
	q.fault = func(step string) error {
		if step == os.Getenv("BRIL_KILLED_STEP") {
			check(t, unix.Kill(os.Getpid(), unix.SIGKILL))
			select {}
		}
		return nil
	}
	put(t, q, message("anna@example.com"))
	os.Stdout.WriteString("put returned\n")
	q.pass(t.Context())
}

func wantKept(t *testing.T, q *Queue, s *sink, put bool, letters int) {
	t.Helper()
	got := s.letters()
	if len(got) != letters {
		t.Errorf("%d letters, want %d", len(got), letters)
	}
	for _, l := range got {
		if string(l.data) != string(got[0].data) { // with the same Message-ID
			t.Errorf("the second differs:\n%s\n%s", got[0].data, l.data)
		}
	}
	list := q.List()
	if !put {
		if len(list) != 0 {
			t.Errorf("list %+v", list)
		}
		wantNothing(t, q.dir, "anna@")
		return
	}
	want := Sent
	if q.server == nil {
		want = Outbox
	}
	if len(list) != 1 || list[0].State != want {
		t.Errorf("list %+v", list)
	}
	if laid := files(t, filepath.Join(q.dir, "*.eml")); (len(laid) == 1) != (want == Outbox) {
		t.Errorf("outbox %q", laid)
	}
	wantNothing(t, filepath.Join(q.dir, queueDir), "anna@", "Anna")
}
