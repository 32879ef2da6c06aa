package fleet

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bril-edge/bril/configs"
)

// Name is what a bundle is called beside files.
func (b Bundle) Name() string { return fmt.Sprintf("bundle %d", b.Serial) }

// Over lays what a bundle sets over the configuration of a board. Secrets are files in
// secretsDir, whether they are there or not. Its errors are configs.Problems, with the
// lines of the bundle's configuration.
func (b Bundle) Over(base configs.Config, secretsDir string) (configs.Config, configs.Lines, error) {
	return b.layer(base, secretsDir, false)
}

// OverTold is Over for what a board has told of its own configuration, within the
// ceilings that it shows: what the board would say, as far as others can know.
func (b Bundle) OverTold(base configs.Config, secretsDir string) (configs.Config, error) {
	cfg, lines, err := b.layer(base, secretsDir, true)
	if err != nil {
		return cfg, err
	}
	return cfg, ceilingsTold(base).Check(b.Name(), cfg, lines)
}

func (b Bundle) layer(base configs.Config, secretsDir string, told bool) (configs.Config, configs.Lines, error) {
	return configs.Layer{
		Name: b.Name(), Data: []byte(b.Configuration), Refuse: localOnly, Told: told,
		Resolve: func(cfg *configs.Config, set configs.Lines) configs.Problems { return b.resolve(cfg, set, secretsDir) },
	}.Over(base)
}

// localOnly says why a key is the board's own.
func localOnly(key string) string {
	own := []string{
		"control", "provisioning", "fleet", "board.profile", "uplink.token_file", "uplink.interface", "uplink.loopback",
		"spool.dir", "telemetry.metrics_listen", "log.format",
	}
	if slices.Contains(own, key) {
		return "a bundle cannot set this: it belongs to the board, and stands in its own file"
	}
	return ""
}

// secretsPrefix begins a credential_file that is one of the bundle's own secrets.
const secretsPrefix = "secrets/"

// resolve puts the places of secrets where they are named, and refuses files of the
// board: what a bundle may read, it brings.
func (b Bundle) resolve(cfg *configs.Config, set configs.Lines, dir string) (found configs.Problems) {
	if set.Has("uplink.ice_servers") {
		for i, server := range cfg.Uplink.ICEServers {
			key := fmt.Sprintf("uplink.ice_servers[%d].credential_file", i)
			name, ours := strings.CutPrefix(server.CredentialFile, secretsPrefix)
			_, there := b.Secrets[name]
			switch {
			case server.CredentialFile == "":
			case !ours || !isName(name):
				found = append(found, configs.Problem{Key: key, Message: "a bundle names its own secrets only", Hint: "write secrets/NAME, and give the secret with --secret NAME=FILE"})
			case !there:
				found = append(found, configs.Problem{Key: key, Message: fmt.Sprintf("the bundle has no secret %q", name), Hint: "give it with --secret " + name + "=FILE"})
			default:
				cfg.Uplink.ICEServers[i].CredentialFile = filepath.Join(dir, name)
			}
		}
	}
	if set.Has("camera.source") && !bundled(cfg.Camera.Source) {
		found = append(found, configs.Problem{Key: "camera.source", Message: "a bundle cannot name a file of the board", Hint: "auto, none, /dev/videoN or pattern"})
	}
	if set.Has("microphone.source") && !slices.Contains([]configs.Kind{configs.Auto, configs.None, configs.ALSA, configs.Tone}, cfg.Microphone.Source.Kind) {
		found = append(found, configs.Problem{Key: "microphone.source", Message: "a bundle cannot name a file of the board", Hint: "auto, none, tone or a device"})
	}
	return found
}

// bundled says whether a bundle may name a source. Of what is below /dev these are the
// cameras alone: to open another, such as a watchdog, can be enough to stop a board.
func bundled(s configs.VideoSource) bool {
	switch s.Kind {
	case configs.Auto, configs.None, configs.Pattern:
		return true
	case configs.Device:
		camera := strings.HasPrefix(s.Path, "/dev/video") || strings.HasPrefix(s.Path, "/dev/v4l/by-")
		return camera && filepath.Clean(s.Path) == s.Path
	}
	return false
}

// Ceilings are what a board allows a bundle to ask for. The light and the recording of
// customers' voices are not among them: there is no key for either.
type Ceilings struct {
	MaxBitRate   configs.BitRate
	MaxRetention configs.Duration
	Origins      []string // scheme://host[:port], of the enrolment: where requests may go
	Recipients   []string // age1…, of the enrolment and of the board's file: whom photos may be for
}

// CeilingsOf returns what a board's own configuration allows, on which no bundle is
// laid, with the origins and the recipient of its enrolment.
func CeilingsOf(own configs.Config, origins []string, recipient string) Ceilings {
	c := Ceilings{MaxBitRate: own.Fleet.MaxBitRate, MaxRetention: own.Fleet.MaxRetention, Origins: origins, Recipients: []string{own.Spool.Recipient}}
	if recipient != "" { // without one, an endpoint on this machine is asked: only a board that has none is to do that
		c.Recipients = append(c.Recipients, recipient)
	}
	return c
}

// ceilingsTold are those of a board whose enrolment is known by what it made of the
// configuration only: a board's own file has seldom taken the place of all of it.
func ceilingsTold(base configs.Config) Ceilings {
	var origins []string
	for _, address := range append([]string{base.Uplink.WHIPURL, base.Upload.URL, base.Calls.EventsURL}, base.Uplink.TrustedOrigins...) {
		if address != "" {
			origins = append(origins, originOf(address))
		}
	}
	return CeilingsOf(base, origins, "")
}

// Check refuses a configuration that asks for more, by the lines of the bundle that
// made it, which is called name. What the bundle does not set was the board's before.
func (c Ceilings) Check(name string, cfg configs.Config, set configs.Lines) error {
	var found configs.Problems
	report := func(key, hint, format string, args ...any) {
		found = append(found, configs.Problem{File: name, Line: set[key], Key: key, Message: fmt.Sprintf(format, args...), Hint: hint})
	}
	if set.Has("video.max_bitrate") && cfg.Video.MaxBitRate > c.MaxBitRate {
		report("video.max_bitrate", "", "%v is above what this board allows, fleet.max_bitrate: %v", cfg.Video.MaxBitRate, c.MaxBitRate)
	}
	if set.Has("spool.retention") && cfg.Spool.Retention > c.MaxRetention {
		report("spool.retention", "", "%v is above what this board allows, fleet.max_retention: %v", cfg.Spool.Retention, c.MaxRetention)
	}
	const enrolled = "boards send to the endpoints of their enrolment only"
	for _, of := range []struct{ key, address string }{
		{"uplink.whip_url", cfg.Uplink.WHIPURL}, {"upload.url", cfg.Upload.URL}, {"calls.events_url", cfg.Calls.EventsURL},
	} {
		if set.Has(of.key) && of.address != "" && !slices.Contains(c.Origins, originOf(of.address)) {
			report(of.key, enrolled, "%s is not an origin of this board's enrolment", originOf(of.address))
		}
	}
	for i, entry := range cfg.Uplink.TrustedOrigins {
		if set.Has("uplink.trusted_origins") && strings.Contains(entry, "://") && !slices.Contains(c.Origins, originOf(entry)) {
			report(fmt.Sprintf("uplink.trusted_origins[%d]", i), enrolled, "%s is not an origin of this board's enrolment", originOf(entry))
		}
	}
	if set.Has("spool.recipient") && !slices.Contains(c.Recipients, cfg.Spool.Recipient) {
		report("spool.recipient", "", "photos and clips are for the recipient of this board's enrolment only")
	}
	if len(found) == 0 {
		return nil
	}
	return found
}

// originOf returns scheme://host[:port] of an address (RFC 6454, section 6.2), without
// the port that its scheme has anyway.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	host := strings.ToLower(u.Host)
	for scheme, port := range map[string]string{"http": ":80", "https": ":443"} {
		if strings.EqualFold(u.Scheme, scheme) {
			host = strings.TrimSuffix(host, port)
		}
	}
	return strings.ToLower(u.Scheme) + "://" + host
}
