package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"
)

func TestCheckKey(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	pkix := func(key any) []byte {
		der, err := x509.MarshalPKIXPublicKey(key)
		return encode("PUBLIC KEY", der, err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	secret := encode("PRIVATE KEY", pkcs8, err)
	if err := checkKey(pkix(public)); err != nil {
		t.Error(err)
	}
	for name, data := range map[string][]byte{
		"empty": nil, "text": []byte("key"), "private": secret, "both": append(pkix(public), secret...),
		"ECDSA": pkix(other.Public()), "broken": encode("PUBLIC KEY", []byte("x"), nil),
	} {
		if checkKey(data) == nil {
			t.Errorf("%s passes for a provisioning key", name)
		}
	}
}
