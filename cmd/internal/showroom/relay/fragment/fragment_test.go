package fragment

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// The example of RFC 9725 section 4.3.2.
const trickle = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n" +
	"a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r\n" +
	"a=end-of-candidates\r\n"

func TestParse(t *testing.T) {
	want := Fragment{
		Ufrag: "EsAw", Password: "P2uYro0UCOQ4zxjKXaWCBui1", End: true,
		Candidates: []Candidate{{Mid: "0", Value: "candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1"}},
	}
	for name, text := range map[string]string{
		"as in the RFC": trickle,
		"newlines only": strings.ReplaceAll(trickle, "\r\n", "\n"),
		"credentials in the section": strings.Replace(trickle[strings.Index(trickle, "m="):], "a=mid:0\r\n",
			"a=mid:0\r\n"+trickle[:strings.Index(trickle, "m=")], 1),
		"repeated for each section": trickle + trickle[:strings.Index(trickle, "m=")],
	} {
		got, err := Parse(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"HTML":                 "<!doctype html>",
		"a short line":         "a",
		"a short ufrag":        "a=ice-ufrag:abc\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1",
		"a short password":     "a=ice-ufrag:abcd\r\na=ice-pwd:short",
		"foreign characters":   "a=ice-ufrag:ab cd\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1",
		"a ufrag alone":        "a=ice-ufrag:abcd",
		"two ufrags":           trickle + "a=ice-ufrag:EsAx\r\n",
		"too many candidates":  strings.Repeat("a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n", maxCandidates+1),
		"an endless ice-ufrag": "a=ice-ufrag:" + strings.Repeat("a", 257),
	} {
		if _, err := Parse(text); !errors.Is(err, ErrSyntax) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(trickle)
	f.Add("a=candidate:1 1 udp 1 ::1 1 typ host\nm=video 9 x 0\na=mid:v\n")
	f.Fuzz(func(t *testing.T, text string) {
		first, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(first.String())
		if err != nil || again.Ufrag != first.Ufrag || len(again.Candidates) != len(first.Candidates) || again.End != first.End {
			t.Errorf("%+v became %+v, %v", first, again, err)
		}
	})
}
