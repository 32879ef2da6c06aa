package packagetest

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestInstall installs, upgrades, removes and purges, as an image is made: without
// a running system. Under emulation that is the same with foreign programs.
func TestInstall(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			u := newUserland(t, arch)
			deb := built(t, arch)
			u.install(older(t, deb))
			u.layout()
			u.edit()
			u.install(deb)
			u.layout()
			u.kept("an upgrade", true)
			if v := u.run("bril", "version"); !strings.Contains(v, arch) {
				t.Errorf("bril version: %s", v)
			}
			u.run("bril", "config", "check", "--config", "/etc/bril/bril.yaml")
			u.run("dpkg", "-r", "bril")
			u.kept("a removal", true)
			if u.exists("usr/bin/bril") {
				t.Error("removed, and the binary is still there")
			}
			u.install(deb) // who changes their mind finds all as it was
			u.kept("a removal and another installation", true)
			u.purge()
		})
	}
}

// file is what the package puts where.
type file struct {
	path, owner, group string
	mode               os.FileMode
}

// layout checks files with their modes and owners, and the user.
func (u *userland) layout() {
	u.Helper()
	for _, f := range []file{
		{"/usr/bin/bril", "root", "root", 0o755},
		{"/etc/bril", "root", "root", 0o755},
		{"/etc/bril/bril.yaml", "root", "root", 0o644},
		{"/usr/lib/systemd/system/bril.service", "root", "root", 0o644},
		{"/usr/lib/systemd/system/bril-update.service", "root", "root", 0o644},
		{"/usr/lib/systemd/system/bril-update.timer", "root", "root", 0o644},
		{"/usr/lib/sysusers.d/bril.conf", "root", "root", 0o644},
		{"/usr/lib/udev/rules.d/60-bril.rules", "root", "root", 0o644},
		{"/usr/share", "root", "root", 0o755},
		{"/usr/share/doc/bril", "root", "root", 0o755},
		{"/usr/share/doc/bril/bril.yaml", "root", "root", 0o644},
		{"/usr/share/bril/bril.schema.json", "root", "root", 0o644},
		{"/usr/share/doc/bril/copyright", "root", "root", 0o644},
		{"/usr/share/man/man1/bril.1.gz", "root", "root", 0o644},
		{"/usr/share/man/man1/bril-run.1.gz", "root", "root", 0o644},
		{"/usr/share/bash-completion/completions/bril", "root", "root", 0o644},
		{"/usr/share/zsh/vendor-completions/_bril", "root", "root", 0o644},
		{"/usr/share/fish/vendor_completions.d/bril.fish", "root", "root", 0o644},
	} {
		want := fmt.Sprintf("%s %s %o", f.owner, f.group, f.mode)
		if got := strings.TrimSpace(u.run("stat", "-c", "%U %G %a", f.path)); got != want {
			u.Errorf("%s: got %s, want %s", f.path, got, want)
		}
	}
	if conffiles := u.run("dpkg-query", "-W", "-f", "${Conffiles}", "bril"); strings.Count(conffiles, "/") != 3 || !strings.Contains(conffiles, "/etc/bril/bril.yaml") {
		u.Errorf("configuration files:\n%s", conffiles)
	}
	if wrong, err := u.try("dpkg", "--verify", "bril"); err != nil && !strings.Contains(wrong, " c ") {
		u.Errorf("dpkg --verify: %v\n%s", err, wrong)
	}
	groups := " " + strings.TrimSpace(u.run("id", "-nG", "bril")) + " "
	for _, group := range []string{"bril", "video", "audio", "input", "render", "gpio"} {
		if !strings.Contains(groups, " "+group+" ") {
			u.Errorf("bril is in%s, not in %s", groups, group)
		}
	}
	if passwd := u.run("getent", "passwd", "bril"); !strings.HasSuffix(strings.TrimSpace(passwd), ":/var/lib/bril:/usr/sbin/nologin") {
		u.Errorf("the user is %s", passwd)
	}
	if link := u.run("readlink", "/etc/systemd/system/multi-user.target.wants/bril.service"); !strings.Contains(link, "/bril.service") {
		u.Errorf("not enabled: %s", link)
	}
}

// edited is an administrator's configuration; secrets are what may not outlive a
// purge.
const edited = "session:\n  name: anna\n"

var secrets = []string{
	"etc/bril/token", "var/lib/bril/enrolment/key.pem", "var/lib/bril/spool/item/photo.age",
	"var/lib/bril-update/state.json", "run/bril/control.sock.lock",
}

func (u *userland) edit() {
	u.Helper()
	u.write("etc/bril/bril.yaml", edited, 0o644)
	for _, name := range secrets {
		u.write(name, name, 0o600)
	}
	u.run("chown", "-R", "bril:bril", "/var/lib/bril", "/run/bril", "/etc/bril/token")
	u.run("chmod", "700", "/var/lib/bril")
}

// kept checks that nothing of what edit wrote is changed.
func (u *userland) kept(by string, want bool) {
	u.Helper()
	if u.exists("etc/bril/bril.yaml") != want || want && u.read("etc/bril/bril.yaml") != edited {
		u.Errorf("after %s: the configuration is another", by)
	}
	for _, name := range secrets {
		if u.exists(name) != want || want && u.read(name) != name {
			u.Errorf("after %s: /%s is another", by, name)
		}
	}
}

// purge purges and looks for what is left, by the user's number and by name.
func (u *userland) purge() {
	u.Helper()
	uid, gid := strings.TrimSpace(u.run("id", "-u", "bril")), strings.TrimSpace(u.run("id", "-g", "bril"))
	u.run("dpkg", "-P", "bril")
	u.kept("a purge", false)
	left := u.run("find", "/", "-xdev", "-path", "/proc", "-prune", "-o", "-path", "/root", "-prune", "-o",
		"(", "-uid", uid, "-o", "-gid", gid, "-o", "-name", "*bril*", ")", "-print")
	if left != "" {
		u.Errorf("a purge leaves\n%s", left)
	}
	for _, name := range []string{"etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"} {
		if strings.Contains(u.read(name), "bril") {
			u.Errorf("bril is still in /%s", name)
		}
	}
	if out, err := u.try("dpkg-query", "-W", "bril"); err == nil {
		u.Errorf("dpkg still knows it: %s", out)
	}
}

// TestConffile: what is shipped sets nothing, and nobody but root may change it.
func TestConffile(t *testing.T) {
	u := newUserland(t, hostArch(t))
	u.install(built(t, hostArch(t)))
	for line := range strings.Lines(u.read("etc/bril/bril.yaml")) {
		if !strings.HasPrefix(line, "#") {
			t.Errorf("the configuration sets something: %s", line)
		}
	}
	var st syscall.Stat_t
	if err := syscall.Stat(u.path("etc/bril/bril.yaml"), &st); err != nil || st.Mode&0o022 != 0 {
		t.Errorf("mode %o, %v", st.Mode, err)
	}
}
