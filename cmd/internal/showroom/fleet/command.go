package fleet

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/open-telemetry/opamp-go/protobufs"

	"github.com/bril-edge/bril/cmd/internal/showroom/directory"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
	fleetline "github.com/bril-edge/bril/uplink/fleet"
)

// restart asks a device to restart its agent, when nobody is cut off by that.
func (s *Service) restart(ctx context.Context, who string, r *http.Request) (any, error) {
	return s.command(ctx, who, r, "restart", func(*device) *protobufs.ServerToAgent {
		return &protobufs.ServerToAgent{Command: &protobufs.ServerToAgentCommand{Type: protobufs.CommandType_CommandType_Restart}}
	})
}

// askSupport asks a device for a support bundle, which it sends encrypted.
func (s *Service) askSupport(ctx context.Context, who string, r *http.Request) (any, error) {
	if s.cfg.Support == "" {
		return nil, refuse(http.StatusServiceUnavailable, "support", "this server takes no support bundles")
	}
	return s.command(ctx, who, r, "support bundle", func(d *device) *protobufs.ServerToAgent {
		d.asked = s.cfg.Clock()
		return &protobufs.ServerToAgent{CustomMessage: &protobufs.CustomMessage{Capability: fleetline.Capability, Type: fleetline.TypeSupport}}
	})
}

func (s *Service) command(ctx context.Context, who string, r *http.Request, action string, message func(*device) *protobufs.ServerToAgent) (any, error) {
	y, err := why(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.named(r)
	if err != nil {
		return nil, err
	}
	if d.line == nil {
		return nil, refuse(http.StatusConflict, "offline", "%s is offline", d.name)
	}
	if err := s.note(ctx, who, action, d.name, y.Reason); err != nil {
		return nil, err
	}
	m := message(d)
	m.InstanceUid = instance(d.id)
	go d.line.write(m) // its own deadline bounds it, and the line's end
	return s.show(d), nil
}

const (
	// supportAsked is how long a device has to send what it was asked for.
	supportAsked = 10 * time.Minute
	supportKept  = 30 * 24 * time.Hour
	supportTime  = "20060102T150405Z"
)

// Support takes a support bundle of a device: one for each time that it was asked, and
// only encrypted.
func (s *Service) Support(w http.ResponseWriter, r *http.Request) error {
	one, err := s.cfg.Holder(r)
	if err != nil {
		return err
	}
	if s.cfg.Support == "" {
		return refuse(http.StatusServiceUnavailable, "support", "this server takes no support bundles")
	}
	asked := s.answered(one, time.Time{})
	if s.cfg.Clock().Sub(asked) >= supportAsked {
		return refuse(http.StatusForbidden, "not-asked", "nobody has asked for a support bundle of %s", one.Name)
	}
	if err := s.keepSupport(one.Name, r.Body); err != nil {
		s.answered(one, asked) // it may try again
		return err
	}
	w.WriteHeader(http.StatusCreated)
	return nil
}

// answered says when a device was asked for a support bundle, and notes another time.
func (s *Service) answered(one records.Device, now time.Time) (asked time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.known(one)
	asked, d.asked = d.asked, now
	return asked
}

func (s *Service) keepSupport(name string, body io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(body, fleetline.SupportLimit+1))
	switch {
	case err != nil:
		return err
	case len(data) > fleetline.SupportLimit:
		return refuse(http.StatusRequestEntityTooLarge, "", "a support bundle has at most %d MB", fleetline.SupportLimit>>20)
	case !bytes.HasPrefix(data, []byte(fleetline.AgeHeader)):
		return refuse(http.StatusBadRequest, "not-encrypted", "a support bundle is encrypted by age")
	}
	if err := os.MkdirAll(s.cfg.Support, 0o700); err != nil {
		return fmt.Errorf("keep a support bundle: %w", err)
	}
	now := s.cfg.Clock().UTC()
	file := fmt.Sprintf("%s-%s.tar.gz.age", name, now.Format(supportTime))
	if err := directory.Write(filepath.Join(s.cfg.Support, file), data); err != nil {
		return fmt.Errorf("keep a support bundle: %w", err)
	}
	s.log.Info("a support bundle came", "name", name, "file", file)
	s.sweepSupport(now)
	return nil
}

// sweepSupport removes support bundles that are old.
func (s *Service) sweepSupport(now time.Time) {
	entries, err := os.ReadDir(s.cfg.Support)
	if err != nil {
		return // another time
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && now.Sub(info.ModTime()) > supportKept {
			_ = os.Remove(filepath.Join(s.cfg.Support, e.Name())) // another time
		}
	}
}
