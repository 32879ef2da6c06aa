package packagetest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestService has a booted Debian install the package, run its service, upgrade it
// during a conversation, update by itself, and purge it.
func TestService(t *testing.T) {
	arch := hostArch(t)
	u := newUserland(t, arch)
	deb := built(t, arch)
	before := older(t, deb)
	u.copyIn(deb)
	u.copyIn(before)
	host(t, "cp", showroom(t), u.path("usr/local/bin/showroom"))
	b := u.boot()
	b.run("dpkg", "-i", "/root/"+filepath.Base(before))
	b.started()
	b.audit()
	b.upgradedWhileIdle(deb)
	b.talks()
	b.upgradedWhileLive(before) // a version back, as after a bad one
	b.restarts()
	b.updates(before)
	b.purged()
}

// started checks that the service is up, as the user, with its places.
func (b *booted) started() {
	b.Helper()
	// dpkg has waited for READY=1, as systemctl does.
	if state := b.property("ActiveState"); state != "active" {
		b.Fatalf("the service is %s\n%s", state, b.run("journalctl", "--no-pager", "-u", "bril"))
	}
	if timer := b.run("systemctl", "is-active", "bril-update.timer"); timer != "active\n" {
		b.Errorf("the timer is %s", timer)
	}
	for path, want := range map[string]string{
		"/run/bril": "bril bril 750", "/run/bril/control.sock": "bril bril 660", "/var/lib/bril": "bril bril 700",
	} {
		if got := strings.TrimSpace(b.run("stat", "-c", "%U %G %a", path)); got != want {
			b.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	// Whoever is in the group may ask it, and nobody else.
	b.run("useradd", "-G", "bril", "technician")
	b.run("useradd", "passer-by")
	b.run("runuser", "-u", "technician", "--", "bril", "status")
	if out, err := b.try("runuser", "-u", "passer-by", "--", "bril", "status"); err == nil {
		b.Errorf("anybody may ask: %s", out)
	}
}

// audit has systemd judge the units.
func (b *booted) audit() {
	b.Helper()
	// Its man pages are compressed, and there is no man to show them.
	out := b.run("systemd-analyze", "verify", "--man=no", "bril.service", "bril-update.service", "bril-update.timer")
	if strings.TrimSpace(out) != "" {
		b.Errorf("systemd-analyze verify:\n%s", out)
	}
	score := b.run("systemd-analyze", "security", "--no-pager", "--threshold=20", "bril.service") // of 100
	lines := strings.Split(strings.TrimSpace(score), "\n")
	b.Log("figure: ", lines[len(lines)-1])
}

func (b *booted) upgradedWhileIdle(deb string) {
	b.Helper()
	was := b.property("MainPID")
	b.run("dpkg", "-i", "/root/"+filepath.Base(deb))
	b.until("an idle daemon is restarted after an upgrade", func() bool {
		pid := b.property("MainPID")
		return pid != was && pid != "0" && b.property("ActiveState") == "active"
	})
}

// talks goes live under the whole sandbox, with picture, sound and a photo.
func (b *booted) talks() {
	b.Helper()
	b.run("systemd-run", "--unit=showroom", "/usr/local/bin/showroom", "--listen", "127.0.0.1:8080", "--data", "/root/showroom")
	b.until("the endpoint listens", func() bool {
		_, err := b.try("bash", "-c", "</dev/tcp/127.0.0.1/8080")
		return err == nil
	})
	b.write("etc/bril/bril.yaml", "camera:\n  source: pattern\nmicrophone:\n  source: tone\nuplink:\n  loopback: true\n", 0o644)
	b.run("systemctl", "restart", "bril")
	b.run("bril", "live", "on")
	b.until("live", b.live)
	b.until("the endpoint takes photos", func() bool { return !b.says(`"recipient": "none"`) })
	b.run("bril", "photo")
}

func (b *booted) live() bool { return b.says(`"state": "live"`) }

// says reports whether the daemon's status has a field of a value.
func (b *booted) says(field string) bool {
	out, err := b.try("bril", "status", "--json")
	return err == nil && strings.Contains(out, field)
}

func (b *booted) upgradedWhileLive(deb string) {
	b.Helper()
	was := b.property("MainPID")
	b.run("dpkg", "-i", "/root/"+filepath.Base(deb))
	b.run("test", "-e", "/run/bril/restart-wanted")
	if pid := b.property("MainPID"); pid != was || !b.live() {
		b.Fatalf("an upgrade has cut a conversation off: process %s, then %s", was, pid)
	}
	b.run("bril", "live", "off")
	b.until("restarted once the conversation is over", func() bool {
		pid := b.property("MainPID")
		return pid != was && pid != "0" && b.property("ActiveState") == "active"
	})
}

// restarts: what is killed comes back.
func (b *booted) restarts() {
	b.Helper()
	was := b.property("MainPID")
	b.run("systemctl", "kill", "-s", "KILL", "bril.service")
	b.until("a killed daemon is started again", func() bool {
		pid := b.property("MainPID")
		return pid != was && pid != "0" && b.property("ActiveState") == "active"
	})
}

func (b *booted) purged() {
	b.Helper()
	uid := strings.TrimSpace(b.run("id", "-u", "bril"))
	b.run("dpkg", "-P", "bril")
	left := b.run("find", "/", "-path", "/proc", "-prune", "-o", "-path", "/sys", "-prune", "-o", "-path", "/root", "-prune", "-o",
		"(", "-uid", uid, "-o", "-name", "*bril*", ")", "-print")
	if left != "" {
		b.Errorf("a purge leaves\n%s", left)
	}
	if processes := b.run("find", "/proc", "-maxdepth", "1", "-uid", uid); processes != "" {
		b.Errorf("a purge leaves processes: %s", processes)
	}
	if out, err := b.try("systemctl", "cat", "bril.service"); err == nil {
		b.Errorf("systemd still knows the unit:\n%s", out)
	}
}

// TestReadOnlyRoot boots a system that cannot be written, but for /var in memory.
func TestReadOnlyRoot(t *testing.T) {
	arch := hostArch(t)
	u := newUserland(t, arch)
	u.install(built(t, arch))
	b := u.boot("--volatile=state")
	if out, err := b.try("touch", "/etc/bril/x"); err == nil {
		t.Fatalf("the root can be written %s", out)
	}
	b.until("the service is up", func() bool { return b.property("ActiveState") == "active" })
	b.run("bril", "status")
	if _, err := b.try("systemctl", "start", "bril-update.service"); err != nil || b.run("systemctl", "show", "-P", "ConditionResult", "bril-update.service") != "no\n" {
		t.Errorf("an update is tried on a system that cannot be written: %v", err)
	}
}

// showroom is the reference endpoint, as `make build` makes it.
func showroom(t *testing.T) string {
	t.Helper()
	path := filepath.Join(os.Getenv("BRIL_PACKAGES"), "..", "bin", "showroom")
	if _, err := os.Stat(path); err != nil {
		lacking(t, "make build makes the endpoint: ", err)
	}
	return path
}
