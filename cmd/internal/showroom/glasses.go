package showroom

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/bril-edge/bril/cmd/internal/showroom/desk"
)

// glassesOwner is a handler for who may publish. Without tokens, on loopback, that
// is everybody.
func (s *Server) glassesOwner(next func(w http.ResponseWriter, r *http.Request, owner string) error, methods ...string) handler {
	return allow(func(w http.ResponseWriter, r *http.Request) error {
		owner, err := s.publisher(r)
		if err != nil {
			return err
		}
		if err := s.conferring(); err != nil {
			return err
		}
		if err := glassesName(r.PathValue("name")); err != nil {
			return err
		}
		if err := s.mayUse(r.Context(), r.PathValue("name"), owner); err != nil {
			return err
		}
		return next(w, r, owner)
	}, methods...)
}

// glassesName refuses the names that only conversations have.
func glassesName(name string) error {
	if isConversation(name) {
		return failure(http.StatusNotFound, "this is no name of glasses")
	}
	return nil
}

// glassesEvents tells a pair of glasses what rings and what becomes of its
// conversations. While it runs, the glasses can be called.
func (s *Server) glassesEvents(w http.ResponseWriter, r *http.Request, owner string) error {
	if r.Method != http.MethodGet { // a stream has no end that HEAD could wait for
		return notAllowed(w, "GET")
	}
	stream, err := s.desk.Glasses(r.PathValue("name"), owner, r.Header.Get("Last-Event-ID"))
	if err != nil {
		return err
	}
	defer stream.Close()
	if err := s.stillEnrolled(r, owner); err != nil {
		return err
	}
	events, err := s.openStream(w)
	if err != nil {
		return err
	}
	ctx, cancel := s.whileServing(r.Context())
	defer cancel()
	for {
		text, err := nextMessage(ctx, stream)
		if err != nil || events.send(text) != nil {
			return nil // the stream has said all that it will
		}
	}
}

// nextMessage returns a comment when there was none for long.
func nextMessage(ctx context.Context, stream *desk.Stream) (string, error) {
	wait, cancel := context.WithTimeout(ctx, heartbeatInterval)
	defer cancel()
	m, err := stream.Next(wait)
	switch {
	case err == nil:
		return fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", m.ID, m.Event, m.Data), nil
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return heartbeat, nil
	}
	return "", err
}

func (s *Server) answer(w http.ResponseWriter, r *http.Request, owner string) error {
	var given struct {
		Conversation string `json:"conversation"`
		Answer       string `json:"answer"`
	}
	if err := decode(r, &given); err != nil {
		return err
	}
	if given.Answer != "accept" && given.Answer != "decline" {
		return &desk.FieldError{Field: "answer", Detail: `it is "accept" or "decline"`}
	}
	return noContent(w, s.desk.Answer(r.Context(), r.PathValue("name"), owner, given.Conversation, given.Answer == "accept"))
}

func (s *Server) endByGlasses(w http.ResponseWriter, r *http.Request, owner string) error {
	var given struct {
		Conversation string `json:"conversation"`
	}
	if err := decode(r, &given); err != nil {
		return err
	}
	return noContent(w, s.desk.EndByGlasses(r.Context(), r.PathValue("name"), owner, given.Conversation))
}
