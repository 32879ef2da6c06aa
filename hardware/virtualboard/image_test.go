package virtualboard

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// What is written is read by cpio itself.
func TestCPIO(t *testing.T) {
	if _, err := exec.LookPath("cpio"); err != nil {
		t.Skip("cpio is not installed: apt install cpio")
	}
	var archive bytes.Buffer
	c := cpio{w: &archive}
	c.dir("bin")
	c.program("bin/tool", []byte("five!"))
	c.document("empty", nil)
	c.link("lib", "/bin")
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command("cpio", "-idm", "--quiet")
	cmd.Dir, cmd.Stdin = dir, &archive
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, want := range map[string]string{"bin/tool": "-rwxr-xr-x", "bin": "drwxr-xr-x", "empty": "-rw-r--r--"} {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil || info.Mode().String() != want {
			t.Errorf("%s: %v, %v; want %s", name, info, err, want)
		}
	}
	if data, err := os.ReadFile(filepath.Join(dir, "bin/tool")); string(data) != "five!" {
		t.Errorf("bin/tool holds %q, %v", data, err)
	}
	if to, err := os.Readlink(filepath.Join(dir, "lib")); to != "/bin" {
		t.Errorf("lib leads to %q, %v", to, err)
	}
}

func TestParameters(t *testing.T) {
	got := parametersOf(BootConfig{Parameters: []string{"vivid.n_devs=2", "bril_venc.latency_ms=5"}})
	want := []string{"vivid.node_types=0x1", "vivid.multiplanar=1", "vivid.no_error_inj=0", "vivid.n_devs=2", "bril_venc.latency_ms=5"}
	if len(got) != len(want) {
		t.Fatalf("%q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestModuleName(t *testing.T) {
	for path, want := range map[string]string{"/a/gpio-sim.ko": "gpio_sim", "b/snd-aloop.ko.xz": "snd_aloop", "9p.ko": "9p"} {
		if got := moduleName(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestShippedOrBuilt(t *testing.T) {
	shipped, built := t.TempDir(), t.TempDir()
	if hasGPIO(shipped, built) {
		t.Error("gpio-sim is found in empty folders")
	}
	deep := filepath.Join(shipped, "kernel", "drivers", "gpio")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(deep, "gpio-sim.ko.xz"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if !hasGPIO(shipped, built) {
		t.Error("gpio-sim, which the kernel ships, is not found")
	}
}

func TestComplaints(t *testing.T) {
	log := "all is well\nschedule_timeout: wrong timeout value -1\nCPU: 0 PID: 1\nCall trace:\n schedule\n" +
		"WARNING: CPU: 0 PID: 7\nCall trace:\n vb2\n"
	if got := complaintsIn(log); len(got) != 2 || got[0] != "WARNING: CPU: 0 PID: 7" {
		t.Errorf("%q", got)
	}
}
