package keyfile

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"slices"
	"testing"
)

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func TestKeys(t *testing.T) {
	private, err := Private(key(1))
	if err != nil {
		t.Fatal(err)
	}
	one, err := Public(public(key(1)))
	if err != nil {
		t.Fatal(err)
	}
	two, _ := Public(public(key(2)))
	if got, err := ParsePrivate(private); err != nil || !got.Equal(key(1)) {
		t.Errorf("private: %v", err)
	}
	if got, err := ParsePublic(append(one, two...)); err != nil || len(got) != 2 || !got[1].Equal(key(2).Public()) {
		t.Errorf("public: %v", err)
	}
	for name, file := range map[string][]byte{"empty": nil, "words": []byte("hello"), "private": private, "and words": append(slices.Clone(one), "x"...)} {
		if _, err := ParsePublic(file); !errors.Is(err, ErrNoKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParsePrivate(one); !errors.Is(err, ErrNoKey) {
		t.Errorf("a public one: %v", err)
	}
}
