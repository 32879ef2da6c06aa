package control

import "time"

// Update is how it is with newer versions of the package.
type Update struct {
	Installed string    `json:"installed"`
	Previous  string    `json:"previous,omitempty"` // kept, to go back to
	Waiting   string    `json:"waiting,omitempty"`  // newer, and not installed yet
	Why       string    `json:"why,omitempty"`      // what it waits for
	Problem   string    `json:"problem,omitempty"`  // of the last try
	Checked   time.Time `json:"checked_at,omitzero"`
}
