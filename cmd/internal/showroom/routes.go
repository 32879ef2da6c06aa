package showroom

import (
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/bril-edge/bril/cmd/internal/showroom/media"
	"github.com/bril-edge/bril/cmd/internal/showroom/staff"
	"github.com/bril-edge/bril/cmd/internal/showroom/web"
)

// maxBody is the largest request, in bytes. A browser's offer has 3 to 8 kB.
const maxBody = 64 << 10

// handler answers a request or returns what was wrong with it.
type handler func(http.ResponseWriter, *http.Request) error

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	s.register(func(pattern string, h handler) { mux.Handle(pattern, s.answering(h)) })
	return secured(mux, s.tls != nil)
}

// answering answers with a problem where h returns one.
func (s *Server) answering(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.writeError(w, r, err)
		}
	})
}

// register gives add all that there is. Those of the API are in openapi.yaml, too.
func (s *Server) register(add func(pattern string, h handler)) {
	s.registerMedia(add)
	s.registerCalls(add)
	s.registerStaff(add)
	s.registerDevices(add)
	s.registerFleet(add)
	add("GET /api/openapi.yaml", openAPI)
	add("GET /api/bril.schema.json", configurationSchema)
	add("GET /.well-known/bril", s.wellKnown)
	add("GET /healthz", health)
	add("GET /assets/{file}", web.ServeAsset)
	add("GET /{$}", web.Home.Serve)
	add("GET /j/{code}", web.Conversation.Serve)
	add("GET /c/{name}", web.Conversation.Serve)
	add("GET /appointment", web.Appointment.Serve)
	add("GET /news", web.News.Serve)
	add("GET /unsubscribe", web.Unsubscribe.Serve)
	add("GET /privacy", web.Privacy.Serve)
	add("GET /fleet", web.Fleet.Serve)
	add("GET /{name}", named(web.Conversation.Serve))
	add("/", func(http.ResponseWriter, *http.Request) error { return failure(http.StatusNotFound, "nothing is here") })
}

// registerMedia is for what flows: pictures and sound, photos and clips.
func (s *Server) registerMedia(add func(pattern string, h handler)) {
	add("/whip/{name}", cors(testable(s.whip)))
	add("/whip/{name}/{id}", cors(testable(s.whipResource)))
	add("/whep/{name}", cors(named(s.whep)))
	add("/whep/{name}/{id}", cors(named(s.whepResource)))
	add("/talk/{name}", named(s.talk))
	add("/talk/{name}/{id}", named(s.talkResource))
	add("/hear/{name}", named(s.hear))
	add("/hear/{name}/{id}", named(s.hearResource))
	add("/api/sessions/{name}", named(s.session))
	add("/api/sessions/{name}/events", named(s.events))
	add("/api/sessions/{name}/access", named(s.access))
	add("/api/sessions/{name}/media", named(s.mediaList))
	add("/media/{name}/{file}", named(s.mediaFile))
	add(media.BasePath, s.upload)
	add(media.BasePath+"{id}/receipt", s.receipt)
}

// registerCalls is for what customers and glasses say of conversations.
func (s *Server) registerCalls(add func(pattern string, h handler)) {
	const get, put, post, del = http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete
	add("/api/showrooms", s.public(s.showrooms, get))
	add("/api/showrooms/{id}/slots", s.public(s.slots, get))
	add("/api/calls", s.public(s.call, post))
	add("/api/appointments", s.public(s.book, post))
	add("/api/appointment", s.public(s.appointment, get, put, del))
	add("/api/join", s.public(s.join, post))
	add("/api/consent/confirm", s.public(s.consentConfirmed, post))
	add("/api/consent/withdraw", s.public(s.withdraw, post))
	add("/api/consent/withdraw/{token}", s.public(s.withdrawOneClick, get, post))
	add("/api/conversations/{cid}", s.customers(s.conversation, get))
	add("/api/conversations/{cid}/ring", s.customers(s.ring, post))
	add("/api/conversations/{cid}/end", s.customers(s.endCall, post))
	add("/api/conversations/{cid}/rating", s.customers(s.rate, post))
	add("/api/conversations/{cid}/send", s.customers(s.send, post))
	add("/api/conversations/{cid}/status", s.customers(s.status, post))
	add("/api/glasses/{name}/events", named(s.glassesOwner(s.glassesEvents, get)))
	add("/api/glasses/{name}/answer", named(s.glassesOwner(s.answer, post)))
	add("/api/glasses/{name}/end", named(s.glassesOwner(s.endByGlasses, post)))
}

// registerStaff is for who works there. Without a data directory nobody does; the
// page is there to say so.
func (s *Server) registerStaff(add func(pattern string, h handler)) {
	views := s.staff
	if views == nil {
		views = new(staff.Staff)
	}
	for pattern, h := range views.Routes() {
		if s.staff == nil && strings.HasPrefix(pattern, "/api/") {
			h = func(http.ResponseWriter, *http.Request) error { return s.conferring() }
		}
		add(pattern, h)
	}
}

func health(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, "ok\n")
	return nil
}

// secured sets what every answer carries, and bounds every body. No page of ours
// loads anything from elsewhere.
func secured(next http.Handler, overTLS bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "+
			"media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone="+microphone(r.URL.Path))
		if overTLS {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if !strings.HasPrefix(r.URL.Path, media.BasePath) && !large(r.URL.Path) { // which bound their own
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		}
		next.ServeHTTP(w, r)
	})
}

// microphone says who may ask for it: the page of a conversation, where the
// customer can talk back, and nobody else.
func microphone(path string) string {
	if strings.HasPrefix(path, "/c/") || strings.HasPrefix(path, "/j/") {
		return "(self)"
	}
	return "()"
}

// cors lets pages of any origin publish and view: the credential is in a header,
// never in a cookie, which stays with its own site. RFC 9725 section 4.7.
func cors(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", "location, link, etag, retry-after")
		if r.Method == http.MethodOptions {
			h.Set("Access-Control-Allow-Methods", "DELETE, OPTIONS, PATCH, POST")
			h.Set("Access-Control-Allow-Headers", "authorization, content-type, if-match")
			h.Set("Access-Control-Max-Age", "7200")
		}
		return next(w, r)
	}
}

// maxName is the longest name of a conversation, in characters.
const maxName = 64

// named refuses names that could be anything but one path segment of ours.
func named(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !validName(r.PathValue("name")) || isTest(r.PathValue("name")) {
			return failure(http.StatusNotFound, "names have 1 to 64 letters, digits, - and _")
		}
		return next(w, r)
	}
}

func validName(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	switch name {
	case "api", "appointment", "assets", "book", "c", "fleet", "healthz", "hear", "j", "media", "news", "privacy", "staff", "talk", "unsubscribe", "whep", "whip": // our own paths
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// ValidName says whether a conversation can have the name.
func ValidName(name string) bool { return validName(name) }

// GlassesName says whether a device can have the name: one of a test or of a
// conversation would never be its own.
func GlassesName(name string) bool { return validName(name) && !isTest(name) && !isConversation(name) }

func notAllowed(w http.ResponseWriter, allow string) error {
	w.Header().Set("Allow", allow)
	return failure(http.StatusMethodNotAllowed, "allowed here: "+allow)
}

// body reads a request of the media type.
func body(r *http.Request, mediaType string) (string, error) {
	got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || got != mediaType {
		return "", failure(http.StatusUnsupportedMediaType, "the body must be "+mediaType)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return "", err
	}
	return string(text), nil
}
