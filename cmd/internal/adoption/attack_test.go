package adoption

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bril-edge/bril/configs/fleet"
)

// attack is something that is offered to a board which runs bundle 10.
type attack struct {
	name    string
	offers  func(g *glasses) [][]byte
	phase   fleet.Phase // in which it is refused
	element string
	says    string // of the report
}

// signed is a bundle that a manager's key has signed.
func signed(change func(*fleet.Bundle)) func(*glasses) [][]byte {
	return func(g *glasses) [][]byte {
		b := bundle(11)
		change(&b)
		return [][]byte{sign(g.t, b, g.key)}
	}
}

func configured(yaml string) func(*glasses) [][]byte {
	return signed(func(b *fleet.Bundle) { b.Configuration = yaml })
}

func good(g *glasses) []byte { return sign(g.t, bundle(11), g.key) }

var attacks = []attack{
	{"another key", func(g *glasses) [][]byte { return [][]byte{sign(g.t, bundle(11), keyOf("foreign"))} }, fleet.Received, "signature", "not signed by a key of this fleet"},
	{"another key that says it is ours", func(g *glasses) [][]byte {
		e := sign(g.t, bundle(11), keyOf("foreign"))
		var foreign, ours struct {
			Signatures []struct{ KeyID string }
		}
		for to, data := range map[any][]byte{&foreign: e, &ours: good(g)} {
			if err := json.Unmarshal(data, to); err != nil {
				g.t.Fatal(err)
			}
		}
		return [][]byte{bytes.ReplaceAll(e, []byte(foreign.Signatures[0].KeyID), []byte(ours.Signatures[0].KeyID))}
	}, fleet.Received, "signature", "not signed by a key of this fleet"},
	{"an older serial", signed(func(b *fleet.Bundle) { b.Serial = 9 }), fleet.Verified, "serial", "older than what this board has seen"},
	{"a replayed bundle", func(g *glasses) [][]byte { return [][]byte{sign(g.t, bundle(5), g.key)} }, fleet.Verified, "serial", "older than what this board has seen"},
	{"another bundle under the same serial", signed(func(b *fleet.Bundle) { b.Serial = 10 }), fleet.Verified, "serial", "another bundle had this serial"},
	{"expired", signed(func(b *fleet.Bundle) { b.Expires = b.NotBefore.Add(time.Hour) }), fleet.Verified, "expires", "expired"},
	{"another fleet's", signed(func(b *fleet.Bundle) { b.Audience.Fleet = "other" }), fleet.Verified, "audience", "for others"},
	{"for another showroom", signed(func(b *fleet.Bundle) { b.Audience.Labels = map[string]string{"showroom": "antwerp"} }), fleet.Verified, "audience", "for others"},
	{"for another device", signed(func(b *fleet.Bundle) { b.Audience.Devices = []string{other} }), fleet.Verified, "audience", "for others"},
	{"truncated at each byte", func(g *glasses) (list [][]byte) {
		e := good(g)
		for n := range e {
			list = append(list, e[:n])
		}
		return list
	}, fleet.Received, "envelope", "not a DSSE envelope"},
	{"1,000 random bit flips", func(g *glasses) (list [][]byte) {
		r := rand.New(rand.NewPCG(1, 2))
		for range 1000 {
			e := good(g)
			e[r.IntN(len(e))] ^= 1 << r.IntN(8)
			list = append(list, e)
		}
		return list
	}, fleet.Received, "", ""},
	{"50 MB", func(g *glasses) [][]byte {
		return [][]byte{fmt.Appendf(nil, `{"payloadType":%q,"payload":%q,"signatures":[]}`, fleet.PayloadType, base64.StdEncoding.EncodeToString(make([]byte, 50<<20)))}
	}, fleet.Received, "envelope", "too long"},
	{"deep JSON", func(*glasses) [][]byte { return [][]byte{bytes.Repeat([]byte(`[`), fleet.MaxEnvelope)} }, fleet.Received, "envelope", "not a DSSE envelope"},
	{"a YAML bomb of aliases", configured("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g]\nvideo: {max_bitrate: *h}\n"), fleet.Schema, "", "bundle 11:"},
	{"a YAML bomb of brackets", configured("video: " + strings.Repeat("[", 5000)), fleet.Schema, "", "bundle 11:"},
	{"a YAML bomb of mappings", configured(strings.Repeat("{a: ", 1500)), fleet.Schema, "", "bundle 11:"},
	{"an unknown key", configured("video:\n  max_bitrat: 1M\n"), fleet.Schema, "", "bundle 11:2"},
	{"the light off", configured("light: {enabled: false}\n"), fleet.Schema, "", "bundle 11:1"},
	{"inbound sound recorded", configured("talkback:\n  record: true\n"), fleet.Schema, "", "bundle 11:2"},
	{"a value out of range", configured("camera: {fps: 100000}\n"), fleet.Schema, "", "bundle 11:1"},
	{"above the bit rate's ceiling", configured("video: {max_bitrate: 8M}\n"), fleet.Schema, "video.max_bitrate", "fleet.max_bitrate"},
	{"above the retention's ceiling", configured("spool: {retention: 400d}\n"), fleet.Schema, "", "bundle 11:1"},
	{"lifts a ceiling", configured("fleet: {max_bitrate: 50M}\n"), fleet.Schema, "", "belongs to the board"},
	{"a WHIP URL elsewhere", configured("uplink: {whip_url: 'https://evil.example/whip/anna'}\n"), fleet.Schema, "", "not an origin of this board's enrolment"},
	{"uploads elsewhere", configured("upload: {url: 'https://evil.example/files'}\n"), fleet.Schema, "", "not an origin of this board's enrolment"},
	{"another recipient", configured("spool: {recipient: age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p}\n"), fleet.Schema, "", "recipient"},
	{"a file of the board", configured("uplink: {ice_servers: [{urls: ['turn:t.example'], username: u, credential_file: /etc/shadow}]}\n"), fleet.Schema, "", "its own secrets only"},
	{"the control socket", configured("control: {state_dir: /tmp}\n"), fleet.Schema, "", "belongs to the board"},
}

// Each attack is refused with nothing changed on the disk but what became of it: nothing
// at all while it is not signed for this board.
func TestAttacks(t *testing.T) {
	for _, attack := range attacks {
		t.Run(attack.name, func(t *testing.T) {
			synctest.Test(t, attack.run)
		})
	}
}

func (x attack) run(t *testing.T) {
	g := newGlasses(t)
	end := g.live()
	defer func() { end() }()
	g.offerBundle(bundle(5))
	g.offerBundle(bundle(10))
	g.want(10, 10, fleet.Confirmed)
	time.Sleep(time.Second)
	was := tree(t, g.cfg.Dir)
	for _, envelope := range x.offers(g) {
		g.offer(envelope)
	}
	time.Sleep(3 * time.Minute)
	r := g.now().Report()
	at := r.Attempted
	if r.Running.Serial != 10 || at.Phase != fleet.Refused || at.During != x.phase || x.element != "" && at.Element != x.element || !strings.Contains(at.Error, x.says) || at.Error == "" {
		t.Errorf("bundle %d runs, attempted: %+v", r.Running.Serial, at)
	}
	is := tree(t, g.cfg.Dir)
	if x.phase == fleet.Schema { // it is signed: the serial is used, and history has it
		for name := range is {
			if name == stateFile || strings.HasPrefix(name, floorPrefix) {
				delete(was, name)
				delete(is, name)
			}
		}
		if v, err := Look(g.cfg.Dir); err != nil || v.Good.Serial != 10 || v.Trial != nil || v.Staged != nil || v.Floor != 11 {
			t.Errorf("it has changed: %+v, %v", v, err)
		}
	}
	sameTree(t, was, is)
	if g.anews.Load() != 2 {
		t.Errorf("%d times anew", g.anews.Load())
	}
	t.Logf("%s: refused at %s: %s: %.150s", x.name, at.During, at.Element, at.Error)

	end() // and a start does not change that
	end = g.live()
	if got := g.now().Report().Running.Serial; got != 10 {
		t.Errorf("bundle %d runs after a start", got)
	}
}
