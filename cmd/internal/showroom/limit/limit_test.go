package limit

import (
	"net/netip"
	"testing"
	"time"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

func TestLimiter(t *testing.T) {
	l := New[string](3, 10*time.Second, 10)
	for n, want := range []time.Duration{0, 0, 0, 10 * time.Second} {
		if got := l.Wait("a", noon); got != want {
			t.Errorf("the wait for number %d is %v, want %v", n+1, got, want)
		}
		if want == 0 {
			l.Take("a", noon)
		}
	}
	if l.Wait("b", noon) != 0 {
		t.Error("another waits, too")
	}
	if got := l.Wait("a", noon.Add(4*time.Second)); got != 6*time.Second {
		t.Errorf("after four seconds it waits %v", got)
	}
	l.GiveBack("a", noon)
	if l.Wait("a", noon) != 0 {
		t.Error("it waits for what it gave back")
	}
	l.GiveBack("b", noon)
	if l.Forget(noon.Add(19 * time.Second)); l.Len() != 1 {
		t.Errorf("%d are remembered, of one that owes", l.Len())
	}
	if l.Forget(noon.Add(20 * time.Second)); l.Len() != 0 {
		t.Errorf("%d are remembered, of none that owes", l.Len())
	}
}

// A clock that is set back locks nobody out, and who does not wait gains nothing.
func TestClockSetBack(t *testing.T) {
	l := New[string](2, time.Minute, 10)
	for range 100 {
		l.Take("a", noon)
	}
	if got := l.Wait("a", noon); got != time.Minute {
		t.Errorf("after a hundred it waits %v", got)
	}
	if got := l.Wait("a", noon.Add(-time.Hour)); got != 0 {
		t.Errorf("an hour before it waits %v", got)
	}
	l.Take("a", noon.Add(-time.Hour))
	l.Take("a", noon.Add(-time.Hour))
	if got := l.Wait("a", noon.Add(-time.Hour)); got != time.Minute {
		t.Errorf("after two more it waits %v", got)
	}
}

// Whoever comes from ever new addresses is no reason to refuse others, nor to forget
// who has used up what there is.
func TestMore(t *testing.T) {
	const most = 800
	l := New[int](2, time.Minute, most)
	for range 10 {
		l.Take(-1, noon)
	}
	for i := range 3 * most {
		if l.Take(i, noon); l.Len() > most {
			t.Fatalf("%d are remembered", l.Len())
		}
	}
	if l.Len() < most/2 || l.Wait(-1, noon) == 0 || l.Wait(3*most, noon) != 0 {
		t.Errorf("%d are remembered; who owes most waits %v, a new one %v", l.Len(), l.Wait(-1, noon), l.Wait(3*most, noon))
	}
}

func TestSite(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7": "192.0.2.7/32", "::ffff:192.0.2.7": "192.0.2.7/32",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := Site(netip.MustParseAddr(address)); got.String() != want {
			t.Errorf("%s is of %v, want %s", address, got, want)
		}
	}
	if got := Site(netip.Addr{}); got != (netip.Prefix{}) {
		t.Errorf("no address is of %v", got)
	}
}
