package virtualboard

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// tools are the host's programs, and the Debian package that each is in.
var tools = []struct{ program, pkg string }{
	{"qemu-system-aarch64", "qemu-system-arm"},
	{"aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"},
	{"dtc", "device-tree-compiler"},
	{"make", "make"},
	{"gcc", "gcc"},
	{"xz", "xz-utils"},
	{"apt-get", "apt"},
	{"dpkg-deb", "dpkg"},
	{"tar", "tar"},
	{"go", "golang-go"},
}

// MissingTools are packages that the host lacks.
type MissingTools struct{ Packages []string }

func (e *MissingTools) Error() string {
	return "the virtual board needs more of this machine: apt install " + strings.Join(e.Packages, " ")
}

func checkTools() error {
	var missing []string
	for _, t := range tools {
		if _, err := exec.LookPath(t.program); err != nil && !slices.Contains(missing, t.pkg) {
			missing = append(missing, t.pkg)
		}
	}
	if len(missing) > 0 {
		return &MissingTools{missing}
	}
	return nil
}

// output runs a program of the host and returns what it prints, without the last
// line's end. What it says about a failure is in the error.
func (b *builder) output(ctx context.Context, dir string, args ...string) (string, error) {
	return b.outputWith(ctx, dir, nil, args...)
}

func (b *builder) outputWith(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.Output()
	if err == nil {
		return strings.TrimRight(string(out), "\n"), nil
	}
	said := string(out)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		said += string(exit.Stderr)
	}
	return "", fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, lastLines(said, 20))
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
