package showroom

import (
	"errors"
	"net/http"

	"github.com/bril-edge/bril/cmd/internal/showroom/relay"
)

// The customer's voice goes to the advisor's ear: in by WHIP, from who may view
// the conversation, and out by WHEP, to the glasses that publish it. It is
// forwarded and nothing else; the relay takes no picture there.

// talk takes the voice of one customer at a time.
func (s *Server) talk(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return notAllowed(w, "POST")
	}
	name := r.PathValue("name")
	if err := s.mayView(r, name); err != nil {
		return err
	}
	offer, err := body(r, sdpType)
	if err != nil {
		return err
	}
	session, err := s.relay.Publish(r.Context(), relay.VoiceRoom(name), s.speaker(r, name), offer)
	if errors.Is(err, relay.ErrTaken) {
		return failure(http.StatusConflict, "somebody else is speaking in this conversation")
	}
	if err != nil {
		return err
	}
	return created(w, "/talk/"+name, session)
}

// speaker tells the devices of one conversation apart: a browser by its cookie,
// whenever that was renewed; what has the key itself is one device.
func (s *Server) speaker(r *http.Request, name string) string {
	if s.keys == nil {
		return ""
	}
	return s.keys.device(r, name, s.now())
}

func (s *Server) talkResource(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if err := s.mayView(r, name); err != nil {
		return err
	}
	session, err := s.relay.Session(relay.VoiceRoom(name), r.PathValue("id"))
	if err == nil && (session.Owner() != s.speaker(r, name) || !session.Publishes()) {
		err = relay.ErrUnknown
	}
	return resource(w, r, session, err)
}

// hear gives the voice to the glasses, while somebody speaks.
func (s *Server) hear(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return notAllowed(w, "POST")
	}
	name := r.PathValue("name")
	owner, err := s.mayHear(r, name)
	if err != nil {
		return err
	}
	offer, err := body(r, sdpType)
	if err != nil {
		return err
	}
	session, err := s.relay.View(r.Context(), relay.VoiceRoom(name), owner, offer)
	if errors.Is(err, relay.ErrNothing) || errors.Is(err, relay.ErrNotYet) {
		p := failure(http.StatusConflict, "nobody is speaking")
		p.retryAfter = "2"
		return p
	}
	if err == nil {
		err = s.stillEnrolled(r, owner)
	}
	if err != nil {
		return err
	}
	return created(w, "/hear/"+name, session)
}

// mayHear admits the publisher of the conversation alone.
func (s *Server) mayHear(r *http.Request, name string) (owner string, err error) {
	if owner, err = s.publisher(r); err != nil {
		return "", err
	}
	if !s.relay.PublishedBy(name, owner) {
		return "", failure(http.StatusForbidden, "these glasses are not live in that conversation")
	}
	return owner, nil
}

func (s *Server) hearResource(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if _, err := s.publisher(r); err != nil { // the glasses may have gone off live meanwhile
		return err
	}
	session, err := s.relay.Session(relay.VoiceRoom(name), r.PathValue("id"))
	if err == nil && session.Publishes() {
		err = relay.ErrUnknown
	}
	return resource(w, r, session, err)
}
