package privacy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// serveAdmin serves until the test ends, or stop is called.
func serveAdmin(t *testing.T, path string, admin Admin) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done, ready := make(chan error, 1), make(chan struct{})
	go func() {
		done <- serve(ctx, path, &handler{admin: admin, ctx: ctx}, slog.New(slog.DiscardHandler), func() { close(ready) })
	}()
	select {
	case <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		check(t, <-done)
	}
	t.Cleanup(stop)
	return stop
}

func TestBySocket(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("a-long-name", 12)) // longer than a socket's path can be
	check(t, os.Mkdir(dir, 0o755))
	s := story(t, dir, monday())
	path := filepath.Join(dir, SocketName)
	if _, err := Dial(path); !errors.Is(err, ErrNoServer) {
		t.Errorf("no server: %v", err)
	}
	check(t, os.WriteFile(path, nil, 0o600)) // left by a server that was killed
	stop := serveAdmin(t, path, s.keeper)
	info, err := os.Lstat(path)
	check(t, err)
	if info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	client, err := Dial(path)
	check(t, err)
	var direct, out bytes.Buffer
	check(t, s.keeper.Export(t.Context(), email, Archive, &direct))
	check(t, client.Export(t.Context(), email, Archive, &out))
	if out.Len() < direct.Len()-100 || !bytes.HasPrefix(out.Bytes(), []byte("PK")) {
		t.Errorf("an archive of %d bytes, directly %d", out.Len(), direct.Len())
	}
	backup, err := client.Backup(t.Context())
	check(t, err)
	if _, err := os.Stat(backup); err != nil {
		t.Error(err)
	}
	counts, err := client.Erase(t.Context(), email)
	check(t, err)
	if counts["customers"] != 1 || counts["mails"] != 2 {
		t.Errorf("erased %v", counts)
	}
	if left := s.found(t); len(left) != 0 {
		t.Errorf("she is in %v", left)
	}
	for what, err := range map[string]error{
		"erase":  errOf(client.Erase(t.Context(), email)),
		"export": client.Export(t.Context(), email, JSON, io.Discard),
	} {
		if !errors.Is(err, records.ErrNotFound) {
			t.Errorf("%s of nobody: %v", what, err)
		}
	}
	stop()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
	if _, err := client.Backup(t.Context()); err == nil {
		t.Error("answered after the end")
	}
}

func errOf[T any](_ T, err error) error { return err }

// scripted is an admin of a test.
type scripted struct {
	export func(io.Writer) error
	erase  func(context.Context) (records.Counts, error)
}

func (s scripted) Export(_ context.Context, _ string, _ Format, w io.Writer) error {
	return s.export(w)
}

func (s scripted) Erase(ctx context.Context, _ string) (records.Counts, error) { return s.erase(ctx) }

func (scripted) Backup(context.Context) (string, error) {
	return "", &records.StrayError{Path: "x"}
}

func TestWhatGoesWrong(t *testing.T) {
	path := filepath.Join(t.TempDir(), SocketName)
	serveAdmin(t, path, scripted{export: func(w io.Writer) error {
		_, err := fmt.Fprint(w, strings.Repeat("half an archive", 1000))
		return errors.Join(err, errors.New("the disk broke"))
	}})
	client, err := Dial(path)
	check(t, err)
	if err := client.Export(t.Context(), "x", Archive, io.Discard); err == nil {
		t.Error("half an archive is taken for one")
	}
	_, err = client.Backup(t.Context())
	if hinted := (interface{ Hint() string })(nil); !errors.As(err, &hinted) || hinted.Hint() == "" {
		t.Errorf("without its hint: %v", err)
	}
	for body, want := range map[string]int{"": 400, `{"who":"x"}`: 400, strings.Repeat("x", 10<<10): 400} {
		response, err := client.http.Post("http://showroom/v1/erase", "application/json", strings.NewReader(body))
		check(t, err)
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%.20q: %s", body, response.Status)
		}
	}
	response, err := client.http.Get("http://showroom/v1/erase")
	check(t, err)
	response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %s", response.Status)
	}
}

// An erasure goes on when its client leaves, and ends with the server.
func TestAnErasureOutlivesItsClient(t *testing.T) {
	path := filepath.Join(t.TempDir(), SocketName)
	begun, end := make(chan context.Context), make(chan struct{})
	stop := serveAdmin(t, path, scripted{erase: func(ctx context.Context) (records.Counts, error) {
		begun <- ctx
		<-end
		return nil, ctx.Err()
	}})
	client, err := Dial(path)
	check(t, err)
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { left <- errOf(client.Erase(ctx, "x")) }()
	erasure := <-begun
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the client: %v", err)
	}
	if erasure.Err() != nil {
		t.Error("the erasure ended with its client")
	}
	go func() {
		<-erasure.Done()
		close(end)
	}()
	stop()
}

// A server that hangs is one that runs: nobody else opens its directory.
func TestASocketThatDoesNotAnswer(t *testing.T) {
	path := filepath.Join(t.TempDir(), SocketName)
	l, err := net.Listen("unix", path)
	check(t, err)
	defer l.Close()
	if _, err := Dial(path); err != nil {
		t.Errorf("it listens: %v", err)
	}
}
