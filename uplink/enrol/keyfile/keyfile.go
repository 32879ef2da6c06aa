// Package keyfile reads and writes keys of Ed25519 as files: PEM, as RFC 8410 has them
// and openssl writes them. They sign the codes that set boards up, and configuration.
package keyfile

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

const (
	publicType  = "PUBLIC KEY"
	privateType = "PRIVATE KEY"
)

// ErrNoKey says that a file holds no key that can be used.
var ErrNoKey = errors.New("it holds no key of Ed25519 in PEM")

// Public returns a public key as a file: PEM, as RFC 8410 has it.
func Public(key ed25519.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: publicType, Bytes: der}), err
}

// Private returns a private key as a file, which nobody but its owner may read.
func Private(key ed25519.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: privateType, Bytes: der}), err
}

// ParsePublic reads a file of one or more public keys. More than one lets a brand
// change its key.
func ParsePublic(file []byte) ([]ed25519.PublicKey, error) {
	var keys []ed25519.PublicKey
	for len(bytes.TrimSpace(file)) > 0 {
		block, rest := pem.Decode(file)
		if block == nil || block.Type != publicType {
			return nil, fmt.Errorf("%w: it is not made of public keys only", ErrNoKey)
		}
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		key, ok := parsed.(ed25519.PublicKey)
		if err != nil || !ok {
			return nil, ErrNoKey
		}
		keys, file = append(keys, key), rest
	}
	if len(keys) == 0 {
		return nil, ErrNoKey
	}
	return keys, nil
}

// ParsePrivate reads a file of one private key.
func ParsePrivate(file []byte) (ed25519.PrivateKey, error) {
	block, rest := pem.Decode(file)
	if block == nil || block.Type != privateType || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("%w: it is not one private key", ErrNoKey)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, ErrNoKey
	}
	return key, nil
}
