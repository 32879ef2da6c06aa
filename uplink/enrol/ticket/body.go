package ticket

import (
	"bytes"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strings"

	"github.com/bril-edge/bril/uplink/enrol/token"
)

const (
	securityBits = 0b011
	utf8Bit      = 0b100

	head = 1 + len(token.Token{}.ID) + len(token.Token{}.Secret) + len(token.Token{}.Pin)

	texts = 4 // as in the package's comment
	base  = 96
)

func (t Ticket) body() []byte {
	fields := []string{t.WiFi.SSID, t.WiFi.Password, t.NTP, strings.TrimPrefix(t.Server.String(), https)}
	flags := byte(slices.Index(securities(), t.WiFi.Security))
	packed, ascii := pack(fields)
	if !ascii {
		flags |= utf8Bit
		packed = []byte(strings.Join(fields, "\x00"))
	}
	return slices.Concat([]byte{flags}, t.Token.ID[:], t.Token.Secret[:], t.Token.Pin[:], packed)
}

// parse reads a body that is signed, and as strictly as if it were not: a text has one
// meaning.
func parse(body []byte) (Ticket, error) {
	if len(body) < head || body[0]&^(securityBits|utf8Bit) != 0 {
		return Ticket{}, fmt.Errorf("%w, or for a later version of Bril", ErrMalformed)
	}
	flags, rest := body[0], bytes.NewReader(body[1:head])
	t := Ticket{WiFi: WiFi{Security: securities()[flags&securityBits]}}
	for _, part := range [][]byte{t.Token.ID[:], t.Token.Secret[:], t.Token.Pin[:]} {
		_, _ = rest.Read(part) // it has as much
	}
	fields := strings.Split(string(body[head:]), "\x00")
	if flags&utf8Bit == 0 {
		fields = unpack(body[head:])
	}
	if len(fields) != texts {
		return Ticket{}, ErrMalformed
	}
	t.WiFi.SSID, t.WiFi.Password, t.NTP = fields[0], fields[1], fields[2]
	var err error
	if t.Server, err = url.Parse(https + fields[3]); err != nil {
		return Ticket{}, fmt.Errorf("%w: the server's address is none", ErrMalformed) // not err: it repeats the text
	}
	if err := t.check(); err != nil {
		return Ticket{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if !bytes.Equal(t.body(), body) {
		return Ticket{}, fmt.Errorf("%w: it is not written as it should be", ErrMalformed)
	}
	return t, nil
}

// pack writes texts as one number; false when they are not all printable ASCII.
func pack(fields []string) ([]byte, bool) {
	n := big.NewInt(1)
	add := func(digit int64) { n.Add(n.Mul(n, big.NewInt(base)), big.NewInt(digit)) }
	for i, field := range fields {
		if i > 0 {
			add(0)
		}
		for _, r := range field {
			if r < ' ' || r > '~' {
				return nil, false
			}
			add(int64(r-' ') + 1)
		}
	}
	return n.Bytes(), true
}

// unpack reads them; nil for what pack does not write.
func unpack(data []byte) []string {
	n, digit := new(big.Int).SetBytes(data), new(big.Int)
	var reversed []byte
	for n.Cmp(big.NewInt(1)) > 0 {
		n.DivMod(n, big.NewInt(base), digit)
		reversed = append(reversed, byte(digit.Int64()))
	}
	if n.Sign() == 0 {
		return nil
	}
	slices.Reverse(reversed)
	fields := []string{""}
	for _, d := range reversed {
		if d == 0 {
			fields = append(fields, "")
			continue
		}
		fields[len(fields)-1] += string(rune(d - 1 + ' '))
	}
	return fields
}
