package discover

import (
	"errors"
	"net/http"
	"testing"
)

func TestEvents(t *testing.T) {
	for name, test := range map[string]struct {
		answer string
		want   string // with SELF; "" for ErrNoEvents
	}{
		"told":              {`{"schema_version":1,"events":"SELF/api/glasses/{name}/events"}`, "SELF/api/glasses/{name}/events"},
		"none":              {`{"schema_version":1,"whip":"SELF/whip/{name}"}`, ""},
		"another origin":    {`{"schema_version":1,"events":"http://127.0.0.1:1/events"}`, ""},
		"another machine":   {`{"schema_version":1,"events":"https://evil.example/events"}`, ""},
		"no address":        {`{"schema_version":1,"events":":"}`, ""},
		"another version":   {`{"schema_version":2,"events":"SELF/events"}`, ""},
		"not JSON":          {`<html>`, ""},
		"of the wrong type": {`{"schema_version":1,"events":7}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := serve(t, test.answer)
			got, err := Events(t.Context(), Config{WHIPURL: e.URL + "/whip/a"})
			switch {
			case test.want == "" && !errors.Is(err, ErrNoEvents):
				t.Errorf("%q, %v", got, err)
			case test.want != "" && (err != nil || got != e.URL+test.want[len("SELF"):]):
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	e := serve(t, "")
	e.set("", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	if _, err := Events(t.Context(), Config{WHIPURL: e.URL + "/whip/a"}); !errors.Is(err, ErrNoEvents) {
		t.Errorf("of another kind: %v", err)
	}
	e.Close()
	if _, err := Events(t.Context(), Config{WHIPURL: e.URL + "/whip/a"}); err == nil || errors.Is(err, ErrNoEvents) {
		t.Errorf("nobody there: %v", err)
	}
	for _, elsewhere := range []string{"https://cloud.example/whip/a", "http://localhost:8080/whip/a"} {
		if _, err := Events(t.Context(), Config{WHIPURL: elsewhere}); !errors.Is(err, ErrNotLoopback) {
			t.Errorf("%s: %v", elsewhere, err)
		}
	}
}
