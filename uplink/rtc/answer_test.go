package rtc

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestCheckFormat(t *testing.T) {
	cases := []struct {
		name, fmtp, want string // part of the error; empty for none
	}{
		{"the same", "102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", ""},
		{"spaces and capitals", "102 Packetization-Mode=1; Profile-Level-ID=42E01F", ""},
		{"nothing said of the level", "102 packetization-mode=1", ""},
		{"higher level", "102 packetization-mode=1;profile-level-id=42e028", ""},
		{"lower level", "102 packetization-mode=1;profile-level-id=42e01e", "level 3.1 offered, at most 3.0 taken"},
		{"lower level, asymmetry", "102 packetization-mode=1;level-asymmetry-allowed=1;profile-level-id=42e00b", ""},
		{"no packetization-mode", "102 profile-level-id=42e01f", "packetization-mode 1 offered, 0 answered"},
		{"packetization-mode 0", "102 packetization-mode=0;profile-level-id=42e01f", "packetization-mode 1 offered, 0 answered"},
		{"not hexadecimal", "102 packetization-mode=1;profile-level-id=42e0zz", "not six hexadecimal digits"},
		{"too short", "102 packetization-mode=1;profile-level-id=42e0", "not six hexadecimal digits"},
		{"garbage", "102 ;;==;=;packetization-mode=1;profile-level-id", ""},
	}
	for _, c := range cases {
		err := checkFormat("42e01f", c.fmtp)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func FuzzCheckFormat(f *testing.F) {
	f.Add("42e01f", "102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f")
	f.Fuzz(func(_ *testing.T, offered, fmtp string) {
		_ = checkFormat(offered, fmtp)
	})
}

// Each of these answers is refused in words, and its session ended.
func TestAnswersOfNoUse(t *testing.T) {
	replace := func(old, with string) func(string) string {
		return func(answer string) string {
			if !strings.Contains(answer, old) {
				return "the test is wrong: no " + old
			}
			return strings.ReplaceAll(answer, old, with)
		}
	}
	cases := []struct {
		name string
		edit func(string) string
		want string
	}{
		{"no picture", refuse("video"), "video: refused by the endpoint's answer"},
		{"no sound", refuse("audio"), "audio: refused by the endpoint's answer"},
		{"sendonly", replace("a=recvonly", "a=sendonly"), "endpoint wants to send, and these glasses receive nothing"},
		{"inactive", replace("a=recvonly", "a=inactive"), "endpoint answers a=inactive"},
		{"lower level", func(answer string) string {
			return strings.NewReplacer("level-asymmetry-allowed=1;", "", "profile-level-id=42e01f", "profile-level-id=42e01e").Replace(answer)
		}, "level 3.1 offered, at most 3.0 taken"},
		{"packetization-mode 0", replace("packetization-mode=1", "packetization-mode=0"), "packetization-mode 1 offered, 0 answered"},
		{"VP8 for H.264", func(answer string) string {
			answer = strings.ReplaceAll(answer, "H264/90000", "VP8/90000")
			return strings.ReplaceAll(answer, "102", "96")
		}, "no H.264 as offered"},
		{"H.264 renamed", replace("H264/90000", "VP8/90000"), "video/H264"},
		{"two bundles", replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 0\r\na=group:BUNDLE 1"), "one bundle offered, 2 answered"},
		{"one section", func(answer string) string {
			return answer[:strings.LastIndex(answer, "m=")]
		}, "2 media sections offered, 1 answered"},
		{"no ICE credentials", replace("a=ice-ufrag", "a=x-ufrag"), "use the endpoint's answer"},
		{"no fingerprint", replace("a=fingerprint", "a=x-fingerprint"), "use the endpoint's answer"},
		{"garbage", func(string) string { return "v=0\r\nm=\xff\xff\r\n\x00" }, "read the endpoint's answer"},
		{"no media", func(string) string { return "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n" }, "2 media sections offered, 0 answered"},
		{"huge", func(answer string) string { return answer + strings.Repeat("a=x\r\n", 1<<18) }, "answer too large"},
		{"a thousand candidates", func(answer string) string {
			var more strings.Builder
			for i := range 1000 {
				fmt.Fprintf(&more, "a=candidate:%d 1 udp 1 127.0.0.1 %d typ host\r\n", i, i+1000)
			}
			return answer + more.String()
		}, "ICE candidates, more than 64"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			checkLeaks(t)
			e := newEndpoint(t)
			e.edit = c.edit
			_, err := dial(t, e, both)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %q", err, c.want)
			}
			e.awaitDelete()
			e.close()
		})
	}
}

// refuse sets the port of a media section to 0.
func refuse(kind string) func(string) string {
	return func(answer string) string {
		return strings.Replace(answer, "m="+kind+" 9 ", "m="+kind+" 0 ", 1)
	}
}
