package configs

import (
	"net/url"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"filippo.io/age"
)

// maxRetention is the ceiling of spool.retention, six months of 365 / 12 days. It
// stands in the code so that no file can lift it.
const maxRetention = Duration(4380 * time.Hour)

// maxLabel is in characters.
const maxLabel = 64

// SessionName returns what a conversation is called that the cloud gives no name of
// its own: session.name, or else that of the glasses; "" where they have none.
func (c Config) SessionName() string {
	if c.Session.Name != "" {
		return c.Session.Name
	}
	return c.GlassesName()
}

// GlassesName returns what the cloud calls these glasses: the last part of the path of
// uplink.whip_url; "" where that has none.
func (c Config) GlassesName() string {
	parsed, err := url.Parse(c.Uplink.WHIPURL)
	if err != nil {
		return ""
	}
	return strings.Trim(path.Base(parsed.Path), "/.") // of no path, path.Base makes one of these
}

const nameLimits = "1 to 64 letters, digits, - and _"

// validName is what becomes a directory at the endpoint.
func validName(name string) bool {
	return name != "" && len(name) <= 64 && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// media checks what photos and clips need.
func (v *checker) media(c Config) {
	if printable(c.Media.Label) != nil || utf8.RuneCountInString(c.Media.Label) > maxLabel {
		v.report("media.label", "", "%q is not at most %d characters on one line", c.Media.Label, maxLabel)
	}
	if c.Photo.Quality < 50 || c.Photo.Quality > 100 {
		v.report("photo.quality", "", "%d is outside 50 to 100", c.Photo.Quality)
	}
	between(v, "clip.pre_roll", c.Clip.PreRoll, 0, Duration(30*time.Second))
	between(v, "clip.max_length", c.Clip.MaxLength, Duration(5*time.Second), Duration(10*time.Minute))
	between(v, "spool.quota", c.Spool.Quota, 64_000_000, 64_000_000_000)
	between(v, "spool.retention", c.Spool.Retention, Duration(time.Hour), maxRetention)
	between(v, "upload.live_share", percent(c.Upload.LiveShare), 1, 100)
	v.recipient(c)
	if c.Upload.URL != "" {
		v.uploadURL(c.Upload.URL)
	}
}

// recipient wants an X25519 recipient (age-encryption.org/v1). What else is given
// may be a secret, and is not printed.
func (v *checker) recipient(c Config) {
	const key = "spool.recipient"
	recipient := c.Spool.Recipient
	if recipient == "" {
		return
	}
	if strings.HasPrefix(strings.ToUpper(recipient), "AGE-SECRET-KEY-") {
		v.report(key, "age-keygen -y prints the recipient of a key", "this is a secret key, which belongs to the cloud alone: take it out and make a new one")
		return
	}
	if _, err := age.ParseX25519Recipient(recipient); err != nil {
		v.report(key, "copy it from the cloud", "the value is not an age recipient: age1 and 58 letters and digits, without a slip")
	}
	if name := c.SessionName(); !validName(name) {
		v.report("session.name", "set session.name", "photos and clips need a name for the session, and the last part of uplink.whip_url, %q, is none: %s", name, nameLimits)
	}
}

func (v *checker) uploadURL(raw string) {
	const key = "upload.url"
	parsed, ok := v.webURL(key, raw, "https://cloud.example/api/uploads/")
	switch {
	case !ok:
	case parsed.User != nil:
		v.report(key, "uplink.token_file holds the token for both", "a user name or password in the address is not allowed")
	case parsed.RawQuery != "" || parsed.Fragment != "" || parsed.ForceQuery:
		v.report(key, "", "%q goes on after its path, where the names of photos and clips follow", raw)
	case parsed.Scheme == "http" && !loopback(parsed.Hostname()):
		v.report(key, "use https", "%q leads off this machine unencrypted", raw)
	}
}

// mediaWarnings are about photos and clips that nobody will ever get.
func mediaWarnings(c Config) []Problem {
	here := func(address string) bool {
		parsed, err := url.Parse(address)
		return err != nil || loopback(parsed.Hostname())
	}
	if here(c.Uplink.WHIPURL) && (c.Upload.URL == "" || here(c.Upload.URL)) {
		return nil // the endpoint on this machine says what is missing
	}
	switch {
	case c.Spool.Recipient != "" && c.Upload.URL == "":
		return []Problem{{Key: "upload.url", Message: "photos and clips are kept until spool.retention ends, and go nowhere", Hint: "set it to the cloud's address for uploads"}}
	case c.Spool.Recipient == "" && c.Upload.URL != "":
		return []Problem{{Key: "spool.recipient", Message: "photos and clips are refused without it", Hint: "set it to the cloud's age recipient"}}
	}
	return nil
}
