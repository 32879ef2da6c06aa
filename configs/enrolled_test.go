package configs

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestEnrolled(t *testing.T) {
	if got := (Enrolled{}).Defaults(); !reflect.DeepEqual(got, Default()) {
		t.Errorf("of an endpoint that says nothing: %+v", got)
	}
	e := Enrolled{
		WHIPURL: "https://a.example/whip/anna", UploadsURL: "https://a.example/api/uploads/", EventsURL: "https://a.example/events",
		TrustedOrigins: []string{"https://b.example"}, Name: "anna", Label: "Anna's glasses",
		Recipient: "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
	}
	base := e.Defaults()
	if err := base.Validate(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "bril.yaml")
	if err := os.WriteFile(path, []byte("session: {name: bertha}\nvideo: {max_bitrate: 1M}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := LoadOver(base, path)
	if err != nil {
		t.Fatal(err)
	}
	want := base
	want.Session.Name, want.Video.MaxBitRate = "bertha", 1_000_000
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestConfigPath(t *testing.T) {
	e := Environment{Root: t.TempDir()}
	if got := e.ConfigPath(""); got != "" {
		t.Errorf("none is there: %q", got)
	}
	if _, there := e.ServiceState(); there {
		t.Error("there is a service")
	}
	path := e.Root + ConfigFile
	for _, dir := range []string{filepath.Dir(path), e.Root + systemState} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := e.ConfigPath(""); got != path {
		t.Errorf("%q", got)
	}
	if got := e.ConfigPath("mine.yaml"); got != "mine.yaml" {
		t.Errorf("%q", got)
	}
	if dir, there := e.ServiceState(); !there || dir != e.Root+systemState {
		t.Errorf("%q", dir)
	}
}
