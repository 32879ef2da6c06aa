package staff

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

// Client does what Admin does, by the socket of a server that runs.
type Client struct{ http *http.Client }

// NewClient returns a client that asks by h, which connects to the socket whatever
// the host.
func NewClient(h *http.Client) *Client { return &Client{h} }

// Add makes an account; ErrExists.
func (c *Client) Add(ctx context.Context, account Account) error {
	return c.do(ctx, http.MethodPost, accountsPath, account, nil)
}

// Accounts returns all, by name.
func (c *Client) Accounts(ctx context.Context) (list []Account, err error) {
	err = c.do(ctx, http.MethodGet, accountsPath, nil, &list)
	return list, err
}

// SetHash changes a password and ends all sessions; ErrUnknown.
func (c *Client) SetHash(ctx context.Context, name, hash string) error {
	return c.do(ctx, http.MethodPut, accountsPath+"/"+url.PathEscape(name)+"/password", Account{Hash: hash}, nil)
}

// Remove removes an account and its sessions; ErrUnknown.
func (c *Client) Remove(ctx context.Context, name string) error {
	return c.do(ctx, http.MethodDelete, accountsPath+"/"+url.PathEscape(name), nil, nil)
}

// Sessions returns those that hold, of one name, or of all for "".
func (c *Client) Sessions(ctx context.Context, name string) (list []Session, err error) {
	err = c.do(ctx, http.MethodGet, sessionsPath+"?name="+url.QueryEscape(name), nil, &list)
	return list, err
}

// Revoke ends a session; ErrSession.
func (c *Client) Revoke(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodDelete, sessionsPath+"/"+url.PathEscape(id), nil, nil)
}

// RevokeAll ends all sessions of a name; ErrUnknown.
func (c *Client) RevokeAll(ctx context.Context, name string) error {
	return c.do(ctx, http.MethodDelete, accountsPath+"/"+url.PathEscape(name)+"/sessions", nil, nil)
}

// maxAnswer bounds what is read, in bytes.
const maxAnswer = 4 << 20

func (c *Client) do(ctx context.Context, method, path string, body, out any) error {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://showroom"+path, sent)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("ask the server that runs: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch {
	case err != nil:
		return fmt.Errorf("read the server's answer: %w", err)
	case response.StatusCode >= 300:
		return refusal(response.StatusCode, text)
	case out == nil:
		return nil
	}
	return json.Unmarshal(text, out)
}

// refusal is the error that the server's Admin had.
func refusal(status int, text []byte) error {
	var p struct{ Type, Detail string }
	if json.Unmarshal(text, &p) != nil || p.Detail == "" {
		return fmt.Errorf("the server that runs answers %d", status)
	}
	known := adminErrors()[p.Type[strings.LastIndexByte(p.Type, ':')+1:]]
	if before, ok := strings.CutSuffix(p.Detail, ": "+fmt.Sprint(known)); ok {
		return fmt.Errorf("%s: %w", before, known)
	}
	if known != nil {
		return known
	}
	return errors.New(p.Detail)
}
