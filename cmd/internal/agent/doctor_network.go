package agent

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/bril-edge/bril/capture/pattern"
	"github.com/bril-edge/bril/cmd/internal/doctor"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/clock"
	"github.com/bril-edge/bril/uplink/enrol"
	"github.com/bril-edge/bril/uplink/origin"
	"github.com/bril-edge/bril/uplink/rtc"
	"github.com/bril-edge/bril/uplink/whip"
)

// endpoints are the servers that the configuration names, one for each address.
func (e *exam) endpoints() (list []*url.URL) {
	for _, text := range []string{e.cfg.Uplink.WHIPURL, e.cfg.Upload.URL, e.cfg.Calls.EventsURL} {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" {
			continue
		}
		if !slices.ContainsFunc(list, func(o *url.URL) bool { return origin.Of(o) == origin.Of(u) }) {
			list = append(list, u)
		}
	}
	return list
}

// look is what an endpoint shows.
type look struct {
	at   *url.URL
	seen origin.Seen
	err  error
	took time.Duration
}

func (e *exam) look(ctx context.Context) (list []look) {
	for _, u := range e.endpoints() {
		begun := time.Now()
		seen, err := origin.Look(ctx, u, e.roots(u), e.probes.now())
		list = append(list, look{u, seen, err, time.Since(begun)})
	}
	return list
}

// roots are the authorities that count at an endpoint; nil are the system's.
func (e *exam) roots(u *url.URL) *x509.CertPool {
	if id := e.identity.Origin(); id != nil && slices.Contains(id.Origins, origin.Of(u)) {
		return id.Roots
	}
	return e.opts.roots
}

func (e *exam) checkClock(ctx context.Context) doctor.Verdict {
	var machine clock.Clock
	r := doctor.ClockReading{Disciplined: machine.Confirmed()}
	for _, l := range e.looks(ctx) {
		if l.err != nil || l.seen.Told.IsZero() || r.Verified {
			continue
		}
		r.Told, r.Verified, r.Server = true, l.seen.Good, l.at.Hostname()
		r.Offset = e.probes.now().Sub(l.seen.Told)
	}
	return doctor.JudgeClock(r)
}

func (e *exam) checkDNS(ctx context.Context) doctor.Verdict {
	var list []doctor.Reached
	for _, host := range e.hosts() {
		begun := time.Now()
		_, err := e.probes.resolver.LookupNetIP(ctx, "ip", host)
		var dns *net.DNSError
		if errors.As(err, &dns) {
			err = errors.New(dns.Err)
		}
		list = append(list, doctor.Reached{Name: host, Took: time.Since(begun), Err: err})
	}
	return doctor.JudgeReached("look up", list, doctor.HintDNS)
}

// hosts are the names to be looked up.
func (e *exam) hosts() (list []string) {
	add := func(host string) {
		_, err := netip.ParseAddr(host)
		if err != nil && host != "" && !strings.EqualFold(host, "localhost") && !slices.Contains(list, host) {
			list = append(list, host)
		}
	}
	for _, u := range e.endpoints() {
		add(u.Hostname())
	}
	for _, s := range e.cfg.Uplink.ICEServers {
		for _, text := range s.URLs {
			_, rest, _ := strings.Cut(text, ":")
			address, _, _ := strings.Cut(rest, "?")
			if host, _, err := net.SplitHostPort(address); err == nil {
				address = host
			}
			add(strings.Trim(address, "[]"))
		}
	}
	return list
}

const dialTime = 5 * time.Second

func (e *exam) checkTCP(ctx context.Context) doctor.Verdict {
	var list []doctor.Reached
	dialer := net.Dialer{Timeout: dialTime, Resolver: e.probes.resolver}
	for _, u := range e.endpoints() {
		at := origin.HostPort(u)
		begun := time.Now()
		conn, err := dialer.DialContext(ctx, "tcp", at)
		if err == nil {
			conn.Close()
		}
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		list = append(list, doctor.Reached{Name: at, Took: time.Since(begun), Err: err})
	}
	return doctor.JudgeReached("connect to", list, doctor.HintTCP)
}

func (e *exam) checkTLS(ctx context.Context) doctor.Verdict {
	var list []doctor.Certified
	for _, l := range e.looks(ctx) {
		if l.at.Scheme != "https" {
			continue
		}
		c := doctor.Certified{Name: l.at.Host, Took: l.took, NotAfter: l.seen.NotAfter, Err: l.err}
		if c.Err == nil {
			c.Err = l.seen.Err
		}
		list = append(list, c)
	}
	return doctor.JudgeTLS(list, e.probes.now())
}

// servers are those of the configuration that are, or are not, TURN's.
func (e *exam) servers(turn bool) (list []whip.ICEServer) {
	all, _ := e.relays() // without the secrets the configuration has failed
	for _, s := range all {
		if strings.HasPrefix(s.URL, "turn") == turn {
			list = append(list, s)
		}
	}
	return list
}

func reachAll(ctx context.Context, servers []whip.ICEServer) (list []doctor.Reached) {
	for _, s := range servers {
		took, err := rtc.Reach(ctx, s)
		list = append(list, doctor.Reached{Name: s.URL, Took: took, Err: err})
	}
	return list
}

func (e *exam) checkTURN(ctx context.Context) doctor.Verdict {
	servers := e.servers(true)
	if len(servers) == 0 {
		return doctor.Skip("no TURN server is configured")
	}
	return doctor.JudgeReached("an address is given by", reachAll(ctx, servers), "are its address, username and credential right?")
}

func (e *exam) checkUDP(ctx context.Context) doctor.Verdict {
	if stun := reachAll(ctx, e.servers(false)); len(stun) > 0 {
		return doctor.JudgeUDP(stun, nil)
	}
	if e.live {
		return doctor.Skip("not during a conversation, which tells it by itself")
	}
	p := e.published(ctx)
	return doctor.JudgeUDP(nil, &p.PublishReading)
}

func (e *exam) checkWHIP(ctx context.Context) doctor.Verdict {
	return doctor.JudgeWHIP(e.published(ctx).PublishReading)
}

func (e *exam) checkUplink(ctx context.Context) doctor.Verdict {
	p := e.published(ctx)
	switch {
	case !p.Posted:
		return doctor.SkipOn(doctor.WHIP)
	case !p.Connected:
		return doctor.SkipOn(doctor.UDP)
	}
	return doctor.JudgeUplink(p.load)
}

// published is what came of publishing under a name for tests.
type published struct {
	doctor.PublishReading
	load doctor.UplinkReading
}

// loadTime is how long packets are sent for.
const loadTime = 5 * time.Second

// publish publishes once for the three checks that want to know of it: it connects,
// sends where that is asked for, and ends it.
func (e *exam) publish(ctx context.Context) *published {
	p := &published{}
	where, name := testName(e.cfg.Uplink.WHIPURL)
	p.Name = name
	client, err := e.testClient(where)
	if err != nil {
		p.Err = err
		return p
	}
	defer client.Close()
	servers, _ := e.relays() // read before, for the configuration
	var gauge rtc.Gauge
	begun := time.Now()
	connection, err := rtc.Dial(ctx, client, rtc.Config{
		Video: rtc.VideoConfig{ProfileLevelID: testProfile}, Loopback: stays(e.cfg.Uplink), Interface: e.cfg.Uplink.Interface,
		ICEServers: servers, Estimate: gauge.Estimate, Log: e.opts.Log,
	})
	p.Took, p.Err = time.Since(begun), err
	if err != nil {
		var refused *whip.Error
		p.Posted = !errors.As(err, &refused) && !errors.Is(err, rtc.ErrRefused)
		return p
	}
	p.Posted, p.Connected = true, true
	if e.wants(doctor.Uplink) {
		p.load = e.measure(ctx, connection, &gauge)
	}
	p.Err = connection.Close(context.WithoutCancel(ctx))
	p.Deleted = p.Err == nil
	return p
}

// testProfile is constrained baseline at level 3.1, which everybody takes.
const testProfile = "42e01f"

// testName is an address for tests beside the one to publish at: an endpoint of ours
// keeps and shows nothing of these names. Where an address has no name in it, it is
// that one.
func testName(endpoint string) (where, name string) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return endpoint, endpoint
	}
	name = "bril-test-" + strings.ToLower(rand.Text()[:10])
	parts := strings.Split(strings.TrimSuffix(u.Path, "/"), "/")
	switch n := len(parts); {
	case n >= 3 && parts[n-2] == "whip":
		parts[n-1] = name
	case n >= 3 && parts[n-1] == "whip":
		parts[n-2] = name
	default:
		return endpoint, path.Base(u.Path)
	}
	u.Path = strings.Join(parts, "/")
	return u.String(), name
}

// testClient is one that leaves nothing in the state directory.
func (e *exam) testClient(where string) (*whip.Client, error) {
	secret, err := token(e.cfg.Uplink)
	if err != nil {
		return nil, err
	}
	return whip.New(whip.Config{
		URL: where, Token: secret, TrustedOrigins: e.cfg.Uplink.TrustedOrigins, UserAgent: "bril/" + e.opts.Version,
		Time: e.probes.now, RootCAs: e.opts.roots, Identity: e.identity.Origin(), Log: e.opts.Log,
	})
}

func (e *exam) measure(ctx context.Context, p *rtc.Publisher, gauge *rtc.Gauge) doctor.UplinkReading {
	rate := encoder.BitRate(e.cfg.Video.MaxBitRate)
	picture, err := e.testPicture(ctx)
	if err != nil {
		return doctor.UplinkReading{Err: fmt.Errorf("make a picture to send: %w", err)}
	}
	load, err := gauge.Measure(ctx, p, picture, rate, loadTime)
	return doctor.UplinkReading{
		Asked: float64(rate), Sent: float64(load.Sent), Lost: load.Lost, Reports: load.Reports, RTT: load.RTT, Err: err,
	}
}

// testPicture is a small one that says nothing of where the glasses are.
func (e *exam) testPicture(ctx context.Context) (picture []byte, err error) {
	source, err := pattern.New(pattern.Config{Width: 160, Height: 90, FPS: 30})
	if err != nil {
		return nil, err
	}
	defer source.Close()
	f, err := source.Next(ctx)
	if err != nil {
		return nil, err
	}
	enc, err := e.newSoftware(source.Format(), time.Second, encoder.BitRate(200_000), func(au encoder.AccessUnit) error {
		picture = slices.Clone(au.Data)
		return nil
	})
	if err != nil {
		f.Release()
		return nil, err
	}
	return picture, errors.Join(enc.Encode(f), enc.Close())
}

func (e *exam) checkEnrolment(ctx context.Context) doctor.Verdict {
	if e.identity == nil && !errors.Is(e.nobody, enrol.ErrNotEnrolled) {
		return doctor.JudgeEnrolment(doctor.EnrolmentReading{State: "damaged", Err: e.nobody}, e.probes.now())
	}
	shown := e.Enrolment()
	r := doctor.EnrolmentReading{State: shown.State, Name: shown.Name, Server: shown.Server, NotAfter: shown.NotAfter, Problem: shown.Problem}
	if e.identity != nil && r.State != string(enrol.Expired) {
		if r.Err = e.identity.Known(ctx); errors.Is(r.Err, enrol.ErrRevoked) {
			r.State = string(enrol.Revoked)
		}
	}
	return doctor.JudgeEnrolment(r, e.probes.now())
}
