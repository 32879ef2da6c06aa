package configs

import (
	"net/url"
	"strings"
)

// CallsNone is the calls.events_url of an endpoint that is not to be asked for
// calls.
const CallsNone = "none"

// Calls says where the endpoint tells of customers who call.
type Calls struct {
	EventsURL string `json:"events_url"` // "" is what an endpoint on this machine says
}

// eventsURL allows {name} in the path, for a configuration that is one for many.
func (v *checker) eventsURL(raw string) {
	const key = "calls.events_url"
	if raw == "" || raw == CallsNone {
		return
	}
	parsed, ok := v.webURL(key, raw, "https://cloud.example/api/glasses/{name}/events")
	switch {
	case !ok:
	case parsed.User != nil:
		v.report(key, "uplink.token_file holds the token for both", "a user name or password in the address is not allowed")
	case parsed.RawQuery != "" || parsed.Fragment != "" || parsed.ForceQuery:
		v.report(key, "", "%q goes on after its path, beside which calls are answered", raw)
	case parsed.Scheme == "http" && !loopback(parsed.Hostname()):
		v.report(key, "use https", "%q leads off this machine unencrypted", raw)
	case strings.Trim(parsed.Path, "/") == "":
		v.report(key, "", "%q has no path", raw)
	}
}

// callsWarnings are about glasses that nobody can call: a name that is left open in
// the address, and none to put there.
func callsWarnings(c Config) []Problem {
	if !strings.Contains(c.Calls.EventsURL, "{name}") {
		return nil
	}
	if whip, err := url.Parse(c.Uplink.WHIPURL); err == nil && strings.Trim(whip.Path, "/") != "" {
		return nil
	}
	return []Problem{{
		Key: "calls.events_url", Message: "{name} stands for the last part of uplink.whip_url, which has none", Hint: "write the name of these glasses",
	}}
}
