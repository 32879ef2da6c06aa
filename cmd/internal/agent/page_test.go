package agent

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/hardware"
)

// The page that advisors read shows each pattern of the status light as it is: four
// seconds of it, a character for each tenth.
func TestLightPage(t *testing.T) {
	const page = "../../bril/doc/light-and-sounds.md"
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "| `") && strings.Count(line, "|") == 3 {
			rows++
		}
	}
	list := []struct {
		phase   session.Phase
		battery bool
		means   string
	}{
		{session.Ready, false, "ready: nothing is captured"},
		{session.Connecting, false, "connecting, or connecting again"},
		{session.Live, false, "live: a second light is dark, the capture light is on"},
		{session.Paused, false, "paused: customers see black and hear nothing"},
		{session.Fault, false, "something does not work: `bril status` says what"},
		{session.Ready, true, "the battery is low"},
	}
	want := []string{}
	for _, p := range list {
		want = append(want, fmt.Sprintf("| `%s` | %s |\n", drawn(patternOf(p.phase, p.battery)), p.means))
	}
	searching := newSignals(hardware.NoLight(), slog.New(slog.DiscardHandler))
	searching.provisioning(true)
	pattern, _ := searching.current()
	want = append(want, fmt.Sprintf("| `%s` | looking for a QR code, to be set up |\n", drawn(pattern)))
	if rows != len(want) {
		t.Errorf("%s has %d rows of patterns, want %d", page, rows, len(want))
	}
	for _, row := range want {
		if !strings.Contains(string(data), row) {
			t.Errorf("%s lacks the row\n%s", page, row)
		}
	}
}

func drawn(pattern hardware.Pattern) string {
	var b strings.Builder
	for at := time.Duration(0); at < 4*time.Second; at += 100 * ms {
		early, _ := pattern.At(at)
		late, _ := pattern.At(at + 50*ms) // none is lit for less
		if early || late {
			b.WriteRune('█')
		} else {
			b.WriteRune('·')
		}
	}
	return b.String()
}

// The page says what the buttons do where nothing else is configured.
func TestButtonsPage(t *testing.T) {
	data, err := os.ReadFile("../../bril/doc/light-and-sounds.md")
	if err != nil {
		t.Fatal(err)
	}
	does := map[string]string{
		configs.ActionPhoto: "a photo", configs.ActionPhotoShow: "a photo that the customer sees at once", configs.ActionLive: "live, or its end",
		configs.ActionPause: "a pause, or its end", configs.ActionClip: "a clip, or its end",
	}
	b := configs.Default().Board.Buttons
	for press, action := range map[string]string{
		"button 1, short": b.Button1.Short, "button 1, twice": b.Button1.Double, "button 1, 0.8 s": b.Button1.Long,
		"button 2, short": b.Button2.Short, "button 2, twice": b.Button2.Double, "button 2, 0.8 s": b.Button2.Long,
	} {
		row := fmt.Sprintf("| %s | %s |\n", press, does[action])
		if said := strings.Contains(string(data), row); said != (action != configs.ActionNone) {
			t.Errorf("of %s, which is %s, the page says %t: %s", press, action, said, row)
		}
	}
}
