// Lightwatch runs on the virtual board and looks again and again at what the
// kernel says of the capture light and of what captures, until it is ended by
// SIGTERM. Then it prints what it has seen, as JSON:
//
//	lightwatch VALUE
//
// VALUE is the file of gpio-sim that tells the light's level. That vivid captures
// is told by its kernel thread, which lives from STREAMON to STREAMOFF; that the
// sound loopback records, by the state of its stream.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Seen is what was seen.
type Seen struct {
	Looks    int // at all
	Pictures int // at which a camera captured
	Sounds   int // at which a microphone recorded
	Dark     int // at which either did, and the light was out
	Lit      int // at which the light was on
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "lightwatch: which file tells the light's level?")
		os.Exit(2)
	}
	// Ahead of the encoder, which has the one processor busy otherwise.
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, -20); err != nil {
		fmt.Fprintln(os.Stderr, "lightwatch:", err)
	}
	var seen Seen
	threads := &threads{}
	for ctx.Err() == nil {
		seen.look(os.Args[1], threads)
		time.Sleep(2 * time.Millisecond) // and let it run
	}
	_ = json.NewEncoder(os.Stdout).Encode(seen) // there is nobody else to tell
}

// look looks at the light before and after it looks for captures. One that is
// seen in between and had no light at either moment was in the dark: the light
// goes on before a capture begins, and out after it has ended.
func (s *Seen) look(value string, threads *threads) {
	before := lit(value)
	picture, sound := threads.picture(), sounds()
	after := lit(value)
	s.Looks++
	if before && after {
		s.Lit++
	}
	if picture {
		s.Pictures++
	}
	if sound {
		s.Sounds++
	}
	if (picture || sound) && !before && !after {
		s.Dark++
	}
}

func lit(value string) bool {
	text, err := os.ReadFile(value)
	return err == nil && strings.TrimSpace(string(text)) == "1"
}

// threads knows which processes it has looked at.
type threads struct {
	known map[string]bool // by number: whether it is vivid's
}

// picture looks for the thread "vivid-000-vid-cap", of which a name has 15
// characters.
func (t *threads) picture() bool {
	proc, err := os.Open("/proc")
	if err != nil {
		return false
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return false
	}
	now, found := map[string]bool{}, false
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' {
			continue
		}
		is, known := t.known[name]
		if !known {
			text, err := os.ReadFile("/proc/" + name + "/comm")
			is = err == nil && strings.HasPrefix(string(text), "vivid-000-vid-c")
			known = err == nil && !strings.HasPrefix(string(text), "kthreadd") // which a thread is called before its own name
		}
		if known {
			now[name] = is
		}
		found = found || is
	}
	t.known = now
	return found
}

func sounds() bool {
	names, _ := filepath.Glob("/proc/asound/card*/pcm*c/sub*/status") // the pattern is well-formed
	for _, name := range names {
		if text, err := os.ReadFile(name); err == nil && strings.Contains(string(text), "state: RUNNING") {
			return true
		}
	}
	return false
}
