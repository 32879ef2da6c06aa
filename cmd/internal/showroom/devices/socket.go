package devices

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Where the socket of the server that runs takes what Admin does.
const (
	tokensPath  = "/v1/enrolment-tokens"
	devicesPath = "/v1/devices"
	maxAnswer   = 4 << 20 // bytes
	maxQuestion = 16 << 10
)

// answer is of each request: a value, or what went wrong.
type answer struct {
	Value   any    `json:"value,omitempty"`
	Problem string `json:"problem,omitempty"`
	Word    string `json:"word,omitempty"` // which of the known errors it is
}

func knownErrors() map[string]error {
	return map[string]error{"unknown": ErrUnknown, "revoked": ErrRevoked, "no-pin": ErrNoPin, "name": ErrName}
}

// Routes are what the socket answers. validName says which names glasses can have.
func (a Admin) Routes(validName func(string) bool) map[string]func(http.ResponseWriter, *http.Request) error {
	return map[string]func(http.ResponseWriter, *http.Request) error{
		"POST " + tokensPath: func(w http.ResponseWriter, r *http.Request) error {
			var wanted Wanted
			if err := json.NewDecoder(io.LimitReader(r.Body, maxQuestion)).Decode(&wanted); err != nil {
				return write(w, nil, errors.New("the question cannot be read"))
			}
			if err := wanted.Check(validName); err != nil {
				return write(w, nil, err)
			}
			made, err := a.NewToken(r.Context(), wanted)
			return write(w, made, err)
		},
		"GET " + tokensPath: func(w http.ResponseWriter, r *http.Request) error {
			list, err := a.Tokens(r.Context())
			return write(w, list, err)
		},
		"DELETE " + tokensPath + "/{id}": func(w http.ResponseWriter, r *http.Request) error {
			return write(w, nil, a.DropToken(r.Context(), r.PathValue("id")))
		},
		"GET " + devicesPath: func(w http.ResponseWriter, r *http.Request) error {
			list, err := a.Devices(r.Context())
			return write(w, list, err)
		},
		"DELETE " + devicesPath + "/{who}": func(w http.ResponseWriter, r *http.Request) error {
			device, err := a.Revoke(r.Context(), r.PathValue("who"))
			return write(w, device, err)
		},
	}
}

func write(w http.ResponseWriter, value any, err error) error {
	said := answer{Value: value}
	status := http.StatusOK
	if err != nil {
		said, status = answer{Problem: err.Error()}, http.StatusConflict
		for word, known := range knownErrors() {
			if errors.Is(err, known) {
				said.Word = word
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(said)
}

// Client does what Admin does, by the socket of a server that runs.
type Client struct{ http *http.Client }

// NewClient returns a client that asks by h, which connects to the socket whatever
// the host.
func NewClient(h *http.Client) *Client { return &Client{h} }

// NewToken makes a token; ErrNoPin.
func (c *Client) NewToken(ctx context.Context, w Wanted) (made Made, err error) {
	err = c.do(ctx, http.MethodPost, tokensPath, w, &made)
	return made, err
}

// Tokens returns all that are not long over, the oldest first.
func (c *Client) Tokens(ctx context.Context) (list []ListedToken, err error) {
	err = c.do(ctx, http.MethodGet, tokensPath, nil, &list)
	return list, err
}

// DropToken makes a token void; ErrUnknown.
func (c *Client) DropToken(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodDelete, tokensPath+"/"+url.PathEscape(id), nil, nil)
}

// Devices returns all by name.
func (c *Client) Devices(ctx context.Context) (list []ListedDevice, err error) {
	err = c.do(ctx, http.MethodGet, devicesPath, nil, &list)
	return list, err
}

// Revoke revokes the device of an ID or a name; ErrUnknown, ErrRevoked.
func (c *Client) Revoke(ctx context.Context, who string) (device ListedDevice, err error) {
	err = c.do(ctx, http.MethodDelete, devicesPath+"/"+url.PathEscape(who), nil, &device)
	return device, err
}

func (c *Client) do(ctx context.Context, method, path string, question, to any) error {
	text, err := json.Marshal(question)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://showroom"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("ask the server that runs: %w", err)
	}
	defer response.Body.Close()
	said := struct {
		Value         json.RawMessage
		Problem, Word string
	}{}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&said); err != nil {
		return fmt.Errorf("read the server's answer (%s): %w", response.Status, err)
	}
	if said.Problem != "" {
		return refusal(said.Problem, knownErrors()[said.Word])
	}
	if to == nil {
		return nil
	}
	return json.Unmarshal(said.Value, to)
}

// refusal is the error that the server's Admin had.
func refusal(text string, known error) error {
	if known == nil {
		return errors.New(text)
	}
	if before, ok := strings.CutSuffix(text, ": "+known.Error()); ok {
		return fmt.Errorf("%s: %w", before, known)
	}
	if after, ok := strings.CutPrefix(text, known.Error()); ok {
		return fmt.Errorf("%w%s", known, after)
	}
	return known
}
