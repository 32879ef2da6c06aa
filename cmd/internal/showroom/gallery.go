package showroom

import (
	"context"
	"errors"
	"net/http"

	"filippo.io/age"
	"golang.org/x/sync/errgroup"

	"github.com/bril-edge/bril/cmd/internal/showroom/media"
	"github.com/bril-edge/bril/cmd/internal/showroom/privacy"
)

// LoadIdentity reads the age identity of a data directory, which uploads are
// encrypted to; it makes both when they are missing.
func LoadIdentity(dir string) (*age.X25519Identity, error) {
	if err := makeDataDir(dir); err != nil {
		return nil, err
	}
	identity, err := media.LoadIdentity(dir)
	if bad := (*media.IdentityError)(nil); errors.As(err, &bad) {
		return nil, &ConfigError{Problem: bad, Hint: bad.Hint()}
	}
	return identity, err
}

// withMedia runs next, and what is done with uploads beside it.
func (s *Server) withMedia(ctx context.Context, next func(context.Context) error) error {
	s.media = nil
	if s.identity == nil {
		return next(ctx)
	}
	l := s.cfg.Limits
	store, err := media.Open(media.Config{
		Dir: s.cfg.DataDir, Identity: s.identity, Retention: s.cfg.Retention, Clock: s.now, ValidName: validName, Log: s.log,
		Erased: privacy.Erased(s.records, s.log), MaxSize: l.UploadSize, MaxCount: l.Uploads, Stall: l.UploadStall, MayKeep: s.mayKeep,
	})
	if err != nil {
		return err
	}
	s.media = store
	g, ctx := errgroup.WithContext(ctx)
	ctx, cancel := context.WithCancel(ctx)
	g.Go(func() error { return store.Run(ctx) })
	g.Go(func() error {
		defer cancel()
		return next(ctx)
	})
	return errors.Join(g.Wait(), store.Close())
}

// storing refuses where the server has no place for media.
func (s *Server) storing() error {
	if s.media == nil {
		return failure(http.StatusServiceUnavailable, "this server stores nothing: start it with --data DIR")
	}
	return nil
}

// upload receives by tus, from who may publish. It is not bound to the token that
// began it: a token may be replaced before what it sent is acknowledged, and only
// who made the item knows its ID, of 128 random bits, until it is stored.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) error {
	owner, err := s.publisher(r)
	if err != nil {
		return err
	}
	if err := s.storing(); err != nil {
		return err
	}
	until, done := s.uploading.begin(owner)
	defer done()
	if err := s.stillEnrolled(r, owner); err != nil {
		w.Header().Set("Connection", "close") // else net/http waits for the body first
		return err
	}
	return s.media.ServeUpload(w, r, media.Sender{Owner: owner, Until: until})
}

// receipt tells a publisher what has become of its upload, for ever after.
func (s *Server) receipt(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return notAllowed(w, "GET, HEAD")
	}
	if _, err := s.publisher(r); err != nil {
		return err
	}
	if err := s.storing(); err != nil {
		return err
	}
	receipt, ok, err := s.media.Receipt(r.PathValue("id"))
	if err != nil {
		return err
	}
	if !ok {
		return failure(http.StatusNotFound, "nothing is known of such an upload")
	}
	status := http.StatusAccepted
	switch receipt.State {
	case media.Stored:
		status = http.StatusOK
	case media.Refused:
		status = http.StatusUnprocessableEntity
	}
	return writeStatusJSON(w, status, receipt)
}

// mediaAnswer lists what is stored for a conversation.
type mediaAnswer struct {
	SchemaVersion int            `json:"schema_version"`
	Items         []media.Listed `json:"items"`
}

func (s *Server) mediaList(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return notAllowed(w, "GET, HEAD")
	}
	name := r.PathValue("name")
	if err := s.mayList(r, name); err != nil {
		return err
	}
	if err := s.storing(); err != nil {
		return err
	}
	return writeJSON(w, mediaAnswer{SchemaVersion: schemaVersion, Items: s.media.List(name)})
}

// mayList admits viewers, and publishers with a token of their own: where
// publishing is open, that is nobody. A customer's conversation is listed to the
// glasses that are live in it, and to no others.
func (s *Server) mayList(r *http.Request, name string) error {
	err := s.mayView(r, name)
	if err == nil || s.open(r) {
		return err
	}
	owner, tokenErr := s.publisher(r)
	if tokenErr != nil || isConversation(name) && !s.relay.PublishedBy(name, owner) {
		return err
	}
	return nil
}

func (s *Server) mediaFile(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return notAllowed(w, "GET, HEAD")
	}
	name := r.PathValue("name")
	if err := s.mayView(r, name); err != nil {
		return err
	}
	if err := s.storing(); err != nil {
		return err
	}
	return s.media.ServeItem(w, r, name, r.PathValue("file"))
}

// wellKnownAnswer tells an agent that is not enrolled what it needs to know of
// the server. It holds no secret.
type wellKnownAnswer struct {
	SchemaVersion int    `json:"schema_version"`
	WHIP          string `json:"whip"`
	WHEP          string `json:"whep"`
	Uploads       string `json:"uploads,omitempty"`
	Recipient     string `json:"recipient,omitempty"`
	Events        string `json:"events,omitempty"` // of a pair of glasses
}

func (s *Server) wellKnown(w http.ResponseWriter, r *http.Request) error {
	base := "http://" + r.Host
	if s.tls != nil {
		base = "https://" + r.Host
	}
	answer := wellKnownAnswer{SchemaVersion: schemaVersion, WHIP: base + "/whip/{name}", WHEP: base + "/whep/{name}"}
	if s.media != nil {
		answer.Uploads, answer.Recipient = base+media.BasePath, s.media.Recipient()
	}
	if s.desk != nil {
		answer.Events = base + "/api/glasses/{name}/events"
	}
	return writeJSON(w, answer)
}
