package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/cmd/internal/control"
)

const (
	plainName    = "plain pion (WriteSample, defaults)"
	plainCommand = "publish-plain"
	warmUp       = 3 * time.Second
)

// bench holds what all measurements use.
type bench struct {
	ctx      context.Context
	progress io.Writer
	length   time.Duration

	dir      string
	endpoint string // its URL
	stop     []func()
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.progress, "bench: "+format+"\n", args...)
}

// prepare makes the footage and starts the endpoint.
func (b *bench) prepare() error {
	dir, err := os.MkdirTemp("", "bril-bench-")
	if err != nil {
		return err
	}
	b.dir = dir
	b.stop = append(b.stop, func() { os.RemoveAll(dir) })
	if err := b.install(); err != nil {
		return err
	}
	if err := b.footage(); err != nil {
		return err
	}
	endpoint, cmd, err := b.startEndpoint("data")
	if err != nil {
		return err
	}
	b.endpoint = endpoint
	b.stop = append(b.stop, func() { end(cmd) })
	return nil
}

// install copies the programs and has the kernel forget the copies, so that they
// are read from disk as after a boot: it maps a file that was just written in
// larger pieces, which is a megabyte or two more of a process's memory.
func (b *bench) install() error {
	for name, built := range map[string]string{"bril": "bin/board/bril", "bril-demo": "bin/bril", "showroom": "bin/showroom"} {
		data, err := os.ReadFile(built)
		if err != nil {
			return fmt.Errorf("%w: run `make bench`", err)
		}
		if err := writeCold(b.path(name), data); err != nil {
			return err
		}
	}
	return nil
}

func writeCold(path string, data []byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	err = errors.Join(err, file.Sync(), unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED))
	return errors.Join(err, file.Close())
}

func (b *bench) clean() {
	for i := range b.stop {
		b.stop[len(b.stop)-1-i]()
	}
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) command(name string, args ...string) error {
	cmd := exec.CommandContext(b.ctx, name, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(append([]string{name}, args...), " "), err, out)
	}
	return nil
}

const movie = "/usr/share/forensics-samples/original-files/movie2/movie-hello.mp4"

// footage makes of a film with texture and motion: H.264 at 2.5 Mb/s as MP4 and
// Annex B, raw pictures, and Opus.
func (b *bench) footage() error {
	if _, err := os.Stat(movie); err != nil {
		return errors.New("no footage: apt install ffmpeg forensics-samples-files")
	}
	b.say("making footage")
	encode := []string{"-y", "-loglevel", "error", "-stream_loop", "-1", "-i", movie, "-t", "20", "-an",
		"-vf", "scale=1280:720,fps=30", "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "baseline", "-bf", "0",
		"-g", "60", "-b:v", "2500k", "-minrate", "2500k", "-maxrate", "2500k", "-bufsize", "1250k", "-pix_fmt", "yuv420p", b.path("clip.mp4")}
	for _, args := range [][]string{
		encode,
		{"-y", "-loglevel", "error", "-i", b.path("clip.mp4"), "-c", "copy", "-bsf:v", "h264_mp4toannexb", b.path("clip.h264")},
		{"-y", "-loglevel", "error", "-i", b.path("clip.mp4"), "-t", "4", "-pix_fmt", "yuv420p", b.path("clip.y4m")},
		{"-y", "-loglevel", "error", "-stream_loop", "-1", "-i", movie, "-t", "20", "-vn", "-c:a", "libopus", "-b:a", "48k", "-ac", "1", "-frame_duration", "20", "-page_duration", "20000", b.path("clip.opus")},
		{"-y", "-loglevel", "error", "-i", b.path("clip.opus"), b.path("clip.wav")},
	} {
		if err := b.command("ffmpeg", args...); err != nil {
			return err
		}
	}
	return nil
}

// startEndpoint starts one that keeps its data below the name, and returns its URL.
func (b *bench) startEndpoint(data string) (string, *exec.Cmd, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	address := listener.Addr().String()
	listener.Close()
	cmd := exec.CommandContext(b.ctx, b.path("showroom"), "--listen", address, "--data", b.path(data))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		end(cmd)
		return "", nil, fmt.Errorf("start the endpoint: %w", err)
	}
	return strings.TrimSpace(strings.TrimPrefix(line, "listening on ")), cmd, nil
}

func end(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(os.Interrupt) // it may have ended
	_ = cmd.Wait()                       // its code says that it was interrupted
}

// measurement is one publisher's.
type measurement struct {
	Name    string  `json:"name"`
	CPU     float64 `json:"cpu_s_per_min"`
	Wakeups float64 `json:"wakeups_per_s"` // voluntary context switches of all threads
	PeakMiB float64 `json:"peak_mib"`
	Latency string  `json:"latency,omitempty"`
}

// publishers measures pairs: each of ours runs beside plain pion.
func (b *bench) publishers() ([]measurement, error) {
	b.say("passing through beside plain pion, %v", b.length)
	first, err := b.sideBySide(b.plain(), b.agentAt("bril, passed through", b.endpoint, b.encoded()))
	if err != nil {
		return nil, err
	}
	b.say("raw frames through openh264, %v", b.length)
	second, err := b.sideBySide(b.agentAt("bril, raw through openh264", b.endpoint, b.raw()))
	return append(first, second...), err
}

// subject is a publisher to be measured.
type subject struct {
	name    string
	cmd     *exec.Cmd
	control string // socket of an agent; "" for others
}

func (b *bench) plain() subject {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return subject{name: plainName, cmd: exec.CommandContext(b.ctx, self, plainCommand, b.endpoint+"/whip/plain", b.path("clip.h264"), b.path("clip.opus"))}
}

func (b *bench) encoded() []string {
	return []string{"--camera", "mp4:" + b.path("clip.mp4"), "--microphone", "opus:" + b.path("clip.opus")}
}

func (b *bench) raw() []string {
	return []string{"--camera", "y4m:" + b.path("clip.y4m"), "--microphone", "wav:" + b.path("clip.wav")}
}

// agentAt publishes to an endpoint, with a state of its own by the last word of the
// name.
func (b *bench) agentAt(name, endpoint string, sources []string) subject {
	id := name[strings.LastIndexByte(name, ' ')+1:]
	socket := b.path(id + ".sock")
	args := append([]string{"run", "--whip", endpoint + "/whip/" + id, "--state", b.path(id), "--control", socket, "--loop", "--live"}, sources...)
	return subject{name: name, cmd: exec.CommandContext(b.ctx, b.path("bril"), args...), control: socket}
}

func (b *bench) sideBySide(subjects ...subject) ([]measurement, error) {
	for _, s := range subjects {
		s.cmd.Stderr = new(bytes.Buffer)
		if err := s.cmd.Start(); err != nil {
			return nil, fmt.Errorf("start %s: %w", s.name, err)
		}
		defer end(s.cmd)
	}
	if err := b.pause(warmUp); err != nil {
		return nil, err
	}
	before := make([]usage, len(subjects))
	for i, s := range subjects {
		var err error
		if before[i], err = read(s.cmd.Process.Pid); err != nil {
			return nil, fmt.Errorf("%s has ended: %w\n%s", s.name, err, s.cmd.Stderr)
		}
	}
	if err := b.pause(b.length); err != nil {
		return nil, err
	}
	var list []measurement
	for i, s := range subjects {
		after, err := read(s.cmd.Process.Pid)
		if err != nil {
			return nil, fmt.Errorf("%s has ended: %w\n%s", s.name, err, s.cmd.Stderr)
		}
		m := after.since(before[i], b.length)
		m.Name = s.name
		if s.control != "" {
			if m.Latency, err = b.latency(s.control); err != nil {
				return nil, err
			}
		}
		list = append(list, m)
	}
	return list, nil
}

func (b *bench) pause(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-b.ctx.Done():
		return b.ctx.Err()
	}
}

// latency is what the agent says of the way from the dequeued frame to its last
// packet.
func (b *bench) latency(socket string) (string, error) {
	client := control.NewClient(socket)
	defer client.Close()
	s, err := client.Status(b.ctx)
	if err != nil {
		return "", err
	}
	l := s.LatencyMS
	dropped := s.Video.Dropped["capture"] + s.Video.Dropped["encode"] + s.Video.Dropped["send"]
	return fmt.Sprintf("queue p50 %.2f p95 %.2f ms, encode p50 %.2f p95 %.2f ms, packetise and send p50 %.2f p95 %.2f ms; %d of %d frames sent, %d dropped",
		l.Queue.P50, l.Queue.P95, l.Encode.P50, l.Encode.P95, l.PacketiseSend.P50, l.PacketiseSend.P95, s.Video.Sent, s.Video.Captured, dropped), nil
}

// usage is what a process has used so far.
type usage struct {
	cpu      time.Duration
	switches int64
	peakKiB  int64
}

func read(pid int) (u usage, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	// proc_pid_stat(5): utime and stime are fields 14 and 15, in 1/100 s; the
	// name before them, in brackets, may hold spaces.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return u, fmt.Errorf("process %d has no statistics", pid)
	}
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(ticks) * 10 * time.Millisecond
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil {
		return u, err
	}
	for _, task := range tasks {
		u.switches += statusField(task, "voluntary_ctxt_switches")
	}
	u.peakKiB = statusField(fmt.Sprintf("/proc/%d/status", pid), "VmHWM")
	return u, nil
}

// statusField reads a number of proc_pid_status(5); a thread that has ended has 0.
func statusField(path, name string) int64 {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		key, value, _ := strings.Cut(line, ":")
		if words := strings.Fields(value); key == name && len(words) > 0 {
			n, err := strconv.ParseInt(words[0], 10, 64)
			if err == nil {
				return n
			}
		}
	}
	return 0
}

func (u usage) since(before usage, length time.Duration) measurement {
	return measurement{
		CPU:     (u.cpu - before.cpu).Seconds() / length.Minutes(),
		Wakeups: float64(u.switches-before.switches) / length.Seconds(),
		PeakMiB: float64(u.peakKiB) / 1024,
	}
}
