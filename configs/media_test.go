package configs

import "testing"

func TestSessionName(t *testing.T) {
	for _, tc := range []struct{ name, url, want string }{
		{"", Default().Uplink.WHIPURL, "demo"},
		{"anna", "https://cloud.example/whip/glasses-7", "anna"},
		{"", "https://cloud.example/whip/glasses-7", "glasses-7"},
		{"", "https://cloud.example/whip/glasses-7/?room=a#b", "glasses-7"},
		{"", "https://cloud.example/whip/a%2Fb", "b"},
		{"", "https://cloud.example/", ""},
		{"", "https://cloud.example", ""},
		{"", "https://cloud.example/whip/..", ""},
		{"", ":", ""},
	} {
		c := Default()
		c.Session.Name, c.Uplink.WHIPURL = tc.name, tc.url
		if got := c.SessionName(); got != tc.want {
			t.Errorf("%q, %s: got %q, want %q", tc.name, tc.url, got, tc.want)
		}
	}
}

func TestSessionIsShortForItsName(t *testing.T) {
	cfg, err := Parse([]byte("session: anna"), "x.yaml")
	want := Default()
	want.Session.Name = "anna"
	if err != nil || cfg.Session != want.Session {
		t.Errorf("got %+v, %v", cfg.Session, err)
	}
}

func TestMediaWarnings(t *testing.T) {
	const cloud, uploads = "https://cloud.example/whip/7", "https://cloud.example/api/uploads/"
	for _, tc := range []struct{ whip, recipient, upload, want string }{
		{cloud, "", "", ""},
		{cloud, recipient, uploads, ""},
		{cloud, recipient, "", "upload.url"},
		{cloud, "", uploads, "spool.recipient"},
		{Default().Uplink.WHIPURL, recipient, "", ""},
		{Default().Uplink.WHIPURL, "", "http://127.0.0.1:1080/files/", ""},
		{Default().Uplink.WHIPURL, "", uploads, "spool.recipient"},
	} {
		c := Default()
		c.Uplink.WHIPURL, c.Spool.Recipient, c.Upload.URL = tc.whip, tc.recipient, tc.upload
		got := ""
		for _, w := range c.Warnings() {
			got += w.Key
		}
		if got != tc.want {
			t.Errorf("%+v: got %q", tc, got)
		}
	}
}
