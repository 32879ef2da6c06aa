package showroom

import (
	"net/http"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/desk"
)

// conversationAnswer is a conversation for its customer.
type conversationAnswer struct {
	SchemaVersion    int         `json:"schema_version"`
	Conversation     string      `json:"conversation"`
	State            desk.Phase  `json:"state"`
	Reason           desk.Reason `json:"reason,omitempty"`
	Kind             desk.Kind   `json:"kind"`
	Showroom         string      `json:"showroom"`
	Title            string      `json:"title"`
	TimeZone         string      `json:"time_zone,omitempty"`
	Start            time.Time   `json:"start,omitzero"` // of the appointment
	End              time.Time   `json:"end,omitzero"`
	Rated            bool        `json:"rated"`
	Sent             bool        `json:"sent"`
	AdvisorConnected bool        `json:"advisor_connected"`
}

func (s *Server) conversationAnswer(c desk.Conversation) conversationAnswer {
	room, _ := s.plan.Showroom(c.Showroom) // a file of hours may have lost it since
	return conversationAnswer{
		SchemaVersion: schemaVersion, Conversation: c.ID, State: c.Phase, Reason: c.Reason, Kind: c.Kind,
		Showroom: c.Showroom, Title: c.Title, TimeZone: room.TimeZone, Start: utc(c.Start), End: utc(c.End),
		Rated: c.Rated, Sent: c.Sent, AdvisorConnected: c.Connected,
	}
}

// customers is a handler for who holds the conversation's cookie or key. Without it,
// IDs in use and IDs that nobody uses look the same.
func (s *Server) customers(next handler, methods ...string) handler {
	return allow(func(w http.ResponseWriter, r *http.Request) error {
		if err := s.conferring(); err != nil {
			return err
		}
		if !isConversation(r.PathValue("cid")) {
			return desk.ErrUnknown
		}
		if err := s.mayView(r, r.PathValue("cid")); err != nil {
			return err
		}
		return next(w, r)
	}, methods...)
}

func (s *Server) conversation(w http.ResponseWriter, r *http.Request) error {
	c, err := s.desk.Lookup(r.Context(), r.PathValue("cid"))
	if err != nil {
		return err
	}
	return writeJSON(w, s.conversationAnswer(c))
}

func (s *Server) ring(w http.ResponseWriter, r *http.Request) error {
	if err := decodeNothing(r); err != nil {
		return err
	}
	c, err := s.desk.Ring(r.Context(), r.PathValue("cid"))
	if err != nil {
		return err
	}
	return writeJSON(w, s.conversationAnswer(c))
}

func (s *Server) endCall(w http.ResponseWriter, r *http.Request) error {
	if err := decodeNothing(r); err != nil {
		return err
	}
	return noContent(w, s.desk.End(r.Context(), r.PathValue("cid")))
}

func (s *Server) rate(w http.ResponseWriter, r *http.Request) error {
	var given struct {
		Thumb string `json:"thumb"`
	}
	if err := decode(r, &given); err != nil {
		return err
	}
	if given.Thumb != "up" && given.Thumb != "down" {
		return &desk.FieldError{Field: "thumb", Detail: `it is "up" or "down"`}
	}
	return noContent(w, s.desk.Rate(r.Context(), r.PathValue("cid"), given.Thumb == "up"))
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) error {
	var said struct {
		Network    desk.Network `json:"network"`
		Microphone bool         `json:"microphone"`
	}
	if err := decode(r, &said); err != nil {
		return err
	}
	switch said.Network {
	case desk.Good, desk.Poor, desk.Frozen:
	default:
		return &desk.FieldError{Field: "network", Detail: `it is "good", "poor" or "frozen"`}
	}
	return noContent(w, s.desk.Report(r.PathValue("cid"), said.Network, said.Microphone))
}

type sendAnswer struct {
	SchemaVersion int    `json:"schema_version"`
	Email         string `json:"email"`
}

// send takes down to whom photos and clips are to be mailed. They go when they are
// there.
func (s *Server) send(w http.ResponseWriter, r *http.Request) error {
	var wanted struct {
		Email     string   `json:"email"`
		Name      string   `json:"name"`
		Locale    string   `json:"locale"`
		Items     []string `json:"items"`
		Marketing bool     `json:"marketing"`
	}
	if err := decode(r, &wanted); err != nil {
		return err
	}
	err := s.desk.Send(r.Context(), r.PathValue("cid"), desk.Wish{
		Name: wanted.Name, Email: wanted.Email, Locale: wanted.Locale, Items: wanted.Items, Marketing: wanted.Marketing,
	})
	if err != nil {
		return err
	}
	return writeStatusJSON(w, http.StatusAccepted, sendAnswer{SchemaVersion: schemaVersion, Email: wanted.Email})
}

func noContent(w http.ResponseWriter, err error) error {
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// ended says whether the name is that of a conversation that is over.
func (s *Server) ended(r *http.Request, name string) bool {
	if s.desk == nil || !isConversation(name) {
		return false
	}
	c, err := s.desk.Lookup(r.Context(), name)
	return err == nil && c.Phase == desk.Ended
}

// idSize is that of a conversation's ID: 128 random bits in base32.
const idSize = 26

// isConversation tells a conversation's ID from the name of glasses by its form, so
// that it is guarded before anything is looked up.
func isConversation(name string) bool {
	if len(name) != idSize {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}
