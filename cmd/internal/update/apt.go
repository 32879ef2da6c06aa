package update

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// What the package has.
const (
	debian  = "bril"
	unit    = "bril.service"
	program = "/usr/bin/bril"
	wish    = "/run/bril/restart-wanted"
)

// Apt is Debian's apt, dpkg and systemd.
type Apt struct {
	Dir string // where packages are kept

	run func(ctx context.Context, dir, name string, args ...string) ([]byte, error) // of tests; nil runs
}

// Refresh asks the repositories.
func (a Apt) Refresh(ctx context.Context) error {
	_, err := a.do(ctx, "apt-get", "-q", "update")
	return err
}

// Versions reads what apt-cache says of the package: lines of "Installed: 1.0" and
// "Candidate: 1.1", either of which may be (none).
func (a Apt) Versions(ctx context.Context) (installed, candidate string, err error) {
	out, err := a.do(ctx, "apt-cache", "policy", debian)
	if errors.Is(err, exec.ErrNotFound) {
		return "", "", errNotPackaged{}
	}
	if err != nil {
		return "", "", err
	}
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if value = strings.TrimSpace(value); value == "(none)" {
			value = ""
		}
		switch key {
		case "Installed":
			installed = value
		case "Candidate":
			candidate = value
		}
	}
	if installed == "" {
		return "", "", errNotPackaged{}
	}
	return installed, candidate, nil
}

// errNotPackaged is why there is nothing to update.
type errNotPackaged struct{}

func (errNotPackaged) Error() string { return "bril is not installed as a package here" }
func (errNotPackaged) Hint() string {
	return "bril update is for boards with the package; another program is replaced by hand"
}

// Newer asks dpkg, which tells by its exit code.
func (a Apt) Newer(ctx context.Context, one, other string) (bool, error) {
	_, err := a.do(ctx, "dpkg", "--compare-versions", one, "gt", other)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 {
		return false, nil
	}
	return err == nil, err
}

// Fetch downloads a package, which apt checks by the signed list.
func (a Apt) Fetch(ctx context.Context, version string) (string, error) {
	if file, ok := a.Kept(version); ok {
		return file, nil
	}
	// apt copies into the folder that it is run in, and does not sync: a power cut must
	// not leave half a package among those that are kept, maybe the way back.
	half := filepath.Join(a.Dir, "half")
	if err := errors.Join(os.RemoveAll(half), os.MkdirAll(half, 0o755)); err != nil {
		return "", fmt.Errorf("keep version %s: %w", version, err)
	}
	// apt's own user may not write in the folder.
	if _, err := a.in(ctx, half, "apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", debian+"="+version); err != nil {
		return "", err
	}
	brought, ok := Apt{Dir: half}.Kept(version)
	if !ok {
		return "", fmt.Errorf("apt-get download %s=%s brought no file of that version", debian, version)
	}
	file := filepath.Join(a.Dir, filepath.Base(brought))
	err := sync(brought)
	if err == nil {
		err = errors.Join(os.Rename(brought, file), os.Remove(half))
	}
	if err = errors.Join(err, sync(a.Dir)); err != nil {
		return "", fmt.Errorf("keep version %s: %w", version, err)
	}
	return file, nil
}

// sync returns when a file, or the names in a folder, are on the disk.
func sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// Kept looks for the file. apt writes a colon as %3a in its name.
func (a Apt) Kept(version string) (string, bool) {
	if version == "" {
		return "", false
	}
	of := debian + "_" + strings.ReplaceAll(version, ":", "%3a") + "_"
	for _, file := range a.files() {
		if strings.HasPrefix(filepath.Base(file), of) {
			return file, true
		}
	}
	return "", false
}

func (a Apt) files() []string {
	files, _ := filepath.Glob(filepath.Join(a.Dir, debian+"_*.deb")) // the pattern is well formed
	return files
}

// Forget removes the packages of other versions.
func (a Apt) Forget(keep ...string) error {
	var stays []string
	for _, version := range keep {
		if file, ok := a.Kept(version); ok {
			stays = append(stays, file)
		}
	}
	var errs []error
	for _, file := range a.files() {
		if !slices.Contains(stays, file) {
			errs = append(errs, os.Remove(file))
		}
	}
	return errors.Join(errs...)
}

// Repair finishes what dpkg was at.
func (a Apt) Repair(ctx context.Context) error {
	_, err := a.do(ctx, "dpkg", "--force-confold", "--configure", "-a")
	return err
}

// Install installs a file, and what it needs that is not there. It removes nothing,
// and the administrator's configuration stays.
func (a Apt) Install(ctx context.Context, file string) error {
	_, err := a.do(ctx, "apt-get", "-q", "-y", "--no-remove", "--allow-downgrades", "-o", "APT::Sandbox::User=root",
		"-o", "Dpkg::Options::=--force-confold", "install", file)
	return err
}

// Program asks the program that is installed for its version, which is not that of the
// package. One that cannot even say that is known before anything is restarted.
func (a Apt) Program(ctx context.Context) (string, error) {
	out, err := a.do(ctx, program, "version", "--json")
	if err != nil {
		return "", err
	}
	var said struct {
		Version string `json:"version"`
	}
	if err := json.Unmarshal(out, &said); err != nil || said.Version == "" {
		return "", fmt.Errorf("%s version --json tells no version", program)
	}
	return said.Version, nil
}

// Running says that the service is enabled, or runs.
func (a Apt) Running(ctx context.Context) bool {
	for _, is := range []string{"is-active", "is-enabled"} {
		if _, err := a.do(ctx, "systemctl", "--quiet", is, unit); err == nil {
			return true
		}
	}
	return false
}

// Restart restarts the service, and starts one that has failed.
func (a Apt) Restart(ctx context.Context) error {
	_, err := a.do(ctx, "systemctl", "restart", unit)
	return err
}

// AskRestart leaves the file that the daemon looks for. Where it does not run there
// is no folder for it, and nobody to be asked.
func (a Apt) AskRestart() error {
	err := leave(wish)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// leave makes an empty file where none is. The folder is the daemon's user's: root
// follows no link out of it, and empties nothing.
func leave(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil // it is asked for already
	}
	if err != nil {
		return err
	}
	return f.Close()
}

func (a Apt) do(ctx context.Context, name string, args ...string) ([]byte, error) {
	return a.in(ctx, "", name, args...)
}

// in runs a command in a folder.
func (a Apt) in(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	run := a.run
	if run == nil {
		run = execute
	}
	return run(ctx, dir, name, args...)
}

// execute puts the last line of what a command complained of into its error.
func execute(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.Output()
	if err == nil {
		return out, nil
	}
	err = fmt.Errorf("%s %s: %w", filepath.Base(name), strings.Join(args, " "), err)
	if lines := strings.Split(strings.TrimSpace(said.String()), "\n"); lines[len(lines)-1] != "" {
		err = fmt.Errorf("%w: %s", err, lines[len(lines)-1])
	}
	return out, err
}
