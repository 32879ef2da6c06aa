package showroom

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// What the handlers answer in any test of this package must be in openapi.yaml, and
// what is there must have been answered once all tests have run.
func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if whole := !testing.Short() && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == ""; whole && code == 0 {
		if missing := observed.missing(); len(missing) > 0 {
			fmt.Printf("openapi.yaml has what no test has seen:\n\t%s\nFAIL\n", strings.Join(missing, "\n\t"))
			code = 1
		}
	}
	if wrong := observed.wrong(); len(wrong) > 0 {
		fmt.Printf("not as openapi.yaml says:\n\t%s\nFAIL\n", strings.Join(wrong, "\n\t"))
		code = 1
	}
	os.Exit(code)
}

var observed = newContract()

// contract is openapi.yaml, and what was seen of it.
type contract struct {
	doc *openapi3.T

	mu    sync.Mutex
	said  string            // the last error that a server logged
	seen  map[string]int    // how often, by method, path and status
	notes map[string]string // what was wrong, likewise
}

func newContract() *contract {
	for _, kind := range []string{"application/vnd.dsse.envelope+json", "application/schema+json"} {
		openapi3filter.RegisterBodyDecoder(kind, openapi3filter.JSONBodyDecoder)
	}
	doc, err := openapi3.NewLoader().LoadFromData(openAPIText)
	if err != nil {
		panic(err)
	}
	return &contract{doc: doc, seen: map[string]int{}, notes: map[string]string{}}
}

// maxChecked is how many answers of one kind are compared with their schema, which
// costs more than to answer.
const maxChecked = 50

func answerKey(method, path string, status int) string {
	return method + " " + path + " " + strconv.Itoa(status)
}

func (c *contract) missing() (list []string) {
	for path, item := range c.doc.Paths.Map() {
		for method, operation := range item.Operations() {
			for status := range operation.Responses.Map() {
				if key := method + " " + path + " " + status; c.seen[key] == 0 {
					list = append(list, key)
				}
			}
		}
	}
	slices.Sort(list)
	return list
}

func (c *contract) wrong() (list []string) {
	for key, note := range c.notes {
		list = append(list, key+": "+note)
	}
	slices.Sort(list)
	return list
}

// wrap looks at every answer of a server.
func (c *contract) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		watched := &watchedWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(watched, r)
		c.note(r, watched)
	})
}

func (c *contract) note(r *http.Request, w *watchedWriter) {
	path := documentedPath(r)
	item := c.doc.Paths.Value(path)
	if item == nil {
		return // a page, or nothing; TestContractHasEveryRoute knows which
	}
	method := r.Method
	if w.status == http.StatusRequestTimeout {
		return // any request may be that slow
	}
	if method == http.MethodHead && item.Head == nil {
		method = http.MethodGet
	}
	operation := item.GetOperation(method)
	if operation == nil {
		if w.status < http.StatusBadRequest {
			c.blame(answerKey(method, path, w.status), "the method is not documented")
		}
		return
	}
	key := answerKey(method, path, w.status)
	c.mu.Lock()
	c.seen[key]++
	enough := c.seen[key] > maxChecked
	c.mu.Unlock()
	if enough {
		return
	}
	if operation.Responses.Status(w.status) == nil {
		c.mu.Lock()
		said := c.said
		c.mu.Unlock()
		c.blame(key, "the status is not documented; the last error was: "+said)
		return
	}
	if err := c.check(r, w, path, item, operation); err != nil {
		c.blame(key, err.Error())
	}
}

// Write takes what servers log.
func (c *contract) Write(line []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = string(line)
	return len(line), nil
}

func (c *contract) blame(key, note string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notes[key] = note
}

// check compares JSON with its schema, and of the others the type alone.
func (c *contract) check(r *http.Request, w *watchedWriter, path string, item *openapi3.PathItem, operation *openapi3.Operation) error {
	kind := w.Header().Get("Content-Type")
	if r.Method == http.MethodHead || w.body.Len() == 0 {
		return nil
	}
	if !strings.Contains(kind, "json") {
		content := operation.Responses.Status(w.status).Value.Content
		if content.Get(kind) == nil {
			return errors.New("content of type " + kind)
		}
		return nil
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, Route: &routers.Route{
			Spec: c.doc, Path: path, PathItem: item, Method: r.Method, Operation: operation,
		}},
		Status: w.status, Header: w.Header(),
	}
	return openapi3filter.ValidateResponse(r.Context(), input.SetBodyBytes(w.body.Bytes()))
}

// documentedPath is the path of the pattern that answered.
func documentedPath(r *http.Request) string {
	_, path, ok := strings.Cut(r.Pattern, "/")
	if !ok {
		return ""
	}
	if path = "/" + path; strings.HasSuffix(path, "/") && r.URL.Path != path {
		path += "{id}" // tus answers all below its address
	}
	return path
}

// watchedWriter keeps what is written, but for streams.
type watchedWriter struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (w *watchedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack implements http.Hijacker, for what goes on as a WebSocket.
func (w *watchedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.status = http.StatusSwitchingProtocols
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

func (w *watchedWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *watchedWriter) Write(b []byte) (int, error) {
	if room := 1<<20 - w.body.Len(); w.Header().Get("Content-Type") != "text/event-stream" {
		w.body.Write(b[:min(len(b), room)])
	}
	return w.ResponseWriter.Write(b)
}

func TestContractIsValid(t *testing.T) {
	if err := observed.doc.Validate(t.Context(), openapi3.IsOpenAPI31OrLater()); err != nil {
		t.Error(err)
	}
}

// What is no part of the API: pages and what they load.
var pages = []string{"/", "/{$}", "/{name}", "/j/{code}", "/c/{name}", "/appointment", "/news", "/unsubscribe", "/privacy", "/staff", "/fleet", "/assets/{file}"}

func TestContractHasEveryRoute(t *testing.T) {
	s, err := New(Config{})
	check(t, err)
	routes := map[string]bool{}
	s.register(func(pattern string, _ handler) {
		_, path, _ := strings.Cut(pattern, "/")
		if path = "/" + path; !slices.Contains(pages, path) {
			routes[path] = true
		}
	})
	routes["/api/uploads/{id}"] = true // tus answers all below its address
	want := slices.Sorted(maps.Keys(observed.doc.Paths.Map()))
	if got := slices.Sorted(maps.Keys(routes)); !slices.Equal(got, want) {
		t.Errorf("routes %v,\nopenapi.yaml has %v", got, want)
	}
}
