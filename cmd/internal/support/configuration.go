package support

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"syscall"

	"github.com/bril-edge/bril/cmd/internal/redact"
	"github.com/bril-edge/bril/configs"
)

// Configuration is what the daemon is configured by.
type Configuration struct {
	Path     string // of the file; "" for the built-in defaults
	Config   configs.Config
	Err      error    // why the file cannot be used; nil if it can
	Unread   error    // why the enrolment, which lies below the file, is not part of it
	StateDir string   // "" where it is not known
	Control  string   // the socket
	Private  []string // more files whose contents are secrets
}

// Items are the configuration in effect, and the files that it names.
func (c Configuration) Items() []Item {
	return []Item{
		{Name: "configuration.yaml", What: "every key with the value in effect", Gather: c.effective},
		{Name: "files.txt", What: "the files it names, without their contents", Gather: c.files},
	}
}

// effective prints the configuration. What could be used to log in somewhere is not
// part of it: that holds files' names only, but for the user names of relays.
func (c Configuration) effective(context.Context) ([]byte, error) {
	if c.Err != nil {
		return nil, c.Err
	}
	text, err := Effective(c.Config)
	if err != nil {
		return nil, err
	}
	head := "# " + c.source() + "\n"
	if c.Unread != nil {
		head += "# without the enrolment: " + oneLine(c.Unread.Error()) + "\n"
	}
	return append([]byte(head), text...), nil
}

// Effective returns a configuration as YAML, without what could be used to log in
// somewhere: user names of relays, and keys that are part of addresses.
func Effective(of configs.Config) ([]byte, error) {
	cfg := of
	cfg.Uplink.ICEServers = nil
	for _, server := range of.Uplink.ICEServers {
		if server.Username != "" {
			server.Username = redact.Mark
		}
		cfg.Uplink.ICEServers = append(cfg.Uplink.ICEServers, server)
	}
	text, err := cfg.YAML()
	if err != nil {
		return nil, err
	}
	for _, key := range streamKeys(cfg.Uplink.WHIPURL, cfg.Upload.URL, cfg.Calls.EventsURL) {
		text = bytes.ReplaceAll(text, []byte(key), []byte(redact.Mark))
	}
	return text, nil
}

func (c Configuration) source() string {
	if c.Path == "" {
		return "the enrolment, if there is one, over the built-in defaults"
	}
	return c.Path + " over the enrolment, if there is one, over the built-in defaults"
}

// secretFiles are those whose contents are secrets.
func (c Configuration) secretFiles() []string {
	list := []string{c.Config.Uplink.TokenFile}
	for _, server := range c.Config.Uplink.ICEServers {
		list = append(list, server.CredentialFile)
	}
	return append(list, c.Private...)
}

// files lists what is on the disk, with owner and mode: what may not be read is a
// common fault.
func (c Configuration) files(context.Context) ([]byte, error) {
	var text strings.Builder
	for _, path := range append([]string{c.Path, c.StateDir, c.Config.Spool.Dir, c.Control}, c.secretFiles()...) {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			fmt.Fprintf(&text, "%s: %v\n", path, cause(err))
			continue
		}
		owner := ""
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			owner = fmt.Sprintf(" %d:%d", st.Uid, st.Gid)
		}
		fmt.Fprintf(&text, "%s: %v%s, %d bytes\n", path, info.Mode(), owner, info.Size())
	}
	return []byte(text.String()), nil
}

// cause is an error without the path, which stands before it.
func cause(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return path.Err
	}
	return err
}

// Known returns the secrets that this user may read: wherever they have got to, they
// are taken out.
func (c Configuration) Known() redact.Known {
	var known redact.Known
	for _, path := range c.secretFiles() {
		if path == "" {
			continue
		}
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() > 64<<10 {
			continue
		}
		if data, err := os.ReadFile(path); err == nil {
			known.Add(string(data))
		}
	}
	for _, server := range c.Config.Uplink.ICEServers {
		known.Add(server.Username)
	}
	known.Add(streamKeys(c.Config.Uplink.WHIPURL, c.Config.Upload.URL, c.Config.Calls.EventsURL)...)
	return known
}

// leastKey is the length from where a part of an address may be a key: UUIDs have 36
// characters, and names that people give are mostly shorter.
const leastKey = 16

// streamKeys are the parts of addresses that look like keys: of many WHIP services
// the address alone lets whoever has it publish.
func streamKeys(addresses ...string) (keys []string) {
	for _, address := range addresses {
		u, err := url.Parse(address)
		if err != nil {
			continue // redact does not parse, and has looked at it
		}
		for part := range strings.SplitSeq(u.Path, "/") {
			if len(part) >= leastKey && strings.ContainsAny(part, "0123456789") {
				keys = append(keys, part)
			}
		}
	}
	return keys
}
