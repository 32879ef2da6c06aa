package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/cmd/internal/control"
	upgrade "github.com/bril-edge/bril/cmd/internal/update"
)

// updateWait is how long the timer's update waits for the end of a conversation: less
// than its unit gives it. The next one comes some hours later.
const updateWait = 2 * time.Hour

func newUpdate(o *options) *cobra.Command {
	var check, noWayBack bool
	c := &cobra.Command{
		Use:   "update",
		Short: "Install a newer version when nobody is in a conversation",
		Long: `update installs the newest version that the apt repositories have. It waits
until nobody is live or called, keeps the version before, and goes back to it by
itself where the newer one does not work; that one is not tried again. A timer
of the package calls it;` + "`bril status`" + ` shows what it did last.

` + ExitCodes,
		Example: "  sudo bril update\n  sudo bril update --check",
		Args:    arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			client := o.client()
			defer client.Close()
			apt := upgrade.Apt{Dir: upgrade.Dir}
			if _, _, err := apt.Versions(c.Context()); err != nil { // nobody is asked for what is no package
				return err
			}
			cfg := upgrade.Config{
				Dir: upgrade.Dir, System: apt, Status: client.Status,
				Wait: updateWait, NoWayBack: noWayBack, Log: slog.New(slog.NewTextHandler(o.app.Stderr, nil)),
			}
			do := upgrade.Run
			if check {
				do = upgrade.Check
			}
			if os.Geteuid() != 0 {
				return WithHint(fmt.Errorf("update: packages are root's: %w", os.ErrPermission), "sudo bril update; bril status shows what waits")
			}
			r, err := do(c.Context(), cfg)
			if err != nil {
				return err
			}
			return o.print(c, updateOf(r), func(w io.Writer) error { return writeUpdate(w, r) })
		},
	}
	c.Flags().BoolVar(&check, "check", false, "only look what there is")
	c.Flags().BoolVar(&noWayBack, "no-way-back", false, "also where the version before cannot be kept")
	return c
}

// updated is the result for scripts.
type updated struct {
	SchemaVersion int    `json:"schema_version"`
	Action        string `json:"action"` // nothing, wait, install, skip or resume
	Installed     string `json:"installed"`
	Previous      string `json:"previous,omitempty"`
	Waiting       string `json:"waiting,omitempty"`
	Why           string `json:"why,omitempty"`
}

func updateOf(r upgrade.Result) updated {
	u := updated{schemaVersion, string(r.Action), r.Installed, r.Previous, "", r.Why}
	if r.Action != upgrade.Nothing && r.Candidate != r.Installed {
		u.Waiting = r.Candidate
	}
	return u
}

func writeUpdate(w io.Writer, r upgrade.Result) (err error) {
	switch u := updateOf(r); {
	case u.Waiting == "":
		_, err = fmt.Fprintf(w, "version %s is the newest\n", r.Installed)
	case r.Why != "":
		_, err = fmt.Fprintf(w, "version %s is installed, %s waits: %s\n", r.Installed, u.Waiting, r.Why)
	default:
		_, err = fmt.Fprintf(w, "version %s is installed, %s can be\n", r.Installed, u.Waiting)
	}
	return err
}

// writeUpdates writes what `bril status` shows of newer versions.
func writeUpdates(b *strings.Builder, u *control.Update) {
	if u == nil {
		return
	}
	row(b, "update", updateLine(*u))
}

func updateLine(u control.Update) string {
	line := "version " + printable(u.Installed) + " installed"
	if u.Previous != "" {
		line += ", " + printable(u.Previous) + " kept"
	}
	if u.Waiting != "" {
		line += ", " + printable(u.Waiting) + " waits"
		if u.Why != "" {
			line += ": " + printable(u.Why)
		}
	}
	return line
}
