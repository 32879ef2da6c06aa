package boardtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestBoard asks the board for what hardware/virtualboard promises.
func TestBoard(t *testing.T) {
	r := board(t)
	if model := r.run("cat", "/proc/device-tree/model"); !strings.HasPrefix(model, "Bril virtual board") {
		t.Errorf("the board calls itself %q", model)
	}
	loaded := r.run("cat", "/proc/modules")
	for _, name := range []string{"vivid", "bril_venc", "snd_aloop", "gpio_sim", "gpio_keys", "leds_gpio", "sch_netem", "uinput"} {
		if !strings.Contains("\n"+loaded, "\n"+name+" ") {
			t.Errorf("module %s is not loaded:\n%s", name, loaded)
		}
	}
	for _, path := range []string{"/dev/video0", "/dev/video1", "/dev/gpiochip1", "/dev/snd/pcmC0D1c", "/sys/class/leds/board:red:capture"} {
		r.run("ls", "-d", path)
	}
	if version := r.run("bril", "version"); !strings.Contains(version, "arm64") {
		t.Errorf("bril is %s", version)
	}
}

// TestGuest has programs of the guest end in every way there is.
func TestGuest(t *testing.T) {
	r := board(t)
	if got := r.try("sh", "-c", "echo out; echo err >&2; exit 3"); got.Code != 3 || string(got.Stdout) != "out\n" || string(got.Stderr) != "err\n" {
		t.Errorf("%d, %q, %q", got.Code, got.Stdout, got.Stderr)
	}
	if got := r.try("sh", "-c", "kill -9 $$"); got.Code != 128+9 {
		t.Errorf("killed: exit code %d", got.Code)
	}
	if _, err := r.guest.Run(t.Context(), "no-such-program"); err == nil {
		t.Error("a program that does not exist has run")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := r.guest.Run(ctx, "sleep", "100"); err == nil {
		t.Error("a program goes on after its time")
	}
	d := r.start("sh", "-c", "echo up; exec sleep 100")
	if code := d.stop(syscall.SIGKILL); code != 128+9 {
		t.Errorf("stopped: exit code %d", code)
	}
	if err := r.guest.WriteFile(t.Context(), "/tmp/a\x00", nil); err == nil {
		t.Error("wrote to a file that cannot be")
	}
	r.set("/tmp/file", "text")
	if got, err := r.guest.ReadFile(t.Context(), "/tmp/file"); string(got) != "text" {
		t.Errorf("read back %q, %v", got, err)
	}
}

// TestComplaintsAreNoticed makes the kernel's log say what a driver's mistake would.
func TestComplaintsAreNoticed(t *testing.T) {
	r := board(t)
	r.excuse = "made up by TestComplaints"
	before := len(r.guest.Complaints())
	r.set("/dev/kmsg", "<3>WARNING: made up by TestComplaints\n")
	for end := time.Now().Add(patience); len(r.guest.Complaints()) == before; {
		if time.Now().After(end) {
			t.Fatalf("not noticed:\n%s", r.guest.KernelLog())
		}
		r.run("true")
	}
}

// TestEncoderOfTheBoard encodes with v4l2-ctl, which knows nothing of us, what
// this machine's ffmpeg then decodes.
func TestEncoderOfTheBoard(t *testing.T) {
	const width, height, frames = 640, 480, 25
	r := board(t)
	raw := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=%dx%d:rate=25", width, height),
		"-frames:v", fmt.Sprint(frames), "-pix_fmt", "nv12", "-f", "rawvideo", filepath.Join(r.share, "in.nv12"))
	if out, err := raw.CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, out)
	}
	node := strings.TrimSpace(r.run("sh", "-c", "grep -il bril /sys/class/video4linux/*/name | head -1 | cut -d/ -f5"))
	size := fmt.Sprintf("width=%d,height=%d,pixelformat=", width, height)
	said := r.run("v4l2-ctl", "-d", "/dev/"+node, "--set-fmt-video-out="+size+"NV12", "--set-fmt-video="+size+"H264",
		"--stream-mmap", "--stream-out-mmap", "--stream-from=/host/in.nv12", "--stream-to=/host/out.h264", fmt.Sprintf("--stream-count=%d", frames))
	data, err := os.ReadFile(filepath.Join(r.share, "out.h264"))
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	v := &viewer{r: r}
	v.h264.Write(data)
	if n := v.decodes(width, height); n != frames {
		t.Errorf("%d pictures of %d:\n%s", n, frames, said)
	}
}
