package fleet

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
)

func testKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func publics(keys ...ed25519.PrivateKey) (list []ed25519.PublicKey) {
	for _, k := range keys {
		list = append(list, k.Public().(ed25519.PublicKey))
	}
	return list
}

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

func testBundle(change func(*Bundle)) Bundle {
	b := Bundle{
		Audience: Audience{Fleet: "bril", Labels: map[string]string{"showroom": "ghent"}}, Serial: 12, NotBefore: noon, Expires: noon.Add(24 * time.Hour),
		Secrets: map[string]string{"turn": "s3cret"}, Configuration: "video:\n  max_bitrate: 1.5M\n",
	}
	if change != nil {
		change(&b)
	}
	return b
}

func sealed(t testing.TB, change func(*Bundle)) []byte {
	t.Helper()
	data, err := Sign(testBundle(change), testKey(1))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestSignAndOpen(t *testing.T) {
	data := sealed(t, nil)
	b, err := Open(data, publics(testKey(2), testKey(1)))
	if err != nil {
		t.Fatal(err)
	}
	want := testBundle(nil)
	want.SchemaVersion = SchemaVersion
	got, _ := json.Marshal(b)
	wanted, _ := json.Marshal(want)
	if !bytes.Equal(got, wanted) || b.Content() != want.Content() {
		t.Errorf("%s,\nwant %s", got, wanted)
	}
	if again := sealed(t, nil); !bytes.Equal(again, data) {
		t.Error("the same bundle is signed in another way")
	}
	other := testBundle(func(b *Bundle) { b.Serial, b.Audience.Fleet = 99, "other" })
	if other.Content() != b.Content() {
		t.Error("content depends on serial and audience")
	}
	if changed := testBundle(func(b *Bundle) { b.Secrets["turn"] = "x" }); changed.Content() == b.Content() {
		t.Error("content does not depend on secrets")
	}
}

// resealed is an envelope of a payload, signed, however odd.
func resealed(payload string, change func(*dsse.Envelope)) []byte {
	key := testKey(1)
	e := dsse.Envelope{PayloadType: PayloadType, Payload: base64.StdEncoding.EncodeToString([]byte(payload)),
		Signatures: []dsse.Signature{{KeyID: KeyID(publics(key)[0]), Sig: base64.StdEncoding.EncodeToString(ed25519.Sign(key, dsse.PAE(PayloadType, []byte(payload))))}}}
	if change != nil {
		change(&e)
	}
	data, _ := json.Marshal(e)
	return data
}

func payloadOf(t testing.TB, data []byte) string {
	t.Helper()
	var e dsse.Envelope
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	payload, err := e.DecodeB64Payload()
	if err != nil {
		t.Fatal(err)
	}
	return string(payload)
}

// What is not opened, each for its reason. Nothing of a payload is read before its
// signature is good.
func TestOpenRefuses(t *testing.T) {
	good := sealed(t, nil)
	payload := payloadOf(t, good)
	huge := bytes.Repeat([]byte("x"), 50<<20)
	for _, test := range []struct {
		name string
		data []byte
		want error
	}{
		{"nothing", nil, ErrEnvelope},
		{"50 MB", huge, ErrSize},
		{"truncated", good[:len(good)/2], ErrEnvelope},
		{"with something behind it", append(bytes.Clone(good), ' '), ErrEnvelope},
		{"indented", bytes.Replace(good, []byte(`{"payloadType"`), []byte(`{ "payloadType"`), 1), ErrEnvelope},
		{"in other letters", bytes.Replace(good, []byte(`"payload"`), []byte(`"Payload"`), 1), ErrEnvelope},
		{"with another field", bytes.Replace(good, []byte(`{"payloadType"`), []byte(`{"x":1,"payloadType"`), 1), ErrEnvelope},
		{"twice the payload", bytes.Replace(good, []byte(`"payload":`), []byte(`"payload":"","payload":`), 1), ErrEnvelope},
		{"another type", resealed(payload, func(e *dsse.Envelope) { e.PayloadType = "application/json" }), ErrEnvelope},
		{"by another key", func() []byte { d, _ := Sign(testBundle(nil), testKey(3)); return d }(), ErrSignature},
		{"without a signature", resealed(payload, func(e *dsse.Envelope) { e.Signatures = []dsse.Signature{} }), ErrSignature},
		{"with another payload", resealed(payload, func(e *dsse.Envelope) { e.Payload = base64.StdEncoding.EncodeToString([]byte("{}")) }), ErrSignature},
		{"named after another key", resealed(payload, func(e *dsse.Envelope) { e.Signatures[0].KeyID = KeyID(publics(testKey(2))[0]) }), ErrSignature},
		{"signed, and no JSON", resealed("hello", nil), ErrPayload},
		{"signed, of another version", resealed(strings.Replace(payload, `"schema_version":1`, `"schema_version":2`, 1), nil), ErrPayload},
		{"signed, with an unknown field", resealed(strings.Replace(payload, `{"schema`, `{"light":"off","schema`, 1), nil), ErrPayload},
		{"signed, with a field twice", resealed(strings.Replace(payload, `"serial":12`, `"serial":12,"serial":13`, 1), nil), ErrPayload},
		{"signed, in other letters", resealed(strings.Replace(payload, `"serial"`, `"Serial"`, 1), nil), ErrPayload},
		{"signed, with something behind it", resealed(payload+"{}", nil), ErrPayload},
		{"signed, serial 0", resealed(strings.Replace(payload, `"serial":12`, `"serial":0`, 1), nil), ErrPayload},
		{"signed, a path for a secret", resealed(strings.Replace(payload, `"turn":`, `"../x":`, 1), nil), ErrPayload},
		{"signed, without a fleet", resealed(strings.Replace(payload, `"fleet":"bril"`, `"fleet":""`, 1), nil), ErrPayload},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, err := Open(test.data, publics(testKey(1), testKey(2)))
			if !errors.Is(err, test.want) || b.Serial != 0 {
				t.Errorf("%v, serial %d; want %v", err, b.Serial, test.want)
			}
		})
	}
}

// Not one bit of an envelope can be changed.
func TestBitFlips(t *testing.T) {
	good := sealed(t, nil)
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		data := bytes.Clone(good)
		at := r.IntN(len(data) * 8)
		data[at/8] ^= 1 << (at % 8)
		if _, err := Open(data, publics(testKey(1))); err == nil {
			t.Fatalf("bit %d can be changed: %q", at, data[max(0, at/8-20):min(len(data), at/8+20)])
		}
	}
}

func TestSignRefuses(t *testing.T) {
	for name, change := range map[string]func(*Bundle){
		"serial 0":      func(b *Bundle) { b.Serial = 0 },
		"no time":       func(b *Bundle) { b.Expires = b.NotBefore },
		"a long secret": func(b *Bundle) { b.Secrets["x"] = strings.Repeat("x", 5000) },
		"an odd label":  func(b *Bundle) { b.Audience.Labels["a b"] = "c" },
		"an odd device": func(b *Bundle) { b.Audience.Devices = []string{"anna"} },
		"a wrong key":   func(b *Bundle) { b.Successor = "ed25519:AAAA" },
		"far too long":  func(b *Bundle) { b.Configuration = strings.Repeat("# x\n", MaxEnvelope/4) },
		"many secrets": func(b *Bundle) {
			for i := range 20 {
				b.Secrets[string(rune('a'+i))] = "x"
			}
		},
		"text that is not UTF-8":     func(b *Bundle) { b.Configuration = "# caf\xe9\n" },
		"a secret that is not UTF-8": func(b *Bundle) { b.Secrets["turn"] = "\xff\xfe" },
		"an odd fleet":               func(b *Bundle) { b.Audience.Fleet = "a/b" },
		"dots for a name":            func(b *Bundle) { b.Audience.Fleet = ".." },
	} {
		if _, err := Sign(testBundle(change), testKey(1)); err == nil {
			t.Errorf("%s is signed", name)
		}
	}
}

func TestCheck(t *testing.T) {
	member := Member{Fleet: "bril", Device: strings.Repeat("a", 26), Labels: map[string]string{"showroom": "ghent", "pair": "2"}}
	for _, test := range []struct {
		name    string
		change  func(*Bundle)
		now     time.Time
		floor   uint64
		want    error
		element string
	}{
		{"as it should be", nil, noon, 11, nil, ""},
		{"for another fleet", func(b *Bundle) { b.Audience.Fleet = "other" }, noon, 11, ErrAudience, "audience"},
		{"for another label", func(b *Bundle) { b.Audience.Labels["showroom"] = "antwerp" }, noon, 11, ErrAudience, "audience"},
		{"for a label that is missing", func(b *Bundle) { b.Audience.Labels["floor"] = "1" }, noon, 11, ErrAudience, "audience"},
		{"for another device", func(b *Bundle) { b.Audience.Devices = []string{strings.Repeat("b", 26)} }, noon, 11, ErrAudience, "audience"},
		{"for this device", func(b *Bundle) { b.Audience.Devices = []string{strings.Repeat("a", 26)} }, noon, 11, nil, ""},
		{"older", nil, noon, 13, ErrOld, "serial"},
		{"replayed", nil, noon, 12, ErrReplayed, "serial"},
		{"expired", nil, noon.Add(24 * time.Hour), 11, ErrExpired, "expires"},
		{"just not", nil, noon.Add(24*time.Hour - time.Second), 11, nil, ""},
		{"not yet", nil, noon.Add(-time.Second), 11, ErrNotYet, "not_before"},
		{"by a clock set back", nil, time.Unix(0, 0), 11, ErrNotYet, "not_before"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := testBundle(test.change).Check(test.now, member, test.floor)
			if !errors.Is(err, test.want) || err != nil && (Element(err, "") != test.element || Hint(err) == "") {
				t.Errorf("%v (%s, %s)", err, Element(err, ""), Hint(err))
			}
		})
	}
}

func TestKeys(t *testing.T) {
	key := publics(testKey(1))[0]
	if got, err := ParseKey(FormatKey(key)); err != nil || !got.Equal(key) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "ed25519:", "rsa:" + strings.Repeat("A", 43) + "=", FormatKey(key) + "x", strings.TrimSuffix(FormatKey(key), "=")} {
		if _, err := ParseKey(bad); err == nil {
			t.Errorf("%q is a key", bad)
		}
	}
}

// FuzzOpen: what is opened was signed, and is written in the one way.
func FuzzOpen(f *testing.F) {
	good := sealed(f, nil)
	f.Add(good)
	f.Add(good[:len(good)-2])
	f.Add(resealed(`{"schema_version":1}`, nil))
	f.Add([]byte(`{"payloadType":"","payload":"","signatures":null}`))
	keys := publics(testKey(1))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Open(data, keys)
		if err != nil {
			return
		}
		if again, err := Sign(b, testKey(1)); err != nil || !bytes.Equal(again, data) {
			t.Errorf("%q is opened, and signed as %q, %v", data, again, err)
		}
	})
}
