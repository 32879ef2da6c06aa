package configs

import (
	"os"
	"path/filepath"
)

// Enrolled is what the endpoint says that a board needs which is enrolled there. It
// takes the place of defaults: a file and flags still have the last word.
type Enrolled struct {
	WHIPURL, UploadsURL, EventsURL string
	TrustedOrigins                 []string
	Recipient                      string
	Name, Label                    string
}

// Defaults returns the configuration of an empty file on such a board. What the
// endpoint leaves open keeps its default.
func (e Enrolled) Defaults() Config {
	c := Default()
	for _, s := range []struct {
		to   *string
		said string
	}{
		{&c.Uplink.WHIPURL, e.WHIPURL}, {&c.Upload.URL, e.UploadsURL}, {&c.Calls.EventsURL, e.EventsURL},
		{&c.Spool.Recipient, e.Recipient}, {&c.Session.Name, e.Name}, {&c.Media.Label, e.Label},
	} {
		if s.said != "" {
			*s.to = s.said
		}
	}
	if len(e.TrustedOrigins) > 0 {
		c.Uplink.TrustedOrigins = e.TrustedOrigins
	}
	return c
}

// ConfigFile is the configuration of the installed service.
const ConfigFile = "/etc/bril/bril.yaml"

// ConfigPath returns the file to read: the one that was named, or else ConfigFile
// where it exists; "" where there is none.
func (e Environment) ConfigPath(named string) string {
	if named != "" {
		return named
	}
	path := e.Root + ConfigFile
	if _, err := os.Lstat(path); os.IsNotExist(err) {
		return ""
	}
	return path
}

// EnrolmentPath returns where an enrolment is kept in a state directory.
func EnrolmentPath(state string) string { return filepath.Join(state, "enrolment") }

// FleetPath returns where the fleet's configuration is kept in a state directory.
func FleetPath(state string) string { return filepath.Join(state, "fleet") }

// ServiceState returns the state directory of the installed service, and whether it
// exists.
func (e Environment) ServiceState() (dir string, there bool) {
	dir = e.Root + systemState
	info, err := os.Stat(dir)
	return dir, err == nil && info.IsDir()
}
