package agent

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/capture/camera"
	"github.com/bril-edge/bril/capture/microphone"
	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/doctor"
	"github.com/bril-edge/bril/cmd/internal/lit"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/hardware"
)

// well is a configuration in which nothing is wrong, but for what a test breaks.
func well(endpoint string) configs.Config {
	cfg := quiet(endpoint)
	cfg.Cues.Device = "none"
	cfg.Talkback.Enabled = false
	return cfg
}

// patient is a machine that is examined.
type patient struct {
	cfg    configs.Config
	broken error
	opts   Options
	only   []doctor.ID // what a fault of another part of this machine is kept out by
}

func healthy(t *testing.T, endpoint string) *patient {
	return &patient{cfg: well(endpoint), opts: Options{Version: "test", StateDir: t.TempDir(), Log: slog.New(slog.DiscardHandler), sysfs: fstest.MapFS{}}}
}

func (p *patient) examine(t *testing.T) doctor.Report {
	t.Helper()
	request := control.DoctorRequest{NoInput: true, Only: p.only}
	report, err := Examine(t.Context(), p.cfg, p.broken, p.opts, request, func(control.DoctorLine) {})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// wantFirst checks that the first failing line is of this check, says these words, and
// what to do.
func wantFirst(t *testing.T, report doctor.Report, id doctor.ID, words string, code int) {
	t.Helper()
	for _, c := range report.Checks {
		if c.Status != doctor.Fail {
			continue
		}
		if c.ID != id || !strings.Contains(c.Message, words) || c.Hint == "" {
			t.Errorf("the first failure is %s: %s (hint: %s), not of %s with %q", c.ID, c.Message, c.Hint, id, words)
		}
		if report.Code() != code || report.Result != doctor.Fail {
			t.Errorf("exit code %d, not %d; result %s", report.Code(), code, report.Result)
		}
		return
	}
	t.Errorf("nothing fails: %+v", report)
}

// A machine in which all is well: what it captures is a pattern and a tone.
func TestDoctorOfAHealthyMachine(t *testing.T) {
	p := healthy(t, startEndpoint(t))
	p.cfg.Camera.Source = configs.VideoSource{Kind: configs.Pattern, Width: 320, Height: 180, FPS: 15}
	p.cfg.Microphone.Source = configs.AudioSource{Kind: configs.Tone}
	p.cfg.Video.MaxBitRate = 1_000_000
	begun := time.Now()
	report := p.examine(t)
	if took := time.Since(begun); took > 15*time.Second {
		t.Errorf("took %v", took)
	}
	if report.Code() != 0 || len(report.Checks) != len(doctor.IDs()) {
		t.Errorf("%+v", report)
	}
	for i, c := range report.Checks {
		if c.ID != doctor.IDs()[i] || c.Message == "" {
			t.Errorf("%d: %+v", i, c)
		}
	}
	if entries, err := os.ReadDir(p.opts.StateDir); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// plainFilm writes a film of one colour and returns its path.
func plainFilm(t *testing.T, fps int, luma byte) string {
	const width, height = 64, 48
	var b bytes.Buffer
	fmt.Fprintf(&b, "YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C420jpeg\n", width, height, fps)
	for range 4 {
		b.WriteString("FRAME\n")
		b.Write(bytes.Repeat([]byte{luma}, width*height))
		b.Write(bytes.Repeat([]byte{128}, width*height/2))
	}
	return write(t, "film.y4m", b.Bytes())
}

// wav writes a second of sound and returns its path.
func wav(t *testing.T, sample int16) string {
	const rate = 48000
	var b bytes.Buffer
	head := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) } // a buffer takes it all
	b.WriteString("RIFF")
	head(uint32(36 + 2*rate))
	b.WriteString("WAVEfmt ")
	for _, v := range []any{uint32(16), uint16(1), uint16(1), uint32(rate), uint32(2 * rate), uint16(2), uint16(16)} {
		head(v)
	}
	b.WriteString("data")
	head(uint32(2 * rate))
	for i := range rate {
		if v := sample; i/24%2 == 0 {
			head(v)
		} else {
			head(-v)
		}
	}
	return write(t, "sound.wav", b.Bytes())
}

func (p *patient) film(path string) {
	p.cfg.Camera.Source, p.cfg.Camera.Loop = configs.VideoSource{Kind: configs.Y4M, Path: path}, true
	p.only = []doctor.ID{doctor.Kernel, doctor.Permissions, doctor.Camera, doctor.Microphone, doctor.Light, doctor.Disk}
}

func (p *patient) sound(path string) {
	p.cfg.Microphone.Source, p.cfg.Microphone.Loop = configs.AudioSource{Kind: configs.WAV, Path: path}, true
	p.only = []doctor.ID{doctor.Kernel, doctor.Permissions, doctor.Camera, doctor.Microphone, doctor.Light, doctor.Disk}
}

// Each fault of the board is named in the first failing line.
func TestDoctorNamesFaultsOfTheBoard(t *testing.T) {
	busy := func(camera.Config) (lit.CameraDevice, error) {
		return nil, fmt.Errorf("open camera /dev/video0: %w", camera.ErrBusy)
	}
	none := func(microphone.Config) (lit.MicrophoneDevice, error) { return nil, errors.ErrUnsupported }
	board := []doctor.ID{doctor.Kernel, doctor.Permissions, doctor.Camera, doctor.Output, doctor.Buttons, doctor.Light, doctor.Battery, doctor.Temperature, doctor.Disk}
	tests := map[string]struct {
		plant func(t *testing.T, p *patient)
		id    doctor.ID
		words string
		code  int
	}{
		"busy camera": {func(t *testing.T, p *patient) {
			p.cfg.Camera.Source.Kind, p.opts.system = configs.Auto, lit.Fake(busy, none)
		}, doctor.Camera, "in use", codeDevice},
		"no camera": {func(t *testing.T, p *patient) {
			p.cfg.Camera.Source = configs.VideoSource{Kind: configs.Device, Path: "/dev/video97"}
		}, doctor.Camera, "/dev/video97", codeDevice},
		"black camera":        {func(t *testing.T, p *patient) { p.film(plainFilm(t, 30, 16)) }, doctor.Camera, "black", 1},
		"slow camera":         {func(t *testing.T, p *patient) { p.film(plainFilm(t, 10, 120)) }, doctor.Camera, "too slow", 1},
		"dead microphone":     {func(t *testing.T, p *patient) { p.sound(wav(t, 0)) }, doctor.Microphone, "dead silence", 1},
		"clipping microphone": {func(t *testing.T, p *patient) { p.sound(wav(t, 32767)) }, doctor.Microphone, "clips", 1},
		"no sound output": {func(t *testing.T, p *patient) {
			p.cfg.Cues.Device, p.cfg.Cues.VolumeDB = "hw:97,0", -6
			p.cfg.Talkback.Enabled, p.cfg.Talkback.Device = true, "hw:97,0"
		}, doctor.Output, "hw:97,0", codeDevice},
		"stuck button": {func(t *testing.T, p *patient) { stick(t, p) }, doctor.Buttons, "stuck", 1},
		"light does not follow": {func(t *testing.T, p *patient) {
			g := newGlasses(t)
			p.opts.board = g.board()
			p.opts.board.light = hardware.NewLight("capture light", "LED1", func() (hardware.Lamp, error) { return darkLamp{}, nil })
		}, doctor.Light, "reads back dark", codeDevice},
		"empty battery": {func(t *testing.T, p *patient) { powered(p, "2", "40000") }, doctor.Battery, "nearly empty", 1},
		"hot board": {func(t *testing.T, p *patient) {
			powered(p, "80", "91000")
			p.opts.board = newGlasses(t).board() // one without a fan
			p.opts.board.zones = []string{"cpu-thermal"}
		}, doctor.Temperature, "too hot", 1},
		"slow disk": {func(t *testing.T, p *patient) {
			var waited atomic.Int64
			p.opts.probes.now = func() time.Time { return time.Now().Add(time.Duration(waited.Load())) }
			p.opts.probes.sync = func(interface{ Sync() error }) error { waited.Add(int64(1100 * time.Millisecond)); return nil }
		}, doctor.Disk, "slow", 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := healthy(t, "http://127.0.0.1:1/whip/a")
			p.only = board
			test.plant(t, p)
			wantFirst(t, p.examine(t), test.id, test.words, test.code)
		})
	}
}

const (
	codeConfiguration = 4
	codeDevice        = 5
	codePermission    = 6
)

func powered(p *patient, percent, heat string) {
	root := &sysfs{}
	root.set(percent, heat)
	p.opts.sysfs = root
}

func stick(t *testing.T, p *patient) {
	g := newGlasses(t)
	g.button2.status.Down = true
	p.opts.board = g.board()
}

// darkLamp takes what it is told, and stays dark.
type darkLamp struct{}

func (darkLamp) Set(bool) error     { return nil }
func (darkLamp) Lit() (bool, error) { return false, nil }
func (darkLamp) Close() error       { return nil }

// Each fault of what is on the disk, likewise.
func TestDoctorNamesFaultsOfFiles(t *testing.T) {
	p := healthy(t, startEndpoint(t))
	_, err := configs.Parse([]byte("camera:\n  fpps: 30\n"), "bril.yaml")
	p.broken = err
	report := p.examine(t)
	wantFirst(t, report, doctor.Configuration, "fpps", codeConfiguration)
	if c := report.Checks[2]; c.Status != doctor.Skipped || c.On != doctor.Configuration {
		t.Errorf("the camera of a configuration that cannot be read: %+v", c)
	}

	p = healthy(t, startEndpoint(t))
	p.cfg.Uplink.TokenFile = filepath.Join(t.TempDir(), "gone")
	wantFirst(t, p.examine(t), doctor.Configuration, "gone", codeConfiguration)

	p = healthy(t, "http://127.0.0.1:1/whip/a")
	p.only = []doctor.ID{doctor.Disk, doctor.Configuration, doctor.Spool}
	p.cfg.Spool.Quota = 1 << 20
	p.cfg.Spool.Dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(p.cfg.Spool.Dir, "photo"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	wantFirst(t, p.examine(t), doctor.Spool, "full", 1)
}

func TestDoctorNamesFaultsOfTheDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root for a file system of its own")
	}
	mount := func(options string, flags uintptr) *patient {
		p := healthy(t, "http://127.0.0.1:1/whip/a")
		p.only = []doctor.ID{doctor.Permissions, doctor.Disk, doctor.Spool}
		if err := unix.Mount("tmpfs", p.opts.StateDir, "tmpfs", flags, options); err != nil {
			t.Skip("mount: ", err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(p.opts.StateDir, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		return p
	}
	full := mount("size=64k", 0)
	if err := os.WriteFile(filepath.Join(full.opts.StateDir, "fill"), make([]byte, 128<<10), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	wantFirst(t, full.examine(t), doctor.Disk, "full", 1)
	wantFirst(t, mount("size=64k", unix.MS_RDONLY).examine(t), doctor.Disk, "read-only", 1)
}

// A device node of somebody else: the check runs as a user that is nobody.
func TestDoctorNamesADeviceThatMayNotBeUsed(t *testing.T) {
	p := healthy(t, "http://127.0.0.1:1/whip/a")
	p.opts.probes.devices = []string{write(t, "video0", nil)}
	if err := os.Chmod(p.opts.probes.devices[0], 0); err != nil {
		t.Fatal(err)
	}
	a := &Agent{cfg: p.cfg, opts: p.opts}
	if err := a.useBoard(); err != nil {
		t.Fatal(err)
	}
	e := newExam(a, control.DoctorRequest{NoInput: true}, func(control.DoctorLine) {})
	e.alone = true
	checks := e.checks()[:2]
	look := checks[1].Run
	checks[1].Run = func(ctx context.Context) doctor.Verdict {
		if os.Getuid() == 0 {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			const nobody = 65534
			if err := syscall.Setfsuid(nobody); err != nil {
				t.Error(err)
			}
			defer syscall.Setfsuid(0) //nolint:errcheck // it was this before
		}
		return look(ctx)
	}
	report, err := doctor.Run(t.Context(), checks, doctor.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantFirst(t, report, doctor.Permissions, "video0", codePermission)
}
