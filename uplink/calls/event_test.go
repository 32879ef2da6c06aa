package calls

import (
	"reflect"
	"testing"
	"time"
)

const (
	conversation = "abcdefghijklmnopqrstuvwxyz"
	quoted       = `"conversation":"` + conversation + `"`
)

func TestParse(t *testing.T) {
	until := time.Date(2026, 12, 1, 10, 0, 30, 0, time.UTC)
	tests := []struct {
		event, data string
		want        Event // nil for an error
	}{
		{"hello", `{"conversation":null}`, Hello{}},
		{"hello", `{}`, Hello{}},
		{"hello", `{"conversation":{` + quoted + `,"kind":"now","state":"ringing","showroom":"Gent","rings_until":"2026-12-01T10:00:30Z"}}`,
			Hello{&Snapshot{Call: Call{Conversation: conversation, Kind: "now", Showroom: "Gent", Until: until}, State: Ringing, Customer: Customer{Conversation: conversation}}}},
		{"hello", `{"conversation":{"id":"` + conversation + `","state":"live","customer":{"presence":"joined","network":"poor","microphone":true}}}`,
			Hello{&Snapshot{Call: Call{Conversation: conversation}, State: Live, Customer: Customer{conversation, "joined", "poor", true}}}},
		{"hello", `{"conversation":"x"}`, nil},
		{"hello", `[]`, nil},
		{"call", `{` + quoted + `,"kind":"booked","showroom":"Gent","name":"Anna\u001b[2J","rings_until":"2026-12-01T10:00:30Z"}`,
			Call{conversation, "booked", "Gent", "Anna[2J", until}},
		{"call", `{` + quoted + `,"kind":"ransom","more":7}`, Call{Conversation: conversation}},
		{"call", `{"conversation":"anna"}`, nil},
		{"call", `{"conversation":7}`, nil},
		{"call", `{"conversation":"../../etc/passwd/aaaaaaaa"}`, nil},
		{"call", `{`, nil},
		{"call", `{` + quoted + `,"rings_until":"tomorrow"}`, nil},
		{"call_gone", `{` + quoted + `,"reason":"elsewhere"}`, CallGone{conversation, "elsewhere"}},
		{"conversation", `{` + quoted + `,"state":"ended","reason":"customer"}`, Changed{conversation, Ended, "customer"}},
		{"customer", `{` + quoted + `,"presence":"left","network":"awful"}`, Customer{Conversation: conversation, Presence: "left"}},
		{"rating", `{` + quoted + `,"thumb":"up"}`, Rating{conversation, "up"}},
		{"rating", `{` + quoted + `,"thumb":"sideways"}`, Rating{conversation, ""}},
	}
	for _, test := range tests {
		got, err := parse(message{test.event, test.data})
		if (err != nil) != (test.want == nil) || err == nil && !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s %s: %+v, %v; want %+v", test.event, test.data, got, err, test.want)
		}
	}
	for _, event := range []string{"message", "media", "call_later"} { // of an endpoint that is newer
		if got, err := parse(message{event, "{"}); got != nil || err != nil {
			t.Errorf("%s: %v, %v", event, got, err)
		}
	}
}

func TestNamed(t *testing.T) {
	for whip, want := range map[string]string{
		"https://cloud.example/whip/anna":      "https://cloud.example/g/anna/events",
		"https://cloud.example/whip/anna/?k=1": "https://cloud.example/g/anna/events",
		"https://cloud.example/whip/a%2Fb":     "https://cloud.example/g/a%2Fb/events",
		"https://cloud.example":                "https://cloud.example/g//events",
	} {
		if got := Named("https://cloud.example/g/{name}/events", whip); got != want {
			t.Errorf("%s: %s, want %s", whip, got, want)
		}
	}
}
