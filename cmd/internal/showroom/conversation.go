package showroom

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"

	"github.com/bril-edge/bril/cmd/internal/showroom/desk"
	"github.com/bril-edge/bril/cmd/internal/showroom/media"
	"github.com/bril-edge/bril/cmd/internal/showroom/relay"
)

const (
	schemaVersion = 1
	sessionAllow  = "GET, HEAD, PUT"

	// endedState is that of a conversation that is over, whatever its room does.
	endedState relay.Phase = "ended"
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
	owner, err := s.publisher(r)
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		if err != nil && (!s.locked(name) || s.mayView(r, name) != nil) {
			return err
		}
		if s.ended(r, name) {
			return writeJSON(w, sessionAnswer{SchemaVersion: schemaVersion, State: endedState})
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
	if err := decode(r, &said); err != nil {
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
	if err := decode(r, &given); err != nil {
		return err
	}
	name := r.PathValue("name")
	if s.locked(name) {
		if !s.keys.opens(name, given.Key) {
			return failure(http.StatusForbidden, "this is not the access key of the conversation")
		}
		device := cmp.Or(s.keys.device(r, name, s.now()), newDevice())
		for _, cookie := range s.keys.cookies(name, device, s.now(), s.tls != nil) {
			http.SetCookie(w, cookie)
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// events is a stream of server-sent events: the state at first and whenever it
// changes, as messages; what is stored, as events of the type media; and, of a
// conversation, what has become of the call, as events of the type call. While a
// customer listens, the customer is there.
func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return notAllowed(w, "GET")
	}
	name := r.PathValue("name")
	if err := s.mayView(r, name); err != nil {
		return err
	}
	var news news
	defer news.cancel()
	if err := s.subscribe(r.Context(), name, &news); err != nil {
		return err
	}
	stream, err := s.openStream(w)
	if err != nil {
		return err
	}
	ctx, cancel := s.whileServing(r.Context())
	defer cancel()
	stream.run(ctx, news)
	return nil
}

// news is what a page is told. A channel that is nil has none.
type news struct {
	states <-chan relay.State
	stored <-chan media.Event
	calls  <-chan desk.Call

	cancels []func()
}

func (n *news) cancel() {
	for _, cancel := range n.cancels {
		cancel()
	}
}

// subscribe fills n as far as there is something to tell, also when it fails.
func (s *Server) subscribe(ctx context.Context, name string, n *news) (err error) {
	var cancel func()
	if n.states, cancel, err = s.relay.Watch(name); err != nil {
		return err
	}
	n.cancels = append(n.cancels, cancel)
	if s.media != nil {
		n.stored, cancel = s.media.Watch(name)
		n.cancels = append(n.cancels, cancel)
	}
	if s.desk == nil || !isConversation(name) {
		return nil
	}
	if n.calls, cancel, err = s.desk.Watch(ctx, name); err != nil {
		return err
	}
	n.cancels = append(n.cancels, cancel)
	return nil
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
