package showroom

import (
	"cmp"
	"context"
	"net/http"
	"path/filepath"

	"github.com/bril-edge/bril/cmd/internal/showroom/devices"
	"github.com/bril-edge/bril/cmd/internal/showroom/fleet"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
)

const (
	// DefaultFleet is what a fleet is called that nobody has named.
	DefaultFleet = "fleet"
	// fleetPath is below which the fleet's service is.
	fleetPath = "/api/fleet"
	// supportDir holds support bundles, in the data directory.
	supportDir = "support"
	// supportPath takes them.
	supportPath = "/api/device/support"
)

// openFleet makes the service of the fleet, where boards can be enrolled.
func (s *Server) openFleet(ctx context.Context) (err error) {
	if s.devices == nil {
		return nil
	}
	s.fleet, err = fleet.Open(ctx, fleet.Config{
		Records: s.records, Fleet: s.fleetName(), Keys: s.configKeys, Holder: s.fleetDevice, Staff: s.staff.Manager,
		Support: filepath.Join(s.cfg.DataDir, supportDir), Lines: s.cfg.Limits.Lines, Clock: s.now, Log: s.log,
	})
	return err
}

func (s *Server) fleetName() string { return cmp.Or(s.cfg.Fleet, DefaultFleet) }

// runFleet runs the service, where there is one.
func (s *Server) runFleet(ctx context.Context) error {
	if s.fleet == nil {
		<-ctx.Done()
		return nil
	}
	return s.fleet.Run(ctx)
}

// registerFleet is for managers, and for the lines of devices.
func (s *Server) registerFleet(add func(pattern string, h handler)) {
	service := s.fleet
	if service == nil {
		service = new(fleet.Service)
	}
	there := func(h handler) handler {
		return func(w http.ResponseWriter, r *http.Request) error {
			if s.fleet == nil {
				return failure(http.StatusServiceUnavailable, "this server has no fleet: start it with --tls-own and --data DIR")
			}
			return h(w, r)
		}
	}
	for pattern, h := range service.Routes() {
		add(pattern, there(h))
	}
	add("PUT "+supportPath, there(service.Support))
	line, err := service.Line()
	add("GET "+fleetPath+"/opamp", there(func(w http.ResponseWriter, r *http.Request) error {
		if err != nil {
			return err
		}
		if _, err := s.fleetDevice(r); err != nil {
			return err
		}
		line(w, r)
		return nil
	}))
}

// fleetDevice is the device that a request comes from. One that is not enrolled hears
// what to do.
func (s *Server) fleetDevice(r *http.Request) (records.Device, error) {
	leaf := clientCertificate(r)
	if leaf == nil {
		return records.Device{}, typed(http.StatusUnauthorized, "not-enrolled", "this is for devices, which show their certificate")
	}
	device, err := s.devices.Holder(r.Context(), leaf)
	if err != nil {
		return records.Device{}, certificateProblem(err)
	}
	return device, nil
}

// fleetOf is what a device is told of its fleet.
func (s *Server) fleetOf(e *devices.Endpoint, id string) {
	e.FleetURL, e.Support, e.Fleet = e.Server+fleetPath, e.Server+supportPath, s.fleetName()
	e.Labels = map[string]string{}
	if s.fleet != nil {
		e.Labels = s.fleet.Labels(id)
	}
}

// large says whether a path bounds its own bodies.
func large(path string) bool {
	return path == fleetPath+"/bundles" || path == supportPath
}

// fleetProblem is a refusal of the fleet's service.
func fleetProblem(err *fleet.Error) *problem {
	p := failure(err.Status, err.Detail)
	if err.Word != "" {
		p.Type = problemType + err.Word
	}
	p.Problems, p.NextSerial = err.Problems, err.Next
	return p
}
