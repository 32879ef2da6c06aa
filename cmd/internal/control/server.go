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
	Provisioner
	// Status returns at once.
	Status() Status
	// Live does what action asks for and returns the state after it. It need
	// not wait until live is reached.
	Live(ctx context.Context, action Action) (state string, err error)
	// Call does what action asks for and returns how it is with the call after it.
	Call(ctx context.Context, action CallAction) (state string, err error)
	// Photo returns once the photo is safe on the disk.
	Photo(ctx context.Context, show bool) (Photo, error)
	// Clip returns once the clip's folder is safe, or after StopClip all of it.
	Clip(ctx context.Context, action ClipAction) (Clip, error)
	// Spool returns at once.
	Spool() Spool
	// SpoolAct does what action asks for to the item, or to all for "".
	SpoolAct(ctx context.Context, action SpoolAction, id string) error
	Enroller
	// Mute has the customer heard no longer, or again.
	Mute(on bool) (Talkback, error)
	Examined
	Configured
}

// The bounds of what a client can take up.
const (
	maxBody      = 4 << 10          // bytes of a request's body
	maxHeader    = 8 << 10          // bytes of its header
	maxStreams   = 16               // open status streams
	requestTime  = 5 * time.Second  // to send a request, or to take an answer or a line
	actionTime   = 10 * time.Second // for Daemon.Live
	mediaTime    = time.Minute      // for what ends on a disk, which may be a slow one
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
	Lines    LogReader // what GET /v1/log answers with; nil where none is kept
	// Metrics answers GET /metrics; nil where nothing is counted.
	Metrics http.Handler
}

// Run serves l until ctx ends, and closes it. It returns after all its
// goroutines have.
func (s Server) Run(ctx context.Context, l net.Listener) error {
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
	mux.HandleFunc("POST /v1/call", h.call)
	mux.HandleFunc("POST /v1/photo", h.photo)
	mux.HandleFunc("POST /v1/clip", h.clip)
	mux.HandleFunc("GET /v1/spool", h.bodiless(h.spool))
	mux.HandleFunc("POST /v1/spool", h.spoolAct)
	mux.HandleFunc("POST /v1/talkback", h.mute)
	mux.HandleFunc("GET /v1/enrol", h.bodiless(h.enrolment))
	mux.HandleFunc("POST /v1/enrol", h.enrol)
	mux.HandleFunc("DELETE /v1/enrol", h.bodiless(h.resetEnrolment))
	mux.HandleFunc("POST /v1/doctor", h.doctor)
	mux.HandleFunc("GET /v1/log", h.bodiless(h.readLog))
	mux.HandleFunc("POST /v1/provision", h.provision)
	mux.HandleFunc("GET /v1/fleet", h.bodiless(h.fleet))
	if h.Metrics != nil {
		mux.HandleFunc("GET /metrics", h.bodiless(h.Metrics.ServeHTTP))
	}
	mux.HandleFunc("/", h.unknown)
	return mux
}

// bodiless refuses requests with a body, which nobody would read: the server
// would wait for the rest of it.
func (h *handler) bodiless(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			w.Header().Set("Connection", "close")
			h.refuse(w, http.StatusBadRequest, errors.New(r.Method+" takes no body"))
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
		h.refuse(w, http.StatusBadRequest, err)
		return
	}
	select {
	case h.streams <- struct{}{}:
		defer func() { <-h.streams }()
	default:
		h.refuse(w, http.StatusServiceUnavailable, errors.New("too many status streams are open"))
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
	var request liveRequest
	err := read(w, r, `{"action":"on|off|pause"}`, &request)
	action := Action("")
	if err == nil {
		action, err = ParseAction(request.Action)
	}
	h.act(w, r, actionTime, err, func(ctx context.Context) (any, error) {
		state, err := h.Daemon.Live(ctx, action)
		return liveResponse{State: state}, err
	})
}

func (h *handler) photo(w http.ResponseWriter, r *http.Request) {
	var request photoRequest
	err := read(w, r, `{"show":false|true}`, &request)
	h.act(w, r, mediaTime, err, func(ctx context.Context) (any, error) { return h.Daemon.Photo(ctx, request.Show) })
}

func (h *handler) clip(w http.ResponseWriter, r *http.Request) {
	var request clipRequest
	err := read(w, r, `{"action":"start|stop"}`, &request)
	action := ClipAction("")
	if err == nil {
		action, err = ParseClipAction(request.Action)
	}
	h.act(w, r, mediaTime, err, func(ctx context.Context) (any, error) { return h.Daemon.Clip(ctx, action) })
}

func (h *handler) spool(w http.ResponseWriter, _ *http.Request) {
	h.write(w, http.StatusOK, h.Daemon.Spool().complete())
}

func (h *handler) spoolAct(w http.ResponseWriter, r *http.Request) {
	var request spoolRequest
	err := read(w, r, `{"action":"retry|drop","id":"…"}`, &request)
	action := SpoolAction("")
	if err == nil {
		action, err = ParseSpoolAction(request.Action, request.ID)
	}
	h.act(w, r, mediaTime, err, func(ctx context.Context) (any, error) {
		err := h.Daemon.SpoolAct(ctx, action, request.ID)
		return h.Daemon.Spool().complete(), err
	})
}

// act answers with what do returns, within limit; with wrong where that says what
// is wrong with the request.
func (h *handler) act(w http.ResponseWriter, r *http.Request, limit time.Duration, wrong error, do func(context.Context) (any, error)) {
	if wrong != nil {
		h.refuse(w, http.StatusBadRequest, wrong)
		return
	}
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(limit + requestTime)); err != nil {
		return // the connection is gone
	}
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	defer context.AfterFunc(h.stop, cancel)()
	answer, err := do(ctx)
	if err != nil {
		h.fail(w, err)
		return
	}
	h.write(w, http.StatusOK, answer)
}

// read reads the one object that the body is, which has to come in time and look
// like shape.
func read(w http.ResponseWriter, r *http.Request, shape string, request any) error {
	c := http.NewResponseController(w)
	if err := c.SetReadDeadline(time.Now().Add(requestTime)); err != nil {
		return err
	}
	if err := parse(http.MaxBytesReader(w, r.Body, maxBody), shape, request); err != nil {
		w.Header().Set("Connection", "close") // and do not wait for the rest
		return err
	}
	return c.SetReadDeadline(time.Time{})
}

func parse(body io.Reader, shape string, request any) error {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err := d.Decode(request); err != nil {
		return errors.New("the body is not " + shape)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the request's object")
	}
	return nil
}

// unknown also answers wrong methods: the pattern "/" matches them all.
func (h *handler) unknown(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	h.refuse(w, http.StatusNotFound, errors.New("there is no "+r.Method+" "+quote(r.URL.Path)+" in this daemon"))
}

// refuse answers a request that this package itself finds wrong.
func (h *handler) refuse(w http.ResponseWriter, status int, err error) {
	h.write(w, status, &Problem{Message: err.Error(), Text: hintOf(err), Code: codeUsage})
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
