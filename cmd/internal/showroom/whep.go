package showroom

import (
	"net/http"

	"github.com/bril-edge/bril/cmd/internal/showroom/relay"
)

// whep is the WHEP endpoint, draft-ietf-wish-whep-03 section 4.2. With nothing to
// play it refuses at once.
func (s *Server) whep(w http.ResponseWriter, r *http.Request) error {
	switch r.Method {
	case http.MethodPost:
		return s.view(w, r)
	case http.MethodOptions:
		return options(w, endpointAllow)
	}
	return notAllowed(w, endpointAllow)
}

func (s *Server) view(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if err := s.mayView(r, name); err != nil {
		return err
	}
	offer, err := body(r, sdpType)
	if err != nil {
		return err
	}
	session, err := s.relay.View(r.Context(), name, "", offer)
	if err != nil {
		return err
	}
	return created(w, "/whep/"+name, session)
}

// locked says whether a key is asked for: of conversations always, of rooms in open
// use where the configuration says so.
func (s *Server) locked(name string) bool {
	return s.keys != nil && (s.locksAll || isConversation(name))
}

// mayView says the same of every name that the request has no key for.
func (s *Server) mayView(r *http.Request, name string) error {
	if !s.locked(name) || s.keys.admits(r, name, s.now()) {
		return nil
	}
	return failure(http.StatusUnauthorized, "this needs the access key of the conversation")
}

func (s *Server) whepResource(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodOptions {
		return options(w, resourceAllow)
	}
	name := r.PathValue("name")
	if err := s.mayView(r, name); err != nil {
		return err
	}
	session, err := s.relay.Session(name, r.PathValue("id"))
	if err == nil && session.Publishes() {
		err = relay.ErrUnknown
	}
	return resource(w, r, session, err)
}
