package agent

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/doctor"
	"github.com/bril-edge/bril/cmd/internal/showroom"
)

// secureEndpoint runs the reference endpoint with a certificate for an address, good
// within a time from now, and returns its WHIP URL and its authority.
func secureEndpoint(t *testing.T, ip string, from, to time.Duration) (string, *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.ParseIP(ip)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(from), NotAfter: time.Now().Add(to),
	}
	public, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return runEndpoint(t, showroom.Config{
		Listen: "127.0.0.1:0", DataDir: t.TempDir(), Log: slog.New(slog.DiscardHandler),
		TLSCert: write(t, "cert.pem", text),
		TLSKey:  write(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})),
	}) + "/whip/test", roots
}

func runEndpoint(t *testing.T, cfg showroom.Config) string {
	t.Helper()
	server, err := showroom.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	at, done := make(chan string, 1), make(chan error, 1)
	go func() { done <- server.Run(ctx, func(u string) { at <- u }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("endpoint: %v", err)
		}
	})
	select {
	case u := <-at:
		return u
	case err := <-done:
		t.Fatalf("endpoint: %v", err)
		return ""
	}
}

const day = 24 * time.Hour

func TestDoctorNamesFaultsOfCertificatesAndClock(t *testing.T) {
	tests := map[string]struct {
		ip       string
		from, to time.Duration
		unknown  bool
		ahead    time.Duration // of the clock
		id       doctor.ID
		words    string
	}{
		"expired":           {"127.0.0.1", -10 * day, -day, false, 0, doctor.TLS, "expired"},
		"not yet valid":     {"127.0.0.1", 2 * day, 9 * day, false, 0, doctor.TLS, "not yet valid"},
		"another name":      {"127.0.0.9", -day, day, false, 0, doctor.TLS, "another name"},
		"unknown authority": {"127.0.0.1", -day, day, true, 0, doctor.TLS, "unknown authority"},
		"wrong clock":       {"127.0.0.1", -day, 9 * day, false, -9000 * day, doctor.Clock, "clock is wrong"},
		"clock ahead":       {"127.0.0.1", -day, 9 * day, false, 400 * day, doctor.Clock, "clock is wrong"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			endpoint, roots := secureEndpoint(t, test.ip, test.from, test.to)
			p := healthy(t, endpoint)
			if !test.unknown {
				p.opts.roots = roots
			}
			p.opts.probes.now = func() time.Time { return time.Now().Add(test.ahead) }
			report := p.examine(t)
			wantFirst(t, report, test.id, test.words, 1)
			if c := report.Checks[18]; c.ID != doctor.WHIP || c.Status != doctor.Skipped || c.On != test.id {
				t.Errorf("%+v", c)
			}
		})
	}
}

func TestDoctorNamesFaultsOfTheNetwork(t *testing.T) {
	p := healthy(t, "https://nowhere.example/whip/anna")
	p.opts.probes.resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("the DNS server is away")
	}}
	wantFirst(t, p.examine(t), doctor.DNS, "nowhere.example", 1)

	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	wantFirst(t, healthy(t, "http://"+closed.Addr().String()+"/whip/a").examine(t), doctor.TCP, "refused", 1)

	wrong := strings.Replace(startEndpoint(t), "/whip/", "/nothing/", 1)
	wantFirst(t, healthy(t, wrong).examine(t), doctor.WHIP, "404", 1)
}

// A path that drops packets, or has room for few: between the glasses and the
// endpoint, both on this machine.
func TestDoctorNamesFaultsOfTheUplink(t *testing.T) {
	tests := map[string]struct {
		passes func() func(n int, now time.Time) bool
		id     doctor.ID
		words  string
	}{
		"blocked": {func() func(int, time.Time) bool { return func(int, time.Time) bool { return false } }, doctor.UDP, "no UDP gets through"},
		"lossy":   {lossy, doctor.Uplink, "loses packets"},
		"slow":    {narrow, doctor.Uplink, "slow"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := healthy(t, pathTo(t, startEndpoint(t), test.passes()))
			p.cfg.Video.MaxBitRate = 1_500_000
			wantFirst(t, p.examine(t), test.id, test.words, 1)
		})
	}
}

// lossy drops each sixth packet of some size: the handshake's are spared, so that the
// test takes no longer than need be.
func lossy() func(int, time.Time) bool {
	count := 0
	return func(n int, _ time.Time) bool {
		if n < 1000 {
			return true
		}
		count++
		return count%6 != 0
	}
}

// narrow has room for 400 kb/s.
func narrow() func(int, time.Time) bool {
	const rate, most = 50_000.0, 16_000.0 // bytes a second, bytes
	room, last := most, time.Now()
	return func(n int, now time.Time) bool {
		room = min(most, room+rate*now.Sub(last).Seconds())
		last = now
		if float64(n) > room {
			return false
		}
		room -= float64(n)
		return true
	}
}

// pathTo puts a path of packets before an endpoint: it answers with the path's near end
// in the place of its own candidates.
func pathTo(t *testing.T, endpoint string, passes func(n int, now time.Time) bool) string {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	near, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	path := &udpPath{t: t, near: near, passes: passes}
	t.Cleanup(path.close)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: target.Scheme, Host: target.Host})
	proxy.ModifyResponse = path.rewrite
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL + target.Path
}

type udpPath struct {
	t      *testing.T
	near   *net.UDPConn
	passes func(n int, now time.Time) bool

	mu      sync.Mutex
	far     *net.UDPConn
	running sync.WaitGroup
}

var candidate = regexp.MustCompile(`(?m)^(a=candidate:\S+ \d+ udp \d+ )(\S+) (\d+)( .*)$`)

func (u *udpPath) rewrite(r *http.Response) error {
	if r.StatusCode != http.StatusCreated {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body.Close()
	found := candidate.FindAllSubmatch(body, -1)
	for _, c := range found {
		port, _ := strconv.Atoi(string(c[3]))
		u.begin(port)
	}
	at := u.near.LocalAddr().(*net.UDPAddr)
	body = candidate.ReplaceAll(body, []byte("${1}127.0.0.1 "+strconv.Itoa(at.Port)+"${4}"))
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

// begin carries packets to a port, unless it does so already.
func (u *udpPath) begin(port int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.far != nil {
		return
	}
	far, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		u.t.Error(err)
		return
	}
	u.far = far
	back := make(chan netip.AddrPort, 1)
	u.running.Go(func() {
		defer close(back)
		b, told := make([]byte, 2048), false
		for {
			n, from, err := u.near.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			if !told {
				back <- from
				told = true
			}
			if u.passes(n, time.Now()) {
				_, _ = far.Write(b[:n]) // one that is refused is lost
			}
		}
	})
	u.running.Go(func() {
		b := make([]byte, 2048)
		to, ok := <-back
		for ok {
			n, err := far.Read(b)
			if err != nil {
				return
			}
			_, err = u.near.WriteToUDPAddrPort(b[:n], to)
			ok = err == nil
		}
	})
}

func (u *udpPath) close() {
	u.near.Close()
	u.mu.Lock()
	if u.far != nil {
		u.far.Close()
	}
	u.mu.Unlock()
	u.running.Wait()
}
