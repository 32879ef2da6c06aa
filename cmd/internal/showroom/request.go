package showroom

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"
)

// decode reads a request of JSON strictly: one object, no field that is not known.
// What a client spells wrong is told and not passed over.
func decode(r *http.Request, value any) error {
	text, err := body(r, "application/json")
	if err != nil {
		return err
	}
	if !utf8.ValidString(text) {
		return failure(http.StatusBadRequest, "the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(value); err != nil {
		return failure(http.StatusBadRequest, "the body is not the JSON expected: "+err.Error())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return failure(http.StatusBadRequest, "the body is more than one JSON value")
	}
	return nil
}

// decodeNothing is for requests that say all by their path: the body is empty, or an
// object that is.
func decodeNothing(r *http.Request) error {
	if r.ContentLength == 0 {
		return nil
	}
	return decode(r, &struct{}{})
}

// from is the address that a request comes from. No header is asked: anybody could
// write one.
func from(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}

// allow refuses other methods. GET is HEAD too.
func allow(next handler, methods ...string) handler {
	if slices.Contains(methods, http.MethodGet) {
		methods = append(methods, http.MethodHead)
	}
	slices.Sort(methods)
	return func(w http.ResponseWriter, r *http.Request) error {
		if !slices.Contains(methods, r.Method) {
			return notAllowed(w, strings.Join(methods, ", "))
		}
		return next(w, r)
	}
}
