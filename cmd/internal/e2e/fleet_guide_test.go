package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// fleetGuide is the page for managers.
const fleetGuide = "cmd/bril/doc/fleet.md"

// TestFleetGuide runs the commands of the managers' page, in their order, against an
// endpoint with a fleet of two pairs of glasses.
func TestFleetGuide(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(root, fleetGuide))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.equip()
	w.fleet()
	own := []rule{
		{command: of(`export .*`), why: "each command has a shell of its own here, with these in its environment"},
		{command: of(`showroom fleet (?:status|label|push|pause|resume|rollback|history|diff|audit).*`)},
	}
	asks := of(`showroom fleet (?:support|restart) .*`)
	for _, command := range shellCommands(string(data)) {
		if asks.MatchString(command) { // the board is on probation at times, and its line down with it
			w.untilRuns(command)
			continue
		}
		w.run(command, append(own, rules(t)...))
	}
}

// fleet starts an endpoint with a fleet, and two pairs of glasses of it: the first is
// the daemon that bril asks.
func (w *world) fleet() {
	w.t.Helper()
	w.file("turn.password", "secret\n")
	w.mustRun("showroom fleet keygen --out fleet.key")
	w.mustRun("showroom fleet keygen --out next.key")
	w.background("listening on ", "showroom", "--listen", w.closed, "--data", "closed-data", "--tls-own", "--require-enrolment", "--configuration-key", "fleet.key.pub")
	w.mustRun("cp closed-data/authority/ca.pem ca.pem; showroom fleet manager add Marie --data closed-data > manager.token")
	w.env = append(w.env, "BRIL_FLEET_SERVER=https://"+w.closed, "BRIL_FLEET_CA=ca.pem", "BRIL_FLEET_TOKEN_FILE=manager.token", "BRIL_FLEET_KEY=fleet.key")
	for name, flags := range map[string]string{"anna": "", "ben": " --control ben.sock"} {
		args := []string{"run", "--camera", "pattern:320x180@15", "--microphone", "tone", "--loopback"}
		if name == "ben" {
			args = append(args, "--control", "ben.sock", "--state", "ben-state")
		}
		w.background("", "bril", args...)
		w.untilRuns("bril status --json" + flags)
		w.mustRun("showroom token new --name " + name + " --data closed-data > " + name + ".token")
		w.mustRun("bril enrol --server https://" + w.closed + " --token-file " + name + ".token" + flags)
	}
	w.untilRuns("showroom fleet status | grep '2 online'")
}

func (w *world) mustRun(line string) {
	w.t.Helper()
	if out, code := w.shell(line); code != 0 {
		w.t.Fatalf("%s ended with %d:\n%s", line, code, out)
	}
}

// untilRuns runs a line until it ends with 0.
func (w *world) untilRuns(line string) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		out, code := w.shell(line)
		if code == 0 {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s never ended with 0:\n%s", line, out)
		}
	}
}
