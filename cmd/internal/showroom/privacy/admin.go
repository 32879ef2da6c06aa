package privacy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// SocketName is the admin socket's in the data directory.
const SocketName = "admin.sock"

// Admin is what the command line asks for: of a Keeper, or of the server that has
// the data directory, by its socket.
type Admin interface {
	Export(ctx context.Context, who string, format Format, w io.Writer) error
	Erase(ctx context.Context, who string) (records.Counts, error)
	Backup(ctx context.Context) (path string, err error)
}

const (
	maxBody      = 4 << 10         // bytes of a request
	requestTime  = 5 * time.Second // to send one
	shutdownTime = 2 * time.Second // for answers on their way at the end
)

// Serve answers on the socket at path, which only the user of this process can
// open, until ctx ends. The caller holds the data directory: a socket that is
// there is a dead one's. An erasure goes on when its client leaves.
func Serve(ctx context.Context, path string, admin Admin, log *slog.Logger) error {
	return ServeWith(ctx, path, admin, log, http.NotFoundHandler(), func() {})
}

// ServeWith is Serve that lets more answer what command lines of others ask, and
// calls ready once they can.
func ServeWith(ctx context.Context, path string, admin Admin, log *slog.Logger, more http.Handler, ready func()) error {
	return serve(ctx, path, &handler{admin: admin, ctx: ctx, more: more}, log, ready)
}

func serve(ctx context.Context, path string, h *handler, log *slog.Logger, ready func()) error {
	listener, err := listen(path)
	if err != nil {
		return fmt.Errorf("listen on the admin socket %s: %w", path, err)
	}
	server := &http.Server{
		Handler: h.routes(), ReadTimeout: requestTime, MaxHeaderBytes: 8 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	ready()
	select {
	case err = <-served:
	case <-ctx.Done():
		end, cancel := context.WithTimeout(context.Background(), shutdownTime)
		defer cancel()
		if server.Shutdown(end) != nil {
			server.Close()
		}
		<-served
	}
	h.running.Wait()
	if removed := os.Remove(path); !errors.Is(removed, fs.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return err
}

// listen makes the socket under another name, gives it its mode and then its name:
// it is never there for others. The path by the directory's descriptor is short,
// however long the directory's is; a socket's can have 107 bytes.
func listen(path string) (net.Listener, error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	temp := filepath.Base(path) + ".new"
	if err := unix.Unlinkat(int(dir.Fd()), temp, 0); err != nil && !errors.Is(err, unix.ENOENT) {
		return nil, err
	}
	short := fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), temp)
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false) // it has another name by then
	if err := errors.Join(os.Chmod(short, 0o600), os.Rename(filepath.Join(filepath.Dir(path), temp), path)); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

type handler struct {
	admin   Admin
	ctx     context.Context // of the server, not of a request
	more    http.Handler
	running sync.WaitGroup
}

func (h *handler) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/export", h.counted(h.export))
	mux.HandleFunc("POST /v1/erase", h.counted(h.erase))
	mux.HandleFunc("POST /v1/backup", h.counted(h.backup))
	if h.more != nil {
		mux.HandleFunc("/", h.counted(h.more.ServeHTTP))
	}
	return mux
}

// counted lets Serve wait: net/http does not wait for who is cut off.
func (h *handler) counted(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h.running.Add(1)
		defer h.running.Done()
		next(w, r)
	}
}

// request is the body of each.
type request struct {
	Customer string `json:"customer,omitempty"`
	Format   Format `json:"format,omitempty"`
}

// problem is an answer that is none. NotFound stands for records.ErrNotFound.
type problem struct {
	Message  string `json:"message"`
	Text     string `json:"hint,omitempty"`
	NotFound bool   `json:"not_found,omitempty"`
}

func (p *problem) Error() string { return p.Message }

// Hint says what to do about it.
func (p *problem) Hint() string { return p.Text }

func (p *problem) Is(target error) bool { return p.NotFound && target == records.ErrNotFound }

func read(w http.ResponseWriter, r *http.Request) (request, bool) {
	var asked request
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&asked); err != nil {
		answer(w, http.StatusBadRequest, &problem{Message: "the body is not an object with customer and format"})
		return asked, false
	}
	return asked, true
}

func (h *handler) export(w http.ResponseWriter, r *http.Request) {
	asked, ok := read(w, r)
	if !ok {
		return
	}
	out := &counting{Writer: w}
	err := h.admin.Export(r.Context(), asked.Customer, asked.Format, out)
	if err == nil {
		return
	}
	if out.written {
		panic(http.ErrAbortHandler) // the client is to see that it is not all
	}
	fail(w, err)
}

// counting knows whether an answer has begun.
type counting struct {
	io.Writer
	written bool
}

func (c *counting) Write(b []byte) (int, error) {
	c.written = true
	return c.Writer.Write(b)
}

func (h *handler) erase(w http.ResponseWriter, r *http.Request) {
	asked, ok := read(w, r)
	if !ok {
		return
	}
	counts, err := h.admin.Erase(h.ctx, asked.Customer)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, counts)
}

func (h *handler) backup(w http.ResponseWriter, r *http.Request) {
	path, err := h.admin.Backup(r.Context())
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, path)
}

func fail(w http.ResponseWriter, err error) {
	p := &problem{Message: err.Error(), NotFound: errors.Is(err, records.ErrNotFound)}
	if hinted := (interface{ Hint() string })(nil); errors.As(err, &hinted) {
		p.Text = hinted.Hint()
	}
	answer(w, http.StatusConflict, p)
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the client is gone, nobody to tell
}

// Client asks the server that has a data directory.
type Client struct{ http *http.Client }

// Dial finds the server of a data directory. ErrNoServer: none runs.
func Dial(path string) (*Client, error) {
	connect := func(ctx context.Context) (net.Conn, error) {
		dir, err := os.Open(filepath.Dir(path))
		if err != nil {
			return nil, err
		}
		defer dir.Close()
		return (&net.Dialer{}).DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)))
	}
	conn, err := connect(context.Background())
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED) {
		return nil, ErrNoServer
	}
	if err != nil {
		return nil, fmt.Errorf("connect to the server by %s: %w", path, err)
	}
	conn.Close()
	return &Client{&http.Client{Transport: &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return connect(ctx) },
		DisableKeepAlives: true,
	}}}, nil
}

// HTTP is for what else the server answers on its socket, at any host's address.
func (c *Client) HTTP() *http.Client { return c.http }

// ErrNoServer says that no server has the data directory.
var ErrNoServer = errors.New("no server runs on the data directory")

// Export is Keeper.Export.
func (c *Client) Export(ctx context.Context, who string, format Format, w io.Writer) error {
	return c.ask(ctx, "export", request{who, format}, func(body io.Reader) error {
		_, err := io.Copy(w, body)
		return err
	})
}

// Erase is Keeper.Erase.
func (c *Client) Erase(ctx context.Context, who string) (counts records.Counts, err error) {
	err = c.ask(ctx, "erase", request{Customer: who}, func(body io.Reader) error { return json.NewDecoder(body).Decode(&counts) })
	return counts, err
}

// Backup is Keeper.Backup.
func (c *Client) Backup(ctx context.Context) (path string, err error) {
	err = c.ask(ctx, "backup", request{}, func(body io.Reader) error { return json.NewDecoder(body).Decode(&path) })
	return path, err
}

func (c *Client) ask(ctx context.Context, what string, asked request, take func(io.Reader) error) error {
	body, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://showroom/v1/"+what, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("ask the server to %s: %w", what, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		p := &problem{Message: "the server answered " + response.Status}
		_ = json.NewDecoder(response.Body).Decode(p) // else it is the status
		return p
	}
	if err := take(response.Body); err != nil {
		return fmt.Errorf("take the server's answer to %s: %w", what, err)
	}
	return nil
}
