package clip

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// BenchmarkMemory measures what a ring of 10 s adds to a process at 2.5 Mb/s, with
// sound, in a process of its own: 5 MB at most. It is no test because tests run
// with the race detector, which shadows all memory.
func BenchmarkMemory(b *testing.B) {
	const child = "BRIL_CLIP_MEMORY"
	if os.Getenv(child) == "1" {
		measureMemory()
		return
	}
	var armed, clip, most int
	for b.Loop() {
		cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkMemory$", "-test.benchtime=1x")
		cmd.Env = append(os.Environ(), child+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		_, figures, _ := strings.Cut(string(out), figuresBegin)
		if _, err := fmt.Sscan(figures, &armed, &clip, &most); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
	b.ReportMetric(float64(armed), "kB-armed")
	b.ReportMetric(float64(clip), "kB-clip")
	b.ReportMetric(float64(most)/1000, "kB-bound")
	if clip > 5000 {
		b.Errorf("%d kB, want 5000 at most", clip)
	}
}

const figuresBegin = "kB, kB and bytes:"

// measureMemory prints by how many kB the ring makes the process grow, armed and
// with a clip, and its bound in bytes.
func measureMemory() {
	now := time.Hour
	s := newStream(1, 1280, 720)
	key, other, packet := s.unit(0, true, 60_000), s.unit(0, false, 9_576), s.packet(0)
	r := NewRing(Config{PreRoll: 10 * time.Second, Sound: true, Now: func() time.Duration { return now }})
	i := 0
	play := func(seconds int) {
		for end := i + seconds*150; i < end; i++ {
			now += time.Second / 150
			if i%3 != 0 { // 100 a second
				packet.PTS = now
				r.Audio(packet)
			}
			au := other
			if i%300 == 0 {
				au = key
			}
			if au.PTS = now; i%5 == 0 {
				r.Video(au)
			}
		}
	}
	play(2)
	r.Empty()
	for range 5 { // the collector's own memory is not the ring's
		resident()
	}
	before := resident()
	play(30)
	armed := resident()
	c := r.Begin(io.Discard, 0)
	for range 20 {
		for c.plan() == ready {
			if err := c.write(); err != nil {
				panic(err)
			}
		}
		play(1)
	}
	_, most, _ := r.Stats()
	fmt.Println(figuresBegin, armed-before, resident()-before, most)
	runtime.KeepAlive(r)
}

// resident is VmRSS in kB, without garbage.
func resident() (kB int) {
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	if _, err := fmt.Sscan(rest, &kB); err != nil {
		panic(err)
	}
	return kB * 1024 / 1000
}

// TestMemoryStaysOffTheDisk looks for the flags of the ring's mapping: locked, and
// not in core dumps.
func TestMemoryStaysOffTheDisk(t *testing.T) {
	s := newStream(1, 640, 480)
	r := NewRing(Config{})
	r.Video(s.unit(time.Hour, true, 100))
	flags := mappingFlags(t, uintptr(unsafe.Pointer(unsafe.SliceData(r.arena.memory))))
	if !strings.Contains(flags, " dd") {
		t.Errorf("flags%s: it may be dumped", flags)
	}
	var most unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &most); err == nil && most.Cur < uint64(len(r.arena.memory)) && os.Getuid() != 0 {
		t.Skipf("no more than %d bytes may be locked", most.Cur)
	}
	if !strings.Contains(flags, " lo") {
		t.Errorf("flags%s: it may be swapped", flags)
	}
	runtime.KeepAlive(r)
}

// mappingFlags returns the flags of what is mapped at an address (proc(5), smaps).
func mappingFlags(t *testing.T, address uintptr) string {
	t.Helper()
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	within := false
	for line := range strings.Lines(string(smaps)) {
		var from, to uintptr
		if n, _ := fmt.Sscanf(line, "%x-%x ", &from, &to); n == 2 {
			within = from <= address && address < to
		}
		if flags, is := strings.CutPrefix(line, "VmFlags:"); is && within {
			return strings.TrimSuffix(flags, "\n")
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("this kernel does not show the flags of mappings")
	}
	t.Skip("this kernel does not show the flags of mappings")
	return ""
}

// benchRing is full, of 2.5 Mb/s; step puts one more picture in, and its sound.
func benchRing() (r *Ring, step func()) {
	now := time.Hour
	s := newStream(1, 1280, 720)
	key, other, packet := s.unit(0, true, 60_000), s.unit(0, false, 9_576), s.packet(0)
	r = NewRing(Config{PreRoll: 10 * time.Second, Sound: true, Now: func() time.Duration { return now }})
	n := 0
	step = func() {
		now += time.Second / 30
		au := other
		if n%60 == 0 {
			au = key
		}
		if au.PTS = now; n%3 != 0 {
			packet.PTS = now
			r.Audio(packet)
		}
		r.Video(au)
		n++
	}
	for range 30 * 30 {
		step()
	}
	return r, step
}

// BenchmarkVideo is one access unit of 2.5 Mb/s at 30 pictures a second.
func BenchmarkVideo(b *testing.B) {
	_, step := benchRing()
	b.SetBytes(2_500_000 / 8 / 30)
	b.ReportAllocs()
	for b.Loop() {
		step()
	}
}

// BenchmarkFragment writes half a second out of the ring.
func BenchmarkFragment(b *testing.B) {
	r, step := benchRing()
	c := r.Begin(io.Discard, 0)
	b.ReportAllocs()
	b.SetBytes(2_500_000 / 8 / 2)
	for b.Loop() {
		for c.plan() == waiting {
			step()
		}
		if err := c.write(); err != nil {
			b.Fatal(err)
		}
	}
}
