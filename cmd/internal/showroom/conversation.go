package showroom

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/media"
	"github.com/bril-edge/bril/cmd/internal/showroom/relay"
)

const (
	schemaVersion     = 1
	heartbeatInterval = 15 * time.Second
	sessionAllow      = "GET, HEAD, PUT"
)

// sessionAnswer is the state of a conversation, for its publisher.
type sessionAnswer struct {
	SchemaVersion int         `json:"schema_version"`
	State         relay.Phase `json:"state"`
	Viewers       int         `json:"viewers"`
}

// session tells the state of a conversation to who may publish or view it, and
// lets its publisher say that it has paused.
func (s *Server) session(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	owner, err := s.tokens.owner(r)
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		if err != nil && (s.keys == nil || s.mayView(r, name) != nil) {
			return err
		}
		phase, viewers := s.relay.Status(name)
		return writeJSON(w, sessionAnswer{SchemaVersion: schemaVersion, State: phase, Viewers: viewers})
	case http.MethodPut:
		if err != nil {
			return err
		}
		return s.putState(w, r, name, owner)
	}
	return notAllowed(w, sessionAllow)
}

func (s *Server) putState(w http.ResponseWriter, r *http.Request, name, owner string) error {
	var said struct {
		State relay.Phase `json:"state"`
	}
	if err := readJSON(r, &said); err != nil {
		return err
	}
	if said.State != relay.Live && said.State != relay.Paused {
		return failure(http.StatusUnprocessableEntity, `a publisher is "live" or "paused"`)
	}
	if err := s.relay.Pause(name, owner, said.State == relay.Paused); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// access exchanges the access key, which the page found in its fragment, for a
// cookie that scripts cannot read.
func (s *Server) access(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return notAllowed(w, "POST")
	}
	var given struct {
		Key string `json:"key"`
	}
	if err := readJSON(r, &given); err != nil {
		return err
	}
	name := r.PathValue("name")
	if s.keys != nil {
		if !s.keys.opens(name, given.Key) {
			return failure(http.StatusForbidden, "this is not the access key of the conversation")
		}
		for _, cookie := range s.keys.cookies(name, time.Now(), s.tls != nil) {
			http.SetCookie(w, cookie)
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// events is a stream of server-sent events: the state at first and whenever it
// changes, as messages, and what is stored, as events of the type media.
func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return notAllowed(w, "GET")
	}
	name := r.PathValue("name")
	if err := s.mayView(r, name); err != nil {
		return err
	}
	states, cancel, err := s.relay.Watch(name)
	if err != nil {
		return err
	}
	defer cancel()
	var stored <-chan media.Event // none where nothing is stored
	if s.media != nil {
		events, cancel := s.media.Watch(name)
		defer cancel()
		stored = events
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	stream := eventStream{w: w, control: http.NewResponseController(w), instance: s.instance}
	// The server's read timeout is for requests, and this one has been read.
	if err := stream.control.SetReadDeadline(time.Time{}); err != nil {
		return fmt.Errorf("stream events: %w", err)
	}
	stream.run(r.Context(), s.stopping, states, stored)
	return nil
}

type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController

	instance string
}

// run ends when the client or the server goes, or the client stops reading.
func (e eventStream) run(ctx context.Context, stopping <-chan struct{}, states <-chan relay.State, stored <-chan media.Event) {
	heartbeat := time.NewTicker(heartbeatInterval)
	defer heartbeat.Stop()
	for {
		var text string
		select {
		case <-ctx.Done():
			return
		case <-stopping:
			return
		case <-heartbeat.C:
			text = ": still here\n\n"
		case state := <-states:
			text = fmt.Sprintf("data: {\"state\":%q,\"publication\":%d,\"server\":%q}\n\n",
				state.Phase, state.Publication, e.instance)
		case event := <-stored:
			data, err := json.Marshal(event)
			if err != nil {
				return
			}
			text = "event: media\ndata: " + string(data) + "\n\n"
		}
		if e.send(text) != nil {
			return
		}
	}
}

func (e eventStream) send(text string) error {
	if err := e.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := e.w.Write([]byte(text)); err != nil {
		return err
	}
	return e.control.Flush()
}

func writeJSON(w http.ResponseWriter, value any) error {
	return writeStatusJSON(w, http.StatusOK, value)
}

func writeStatusJSON(w http.ResponseWriter, status int, value any) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the client has gone
	return nil
}

func readJSON(r *http.Request, value any) error {
	text, err := body(r, "application/json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), value); err != nil {
		return failure(http.StatusBadRequest, "the body is not the JSON expected: "+err.Error())
	}
	return nil
}
