package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestREADME runs every command of the README's shell blocks, in their order, in
// an empty directory with the programs in bin. Of `make` it only asks whether the
// target is there.
func TestREADME(t *testing.T) {
	const root = "../../.."
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{binaries.bril, binaries.showroom} {
		if err := os.Symlink(path, filepath.Join(dir, "bin", filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
	}
	address := freeAddress(t)
	commands := shellCommands(t, filepath.Join(root, "README.md"))
	if len(commands) < 6 {
		t.Fatalf("only %d commands found: %q", len(commands), commands)
	}
	for _, command := range commands {
		line := strings.ReplaceAll(command, "127.0.0.1:8080", address)
		switch {
		case strings.HasPrefix(line, "make "):
			if out, err := exec.Command("make", "-n", "-C", root, strings.TrimPrefix(line, "make ")).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", command, err, out)
			}
		case strings.HasPrefix(line, "bin/showroom --"):
			shell(t, dir, line).expect("listening on ")
		case strings.HasPrefix(line, "bin/bril run "):
			if !strings.Contains(line, "--live") {
				line += " --live"
			}
			p := shell(t, dir, line+" --whip http://"+address+"/whip/anna --state "+t.TempDir()+" --control c.sock")
			p.expect("session is ")
			p.stop(syscall.SIGTERM)
		default:
			cmd := exec.Command("sh", "-c", line)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", command, err, out)
			}
		}
	}
}

// shell runs a command line in dir until the test ends. It replaces the shell,
// so that the signals reach it.
func shell(t *testing.T, dir, line string) *process {
	t.Helper()
	return start(t, nil, "sh", "-c", "cd '"+dir+"' && exec "+line)
}

// shellCommands returns the lines of a Markdown file's ```sh blocks.
func shellCommands(t *testing.T, path string) (commands []string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```sh"
		case inside && line != "":
			commands = append(commands, line)
		}
	}
	return commands
}
