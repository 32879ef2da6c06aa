package control

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
)

// LogReader has the last lines of the daemon's log; journal.Ring is one.
type LogReader interface {
	// Last returns the last n lines, the oldest first, and how many there were
	// before them. 0 is all that are kept.
	Last(n int) (lines []string, before int)
}

// Log is the end of the daemon's log, without secrets.
type Log struct {
	SchemaVersion int      `json:"schema_version"`
	Lines         []string `json:"lines"`  // the oldest first
	Before        int      `json:"before"` // how many there were since the daemon's start, and are not here
}

// readLog answers GET /v1/log.
func (h *handler) readLog(w http.ResponseWriter, r *http.Request) {
	n, err := 0, error(nil)
	if text := r.URL.Query().Get("lines"); text != "" {
		if n, err = strconv.Atoi(text); err != nil || n < 1 {
			h.refuse(w, http.StatusBadRequest, errors.New("lines "+quote(text)+" is not a number above 0"))
			return
		}
	}
	if h.Lines == nil {
		h.refuse(w, http.StatusNotFound, errors.New("this daemon keeps no log"))
		return
	}
	answer := Log{SchemaVersion: SchemaVersion}
	answer.Lines, answer.Before = h.Lines.Last(n)
	h.write(w, http.StatusOK, answer)
}

// Log asks for the last lines of the daemon's log; 0 is all that it has.
func (c *Client) Log(ctx context.Context, lines int) (Log, error) {
	query := url.Values{}
	if lines > 0 {
		query.Set("lines", strconv.Itoa(lines))
	}
	var l Log
	if err := c.call(ctx, c.http, http.MethodGet, "/v1/log?"+query.Encode(), nil, &l); err != nil {
		return Log{}, c.explain("read the log", err)
	}
	return l, nil
}
