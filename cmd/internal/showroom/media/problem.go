package media

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	tus "github.com/tus/tusd/v2/pkg/handler"
)

const problemType = "application/problem+json"

// problemOf is what a client is told of an error, by RFC 9457.
func problemOf(status int, detail string) string {
	body, _ := json.Marshal(map[string]any{"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": detail})
	return string(body) + "\n"
}

// answer is an error that tusd hands on as it is.
func answer(status int, detail string) error {
	err := tus.NewError(http.StatusText(status), detail, status)
	err.HTTPResponse.Body = problemOf(status, detail)
	err.HTTPResponse.Header = tus.HTTPHeader{"Content-Type": problemType, "Cache-Control": "no-store"}
	return err
}

func refuseTus(status int, format string, a ...any) error {
	return answer(status, fmt.Sprintf(format, a...))
}

// problemWriter makes problems of the errors that are tusd's own, which are text.
type problemWriter struct {
	http.ResponseWriter
	request *request
	status  int // of such an error; 0 for none
}

// Unwrap is for http.ResponseController, by which tusd sets deadlines.
func (p *problemWriter) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p *problemWriter) WriteHeader(status int) {
	if p.request.hasEnded() { // else net/http waits for the rest of the body first
		p.Header().Set("Connection", "close")
	}
	if h := p.Header(); status >= http.StatusBadRequest && h.Get("Content-Type") != problemType {
		p.status = status
		h.Set("Content-Type", problemType)
		h.Set("Cache-Control", "no-store")
		h.Del("Content-Length") // was the text's
	}
	p.ResponseWriter.WriteHeader(status)
}

func (p *problemWriter) Write(text []byte) (int, error) {
	if p.status == 0 {
		return p.ResponseWriter.Write(text)
	}
	if _, err := p.ResponseWriter.Write([]byte(problemOf(p.status, strings.TrimSpace(string(text))))); err != nil {
		return 0, err
	}
	return len(text), nil
}
