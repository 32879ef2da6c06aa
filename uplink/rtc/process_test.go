package rtc

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// The test binary is also the endpoint of a process of its own, so that it can
// be killed, stopped and put into another network.
const (
	asEndpoint = "BRIL_TEST_ENDPOINT"  // the address to listen on
	inNetwork  = "BRIL_TEST_NAMESPACE" // set in the child that has a network of its own
	noRestart  = "BRIL_TEST_NORESTART" // the endpoint takes no ICE restart
)

func TestMain(m *testing.M) {
	if address := os.Getenv(asEndpoint); address != "" {
		if err := serveEndpoint(address); err != nil {
			fmt.Fprintln(os.Stderr, "endpoint:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// counts is what the endpoint process tells.
type counts struct {
	Posts, Patches, Packets uint64
}

// serveEndpoint waits for a line on its standard input, serves HTTPS, prints its
// certificate and ends with its standard input.
func serveEndpoint(address string) error {
	input := bufio.NewReader(os.Stdin)
	if _, err := input.ReadString('\n'); err != nil {
		return err
	}
	var posts, patches, packets atomic.Uint64
	e := &endpoint{
		namespaced: !strings.HasPrefix(address, "127."), restarts: os.Getenv(noRestart) == "",
		onOffer: func() { posts.Add(1) }, onPatch: func() { patches.Add(1) },
		packets: map[webrtc.PayloadType]chan *rtp.Packet{payloadVideo: make(chan *rtp.Packet), payloadAudio: make(chan *rtp.Packet)},
	}
	go func() {
		for {
			select {
			case <-e.packets[payloadVideo]:
				packets.Add(1)
			case <-e.packets[payloadAudio]:
			}
		}
	}()
	mux := http.NewServeMux()
	mux.Handle("/", e.handler())
	mux.HandleFunc("GET /counts", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(counts{posts.Load(), patches.Load(), packets.Load()})
	})
	if err := listenTLS(address, mux); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, input)
	return err
}

func listenTLS(address string, handler http.Handler) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	certificate, err := selfSigned(listener.Addr().(*net.TCPAddr).IP)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}}}
	go server.ServeTLS(listener, "", "")
	fmt.Println(listener.Addr())
	return pem.Encode(os.Stdout, &pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
}

func selfSigned(ip net.IP) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{ip}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// process is an endpoint in a process of its own.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	input io.Writer
	url   string
	roots *x509.CertPool
	out   *bufio.Reader
}

// startProcess starts one, with flags of clone(2). It does not listen before
// listen.
func startProcess(t *testing.T, address string, cloneflags uintptr, env ...string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), asEndpoint+"="+address), env...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: cloneflags}
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may be dead already
		_ = cmd.Wait()
	})
	return &process{t: t, cmd: cmd, input: input, out: bufio.NewReader(output), roots: x509.NewCertPool()}
}

func (p *process) listen() {
	p.t.Helper()
	if _, err := io.WriteString(p.input, "\n"); err != nil {
		p.t.Fatal(err)
	}
	var text strings.Builder
	for !strings.Contains(text.String(), "END CERTIFICATE") {
		line, err := p.out.ReadString('\n')
		if err != nil {
			p.t.Fatalf("endpoint: %v after %q", err, text.String())
		}
		text.WriteString(line)
	}
	address, certificate, _ := strings.Cut(text.String(), "\n")
	p.url = "https://" + address
	if !p.roots.AppendCertsFromPEM([]byte(certificate)) {
		p.t.Fatal("endpoint: no certificate")
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// counts asks the endpoint what it has seen.
func (p *process) counts() (c counts, err error) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.roots}, DisableKeepAlives: true}
	client := &http.Client{Transport: transport, Timeout: time.Second}
	res, err := client.Get(p.url + "/counts")
	if err != nil {
		return c, err
	}
	defer res.Body.Close()
	return c, json.NewDecoder(res.Body).Decode(&c)
}

// awaitPackets waits until the endpoint has n packets more than before.
func (p *process) awaitPackets(before, n uint64) counts {
	p.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		c, err := p.counts()
		if err == nil && c.Packets >= before+n {
			return c
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%+v, %v after 10 s; want %d packets more than %d", c, err, n, before)
		}
	}
}

// alone runs the calling test again, in a child with a network of its own, and
// returns false; in the child it returns true.
func alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inNetwork) != "" {
		return true
	}
	for _, name := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(name); err != nil {
			lacking(t, name+" (packages iproute2, util-linux)")
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	self, err := filepath.Abs(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=50s")
	cmd.Env = append(os.Environ(), inNetwork+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		lacking(t, "root, for a network of its own")
	}
	if err != nil {
		t.Fatalf("in a network of its own: %v\n%s", err, out)
	}
	t.Logf("%s", out)
	return false
}

// lacking skips a test, but not where the machine is ours to furnish.
func lacking(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("needs " + what)
	}
	t.Skip("needs " + what)
}
