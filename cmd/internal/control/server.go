package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Daemon is what the server needs of the session.
type Daemon interface {
	// Status returns at once.
	Status() Status
	// Live does what action asks for and returns the state after it. It need
	// not wait until live is reached.
	Live(ctx context.Context, action Action) (state string, err error)
}

// The bounds of what a client can take up.
const (
	maxBody      = 4 << 10          // bytes of a request's body
	maxHeader    = 8 << 10          // bytes of its header
	maxStreams   = 16               // open status streams
	requestTime  = 5 * time.Second  // to send a request, or to take an answer or a line
	actionTime   = 10 * time.Second // for Daemon.Live
	idleTime     = 30 * time.Second
	shutdownTime = 2 * time.Second // for answers on their way at the end
	minInterval  = 50 * time.Millisecond
	maxInterval  = time.Minute
)

// Server answers commands. The zero value of each field but Daemon will do.
type Server struct {
	Daemon Daemon
	// Describe turns an error of the daemon into what the command gets; without
	// it that is its message, its hint and exit code 1.
	Describe func(error) *Problem
	Log      *slog.Logger
}

// Run serves l until ctx ends, and closes it. It returns after all its
// goroutines have.
func (s Server) Run(ctx context.Context, l *Listener) error {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Describe == nil {
		s.Describe = describe
	}
	stop, stopStreams := context.WithCancel(ctx)
	defer stopStreams()
	h := &handler{Server: s, stop: stop, streams: make(chan struct{}, maxStreams)}
	var open sync.WaitGroup // connections, whose goroutines Shutdown and Close do not wait for
	server := &http.Server{
		Handler:           h.routes(),
		ReadHeaderTimeout: requestTime,
		// No ReadTimeout: net/http would end the request's context by it.
		WriteTimeout:   actionTime + requestTime,
		IdleTimeout:    idleTime,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
		ConnState:      count(&open),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	var err error
	select {
	case err = <-served: // the listener broke
	case <-ctx.Done():
	}
	stopStreams()
	if shutdown(server) != nil {
		server.Close() // who has not finished by now is cut off
	}
	if err == nil {
		<-served
	}
	open.Wait()
	return errors.Join(err, l.Close())
}

// count keeps the number of connections. StateNew is reported by Serve itself,
// StateClosed by the last act of the connection's goroutine.
func count(open *sync.WaitGroup) func(net.Conn, http.ConnState) {
	return func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Done()
		}
	}
}

// shutdown lets answers that are on their way finish.
func shutdown(server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	return server.Shutdown(ctx)
}

type handler struct {
	Server
	stop    context.Context // ends the streams
	streams chan struct{}   // a place for each
}

func (h *handler) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", h.bodiless(h.status))
	mux.HandleFunc("GET /v1/status/stream", h.bodiless(h.stream))
	mux.HandleFunc("POST /v1/live", h.live)
	mux.HandleFunc("/", h.unknown)
	return mux
}

// bodiless refuses requests with a body, which nobody would read: the server
// would wait for the rest of it.
func (h *handler) bodiless(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			w.Header().Set("Connection", "close")
			h.refuse(w, http.StatusBadRequest, r.Method+" takes no body")
			return
		}
		next(w, r)
	}
}

func (h *handler) status(w http.ResponseWriter, _ *http.Request) {
	h.write(w, http.StatusOK, h.Daemon.Status().complete())
}

// stream writes a status at once and then one an interval. A client that does
// not read is cut off after requestTime, so that it holds nothing.
func (h *handler) stream(w http.ResponseWriter, r *http.Request) {
	interval, err := parseInterval(r.URL.Query().Get("interval"))
	if err != nil {
		h.refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	select {
	case h.streams <- struct{}{}:
		defer func() { <-h.streams }()
	default:
		h.refuse(w, http.StatusServiceUnavailable, "too many status streams are open")
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for h.line(w) == nil {
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		case <-h.stop.Done():
			return
		}
	}
}

func parseInterval(text string) (time.Duration, error) {
	if text == "" {
		return time.Second, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < minInterval || d > maxInterval {
		return 0, errors.New("interval " + quote(text) + " is not a time from 50ms to 1m")
	}
	return d, nil
}

func (h *handler) line(w http.ResponseWriter) error {
	c := http.NewResponseController(w)
	if err := c.SetWriteDeadline(time.Now().Add(requestTime)); err != nil {
		return err
	}
	if err := json.NewEncoder(w).Encode(h.Daemon.Status().complete()); err != nil {
		return err
	}
	return c.Flush()
}

func (h *handler) live(w http.ResponseWriter, r *http.Request) {
	action, err := readAction(w, r)
	if err != nil {
		h.refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), actionTime)
	defer cancel()
	defer context.AfterFunc(h.stop, cancel)()
	state, err := h.Daemon.Live(ctx, action)
	if err != nil {
		h.fail(w, err)
		return
	}
	h.write(w, http.StatusOK, liveResponse{State: state})
}

// readAction reads the one object that the body is, which has to come in time.
func readAction(w http.ResponseWriter, r *http.Request) (Action, error) {
	c := http.NewResponseController(w)
	if err := c.SetReadDeadline(time.Now().Add(requestTime)); err != nil {
		return "", err
	}
	action, err := parseRequest(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		w.Header().Set("Connection", "close") // and do not wait for the rest
		return "", err
	}
	return action, c.SetReadDeadline(time.Time{})
}

func parseRequest(body io.Reader) (Action, error) {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	var request liveRequest
	if err := d.Decode(&request); err != nil {
		return "", errors.New(`the body is not {"action":"on|off|pause"}`)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "", errors.New("something follows the request's object")
	}
	return ParseAction(request.Action)
}

// unknown also answers wrong methods: the pattern "/" matches them all.
func (h *handler) unknown(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	h.refuse(w, http.StatusNotFound, "there is no "+r.Method+" "+quote(r.URL.Path)+" in this daemon")
}

// refuse answers a request that this package itself finds wrong.
func (h *handler) refuse(w http.ResponseWriter, status int, message string) {
	h.write(w, status, &Problem{Message: message, Code: codeUsage})
}

func describe(err error) *Problem {
	return &Problem{Message: err.Error(), Text: hintOf(err), Code: codeFailed}
}

// fail answers with an error of the daemon.
func (h *handler) fail(w http.ResponseWriter, err error) {
	h.write(w, http.StatusConflict, h.Describe(err))
}

func (h *handler) write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		h.Log.Debug("answer on the control socket", "error", err)
	}
}
