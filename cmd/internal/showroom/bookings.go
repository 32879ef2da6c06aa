package showroom

import (
	"net/http"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/desk"
)

type bookedAnswer struct {
	SchemaVersion int       `json:"schema_version"`
	Start         time.Time `json:"start"`
	End           time.Time `json:"end"`
	Email         string    `json:"email"`
}

// book makes an appointment. Its code goes to the address given, and nowhere else:
// so it is proven that the address is the customer's.
func (s *Server) book(w http.ResponseWriter, r *http.Request) error {
	var wanted struct {
		Showroom  string    `json:"showroom"`
		Start     time.Time `json:"start"`
		Name      string    `json:"name"`
		Email     string    `json:"email"`
		Phone     string    `json:"phone"`
		Locale    string    `json:"locale"`
		Marketing bool      `json:"marketing"`
	}
	if err := decode(r, &wanted); err != nil {
		return err
	}
	a, err := s.desk.Book(r.Context(), desk.Request{
		Showroom: wanted.Showroom, Start: wanted.Start, Name: wanted.Name, Email: wanted.Email, Phone: wanted.Phone,
		Locale: wanted.Locale, Marketing: wanted.Marketing, From: from(r),
	})
	if err != nil {
		return err
	}
	return writeStatusJSON(w, http.StatusCreated, bookedAnswer{
		SchemaVersion: schemaVersion, Start: utc(a.Start), End: utc(a.End), Email: a.Email,
	})
}

// appointmentAnswer is what the link in a mail shows.
type appointmentAnswer struct {
	SchemaVersion int       `json:"schema_version"`
	Showroom      string    `json:"showroom"`
	Title         string    `json:"title"`
	TimeZone      string    `json:"time_zone"`
	Start         time.Time `json:"start"`
	End           time.Time `json:"end"`
	State         string    `json:"state"`
	Name          string    `json:"name"`
}

// appointment is seen, moved and cancelled by whoever has the token from its mail.
func (s *Server) appointment(w http.ResponseWriter, r *http.Request) error {
	token, ok := bearer(r)
	if !ok {
		return failure(http.StatusUnauthorized, "this needs the token of the link in the mail")
	}
	var a desk.Appointment
	var err error
	switch r.Method {
	case http.MethodDelete:
		if err := s.desk.Cancel(r.Context(), token); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	case http.MethodPut:
		var wanted struct {
			Start time.Time `json:"start"`
		}
		if err := decode(r, &wanted); err != nil {
			return err
		}
		a, err = s.desk.Move(r.Context(), token, wanted.Start)
	default:
		a, err = s.desk.Appointment(r.Context(), token)
	}
	if err != nil {
		return err
	}
	return writeJSON(w, appointmentAnswer{
		SchemaVersion: schemaVersion, Showroom: a.Showroom, Title: a.Title, TimeZone: a.TimeZone,
		Start: utc(a.Start), End: utc(a.End), State: a.State, Name: a.Name,
	})
}
