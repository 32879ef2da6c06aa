package fleet

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

// tokenPrefix begins a manager's token.
const tokenPrefix = "bfm1."

// ErrManager says that there is no such manager.
var ErrManager = errors.New("there is no such manager")

// Admin keeps the managers of a fleet. It is for who runs the server.
type Admin struct {
	records *records.DB
	clock   func() time.Time
}

// NewAdmin returns one for the records of a server.
func NewAdmin(db *records.DB, clock func() time.Time) Admin {
	if clock == nil {
		clock = time.Now
	}
	return Admin{db, clock}
}

// Manager is one, as it is told.
type Manager struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Revoked time.Time `json:"revoked,omitzero"`
}

// NewManager is one with the only sight of the token.
type NewManager struct {
	Name  string `json:"name"`
	Token string `json:"token"`
}

const operator = "who runs the server"

// Add makes a token for a manager; records.ErrNameTaken.
func (a Admin) Add(ctx context.Context, name string) (NewManager, error) {
	if name = strings.TrimSpace(name); name == "" || len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
		return NewManager{}, errors.New("a manager's name has 1 to 64 characters on one line")
	}
	token := tokenPrefix + strings.ToLower(rand.Text())
	err := a.records.AddFleetManager(ctx, name, token, records.FleetEntry{At: a.clock(), Who: operator, Action: "add manager", Object: name})
	return NewManager{name, token}, err
}

// List returns all.
func (a Admin) List(ctx context.Context) (list []Manager, err error) {
	all, err := a.records.FleetManagers(ctx)
	for _, m := range all {
		list = append(list, Manager(m))
	}
	return list, err
}

// Revoke ends what a manager may do; ErrManager.
func (a Admin) Revoke(ctx context.Context, name string) error {
	err := a.records.RevokeFleetManager(ctx, name, records.FleetEntry{At: a.clock(), Who: operator, Action: "revoke manager", Object: name})
	if errors.Is(err, records.ErrNotFound) {
		return ErrManager
	}
	return err
}

// Where the socket of the server that runs takes what Admin does.
const managersPath = "/v1/fleet-managers"

// answer is of each request: a value, or what went wrong.
type answer struct {
	Value   any    `json:"value,omitempty"`
	Problem string `json:"problem,omitempty"`
	Word    string `json:"word,omitempty"`
}

func words() map[string]error {
	return map[string]error{"unknown": ErrManager, "taken": records.ErrNameTaken}
}

// Routes are what the socket answers.
func (a Admin) Routes() map[string]Handler {
	return map[string]Handler{
		"POST " + managersPath: func(w http.ResponseWriter, r *http.Request) error {
			var wanted struct{ Name string }
			if err := json.NewDecoder(io.LimitReader(r.Body, 4<<10)).Decode(&wanted); err != nil {
				return reply(w, nil, errors.New("the question cannot be read"))
			}
			made, err := a.Add(r.Context(), wanted.Name)
			return reply(w, made, err)
		},
		"GET " + managersPath: func(w http.ResponseWriter, r *http.Request) error {
			list, err := a.List(r.Context())
			return reply(w, list, err)
		},
		"DELETE " + managersPath + "/{name}": func(w http.ResponseWriter, r *http.Request) error {
			return reply(w, nil, a.Revoke(r.Context(), r.PathValue("name")))
		},
	}
}

func reply(w http.ResponseWriter, value any, err error) error {
	said, status := answer{Value: value}, http.StatusOK
	if err != nil {
		said, status = answer{Problem: err.Error()}, http.StatusConflict
		for word, known := range words() {
			if errors.Is(err, known) {
				said.Word = word
			}
		}
	}
	return write(w, status, said)
}

// AdminClient does what Admin does, by the socket of a server that runs.
type AdminClient struct{ http *http.Client }

// NewAdminClient returns one that asks by h, which connects to the socket whatever the
// host.
func NewAdminClient(h *http.Client) *AdminClient { return &AdminClient{h} }

// Add makes a token for a manager; records.ErrNameTaken.
func (c *AdminClient) Add(ctx context.Context, name string) (made NewManager, err error) {
	err = c.do(ctx, http.MethodPost, managersPath, map[string]string{"Name": name}, &made)
	return made, err
}

// List returns all.
func (c *AdminClient) List(ctx context.Context) (list []Manager, err error) {
	err = c.do(ctx, http.MethodGet, managersPath, nil, &list)
	return list, err
}

// Revoke ends what a manager may do; ErrManager.
func (c *AdminClient) Revoke(ctx context.Context, name string) error {
	return c.do(ctx, http.MethodDelete, managersPath+"/"+url.PathEscape(name), nil, nil)
}

func (c *AdminClient) do(ctx context.Context, method, path string, question, to any) error {
	text, err := json.Marshal(question)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://showroom"+path, strings.NewReader(string(text)))
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var said struct {
		Value         json.RawMessage
		Problem, Word string
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 4<<20)).Decode(&said); err != nil {
		return err
	}
	if known := words()[said.Word]; known != nil {
		return known
	}
	if said.Problem != "" {
		return errors.New(said.Problem)
	}
	if to == nil || len(said.Value) == 0 {
		return nil
	}
	return json.Unmarshal(said.Value, to)
}
