package doctor

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ClockReading is this machine's clock beside a server's.
type ClockReading struct {
	Disciplined bool // by NTP, as the kernel says
	Told        bool // a server told its time
	Verified    bool // and its certificate is good at that time
	Server      string
	Offset      time.Duration // of ours to the server's; positive is ahead
}

const (
	someOffset = 5 * time.Second
	muchOffset = 5 * time.Minute // certificates and photos' times suffer
)

const ntpHint = "does this network let NTP through? timedatectl shows it"

// JudgeClock judges it.
func JudgeClock(r ClockReading) Verdict {
	state := "NTP has set it"
	if !r.Disciplined {
		state = "NTP has not set it"
	}
	if !r.Told || !r.Verified {
		if r.Disciplined {
			return good(state)
		}
		return look(state+", and no server told the time", ntpHint)
	}
	text := fmt.Sprintf("%s as at %s, %s", offset(r.Offset), r.Server, state)
	v := good(text)
	switch off := r.Offset.Abs(); {
	case off > muchOffset:
		v = bad("the clock is wrong: "+text, ntpHint)
	case off > someOffset:
		v = look(text, ntpHint)
	}
	return v.with(tenth(r.Offset.Seconds()), "s")
}

func offset(d time.Duration) string {
	switch {
	case d.Abs() < 2*time.Second: // a server tells whole seconds
		return "the same time"
	case d > 0:
		return d.Round(time.Second).String() + " later than it is"
	}
	return (-d).Round(time.Second).String() + " earlier than it is"
}

// Reached is what came of reaching one place.
type Reached struct {
	Name string // host, host:port or URL
	Took time.Duration
	Err  error
}

// JudgeReached judges places by the first that failed; what says what was done.
func JudgeReached(what string, list []Reached, hint string) Verdict {
	if len(list) == 0 {
		return Skip("no endpoint needs it")
	}
	var slowest time.Duration
	var names []string
	for _, r := range list {
		if r.Err != nil {
			return bad(fmt.Sprintf("%s %s: %v", what, r.Name, r.Err), hint)
		}
		slowest = max(slowest, r.Took)
		names = append(names, r.Name)
	}
	return good(fmt.Sprintf("%s %s", what, strings.Join(names, ", "))).with(tenth(slowest.Seconds()*1000), "ms")
}

// The hints of JudgeReached.
const (
	HintDNS = "is the network up (ip address), its DNS server right (resolvectl)? is the host in the configuration spelt right?"
	HintTCP = "is the endpoint running, and does this network let its port through?"
)

// Certified is what one endpoint showed.
type Certified struct {
	Name     string
	Took     time.Duration
	NotAfter time.Time
	Err      error
}

const soonExpired = 14 * 24 * time.Hour

// JudgeTLS judges certificates at the time now.
func JudgeTLS(list []Certified, now time.Time) Verdict {
	if len(list) == 0 {
		return Skip("no endpoint uses it")
	}
	first := list[0]
	for _, c := range list {
		if c.Err != nil {
			return badCertificate(c, now)
		}
		if c.NotAfter.Before(first.NotAfter) {
			first = c
		}
	}
	left := first.NotAfter.Sub(now)
	v := good(fmt.Sprintf("%s and its certificate is good until %s", names(list), first.NotAfter.UTC().Format(time.DateOnly)))
	if left < soonExpired {
		v = look(v.Message, "the endpoint's operator has to renew it, unless it renews itself")
	}
	return v.with(float64(int(left.Hours()/24)), "days")
}

func names(list []Certified) string {
	if len(list) == 1 {
		return list[0].Name
	}
	return fmt.Sprintf("%d endpoints, %s", len(list), list[0].Name)
}

// badCertificate has words of its own for each way in which one is wrong.
func badCertificate(c Certified, now time.Time) Verdict {
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var unknown x509.UnknownAuthorityError
	const theirs = "this is the endpoint's to repair: tell its operator"
	switch err := c.Err; {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil && now.Before(invalid.Cert.NotBefore):
		return bad(fmt.Sprintf("the certificate of %s is not yet valid: from %s", c.Name, date(invalid.Cert.NotBefore)), "is the clock right? else "+theirs)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		return bad(fmt.Sprintf("the certificate of %s has expired: on %s", c.Name, date(invalid.Cert.NotAfter)), theirs)
	case errors.As(err, &host):
		return bad(fmt.Sprintf("the certificate of %s is for another name: %s", c.Name, certificateNames(host.Certificate)), "is the host in the configuration right? else "+theirs)
	case errors.As(err, &unknown):
		return bad("the certificate of "+c.Name+" is of an unknown authority", "is somebody in between? if it is the server's own authority: bril enrol")
	}
	return bad(fmt.Sprintf("TLS with %s: %v", c.Name, c.Err), "is there an https server at this address?")
}

func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func certificateNames(c *x509.Certificate) string {
	names := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "it has none"
	}
	const few = 3
	if len(names) > few {
		names = append(names[:few], "…")
	}
	return strings.Join(names, ", ")
}

// PublishReading is what came of publishing under a name for tests.
type PublishReading struct {
	Name      string // of the test
	Posted    bool   // the endpoint took the offer
	Connected bool   // ICE and DTLS stood
	Deleted   bool
	Took      time.Duration // from the POST until packets could flow
	Err       error
}

const udpHint = "does this network block UDP? a TURN server over TCP or TLS in uplink.ice_servers leads around it"

// JudgeUDP judges whether UDP gets through: by STUN servers where there are any, else
// by the test's own connection, which may be nil where there was none.
func JudgeUDP(stun []Reached, p *PublishReading) Verdict {
	if len(stun) > 0 {
		v := JudgeReached("STUN answers:", stun, udpHint)
		if v.Status == Fail {
			v.Message = "UDP is blocked: no answer to STUN: " + v.Message
		}
		return v
	}
	switch {
	case p == nil:
		return Skip("nothing to send to: no STUN server is configured")
	case !p.Posted:
		return SkipOn(WHIP)
	case !p.Connected:
		return bad(fmt.Sprintf("no UDP gets through to the endpoint: %v", p.Err), udpHint)
	}
	return good("packets get through to the endpoint").with(tenth(p.Took.Seconds()*1000), "ms")
}

// JudgeWHIP judges the handshake.
func JudgeWHIP(p PublishReading) Verdict {
	switch {
	case !p.Posted:
		return bad(p.Err.Error(), hintOf(p.Err))
	case !p.Connected:
		return SkipOn(UDP)
	case !p.Deleted:
		return look(fmt.Sprintf("published as %s, but its end was not taken: %v", p.Name, p.Err), "the endpoint may believe for some seconds that somebody publishes")
	}
	return good("published as "+p.Name+", and ended").with(tenth(p.Took.Seconds()*1000), "ms")
}

// UplinkReading is what the far end received of what was sent.
type UplinkReading struct {
	Asked   float64       // bits a second
	Sent    float64       // that left
	Lost    float64       // share
	Reports int           // of the far end
	RTT     time.Duration // the longest, 0 where nobody told
	Err     error
}

const (
	someLost = 0.02
	muchLost = 0.08

	enoughShare = 0.9 // of the bit rate that is asked for
	poorUplink  = 0.5

	longRTT = 400 * time.Millisecond
)

// JudgeUplink judges bandwidth and loss.
func JudgeUplink(r UplinkReading) Verdict {
	if r.Err != nil {
		return bad(r.Err.Error(), hintOf(r.Err))
	}
	got := r.Sent * (1 - r.Lost)
	text := fmt.Sprintf("%.1f of %.1f Mb/s arrive, %.1f %% are lost", got/1e6, r.Asked/1e6, 100*r.Lost)
	if r.RTT > 0 {
		text += fmt.Sprintf(", round trip %d ms", r.RTT.Milliseconds())
	}
	const slow = "move nearer to the access point, or lower video.max_bitrate"
	v := good(text)
	switch {
	case r.Reports == 0:
		return look("sent for 5 s, and the endpoint reported nothing", "its reports (RTCP) do not get back, or it makes none")
	case got < poorUplink*r.Asked, r.RTT > 2*longRTT:
		v = bad("the uplink is slow: "+text, slow)
	case r.Lost > muchLost:
		v = bad("the uplink loses packets: "+text, "is the Wi-Fi crowded or far? try 5 GHz")
	case got < enoughShare*r.Asked, r.RTT > longRTT:
		v = look("the uplink is rather slow: "+text, slow)
	case r.Lost > someLost:
		v = look(text, "is the Wi-Fi crowded or far? try 5 GHz")
	}
	return v.with(tenth(got/1e6), "Mb/s")
}

// EnrolmentReading is whether the board is enrolled.
type EnrolmentReading struct {
	State    string // enrolled, renewal-due, expired, revoked or not-enrolled
	Name     string
	Server   string
	NotAfter time.Time
	Problem  string
	Err      error // of asking the server
}

// JudgeEnrolment judges it.
func JudgeEnrolment(r EnrolmentReading, now time.Time) Verdict {
	const again = "bril enrol --server URL --token-file F, with a fresh token"
	switch r.State {
	case "", "not-enrolled":
		return Skip("not enrolled: the endpoint is that of the configuration")
	case "expired":
		return bad(fmt.Sprintf("the enrolment at %s has expired, on %s", r.Server, date(r.NotAfter)), again)
	case "revoked":
		return bad("the enrolment at "+r.Server+" is revoked", again)
	}
	if r.Err != nil {
		return bad("the server does not take this board: "+r.Err.Error(), hintOf(r.Err))
	}
	text := fmt.Sprintf("enrolled as %s until %s", r.Name, date(r.NotAfter))
	v := good(text)
	if r.State == "renewal-due" || r.Problem != "" {
		v = look(text+": "+orElse(r.Problem, "to be renewed"), "the daemon renews it by itself while it runs")
	}
	return v.with(float64(int(r.NotAfter.Sub(now).Hours()/24)), "days")
}

func orElse(text, other string) string {
	if text != "" {
		return text
	}
	return other
}
