package showroom

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// maxTokenFile bounds what is read by mistake, in bytes.
const maxTokenFile = 1 << 20

// tokens are the publishers' bearer tokens, as digests, so that a comparison
// takes the same time whatever was guessed. None means that publishing is open.
type tokens []([sha256.Size]byte)

// readTokens reads one token a line; empty lines and lines that begin with # are
// passed over.
func readTokens(path string) (tokens, error) {
	if path == "" {
		return nil, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, refuse("check --token-file", "read tokens: %w", err)
	}
	if info.Size() > maxTokenFile {
		return nil, refuse("check --token-file", "read tokens: %s is larger than %d bytes", path, maxTokenFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, refuse("check --token-file", "read tokens: %w", err)
	}
	var list tokens
	for number, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if strings.ContainsFunc(line, notTokenChar) {
			return nil, refuse("one token a line, of letters, digits and -._~+/=", "read tokens: %s line %d is not a bearer token", path, number+1)
		}
		list = append(list, sha256.Sum256([]byte(line)))
	}
	if len(list) == 0 {
		return nil, refuse("put a token in it: openssl rand -hex 32", "read tokens: %s holds none", path)
	}
	return list, nil
}

// notTokenChar: b64token of RFC 6750 section 2.1.
func notTokenChar(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~+/=", r)
}

var (
	errNoToken    = errors.New("this needs the header Authorization: Bearer")
	errWrongToken = errors.New("the token is not one of this server's")
)

// owner returns whom a request comes from: the digest of its token, or the
// empty string when publishing is open.
func (t tokens) owner(r *http.Request) (string, error) {
	if len(t) == 0 {
		return "", nil
	}
	token, ok := bearer(r)
	if !ok {
		return "", errNoToken
	}
	digest := sha256.Sum256([]byte(token))
	found := 0
	for i := range t {
		found |= subtle.ConstantTimeCompare(t[i][:], digest[:])
	}
	if found == 0 {
		return "", errWrongToken
	}
	return hex.EncodeToString(digest[:8]), nil
}

// bearer returns the token of a request. The scheme is case-insensitive, RFC 9110
// section 11.1.
func bearer(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	return token, ok && token != "" && strings.EqualFold(scheme, "bearer")
}

// String keeps digests out of logs.
func (t tokens) String() string { return fmt.Sprintf("%d tokens", len(t)) }
