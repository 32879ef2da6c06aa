package boardtest

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	clockTicks = 100 // a second, of /proc/PID/stat on Linux
	// mostMemory finds a leak: on an idle host the agent has 28 to 29 MB, two thirds of
	// that pages of its own file, and on a busy one up to 32.
	mostMemory = 33e6
)

// TestCost prints what the agent costs on the board, and what of it is each
// stage's: what remains of the processor's time when a stage is left out. Its
// memory is a limit.
func TestCost(t *testing.T) {
	r := board(t)
	e := r.endpoint()
	config := r.config("camera: {size: 640x480, fps: 25}")
	cost := map[string]float64{}
	for _, c := range []struct {
		name string
		args []string
	}{
		{"nothing", nil},
		{"sound", []string{"--camera", "none", "--microphone", "hw:0,1", "--live"}},
		{"picture", []string{"--camera", "auto", "--microphone", "none", "--live"}},
		{"all", []string{"--camera", "auto", "--microphone", "hw:0,1", "--live"}},
	} {
		cost[c.name] = r.cost(e, append([]string{"--config", config}, c.args...), c.args != nil)
	}
	t.Logf("figure: CPU of the agent on the board %.1f %% live; %.1f ready, %.1f more for sound, %.1f for the picture",
		cost["all"], cost["nothing"], cost["sound"]-cost["nothing"], cost["picture"]-cost["nothing"])
}

// cost runs an agent and returns its share of the processor in percent.
func (r *rig) cost(e endpoint, args []string, wantLive bool) float64 {
	r.Helper()
	agent := r.agent(e, args...)
	defer agent.stop(syscall.SIGTERM)
	r.until("up", func(s status) bool { return s.State == "ready" || wantLive && s.State == "live" })
	if wantLive {
		r.until("live", func(s status) bool { return s.State == "live" })
	}
	const settle, window = 2, 8
	r.run("sleep", strconv.Itoa(settle))
	before, begin := r.ticks(agent.PID), time.Now()
	r.run("sleep", strconv.Itoa(window))
	used := float64(r.ticks(agent.PID)-before) / clockTicks / time.Since(begin).Seconds()
	s := r.status()
	if wantLive && float64(s.RSSBytes) > mostMemory {
		r.Errorf("%d bytes of memory while live, want at most %.0f", s.RSSBytes, mostMemory)
	}
	r.Logf("figure: memory on the board with %s %.1f MB; latency queue p95 %.1f, encode p95 %.1f, packetise and send p95 %.1f ms",
		fmt.Sprint(args[2:]), float64(s.RSSBytes)/1e6, s.LatencyMS.Queue.P95, s.LatencyMS.Encode.P95, s.LatencyMS.PacketiseSend.P95)
	return 100 * used
}

// ticks is the processor's time that a process of the guest has used: proc(5),
// utime and stime of /proc/PID/stat.
func (r *rig) ticks(pid int) int {
	r.Helper()
	text := r.run("cat", fmt.Sprintf("/proc/%d/stat", pid))
	fields := strings.Fields(text[strings.LastIndex(text, ")")+1:])
	sum := 0
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(f)
		if err != nil {
			r.Fatalf("%v in %s", err, text)
		}
		sum += n
	}
	return sum
}
