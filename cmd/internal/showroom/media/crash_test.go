package media

import (
	"bytes"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/cmd/internal/showroom/directory"
)

// steps are all places at which a crash or a full disk makes a difference.
var steps = []string{"write plain", "write clip", "sync made", "rename made", "sync session", "describe", "keep receipt", "remove upload"}

var errCrash = errors.New("the process is gone")

// stopAt makes everything fail from a step on, as if the process had gone there.
func stopAt(step string, with error) func(string) error {
	gone := false
	return func(at string) error {
		gone = gone || at == step
		if gone {
			return with
		}
		return nil
	}
}

// reopen leaves a store as a crash does and takes its directory up again.
func reopen(t *testing.T, s *Store) *Store {
	t.Helper()
	check(t, s.Close())
	return open(t, s.cfg.Dir)
}

func TestCrashAtEachStep(t *testing.T) {
	clip := fragmented(t, "1", false)
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			s := open(t, t.TempDir())
			url := serve(t, s).URL
			i := seal(t, s, metaOf(id(1), Clip), clip)
			s.fault = stopAt(step, errCrash)
			send(t, url, i)
			drain(t, s)
			s = reopen(t, s)
			if left, _ := filepath.Glob(s.path(incomingDir, "*")); len(left) > 0 {
				t.Errorf("decrypted and left: %v", left)
			}
			drain(t, s)
			wantStoredOnce(t, s, i)
			s = reopen(t, s)
			drain(t, s)
			wantStoredOnce(t, s, i)
		})
	}
}

func wantStoredOnce(t *testing.T, s *Store, i item) {
	t.Helper()
	if got := receiptOf(t, s, i.id()); got.State != Stored || got.SHA256 != digest(i.cipher) {
		t.Fatalf("receipt %+v", got)
	}
	listed, data := stored(t, s)
	if digest(data) != listed.SHA256 {
		t.Error("what is stored has another checksum")
	}
	files, err := filepath.Glob(s.path(sessionsDir, "*", "*"))
	check(t, err)
	if len(files) != 2 {
		t.Errorf("stored: %v", files)
	}
	wantNothingElse(t, s)
}

func TestFullDiskAtEachStep(t *testing.T) {
	clip := fragmented(t, "1", false)
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			s := open(t, t.TempDir())
			url := serve(t, s).URL
			i := seal(t, s, metaOf(id(1), Clip), clip)
			s.fault = stopAt(step, &fs.PathError{Op: "write", Path: "x", Err: unix.ENOSPC})
			send(t, url, i)
			drain(t, s)
			if left, _ := filepath.Glob(s.path(incomingDir, "*")); len(left) > 0 {
				t.Errorf("decrypted and left: %v", left)
			}
			if got := receiptOf(t, s, i.id()); got.State != Processing && step != "remove upload" {
				t.Errorf("receipt with a full disk: %+v", got)
			}
			_, wait := s.next(time.Now())
			if wait <= 0 || wait > retryAfter {
				t.Errorf("tried again after %v", wait)
			}
			s.fault = nil
			s.enqueue(i.id())
			drain(t, s)
			wantStoredOnce(t, s, i)
		})
	}
}

func TestFullDiskWhileUploading(t *testing.T) {
	s := open(t, t.TempDir())
	url := serve(t, s).URL
	i := seal(t, s, metaOf(id(1), Photo), photo(t, 1))
	wantStatus(t, create(t, url, i), http.StatusCreated)
	s.fault = stopAt("write upload", &fs.PathError{Op: "write", Path: "x", Err: unix.ENOSPC})
	answer := patch(t, url, i, 0)
	wantStatus(t, answer, http.StatusInsufficientStorage)
	if got := answer.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
	s.fault = nil
	wantStatus(t, patch(t, url, i, 0), http.StatusNoContent)
	drain(t, s)
	wantStoredOnce(t, s, i)
}

// All bytes have arrived, so nothing more is sent that could hand the upload on.
func TestFullDiskAtTheEndOfAnUpload(t *testing.T) {
	s := open(t, t.TempDir())
	url := serve(t, s).URL
	i := seal(t, s, metaOf(id(1), Photo), photo(t, 1))
	wantStatus(t, create(t, url, i), http.StatusCreated)
	s.fault = stopAt("finish upload", &fs.PathError{Op: "sync", Path: "x", Err: unix.ENOSPC})
	wantStatus(t, patch(t, url, i, 0), http.StatusInsufficientStorage)
	s.fault = nil
	wantStatus(t, patch(t, url, i, len(i.cipher)), http.StatusNoContent)
	if got := receiptOf(t, s, i.id()); got.State != Processing {
		t.Errorf("receipt %+v", got)
	}
	drain(t, s)
	wantStoredOnce(t, s, i)
}

// Who is told that an item is stored looks for it at once.
func TestListedBeforeItsReceipt(t *testing.T) {
	s := open(t, t.TempDir())
	events, stop := s.Watch("anna")
	defer stop()
	send(t, serve(t, s).URL, seal(t, s, metaOf(id(1), Photo), photo(t, 1)))
	listed, heard := 0, 0
	s.fault = func(step string) error {
		if step == "keep receipt" {
			listed, heard = len(s.List("anna")), len(events)
		}
		return nil
	}
	drain(t, s)
	if listed != 1 || heard != 2 { // how many there are at first, and the new one
		t.Errorf("before the receipt %d items were listed, and %d events sent", listed, heard)
	}
}

func TestUploadLargerThanTheDisk(t *testing.T) {
	s := open(t, t.TempDir(), func(c *Config) { c.MaxSize = 1 << 60 })
	url := serve(t, s).URL
	i := seal(t, s, metaOf(id(1), Photo), nil)
	answer := call(t, http.MethodPost, url+BasePath, nil, "Upload-Length", "1000000000000000", "Upload-Metadata", i.metadata())
	wantStatus(t, answer, http.StatusInsufficientStorage)
	wantNothingElse(t, s)
}

// A crash while an upload is made leaves a file without a description, or half
// a description.
func TestCrashWhileCreating(t *testing.T) {
	s := open(t, t.TempDir())
	url := serve(t, s).URL
	i := seal(t, s, metaOf(id(1), Photo), photo(t, 1))
	check(t, os.WriteFile(s.uploadPaths(i.id())[1], []byte("left"), 0o600))
	wantStatus(t, call(t, http.MethodHead, url+BasePath+i.id(), nil), http.StatusNotFound)
	check(t, os.WriteFile(s.uploadPaths(i.id())[0], []byte(`{"ID":"aaaa`), 0o600))
	wantStatus(t, call(t, http.MethodHead, url+BasePath+i.id(), nil), http.StatusNotFound)
	send(t, url, i)
	drain(t, s)
	wantStoredOnce(t, s, i)
	check(t, os.WriteFile(s.uploadPaths(id(2))[1], []byte("left"), 0o600))
	wantNothingElse(t, reopen(t, s))
}

// A process that is killed while it works, by the kernel and not by a fault.
func TestKilled(t *testing.T) {
	if dir := os.Getenv("BRIL_KILLED_DIR"); dir != "" {
		s := open(t, dir)
		s.fault = func(step string) error {
			if step == os.Getenv("BRIL_KILLED_STEP") {
				check(t, unix.Kill(os.Getpid(), unix.SIGKILL))
				select {}
			}
			return nil
		}
		drain(t, s)
		return
	}
	clip := fragmented(t, "1", false)
	for _, step := range steps {
		s := open(t, t.TempDir())
		i := seal(t, s, metaOf(id(1), Clip), clip)
		send(t, serve(t, s).URL, i)
		check(t, s.Close())
		c := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		c.Env = append(os.Environ(), "BRIL_KILLED_DIR="+s.cfg.Dir, "BRIL_KILLED_STEP="+step)
		if out, err := c.CombinedOutput(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("%s: %v\n%s", step, err, out)
		}
		s = open(t, s.cfg.Dir)
		drain(t, s)
		wantStoredOnce(t, s, i)
		check(t, s.Close())
	}
}

func TestOneServerPerDirectory(t *testing.T) {
	s := open(t, t.TempDir())
	if _, err := Open(s.cfg); !errors.Is(err, directory.ErrInUse) {
		t.Errorf("a second one: %v", err)
	}
	check(t, s.Close())
	check(t, s.Close())
	again := open(t, s.cfg.Dir)
	if again.Recipient() != s.Recipient() {
		t.Error("another recipient")
	}
}

func TestIdentityIsKeptPrivate(t *testing.T) {
	dir := t.TempDir()
	first, err := LoadIdentity(dir)
	check(t, err)
	path := filepath.Join(dir, identityFile)
	info, err := os.Stat(path)
	check(t, err)
	if info.Mode() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	again, err := LoadIdentity(dir)
	check(t, err)
	if first.String() != again.String() {
		t.Error("another identity")
	}
	check(t, os.Chmod(path, 0o640))
	var bad *IdentityError
	if _, err := LoadIdentity(dir); !errors.As(err, &bad) || bad.Hint() != "chmod 600 "+path {
		t.Errorf("read by others: %v", err)
	}
	check(t, os.Remove(path))
	check(t, os.WriteFile(path, []byte("AGE-SECRET-KEY-1"), 0o600))
	if _, err := LoadIdentity(dir); !errors.As(err, &bad) {
		t.Errorf("not a key: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}

func TestInterruptedClip(t *testing.T) {
	clip := fragmented(t, "4", true)
	s := open(t, t.TempDir())
	url := serve(t, s).URL
	i := seal(t, s, metaOf(id(1), Clip), clip)
	i.cipher, i.state = i.cipher[:len(i.cipher)-len(i.cipher)/3], interrupted
	send(t, url, i)
	drain(t, s)
	wantStoredOnce(t, s, i)
	listed, data := stored(t, s)
	if at := bytes.Index(data, []byte("moov")); at < 0 || at > bytes.Index(data, []byte("mdat")) {
		t.Error("the index is not in front")
	}
	path := s.path(sessionsDir, strings.TrimPrefix(listed.URL, "/media/"))
	if out, err := exec.Command(tool(t, "ffmpeg"), "-v", "warning", "-xerror", "-i", path, "-f", "null", "-").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("ffmpeg: %v %s", err, out)
	}
}
