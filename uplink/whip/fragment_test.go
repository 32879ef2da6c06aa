package whip

import (
	"reflect"
	"strings"
	"testing"
)

func TestFragmentString(t *testing.T) {
	want := strings.Join([]string{
		"a=group:BUNDLE 0 1", "m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=mid:0", "a=ice-ufrag:EsAw", "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1",
		"a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host", "a=end-of-candidates", "",
	}, "\r\n")
	if got := ours.String(); got != want {
		t.Errorf("got\n%s", got)
	}
	if got, err := ParseFragment(want); err != nil || !reflect.DeepEqual(got, ours) {
		t.Errorf("read back as %+v, %v", got, err)
	}
}

func TestParseFragment(t *testing.T) {
	const candidate = "candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host"
	for _, test := range []struct {
		name, text string
		want       Fragment
		err        string
	}{
		{"empty", "", Fragment{}, ""},
		{"credentials of the session level", "a=ice-ufrag:abcd\na=ice-pwd:efgh\n", Fragment{Ufrag: "abcd", Pwd: "efgh"}, ""},
		{"of both levels", "a=ice-ufrag:abcd\r\nm=video 9 X 96\r\na=ice-ufrag:wxyz\r\n", Fragment{Media: "video 9 X 96", Ufrag: "wxyz"}, ""},
		{"the first media section", "m=audio 9 X 1\na=mid:a\na=" + candidate + "\nm=video 9 X 2\na=mid:b\na=" + candidate + "\n",
			Fragment{Media: "audio 9 X 1", Mid: "a", Candidates: []string{candidate}}, ""},
		{"unknown lines", "a=ice-options:trickle ice2\na=x\nb=AS:1\na=end-of-candidates", Fragment{End: true}, ""},
		{"group of another kind", "a=group:LS 0 1\n", Fragment{}, ""},
		{"empty lines", "\r\n\na=mid:0\n\n", Fragment{Mid: "0"}, ""},
		{"no line", "hello\n", Fragment{}, `not an SDP line: "hello"`},
		{"a lone CR", "a=mid:0\rX\n", Fragment{}, "not an SDP line"},
		{"too long", strings.Repeat("a=x\n", maxFragment/4+1), Fragment{}, "is longer than 65536"},
		{"long line", "a=" + strings.Repeat("x", maxLine), Fragment{}, "SDP line of 4098 bytes"},
		{"many candidates", strings.Repeat("a="+candidate+"\n", maxCandidates+1), Fragment{}, "more than 100 candidates"},
		{"short candidate", "a=candidate:1 1 udp 1 192.0.2.1 5 typ\n", Fragment{}, "malformed candidate"},
		{"candidate without typ", "a=candidate:1 1 udp 1 192.0.2.1 5 top host\n", Fragment{}, "malformed candidate"},
		{"port", "a=candidate:1 1 udp 1 192.0.2.1 65536 typ host\n", Fragment{}, "malformed candidate"},
		{"priority", "a=candidate:1 1 udp 4294967296 192.0.2.1 5 typ host\n", Fragment{}, "malformed candidate"},
		{"component", "a=candidate:1 x udp 1 192.0.2.1 5 typ host\n", Fragment{}, "malformed candidate"},
		{"empty ufrag", "a=ice-ufrag:\n", Fragment{}, "ice-ufrag of 0 characters"},
		{"long pwd", "a=ice-pwd:" + strings.Repeat("x", 257), Fragment{}, "ice-pwd of 257 characters"},
		{"ufrag with a space", "a=ice-ufrag:ab cd\n", Fragment{}, "ice-ufrag"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseFragment(test.text)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("got %v, want %q", err, test.err)
				}
			} else if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

const bundled = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE v s\r\na=fingerprint:sha-256 AA\r\n" +
	"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:s\r\na=ice-ufrag:ssss\r\na=ice-pwd:sound\r\n" +
	"m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\na=ice-ufrag:vvvv\r\na=ice-pwd:video\r\na=setup:actpass\r\n" +
	"a=candidate:1 1 udp 5 192.0.2.1 1 typ host\r\na=candidate:2 1 udp 4 192.0.2.1 2 typ host\r\na=end-of-candidates\r\n"

func TestFragmentOf(t *testing.T) {
	got, err := FragmentOf(bundled)
	want := Fragment{
		Bundle: []string{"v", "s"}, Media: "video 9 UDP/TLS/RTP/SAVPF 96", Mid: "v", Ufrag: "vvvv", Pwd: "video",
		Candidates: []string{"candidate:1 1 udp 5 192.0.2.1 1 typ host", "candidate:2 1 udp 4 192.0.2.1 2 typ host"}, End: true,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("the offerer-tagged section: %+v, %v", got, err)
	}
	if got, err := FragmentOf(strings.Replace(bundled, "a=group:BUNDLE v s\r\n", "", 1)); err != nil || got.Mid != "s" {
		t.Errorf("without a bundle: %+v, %v", got, err)
	}
	for text, want := range map[string]string{
		"v=0\r\n": "no media section",
		strings.Replace(bundled, "BUNDLE v", "BUNDLE x", 1): `first tag "x"`,
		strings.Replace(bundled, "vvvv", "", 1):             "ice-ufrag",
		"hello":                                             "not an SDP line",
	} {
		if _, err := FragmentOf(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestApply(t *testing.T) {
	f := Fragment{Mid: "v", Ufrag: "new", Pwd: "newer", Candidates: []string{"candidate:9 1 udp 5 192.0.2.9 9 typ host"}, End: true}
	got, err := f.Apply(bundled)
	if err != nil {
		t.Fatal(err)
	}
	want := "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE v s\r\na=fingerprint:sha-256 AA\r\n" +
		"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:s\r\na=ice-ufrag:new\r\na=ice-pwd:newer\r\n" +
		"m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\na=ice-ufrag:new\r\na=ice-pwd:newer\r\na=setup:actpass\r\n" +
		"a=candidate:9 1 udp 5 192.0.2.9 9 typ host\r\na=end-of-candidates\r\n"
	if got != want {
		t.Errorf("got\n%s", got)
	}
	f.Mid, f.End = "", false
	if got, err := f.Apply(bundled); err != nil || !strings.Contains(got, "a=ice-pwd:newer\r\na=candidate:9 1 udp 5 192.0.2.9 9 typ host\r\nm=video") {
		t.Errorf("without a tag the first section counts: %v\n%s", err, got)
	}
	for _, text := range []string{"v=0\r\n", "hello"} {
		if _, err := f.Apply(text); err == nil {
			t.Errorf("applied to %q", text)
		}
	}
}

func FuzzFragment(f *testing.F) {
	f.Add(ours.String())
	f.Add(theirs)
	f.Add(bundled)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseFragment(text)
		if err != nil {
			return
		}
		if len(got.Candidates) > maxCandidates || len(got.String()) > 2*maxFragment {
			t.Fatalf("%d candidates in %d bytes", len(got.Candidates), len(got.String()))
		}
		again, err := ParseFragment(got.String())
		if err != nil || again.String() != got.String() {
			t.Fatalf("%+v, written and read again %+v, %v", got, again, err)
		}
		if merged, err := got.Apply(bundled); err != nil || strings.Contains(merged, "candidate:1 1 udp 5") && !strings.Contains(text, "candidate:1 1 udp 5") {
			t.Fatalf("applied: %v\n%s", err, merged)
		}
	})
}

func FuzzFragmentOf(f *testing.F) {
	f.Add(bundled)
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := FragmentOf(text); err == nil {
			if _, err := ParseFragment(got.String()); err != nil && len(got.String()) <= maxFragment {
				t.Fatalf("%q does not parse: %v", got.String(), err)
			}
		}
		_, _ = ours.Apply(text)
	})
}
