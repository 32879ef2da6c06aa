package showroom

import (
	"errors"
	"net/http"

	"github.com/bril-edge/bril/cmd/internal/showroom/relay"
	"github.com/bril-edge/bril/cmd/internal/showroom/relay/fragment"
)

const (
	sdpType       = "application/sdp"
	endpointAllow = "OPTIONS, POST"
	resourceAllow = "DELETE, OPTIONS, PATCH"

	// sessionRel is the link relation by which a publisher finds its
	// conversation's state.
	sessionRel = "urn:bril:session"

	// talkbackRel is the link relation by which it finds the customer's voice.
	talkbackRel = "urn:bril:talkback"
)

// whip is the WHIP endpoint, RFC 9725 section 4.2.
func (s *Server) whip(w http.ResponseWriter, r *http.Request) error {
	switch r.Method {
	case http.MethodPost:
		return s.publish(w, r)
	case http.MethodOptions:
		return options(w, endpointAllow)
	}
	return notAllowed(w, endpointAllow)
}

func options(w http.ResponseWriter, allow string) error {
	w.Header().Set("Allow", allow)
	if allow == endpointAllow {
		w.Header().Set("Accept-Post", sdpType)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) publish(w http.ResponseWriter, r *http.Request) error {
	owner, err := s.publisher(r)
	if err != nil {
		return err
	}
	if isTest(r.PathValue("name")) {
		return s.publishTest(w, r, owner)
	}
	if err := s.mayUse(r.Context(), r.PathValue("name"), owner); err != nil {
		return err
	}
	offer, err := body(r, sdpType)
	if err != nil {
		return err
	}
	name, err := s.roomFor(r.PathValue("name"), owner)
	if err != nil {
		return err
	}
	session, err := s.relay.Publish(r.Context(), name, owner, offer)
	if err := errors.Join(err, s.stillOpen(r.Context(), name)); err != nil {
		return err
	}
	if err := s.stillEnrolled(r, owner); err != nil {
		return err
	}
	w.Header().Add("Link", `</api/sessions/`+name+`>; rel="`+sessionRel+`"`)
	w.Header().Add("Link", `</hear/`+name+`>; rel="`+talkbackRel+`"`)
	return created(w, "/whip/"+name, session)
}

// created answers with a new session, whose resource is below path.
func created(w http.ResponseWriter, path string, session *relay.Session) error {
	h := w.Header()
	h.Set("Location", path+"/"+session.ID())
	h.Set("ETag", session.ETag())
	h.Set("Content-Type", sdpType)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write([]byte(session.Answer())) // a client that has gone connects nothing and is dropped
	return nil
}

// whipResource is a WHIP session. Its ID is a secret, the credential that made
// it is asked for all the same.
func (s *Server) whipResource(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodOptions {
		return options(w, resourceAllow)
	}
	owner, err := s.publisher(r)
	if err != nil {
		return err
	}
	session, err := s.relay.Session(r.PathValue("name"), r.PathValue("id"))
	if err == nil && (session.Owner() != owner || !session.Publishes()) {
		err = relay.ErrUnknown
	}
	return resource(w, r, session, err)
}

// resource answers what is asked of a session; err is why there is none.
func resource(w http.ResponseWriter, r *http.Request, session *relay.Session, err error) error {
	switch r.Method {
	case http.MethodDelete, http.MethodPatch:
	default:
		return notAllowed(w, resourceAllow)
	}
	if err != nil {
		return err
	}
	if r.Method == http.MethodPatch {
		return patch(w, r, session)
	}
	session.Delete()
	w.WriteHeader(http.StatusOK)
	return nil
}

// patch takes candidates or restarts ICE: RFC 9725 section 4.3.
func patch(w http.ResponseWriter, r *http.Request, session *relay.Session) error {
	text, err := body(r, fragment.ContentType)
	if err != nil {
		return err
	}
	match := r.Header.Get("If-Match")
	if match == "" {
		return failure(http.StatusPreconditionRequired, "this needs the header If-Match")
	}
	f, err := fragment.Parse(text)
	if err != nil {
		return err
	}
	if match == "*" && session.Restarts(f) {
		return restart(w, r, session, f)
	}
	if err := session.Trickle(match, f); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func restart(w http.ResponseWriter, r *http.Request, session *relay.Session, f fragment.Fragment) error {
	own, etag, err := session.Restart(r.Context(), f)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag)
	w.Header().Set("Content-Type", fragment.ContentType)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte(own.String())) // without it the client tries again
	return nil
}
