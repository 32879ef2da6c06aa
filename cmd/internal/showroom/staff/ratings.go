package staff

import "net/http"

// minimum is how many conversations a figure is of at least; package records
// counts in blocks of so many and tells no other figures.
const minimum = 10

type ratingsAnswer struct {
	SchemaVersion int           `json:"schema_version"`
	Minimum       int           `json:"minimum"`
	Showrooms     []ratingsItem `json:"showrooms"`
}

type ratingsItem struct {
	ID      string   `json:"id"`
	Title   string   `json:"title"`
	Ratings *thumbs  `json:"ratings"` // null for too few
	Usage   *figures `json:"usage"`   // likewise
}

type thumbs struct {
	Up   int `json:"up"`
	Down int `json:"down"`
}

type figures struct {
	Conversations int `json:"conversations"`
	Seconds       int `json:"seconds"` // of all of them
	Photos        int `json:"photos"`
	Clips         int `json:"clips"`
}

// ratings are for managers.
func (s *Staff) ratings(w http.ResponseWriter, r *http.Request, p person) error {
	if p.account.Role != RoleManager {
		return refuse(http.StatusForbidden, "role", "ratings are for managers")
	}
	answer := ratingsAnswer{schemaVersion, minimum, []ratingsItem{}}
	for _, room := range s.showrooms(p, r.FormValue("showroom")) {
		item := ratingsItem{ID: room.ID, Title: room.Title}
		counted, ok, err := s.cfg.Records.Ratings(r.Context(), room.ID)
		if err != nil {
			return err
		}
		if ok {
			item.Ratings = &thumbs{counted.Up, counted.Down}
		}
		used, ok, err := s.cfg.Records.Usage(r.Context(), room.ID)
		if err != nil {
			return err
		}
		if ok {
			item.Usage = &figures{used.Conversations, int(used.Duration.Seconds()), used.Photos, used.Clips}
		}
		answer.Showrooms = append(answer.Showrooms, item)
	}
	return writeJSON(w, answer)
}
