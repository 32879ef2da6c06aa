package configs

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const sizeLimits = "64x64 to 1920x1920, both numbers even"

// Validate checks every value against its limits. Its error is Problems, with
// each key, its value and what is allowed.
func (c Config) Validate() error { return c.check().orNil() }

func (c Config) check() Problems {
	var v checker
	v.uplink(c.Uplink)
	v.camera(c.Camera)
	if c.Camera.Source.Kind == None && c.Microphone.Source.Kind == None {
		v.report("camera.source", "", "none, and microphone.source is none too: there is nothing to send")
	}
	between(&v, "microphone.gain_db", decibel(c.Microphone.GainDB), -30, 30)
	between(&v, "video.max_bitrate", c.Video.MaxBitRate, minBitRate, maxBitRate)
	between(&v, "video.gop", c.Video.GOP, Duration(time.Second), Duration(time.Minute))
	v.oneOf("video.encoder", c.Video.Encoder, EncoderAuto, EncoderHardware, EncoderSoftware)
	between(&v, "audio.bitrate", c.Audio.BitRate, 6_000, 256_000)
	v.session(c.Session)
	v.media(c)
	v.board(c.Board)
	v.power(c.Power)
	v.cues(c.Cues)
	v.talkback(c)
	v.eventsURL(c.Calls.EventsURL)
	v.fleet(c.Fleet)
	v.telemetry(c.Telemetry)
	v.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", c.Log.Format, "text", "json")
	return v.problems
}

// checker gathers the values that are outside their limits.
type checker struct{ problems Problems }

func (v *checker) report(key, hint, format string, args ...any) {
	v.problems = append(v.problems, Problem{Key: key, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// decibel prints itself with its unit.
type decibel float64

func (d decibel) String() string { return strconv.FormatFloat(float64(d), 'f', -1, 64) + " dB" }

func between[T interface {
	cmp.Ordered
	fmt.Stringer
}](v *checker, key string, value, low, high T) {
	if !(value >= low && value <= high) { // so that NaN is outside
		v.report(key, "", "%v is outside %v to %v", value, low, high)
	}
}

func (v *checker) oneOf(key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		hint := ""
		if near := nearest(strings.ToLower(value), lower(allowed)); near != "" {
			hint = "did you mean " + allowed[slices.Index(lower(allowed), near)] + "?"
		}
		v.report(key, hint, "%q is not one of %s", value, strings.Join(allowed, ", "))
	}
}

func lower(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = strings.ToLower(w)
	}
	return out
}

// paths wants absolute paths: what a file says must not depend on where a
// command was started. On a command line a relative path is clear.
func (c Config) paths() Problems {
	var v checker
	v.absolute("uplink.token_file", c.Uplink.TokenFile)
	v.absolute("provisioning.key_file", c.Provisioning.KeyFile)
	for i, server := range c.Uplink.ICEServers {
		v.absolute(fmt.Sprintf("uplink.ice_servers[%d].credential_file", i), server.CredentialFile)
	}
	v.absolute("spool.dir", c.Spool.Dir)
	v.absolute("control.socket", c.Control.Socket)
	v.absolute("control.state_dir", c.Control.StateDir)
	return v.problems
}

func (v *checker) absolute(key, path string) {
	if path != "" && !filepath.IsAbs(path) {
		v.report(key, "", "%q is not an absolute path", path)
	}
}

func (v *checker) camera(c Camera) {
	if !c.Size.valid() {
		v.report("camera.size", "", "%v is not allowed: %s", c.Size, sizeLimits)
	}
	if c.FPS < 1 || c.FPS > maxFPS {
		v.report("camera.fps", "", "%d is outside 1 to %d", c.FPS, maxFPS)
	}
	v.oneOf("camera.format", c.Format, "auto", "YUYV", "NV12", "YU12", "MJPEG", "H264")
	v.oneOf("camera.rotation", strconv.Itoa(c.Rotation), "0", "90", "180", "270")
	v.oneOf("camera.power_line", c.PowerLine, "50hz", "60hz", "auto", "off")
	if c.Exposure != 0 {
		between(v, "camera.exposure", c.Exposure, Exposure(100*time.Microsecond), Exposure(time.Second))
	}
	if c.WhiteBalance != 0 {
		between(v, "camera.white_balance", c.WhiteBalance, 1000, 20000)
	}
}

func (s Size) valid() bool {
	return s.Width >= minSide && s.Height >= minSide && s.Width <= maxWidth && s.Height <= maxHeight &&
		s.Width%2 == 0 && s.Height%2 == 0
}

func (v *checker) session(s Session) {
	if s.Name != "" && !validName(s.Name) {
		v.report("session.name", "", "%q is not a name: %s", s.Name, nameLimits)
	}
	if s.NoViewerTimeout != 0 {
		between(v, "session.no_viewer_timeout", s.NoViewerTimeout, Duration(10*time.Second), Duration(12*time.Hour))
	}
	between(v, "session.max_live", s.MaxLive, Duration(time.Minute), Duration(12*time.Hour))
	if s.WarnBefore < 0 || s.WarnBefore >= s.MaxLive {
		v.report("session.warn_before", "", "%v is not below session.max_live, %v", s.WarnBefore, s.MaxLive)
	}
}

func (v *checker) cues(c Cues) {
	if d := c.Device; d != string(Auto) && d != string(None) && !card(d) {
		v.report("cues.device", "aplay -l lists the cards and devices", "%q is not auto, none or hw:CARD,DEVICE", d)
	}
	v.oneOf("cues.language", c.Language, "none", "nl", "de", "en")
	between(v, "cues.volume_db", decibel(c.VolumeDB), -40, 6)
}

func (v *checker) board(b Board) {
	v.oneOf("board.profile", b.Profile, profileNames()...)
	v.gestures("board.buttons.button1", b.Buttons.Button1)
	v.gestures("board.buttons.button2", b.Buttons.Button2)
}

func (v *checker) gestures(key string, g Gestures) {
	actions := []string{ActionLive, ActionPause, ActionPhoto, ActionPhotoShow, ActionClip, ActionMute, ActionNone}
	v.oneOf(key+".short", g.Short, actions...)
	v.oneOf(key+".double", g.Double, actions...)
	v.oneOf(key+".long", g.Long, actions...)
}

// power wants each limit within what makes sense, and in their order.
func (v *checker) power(p Power) {
	between(v, "power.battery_low", percent(p.BatteryLow), 3, 90)
	between(v, "power.battery_very_low", percent(p.BatteryVeryLow), 2, 89)
	between(v, "power.battery_empty", percent(p.BatteryEmpty), 1, 50)
	between(v, "power.warm", celsius(p.Warm), 30, 110)
	between(v, "power.hot", celsius(p.Hot), 30, 110)
	between(v, "power.very_hot", celsius(p.VeryHot), 30, 110)
	below(v, "power.battery_very_low", percent(p.BatteryVeryLow), "power.battery_low", percent(p.BatteryLow))
	below(v, "power.battery_empty", percent(p.BatteryEmpty), "power.battery_very_low", percent(p.BatteryVeryLow))
	below(v, "power.warm", celsius(p.Warm), "power.hot", celsius(p.Hot))
	below(v, "power.hot", celsius(p.Hot), "power.very_hot", celsius(p.VeryHot))
}

// percent and celsius print themselves with their units.
type (
	percent int
	celsius int
)

func (p percent) String() string { return strconv.Itoa(int(p)) + " %" }
func (c celsius) String() string { return strconv.Itoa(int(c)) + " °C" }

func below[T interface {
	cmp.Ordered
	fmt.Stringer
}](v *checker, key string, value T, of string, limit T) {
	if value >= limit {
		v.report(key, "", "%v is not below %s, %v", value, of, limit)
	}
}

func (v *checker) uplink(u Uplink) {
	v.whipURL(u)
	for i, origin := range u.TrustedOrigins {
		v.trusted(fmt.Sprintf("uplink.trusted_origins[%d]", i), origin)
	}
	// IFNAMSIZ of the kernel, less its final zero.
	if len(u.Interface) > 15 || strings.ContainsAny(u.Interface, "/ \t") {
		v.report("uplink.interface", "ip -brief link lists them", "%q is not a network interface's name", u.Interface)
	}
	for i, server := range u.ICEServers {
		v.iceServer(fmt.Sprintf("uplink.ice_servers[%d]", i), server)
	}
}

func (v *checker) whipURL(u Uplink) {
	const key = "uplink.whip_url"
	parsed, ok := v.webURL(key, u.WHIPURL, "https://cloud.example/whip/glasses-7")
	switch {
	case !ok:
	case parsed.User != nil:
		v.report(key, "put the token into a file and name it in uplink.token_file", "a user name or password in the address is not allowed")
	case parsed.Fragment != "":
		v.report(key, "", "%q has a fragment (#…), which a server never sees", u.WHIPURL)
	case parsed.Scheme == "http" && !loopback(parsed.Hostname()):
		v.report(key, "use https", "%q leads off this machine unencrypted", u.WHIPURL)
	}
}

// trusted wants an origin, or a host with or without stun: or turn: before it,
// which is trusted as a STUN or TURN server only.
func (v *checker) trusted(key, entry string) {
	if strings.Contains(entry, "://") {
		v.origin(key, entry)
		return
	}
	host := entry
	for _, scheme := range []string{"stun:", "stuns:", "turn:", "turns:"} {
		host = strings.TrimPrefix(host, scheme)
	}
	if _, ok := iceURL("turn:" + host); !ok {
		v.report(key, "", "%q is neither an origin such as https://cloud.example nor a STUN or TURN host such as turn:turn.example", entry)
	}
}

// origin wants scheme://host[:port] and nothing else (RFC 6454, section 6.2).
func (v *checker) origin(key, origin string) {
	parsed, ok := v.webURL(key, origin, "https://cloud.example")
	switch {
	case !ok:
	case parsed.Scheme+"://"+parsed.Host != origin:
		v.report(key, "write "+parsed.Scheme+"://"+parsed.Host, "%q is more than an origin", origin)
	case parsed.Scheme == "http" && !loopback(parsed.Hostname()):
		v.report(key, "use https", "%q would be trusted with a token unencrypted", origin)
	}
}

// webURL wants http or https and a host. The value is not printed when it may
// hold a password.
func (v *checker) webURL(key, raw, example string) (*url.URL, bool) {
	parsed, err := url.Parse(raw)
	if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Hostname() == "" {
		shown := strconv.Quote(raw)
		if strings.Contains(raw, "@") {
			shown = "the value"
		}
		v.report(key, "", "%s is not an address such as %s", shown, example)
		return nil, false
	}
	return parsed, true
}

// loopback reports whether a host can only be this machine, as uplink/whip does.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

func (v *checker) iceServer(key string, server ICEServer) {
	if len(server.URLs) == 0 {
		v.report(key+".urls", "", "an ICE server needs at least one, such as turns:turn.example:443")
	}
	turn := false
	for i, u := range server.URLs {
		scheme, ok := iceURL(u)
		turn = turn || scheme == "turn" || scheme == "turns"
		if !ok {
			v.report(fmt.Sprintf("%s.urls[%d]", key, i), "", "%q is not stun:HOST[:PORT], stuns:…, "+
				"turn:HOST[:PORT][?transport=udp|tcp] or turns:…", u)
		}
	}
	if turn && (server.Username == "" || server.CredentialFile == "") {
		v.report(key, "", "a TURN server needs username and credential_file")
	}
}

// iceURL checks the forms of RFC 7064, section 3.1, and RFC 7065, section 3.1.
func iceURL(raw string) (scheme string, ok bool) {
	u, err := url.Parse(raw)
	if err != nil || !slices.Contains([]string{"stun", "stuns", "turn", "turns"}, u.Scheme) || u.Opaque == "" {
		return "", false
	}
	host, err := url.Parse("//" + u.Opaque)
	if err != nil || host.Hostname() == "" || host.Host != u.Opaque || u.Fragment != "" {
		return u.Scheme, false
	}
	if port := host.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > math.MaxUint16 {
			return u.Scheme, false
		}
	}
	switch u.RawQuery {
	case "":
		return u.Scheme, true
	case "transport=udp", "transport=tcp":
		return u.Scheme, strings.HasPrefix(u.Scheme, "turn")
	}
	return u.Scheme, false
}
