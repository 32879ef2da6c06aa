package support

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// System is the machine. The zero value but Version is this one.
type System struct {
	Version string // of bril

	Root string                                                                         // before the paths; of tests
	Run  func(ctx context.Context, name string, args ...string) (out []byte, err error) // of tests; nil runs the program
}

// units are those of the package.
const units = "bril.service"

// Items are what the machine tells of itself.
func (s System) Items() []Item {
	return []Item{
		{Name: "versions.json", What: "bril, system, kernel, libraries, firmware", Gather: s.versions},
		{Name: "journal.txt", What: "the service's journal", Gather: s.command("journalctl", "--unit", units, "--lines", "2000", "--no-pager", "--output", "short-iso")},
		{Name: "units.txt", What: "the service's state", Gather: s.command("systemctl", "show", "--no-pager",
			"--property", "Id,LoadState,ActiveState,SubState,Result,NRestarts,ExecMainStatus,ExecMainCode,FragmentPath,DropInPaths,UnitFileState,ActiveEnterTimestamp",
			units, "bril-update.service", "bril-update.timer")},
		{Name: "update.json", What: "the versions that were installed and wait", Gather: s.file("/var/lib/bril-update/state.json")},
		{Name: "dmesg.txt", What: "the kernel's lines on drivers and faults", Gather: s.kernelLog},
		{Name: "modules.txt", What: "the kernel's modules", Gather: s.file("/proc/modules")},
		{Name: "mounts.txt", What: "what is mounted", Gather: s.file("/proc/mounts")},
		{Name: "disks.txt", What: "how full the disks are", Gather: s.disks},
		{Name: "load.txt", What: "uptime, load and memory", Gather: s.load},
	}
}

func (s System) file(path string) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) { return s.read(path) }
}

func (s System) read(path string) ([]byte, error) { return os.ReadFile(s.Root + path) }

// line is the first line of a file; "" where there is none. The strings of a device
// tree end in a zero.
func (s System) line(path string) string {
	data, err := s.read(path)
	if err != nil {
		return ""
	}
	first, _, _ := bytes.Cut(bytes.TrimRight(data, "\x00\n"), []byte("\n"))
	return strings.TrimSpace(strings.ToValidUTF8(string(first), "?"))
}

// command returns what a program prints; what it complains about is the reason to
// leave that out.
func (s System) command(name string, args ...string) func(context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		if s.Run != nil {
			return s.Run(ctx, name, args...)
		}
		c := exec.CommandContext(ctx, name, args...)
		c.WaitDelay = time.Second
		out, err := c.Output()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && len(exit.Stderr) > 0 {
			return nil, fmt.Errorf("%s: %s", name, bytes.TrimSpace(exit.Stderr))
		}
		if err != nil {
			return nil, fmt.Errorf("run %s: %w", name, err)
		}
		return out, nil
	}
}

// Versions are those of what the glasses are made of.
type Versions struct {
	SchemaVersion int               `json:"schema_version"`
	Bril          string            `json:"bril"`
	Revision      string            `json:"revision,omitempty"`
	Go            string            `json:"go"`
	Platform      string            `json:"platform"`
	System        string            `json:"system"`
	Kernel        string            `json:"kernel"`
	Board         string            `json:"board,omitempty"`
	Firmware      map[string]string `json:"firmware"`
	Libraries     []string          `json:"libraries"`
}

func (s System) versions(context.Context) ([]byte, error) {
	v := Versions{
		SchemaVersion: 1, Bril: s.Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		System: s.system(), Kernel: s.line("/proc/version"), Board: s.line("/proc/device-tree/model"), Firmware: map[string]string{},
		Libraries: s.libraries(),
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				v.Revision = setting.Value
			}
		}
	}
	for name, path := range map[string]string{
		"bios":       "/sys/class/dmi/id/bios_version",
		"product":    "/sys/class/dmi/id/product_name",
		"bootloader": "/proc/device-tree/chosen/bootloader/version",
		"uboot":      "/proc/device-tree/chosen/u-boot,version",
		"alsa":       "/proc/asound/version",
		"wifi":       "/sys/module/brcmfmac/version",
	} {
		if line := s.line(path); line != "" {
			v.Firmware[name] = line
		}
	}
	return indented(v)
}

// system is the distribution's name for itself.
func (s System) system() string {
	data, _ := s.read("/etc/os-release") // without one there is no name
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			return strings.Trim(name, `"'`)
		}
	}
	return ""
}

// libraries are those that bril opens by itself; their files are called by their version.
func (s System) libraries() []string {
	found := []string{}
	for _, pattern := range []string{"libasound.so.2.*", "libturbojpeg.so.0.*", "libopenh264.so.*"} {
		for _, dir := range []string{"/usr/lib", "/usr/lib/*", "/lib/*"} {
			files, _ := filepath.Glob(s.Root + filepath.Join(dir, pattern)) // the pattern is right
			for _, file := range files {
				found = append(found, strings.TrimPrefix(file, s.Root))
			}
		}
	}
	return found
}

// kernelLines are those on what bril works with.
func kernelLines() *regexp.Regexp {
	return regexp.MustCompile(`(?i)bril|video|v4l|camera|uvc|csi|isp|codec|m2m|snd|alsa|audio|gpio|i2c|spi|usb|mmc|wlan|wifi|80211|brcm|firmware|thermal|temperature|voltage|power|battery|watchdog|oom|killed process|i/o error|ext4|error|fail|timed out`)
}

// kernelLog reads the kernel's ring, see syslog(2); that needs a right on most systems.
func (s System) kernelLog(ctx context.Context) ([]byte, error) {
	var all []byte
	if s.Run != nil {
		out, err := s.Run(ctx, "dmesg")
		if err != nil {
			return nil, err
		}
		all = out
	} else {
		const readAll = 3
		buffer := make([]byte, maxEntry)
		n, err := unix.Klogctl(readAll, buffer)
		if err != nil {
			return nil, fmt.Errorf("read the kernel's log: %w", err)
		}
		all = buffer[:n]
	}
	wanted := kernelLines()
	var lines []byte
	for line := range bytes.Lines(all) {
		if wanted.Match(line) {
			lines = append(lines, line...)
		}
	}
	return lines, nil
}

// disks tells of each file system that has a size how full it is.
func (s System) disks(context.Context) ([]byte, error) {
	data, err := s.read("/proc/mounts")
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "%12s %12s %12s %10s  %s\n", "MB", "MB used", "MB free", "inodes", "mounted on")
	seen := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || seen[fields[1]] {
			continue
		}
		seen[fields[1]] = true
		var st unix.Statfs_t
		// Only of local disks: a network's may never answer.
		if !strings.HasPrefix(fields[0], "/dev/") && fields[2] != "tmpfs" && fields[2] != "overlay" {
			continue
		}
		if unix.Statfs(fields[1], &st) != nil || st.Blocks == 0 {
			continue
		}
		mb := func(blocks uint64) uint64 { return blocks * uint64(st.Bsize) / 1e6 }
		fmt.Fprintf(&text, "%12d %12d %12d %10d  %s (%s)\n", mb(st.Blocks), mb(st.Blocks-st.Bfree), mb(st.Bavail), st.Ffree, fields[1], fields[2])
	}
	return text.Bytes(), nil
}

func (s System) load(context.Context) ([]byte, error) {
	var text bytes.Buffer
	for _, path := range []string{"/proc/uptime", "/proc/loadavg", "/proc/meminfo", "/proc/pressure/cpu", "/proc/pressure/io", "/proc/pressure/memory"} {
		if data, err := s.read(path); err == nil {
			fmt.Fprintf(&text, "%s\n%s\n", path, data)
		}
	}
	return text.Bytes(), nil
}

func indented(v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	return append(data, '\n'), err
}
