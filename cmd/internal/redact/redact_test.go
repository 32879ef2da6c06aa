package redact

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"plain words stay: 30 fps at /dev/video0 1280x720@30 YUYV", ""},
		{`GET https://u:hunter2@a.example:8443/x/y?key=abc#frag: refused`, `GET https://(redacted)@a.example:8443/x/y?(redacted): refused`},
		{`see http://127.0.0.1:8080/whip/demo.`, ""},
		{`is "https://a.example/p?x=1", or not`, `is "https://a.example/p?(redacted)", or not`},
		{`https://a.example/p#hunter2`, `https://a.example/p#(redacted)`},
		{`rtsp://u:a/b@cam.example/x`, `rtsp://(redacted)@cam.example/x`},
		{`Is it https://a.example/p?`, ""},
		{`turn:relay.example:3478?transport=udp`, ""},
		{`GET /v1/x?code=hunter2&lines=3 HTTP/1.1`, `GET /v1/x?code=(redacted)&lines=3 HTTP/1.1`},
		{`Authorization: Bearer hunter2.abc`, `Authorization: (redacted)`},
		{`map[Authorization:[Bearer hunter2] Accept:[a]]`, `map[Authorization:[(redacted)] Accept:[a]]`},
		{`{"Authorization":"Basic dTpodW50ZXIy","a":1}`, `{"Authorization":"(redacted)","a":1}`},
		{`sent Bearer hunter2, refused`, `sent Bearer (redacted), refused`},
		{`Set-Cookie: sid=hunter2; Path=/`, `Set-Cookie: (redacted)`},
		{`token bril1.AAECAwQFBgc.AAECAwQFBgcICQoLDA0ODw.x is used`, `token (redacted) is used`},
		{`read BRIL1:AQIDBAUG/x+y== twice`, `read (redacted) twice`},
		{`WIFI:T:WPA;S:my net;P:hunter2;;`, `(redacted)`},
		{`AGE-SECRET-KEY-1QQPQYUFZ`, `(redacted)`},
		{"a\n-----BEGIN EC PRIVATE KEY-----\nhunter2\n-----END EC PRIVATE KEY-----\nb", "a\n(redacted)\nb"},
		{`msg="-----BEGIN PRIVATE KEY-----\nhunter2`, `msg="(redacted)`},
		{"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", ""},
		{`jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig_-x ends`, `jwt (redacted) ends`},
		{`a=ice-pwd:hunter2hunter2`, `a=ice-pwd:(redacted)`},
		{`mail to anna.b@mail.example failed`, `mail to (redacted) failed`},
		{`mail=anna%40mail.example`, `mail=(redacted)`},
		{`getty@tty1.service runs`, ""},
		{`password=hunter2 user=anna`, `password=(redacted) user=anna`},
		{`psk="my hunter2"`, `psk=(redacted)`},
		{`{"credential":"hunter2","url":"x"}`, `{"credential":"(redacted)","url":"x"}`},
		{`msg="body {\"secret\":\"hunter2\"}"`, `msg="body {\"secret\":\"(redacted)\"}"`},
		{"token_file: /etc/bril/token\npassword: hunter2", "token_file: /etc/bril/token\npassword: (redacted)"},
		{`"token_file":"/etc/bril/token"`, ""},
		{`read the token: a part of it is missing`, ""},
		{`//nas/share /mnt cifs rw,username=a,password=hunter2,uid=0 0 0`, `//nas/share /mnt cifs rw,username=a,password=(redacted),uid=0 0 0`},
	} {
		want := tc.want
		if want == "" {
			want = tc.text
		}
		if got := Text(tc.text); got != want {
			t.Errorf("%q: got\n%q, want\n%q", tc.text, got, want)
		}
		if again := Text(want); again != want { // a line goes through it in the ring and in the bundle
			t.Errorf("%q became %q", want, again)
		}
	}
}

// Whatever comes, it is text afterwards, and a password in an address is gone.
func FuzzText(f *testing.F) {
	for _, s := range []string{"a=b", "https://a:b@c/?d#e", "Authorization: Bearer x", `{"secret":"x"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4<<10 {
			return
		}
		if got := Text(text + " https://u:hunter2@a.example/ "); strings.Contains(got, "hunter2") {
			t.Errorf("%q became %q", text, got)
		}
	})
}

func TestKnown(t *testing.T) {
	const secret = "correct horse/battery+staple"
	var k Known
	k.Add(secret, "abc")
	for _, text := range []string{
		secret, "x" + secret + "y",
		base64.StdEncoding.EncodeToString([]byte(secret)),
		base64.StdEncoding.EncodeToString([]byte("user:" + secret)),
		base64.URLEncoding.EncodeToString([]byte("ab" + secret + "cd")),
		hex.EncodeToString([]byte("z" + secret)),
		"correct+horse%2Fbattery%2Bstaple", "correct%20horse%2Fbattery+staple",
	} {
		got := k.Text(text)
		if !k.Holds(text) || k.Holds(got) || !strings.Contains(got, Mark) {
			t.Errorf("%q became %q", text, got)
		}
	}
	if got := k.Text("abc stays"); got != "abc stays" {
		t.Errorf("a short text is taken out: %q", got)
	}
	if new(Known).Holds("anything") {
		t.Error("the zero value knows something")
	}
}

func BenchmarkText(b *testing.B) {
	const line = `time=2026-11-23T13:41:36.000+01:00 level=WARN msg="uplink failed, will be tried again" error="POST https://showroom.example/whip/anna: connection refused" retry=1s`
	for b.Loop() {
		Text(line)
	}
}
