package relay

import (
	"errors"
	"strings"
	"testing"
)

const testOffer = `v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=ice-ufrag:abcd
a=ice-pwd:0123456789012345678901
a=fingerprint:sha-256 00:00
a=setup:actpass
m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103
c=IN IP4 0.0.0.0
a=mid:0
a=sendonly
a=rtcp-mux
a=rtpmap:96 VP8/90000
a=rtpmap:97 H264/90000
a=fmtp:97 packetization-mode=0;profile-level-id=42e01f
a=rtpmap:102 H264/90000
a=fmtp:102 level-asymmetry-allowed=1; packetization-mode=1; Profile-Level-Id=42C01F
a=rtpmap:103 rtx/90000
a=fmtp:103 apt=102
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=mid:1
a=sendonly
a=rtcp-mux
a=rtpmap:111 opus/48000/2
`

func crlf(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }

func TestParsePublished(t *testing.T) {
	o, err := parsePublished(crlf(testOffer))
	if err != nil {
		t.Fatal(err)
	}
	if o.video.chosen.payloadType != 102 || o.video.rtx == nil || o.video.rtx.payloadType != 103 {
		t.Errorf("video is %+v, rtx %+v", o.video.chosen, o.video.rtx)
	}
	if o.audio.chosen.payloadType != 111 || o.audio.mid != "1" {
		t.Errorf("audio is %+v", o.audio)
	}
	if o.profile() != profileConstrainedBaseline {
		t.Errorf("profile is %v", o.profile())
	}
}

func TestParsePublishedRefuses(t *testing.T) {
	for _, c := range []struct {
		name     string
		old, new string
		want     error
		detail   string
	}{
		{"recvonly", "a=sendonly", "a=recvonly", ErrNotAcceptable, "video is recvonly, it must be sendonly"},
		{"no direction", "a=sendonly\n", "", ErrNotAcceptable, "video is sendrecv"},
		{"no H.264", "H264", "H265", ErrNotAcceptable, "no H.264"},
		{"an unknown profile", "42C01F", "f4001f", ErrNotAcceptable, "no H.264"},
		{"packetization mode 0", "packetization-mode=1", "packetization-mode=0", ErrNotAcceptable, "packetization-mode=1"},
		{"no Opus", "opus/48000/2", "PCMU/8000", ErrNotAcceptable, "no Opus"},
		{"two videos", "m=audio", "m=video", ErrNotAcceptable, "more than one video"},
		{"nothing but data", "m=", "m=application-", ErrSyntax, ""},
		{"no mid", "a=mid:0\n", "", ErrSyntax, "a=mid"},
		{"no ICE", "a=ice-ufrag:abcd\n", "", ErrSyntax, "a=ice-ufrag"},
		{"no fingerprint", "a=fingerprint:sha-256 00:00\n", "", ErrSyntax, "a=fingerprint"},
		{"not SDP", testOffer, "<html>", ErrSyntax, ""},
		{"empty", testOffer, "", ErrSyntax, ""},
	} {
		_, err := parsePublished(crlf(strings.ReplaceAll(testOffer, c.old, c.new)))
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.detail) {
			t.Errorf("%s: got %v, want %v with %q", c.name, err, c.want, c.detail)
		}
	}
}

func TestProfileOf(t *testing.T) {
	for id, want := range map[string]profile{
		"42e01f": profileConstrainedBaseline, "42C01F": profileConstrainedBaseline, "4d801f": profileConstrainedBaseline,
		"58c01f": profileConstrainedBaseline, "42001f": profileBaseline, "42801f": profileBaseline, "4d001f": profileMain, "4d4028": profileMain,
		"640c1f": profileHigh, "640028": profileHigh, "6e001f": profileUnknown, "42": profileUnknown, "": profileUnknown, "zz001f": profileUnknown,
	} {
		if got := profileOf(id); got != want {
			t.Errorf("%s is %v, want %v", id, got, want)
		}
	}
}

func TestViewersCodecFollowsThePublishersProfile(t *testing.T) {
	h264 := func(payloadType uint8, profile string) codec {
		return codec{payloadType: payloadType, name: "h264", clockRate: 90000, fmtp: "packetization-mode=1;profile-level-id=" + profile}
	}
	browser := []codec{h264(1, "42001f"), h264(2, "42e01f"), h264(3, "4d001f"), h264(4, "64001f")}
	for _, c := range []struct {
		name      string
		published string
		offered   []codec
		want      uint8
		answer    string
	}{
		{"the same", "42c01f", browser, 2, "42c01f"},
		{"main", "4d0028", browser, 3, "4d0028"},
		{"high", "640029", browser, 4, "640029"},
		{"a decoder of more", "42c01f", []codec{h264(4, "64001f")}, 4, "64001f"},
		{"any, rather than none", "640028", []codec{h264(2, "42e01f")}, 2, "42e028"},
	} {
		m := media{codecs: c.offered}
		if !m.choose(rankViewed(profileOf(c.published))) || m.chosen.payloadType != c.want {
			t.Errorf("%s: chose %d, want %d", c.name, m.chosen.payloadType, c.want)
			continue
		}
		answer := withLevelOf(m.chosen.fmtp, m.chosen.parameter("profile-level-id"), c.published)
		if want := "packetization-mode=1;profile-level-id=" + c.answer; answer != want {
			t.Errorf("%s: answer %q, want %q", c.name, answer, want)
		}
	}
}

func FuzzParseOffer(f *testing.F) {
	f.Add(crlf(testOffer))
	f.Add(strings.ReplaceAll(crlf(testOffer), "sendonly", "recvonly"))
	f.Fuzz(func(t *testing.T, text string) {
		o, err := parsePublished(text)
		if err != nil {
			if !errors.Is(err, ErrSyntax) && !errors.Is(err, ErrNotAcceptable) {
				t.Errorf("an error of neither kind: %v", err)
			}
			return
		}
		if _, err := o.restarted(credentialsOf(crlf(testOffer))); err != nil {
			t.Error(err)
		}
	})
}
