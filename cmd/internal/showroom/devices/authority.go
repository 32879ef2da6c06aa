package devices

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/bril-edge/bril/cmd/internal/showroom/directory"
)

// How long certificates are good, and how far back they begin: boards without a
// clock chip are behind at times.
const (
	authorityLife   = 10 * 365 * 24 * time.Hour
	certificateLife = 90 * 24 * time.Hour
	backdated       = 48 * time.Hour
)

// The authority's files, in a directory of their own.
const (
	authorityDir = "authority" // in the data directory
	keyFile      = "ca.key"
	rootFile     = "ca.pem"
	serverFile   = "server.key"
	pinFile      = "pin" // of the key that the server shows, for who makes tokens while it does not run
)

// Authority is the endpoint's own: it makes the certificates of devices, and with
// --tls-own the server's. Its methods may be called from any goroutine.
type Authority struct {
	root  *x509.Certificate
	key   *ecdsa.PrivateKey
	clock func() time.Time

	serverKey *ecdsa.PrivateKey // of OwnServer; nil without
	hosts     []string

	mu     sync.Mutex
	server *tls.Certificate // the newest; likewise
}

// OpenAuthority reads the authority of a data directory; it makes one when there is
// none. Keys that others can read are refused.
func OpenAuthority(data string, clock func() time.Time) (*Authority, error) {
	dir := filepath.Join(data, authorityDir)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make the authority's directory: %w", err)
	}
	if err := directory.Sync(data); err != nil {
		return nil, err
	}
	a := &Authority{clock: clock}
	var err error
	if a.key, err = loadKey(filepath.Join(dir, keyFile)); err != nil {
		return nil, err
	}
	a.root, err = loadRoot(filepath.Join(dir, rootFile), a.key, clock())
	return a, err
}

// loadKey reads a private key, or makes one.
func loadKey(path string) (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read a key of the authority: %w", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read a key of the authority: %s can be read by others: chmod 600 %s", path, path)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("read a key of the authority: %s is not PEM", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read a key of the authority in %s: %w", path, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("read a key of the authority: %s is not of ECDSA", path)
	}
	return key, nil
}

func makeKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, directory.Write(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// loadRoot reads the authority's certificate, or makes it.
func loadRoot(path string, key *ecdsa.PrivateKey, now time.Time) (*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeRoot(path, key, now)
	}
	if err != nil {
		return nil, fmt.Errorf("read the authority's certificate: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("read the authority's certificate: %s is not PEM", path)
	}
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read the authority's certificate in %s: %w", path, err)
	}
	if !key.PublicKey.Equal(root.PublicKey) {
		return nil, fmt.Errorf("read the authority's certificate: %s is of another key than %s beside it: restore both from one backup", path, keyFile)
	}
	return root, nil
}

func makeRoot(path string, key *ecdsa.PrivateKey, now time.Time) (*x509.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Bril endpoint authority"},
		NotBefore: now.Add(-backdated), NotAfter: now.Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return root, directory.Write(path, encodeCertificate(der))
}

// serial is a random one, RFC 5280 section 4.1.2.2.
func serial() *big.Int {
	var raw [16]byte
	rand.Read(raw[:]) // never fails
	raw[0] = raw[0]&0x7f | 0x40
	return new(big.Int).SetBytes(raw[:])
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// Root returns the authority's certificate as PEM.
func (a *Authority) Root() []byte { return encodeCertificate(a.root.Raw) }

// Pool holds the authority alone.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.root)
	return pool
}

// OwnServer has the authority make the server's certificate, for hosts: names and IP
// addresses. The key is kept in the data directory: its pin outlives certificates.
func (a *Authority) OwnServer(data string, hosts []string) (err error) {
	a.hosts = hosts
	a.serverKey, err = loadKey(filepath.Join(data, authorityDir, serverFile))
	return err
}

// ServerCertificate returns the server's certificate. It is made anew when a third
// of its life is left; it is what tls.Config.GetCertificate asks.
func (a *Authority) ServerCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.clock()
	if a.server != nil && now.Before(a.server.Leaf.NotAfter.Add(-certificateLife/3)) && now.After(a.server.Leaf.NotBefore) {
		return a.server, nil
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Bril endpoint"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range a.hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	leaf, err := a.sign(template, &a.serverKey.PublicKey)
	if err != nil {
		return nil, err
	}
	a.server = &tls.Certificate{Certificate: [][]byte{leaf.Raw, a.root.Raw}, PrivateKey: a.serverKey, Leaf: leaf}
	return a.server, nil
}

func (a *Authority) sign(template *x509.Certificate, key crypto.PublicKey) (*x509.Certificate, error) {
	now := a.clock()
	template.SerialNumber, template.NotBefore, template.NotAfter = serial(), now.Add(-backdated), now.Add(certificateLife)
	if end := a.root.NotAfter; now.After(end) {
		return nil, fmt.Errorf("sign a certificate: the authority ended on %s; move its directory away, then the server makes another one, at which all boards are enrolled again", end.Format(time.DateOnly))
	} else if template.NotAfter.After(end) {
		template.NotAfter = end // one that outlives it is of no authority
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.root, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// request reads a certificate signing request (RFC 2986): its key is of ECDSA on
// P-256 and signed it. What it asks for beside is not looked at.
func request(text string) (*ecdsa.PublicKey, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE REQUEST" || len(rest) > 0 {
		return nil, fmt.Errorf("%w: it is not one of PEM", ErrRequest)
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: it cannot be read", ErrRequest)
	}
	key, ok := csr.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: its key is not of ECDSA on P-256", ErrRequest)
	}
	if csr.CheckSignature() != nil {
		return nil, fmt.Errorf("%w: its key has not signed it", ErrRequest)
	}
	return key, nil
}

// keyHash names a public key in the records.
func keyHash(key *ecdsa.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:]), nil
}

// device makes the certificate of a device.
func (a *Authority) device(id, name string, key *ecdsa.PublicKey) (*x509.Certificate, error) {
	return a.sign(&x509.Certificate{
		Subject:  pkix.Name{CommonName: id, OrganizationalUnit: []string{name}},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, key)
}

// holder returns whose certificate it is. The time is the caller's to judge.
func (a *Authority) holder(leaf *x509.Certificate) (id string, err error) {
	_, err = leaf.Verify(x509.VerifyOptions{
		Roots: a.Pool(), CurrentTime: leaf.NotAfter, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil || leaf.Subject.CommonName == "" {
		return "", ErrForeign
	}
	return leaf.Subject.CommonName, nil
}
