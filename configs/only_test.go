package configs

import (
	"slices"
	"testing"
)

// What a file sets is written again as that file, with its reasons, and reads as the
// same configuration.
func TestOnly(t *testing.T) {
	const file = `session: anna
uplink:
  trusted_origins: [https://media.example.com]
  ice_servers:
    - urls: ["stun:stun.example.com:3478"]
camera:
  source: auto
  fps: 15
board:
  buttons: {button2: {long: mute}}
spool:
cues: {volume_db: -3}
`
	cfg, err := Parse([]byte(file), "bril.yaml")
	if err != nil {
		t.Fatal(err)
	}
	list, err := Keys([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"session.name", "uplink.trusted_origins", "uplink.ice_servers", "camera.source", "camera.fps", "board.buttons.button2.long", "cues.volume_db"}
	if !slices.Equal(list, want) {
		t.Errorf("keys %q, want %q", list, want)
	}
	keep := map[string]string{}
	for _, key := range list {
		keep[key] = ""
	}
	keep["camera.fps"] = "the camera\nhas no more"
	text, err := cfg.Only(keep)
	if err != nil {
		t.Fatal(err)
	}
	const written = `uplink:
  trusted_origins:
    - https://media.example.com
  ice_servers:
    - urls:
        - stun:stun.example.com:3478
      username: ""
      credential_file: ""
camera:
  source: auto
  # the camera has no more
  fps: 15
session:
  name: anna
board:
  buttons:
    button2:
      long: mute
cues:
  volume_db: -3.0
`
	if string(text) != written {
		t.Errorf("written:\n%s\nwant:\n%s", text, written)
	}
	again, err := Parse(text, "again.yaml")
	if err != nil {
		t.Fatal(err)
	}
	before, err := cfg.JSON()
	if err != nil {
		t.Fatal(err)
	}
	after, err := again.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(after) {
		t.Errorf("read again it is\n%s\nnot\n%s", after, before)
	}
}

func TestOnlyOfNothing(t *testing.T) {
	if text, err := Default().Only(nil); err != nil || len(text) != 0 {
		t.Errorf("%q, %v", text, err)
	}
	if list, err := Keys([]byte("# nothing\n")); err != nil || len(list) != 0 {
		t.Errorf("%q, %v", list, err)
	}
	if _, err := Keys([]byte("- a list")); err == nil {
		t.Error("a list has keys")
	}
}
