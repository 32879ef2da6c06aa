package showroom

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/bril-edge/bril/cmd/internal/showroom/devices"
	"github.com/bril-edge/bril/cmd/internal/showroom/media"
	"github.com/bril-edge/bril/cmd/internal/showroom/records"
	"github.com/bril-edge/bril/configs/fleet"
	"github.com/bril-edge/bril/uplink/enrol/token"
)

// deviceOwner begins the owner of what a device publishes; the digests of tokens
// have no colon.
const deviceOwner = "device:"

// readAuthority opens the authority of devices, and with TLSOwn takes the server's
// certificate from it. Without TLS there is none.
func (s *Server) readAuthority() (err error) {
	if !s.cfg.overTLS() {
		return nil
	}
	if s.authority, err = devices.OpenAuthority(s.cfg.DataDir, s.now); err != nil {
		return err
	}
	if s.cfg.TLSOwn {
		if err := s.authority.OwnServer(s.cfg.DataDir, s.hosts()); err != nil {
			return err
		}
		s.tls = tlsConfig()
		s.tls.GetCertificate = s.authority.ServerCertificate
	}
	// A browser has no certificate of this authority and is not asked for one. What
	// comes is judged with the request, where a refusal can say what to do.
	s.tls.ClientAuth, s.tls.ClientCAs = tls.RequestClientCert, s.authority.Pool()
	leaf, err := s.leaf()
	if err != nil {
		return err
	}
	if err := devices.KeepPin(s.cfg.DataDir, leaf); err != nil {
		return err
	}
	s.configKeys, err = readConfigurationKeys(s.cfg.ConfigurationKeys)
	return err
}

// leaf is the certificate that the server shows now.
func (s *Server) leaf() (*x509.Certificate, error) {
	if s.cfg.TLSOwn {
		c, err := s.authority.ServerCertificate(nil)
		if err != nil {
			return nil, err
		}
		return c.Leaf, nil
	}
	return x509.ParseCertificate(s.tls.Certificates[0].Certificate[0])
}

// hosts are the names and addresses that glasses may know the server by.
func (s *Server) hosts() []string {
	var list []string
	add := func(host string) {
		if host != "" && !slices.Contains(list, host) {
			list = append(list, host)
		}
	}
	if u, err := url.Parse(s.cfg.PublicURL); err == nil {
		add(u.Hostname())
	}
	switch ip := s.addr.Addr().Unmap(); {
	case ip.IsUnspecified():
		addresses, _ := net.InterfaceAddrs() // without them the public name will do
		for _, a := range addresses {
			if n, ok := a.(*net.IPNet); ok {
				add(n.IP.String())
			}
		}
		add("localhost")
	case ip.IsLoopback():
		for _, host := range []string{"localhost", "127.0.0.1", "::1", ip.String()} {
			add(host)
		}
	default:
		add(ip.String())
	}
	if s.advertised.IsValid() {
		add(s.advertised.String())
	}
	return list
}

func readConfigurationKeys(files []string) (keys []string, err error) {
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, refuse("check --configuration-key", "read a key for configuration: %w", err)
		}
		block, _ := pem.Decode(text)
		if block == nil {
			return nil, refuse("give a public key: openssl pkey -pubout", "read a key for configuration: %s is not PEM", path)
		}
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		key, ok := parsed.(ed25519.PublicKey)
		if err != nil || !ok {
			return nil, refuse("give the public half of an Ed25519 key", "read a key for configuration: %s is not one of Ed25519", path)
		}
		keys = append(keys, fleet.FormatKey(key))
	}
	return keys, nil
}

// openDevices makes the registry of devices; base is the server's address.
func (s *Server) openDevices(base string) {
	if s.authority == nil {
		return
	}
	base = s.reachable(base)
	s.devices = devices.New(devices.Config{
		Records: s.records, Authority: s.authority, Clock: s.now, Log: s.log,
		Endpoint: func(id, name string) devices.Endpoint { return s.endpointOf(base, id, name) },
		Enrolled: s.enrolled, Revoked: s.dismiss,
	})
}

// reachable is base with an address that is one, where the server listens on all.
func (s *Server) reachable(base string) string {
	u, err := url.Parse(base)
	if err != nil || !s.advertised.IsValid() {
		return base
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.IsUnspecified() {
		u.Host = net.JoinHostPort(s.advertised.String(), u.Port())
	}
	return u.String()
}

func (s *Server) endpointOf(base, id, name string) devices.Endpoint {
	e := devices.Endpoint{
		Server: base, WHIP: base + "/whip/" + name, Uploads: base + media.BasePath, Events: base + "/api/glasses/" + name + "/events",
		TrustedOrigins: []string{}, ICEServers: []devices.ICEServer{}, Recipient: s.identity.Recipient().String(),
		ConfigurationKeys: append([]string{}, s.keysToTrust()...),
	}
	if s.cfg.TLSOwn {
		e.Roots = string(s.authority.Root())
	}
	s.fleetOf(&e, id)
	return e
}

// keysToTrust are those of the fleet, for a board that is enrolled now.
func (s *Server) keysToTrust() []string {
	if s.fleet == nil {
		return s.configKeys
	}
	return s.fleet.Keys()
}

// enrolled takes a new device into the fleet.
func (s *Server) enrolled(device records.Device) {
	if s.fleet != nil {
		s.fleet.Enrolled(device)
	}
}

// dismiss ends what a device that is revoked has running.
func (s *Server) dismiss(id, name string) {
	owner := deviceOwner + id
	s.desk.Dismiss(name, owner)
	s.relay.EndOwner(owner)
	s.uploading.end(owner)
	if s.fleet != nil {
		s.fleet.Revoked(id)
	}
}

// stillEnrolled is asked when a device has begun something: a revocation between the
// first look at its certificate and now has not found it to end it.
func (s *Server) stillEnrolled(r *http.Request, owner string) error {
	if !strings.HasPrefix(owner, deviceOwner) {
		return nil
	}
	// A client that hangs up would otherwise end what else its device has running.
	_, err := s.publisher(r.WithContext(context.WithoutCancel(r.Context())))
	if err != nil {
		s.relay.EndOwner(owner)
	}
	return err
}

func (s *Server) deviceAdmin() devices.Admin {
	pin := func() ([32]byte, error) {
		if s.authority == nil {
			return [32]byte{}, devices.ErrNoPin
		}
		leaf, err := s.leaf()
		if err != nil {
			return [32]byte{}, err
		}
		return token.PinOf(leaf), nil
	}
	if s.devices == nil {
		return devices.NewAdmin(s.records, s.cfg.DataDir)
	}
	return s.devices.Admin(pin)
}

// publisher returns whom a request of glasses comes from: a device by its
// certificate, else the owner of a token, and without tokens nobody in particular.
func (s *Server) publisher(r *http.Request) (owner string, err error) {
	leaf := clientCertificate(r)
	if s.devices == nil || leaf == nil {
		if s.cfg.RequireEnrolment {
			return "", typed(http.StatusForbidden, "not-enrolled", "this endpoint takes enrolled devices only")
		}
		return s.tokens.owner(r)
	}
	device, err := s.devices.Holder(r.Context(), leaf)
	if err != nil {
		return "", certificateProblem(err)
	}
	return deviceOwner + device.ID, nil
}

// open says that publishing is, to who asks.
func (s *Server) open(r *http.Request) bool {
	return len(s.tokens) == 0 && !s.cfg.RequireEnrolment && clientCertificate(r) == nil
}

func clientCertificate(r *http.Request) *x509.Certificate {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	return r.TLS.PeerCertificates[0]
}

// certificateProblem says what is wrong with a device's certificate, and what helps.
func certificateProblem(err error) error {
	switch {
	case errors.Is(err, devices.ErrRevoked):
		return typed(http.StatusForbidden, "device-revoked", "this device is revoked; a new token enrols the board again")
	case errors.Is(err, devices.ErrExpired):
		return typed(http.StatusForbidden, "certificate-expired", "the device's certificate has expired; it is to be renewed")
	case errors.Is(err, devices.ErrForeign):
		return typed(http.StatusForbidden, "certificate-unknown", "the certificate is not one of this endpoint's; a new token enrols the board")
	}
	return err
}

// mayUse keeps names apart: a device publishes under its own, and nobody else does.
func (s *Server) mayUse(ctx context.Context, name, owner string) error {
	if s.devices == nil {
		return nil
	}
	id, isDevice := strings.CutPrefix(owner, deviceOwner)
	holder, held, err := s.devices.Held(ctx, name)
	switch {
	case err != nil:
		return err
	case held && !(isDevice && holder.ID == id):
		return typed(http.StatusForbidden, "other-name", "the name belongs to another device")
	case !held && isDevice:
		return typed(http.StatusForbidden, "other-name", "this device has another name")
	}
	return nil
}

// mayKeep keeps photos and clips apart likewise: no device puts them where another one
// is at home. Its own name may have changed since they were taken, and what a token's
// owner began may be finished after the board was enrolled: that is not lost.
func (s *Server) mayKeep(ctx context.Context, owner, conversation string) (bool, error) {
	id, isDevice := strings.CutPrefix(owner, deviceOwner)
	if !isDevice {
		return true, nil
	}
	holder, err := s.records.DeviceNamed(ctx, conversation)
	if errors.Is(err, records.ErrNotFound) {
		return true, nil
	}
	if err != nil || holder.ID == id {
		return err == nil, err
	}
	sender, err := s.records.Device(ctx, id) // it may have been the one of that name when it began
	return err == nil && sender.Name == conversation, err
}
