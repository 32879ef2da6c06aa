package configs

import (
	"strings"
	"testing"
)

func TestEventsURL(t *testing.T) {
	for value, wrong := range map[string]string{
		"":     "",
		"none": "",
		"https://cloud.example/api/glasses/anna/events":    "",
		"https://cloud.example/api/glasses/{name}/events":  "",
		"http://127.0.0.1:8080/api/glasses/anna/events":    "",
		"http://cloud.example/api/glasses/anna/events":     "unencrypted",
		"https://me:secret@cloud.example/api/events":       "user name or password",
		"https://cloud.example/api/glasses/anna/events?a":  "goes on after its path",
		"https://cloud.example":                            "no path",
		"cloud.example/events":                             "not an address",
		"ftp://cloud.example/api/glasses/anna/events":      "not an address",
		"https://cloud.example/api/glasses/anna/events#me": "goes on after its path",
	} {
		c := Default()
		c.Calls.EventsURL = value
		err := c.Validate()
		switch {
		case wrong == "" && err != nil, wrong != "" && (err == nil || !strings.Contains(err.Error(), wrong)):
			t.Errorf("%q: %v, want %q", value, err, wrong)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("%q: the error shows the password: %v", value, err)
		}
	}
	c := Default()
	c.Uplink.WHIPURL, c.Calls.EventsURL = "https://cloud.example/", "https://cloud.example/{name}/events"
	if list := c.Warnings(); len(list) != 1 || list[0].Key != "calls.events_url" {
		t.Errorf("a name that nobody knows: %v", list)
	}
}
