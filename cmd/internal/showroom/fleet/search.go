package fleet

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxSearch bounds the text that is searched for, in bytes.
const maxSearch = 256

// statusOnline is asked for as a status is, and is none.
const statusOnline = "online"

// orders are those in which devices can be asked for; what is equal goes by name.
var orders = map[string]func(a, b Device) int{
	"name":    func(_, _ Device) int { return 0 },
	"status":  func(a, b Device) int { return cmp.Compare(urgency(a.Status), urgency(b.Status)) },
	"runs":    func(a, b Device) int { return cmp.Compare(a.Running.Serial, b.Running.Serial) },
	"wants":   func(a, b Device) int { return cmp.Compare(a.Wanted, b.Wanted) },
	"state":   func(a, b Device) int { return cmp.Compare(a.State, b.State) },
	"battery": func(a, b Device) int { return cmp.Compare(charge(a), charge(b)) },
	"version": func(a, b Device) int { return cmp.Compare(a.Version, b.Version) },
	"seen":    laterSeen,
}

// urgency is how soon somebody should look, the lowest first.
func urgency(status string) int {
	return slices.Index([]string{statusFailed, statusDrift, statusWaiting, statusUnmanaged, statusCurrent}, status)
}

// charge is a device's battery in percent; one that does not tell comes last.
func charge(d Device) int {
	if d.Battery == nil {
		return 101
	}
	return *d.Battery
}

func laterSeen(a, b Device) int {
	switch {
	case a.Online && b.Online:
		return 0
	case a.Online != b.Online:
		return map[bool]int{true: -1, false: 1}[a.Online]
	}
	return b.LastSeen.Compare(a.LastSeen)
}

// search is which devices are asked for, in which order.
type search struct {
	labels map[string]string // all of them
	names  []string          // one of them, or an ID; none for all
	status string            // or statusOnline; "" for all
	text   string            // in lower case; "" for all
	order  func(a, b Device) int
	limit  int // 0 for none
}

func searchOf(q url.Values) (s search, err error) {
	s = search{labels: map[string]string{}, names: q["name"], status: q.Get("status"), text: strings.ToLower(strings.TrimSpace(q.Get("text")))}
	for _, label := range q["label"] {
		key, value, _ := strings.Cut(label, "=")
		s.labels[key] = value
	}
	if s.status != "" && s.status != statusOnline && urgency(s.status) < 0 {
		return s, refuse(http.StatusBadRequest, "", "status %.20q is not current, waiting, drift, failed, unmanaged or online", s.status)
	}
	if len(s.text) > maxSearch {
		return s, refuse(http.StatusBadRequest, "", "text is longer than %d bytes", maxSearch)
	}
	order := cmp.Or(q.Get("sort"), "name")
	if s.order = orders[order]; s.order == nil {
		return s, refuse(http.StatusBadRequest, "", "sort %.20q is not a column: name, status, runs, wants, state, battery, version or seen", order)
	}
	if limit := q.Get("limit"); limit != "" {
		if s.limit, err = strconv.Atoi(limit); err != nil || s.limit < 1 {
			return s, refuse(http.StatusBadRequest, "", "limit %.20q is not a number of devices", limit)
		}
	}
	return s, nil
}

// finds says whether a device is one of those. A bundle that is meant for nobody is
// nothing to do: to who looks for what is current, unmanaged devices are.
func (s search) finds(d Device) bool {
	for key, value := range s.labels {
		if d.Labels[key] != value {
			return false
		}
	}
	if len(s.names) > 0 && !slices.Contains(s.names, d.Name) && !slices.Contains(s.names, d.Device) {
		return false
	}
	if s.status == statusOnline && !d.Online || s.status != "" && s.status != statusOnline && d.Status != s.status && (s.status != statusCurrent || d.Status != statusUnmanaged) {
		return false
	}
	return s.text == "" || strings.Contains(strings.ToLower(d.words()), s.text)
}

// words are what a search looks through.
func (d Device) words() string {
	words := append([]string{d.Name, d.Label, d.Why, d.Version, d.State}, d.Problems...)
	for key, value := range d.Labels {
		words = append(words, key+"="+value)
	}
	return strings.Join(words, "\n")
}

func (s *Service) list(_ context.Context, _ string, r *http.Request) (any, error) {
	asked, err := searchOf(r.URL.Query())
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	out := Devices{SchemaVersion: SchemaVersion, Devices: []Device{}}
	for _, d := range s.sorted() {
		if shown := s.show(d); asked.finds(shown) {
			out.Devices = append(out.Devices, shown)
		}
	}
	s.mu.Unlock()
	slices.SortStableFunc(out.Devices, asked.order)
	out.Found = len(out.Devices)
	if asked.limit > 0 && asked.limit < out.Found {
		out.Devices = out.Devices[:asked.limit]
	}
	return out, nil
}
