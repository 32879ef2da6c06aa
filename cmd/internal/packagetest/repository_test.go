package packagetest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// signer is a key of a test's own.
type signer struct{ home string }

func newSigner(t *testing.T, name string) signer {
	t.Helper()
	for _, tool := range []string{"gpg", "gpgconf", "apt-ftparchive"} {
		if _, err := exec.LookPath(tool); err != nil {
			lacking(t, "apt install gnupg apt-utils: ", err)
		}
	}
	home, err := os.MkdirTemp("", "gpg-") // short: gpg's agent listens there
	if err != nil {
		t.Fatal(err)
	}
	s := signer{home}
	t.Cleanup(func() {
		_, _ = runFor(context.Background(), time.Minute, "gpgconf", "--homedir", home, "--kill", "all")
		os.RemoveAll(home)
	})
	host(t, "gpg", "--homedir", home, "--batch", "--passphrase", "", "--quick-generate-key", name, "ed25519", "sign", "never")
	return s
}

// publish makes the repository of the packages in a directory, as `make repository`.
func (s signer) publish(t *testing.T, packages, repository string) {
	t.Helper()
	host(t, "env", "GNUPGHOME="+s.home, "REPOSITORY_KEY=", "../../../configs/package/repository", packages, repository)
}

// subscribe has the userland's apt know the repository at /srv/repository, and
// nothing else.
func (u *userland) subscribe() {
	u.Helper()
	u.run("sh", "-c", "rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*")
	u.run("install", "-D", "-m", "644", "/srv/repository/bril.gpg", "/usr/share/keyrings/bril.gpg")
	u.write("etc/apt/sources.list.d/bril.list", "deb [signed-by=/usr/share/keyrings/bril.gpg] file:/srv/repository stable main\n", 0o644)
}

func (u *userland) update() (string, error) {
	return u.try("apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update")
}

func (u *userland) upgrade() (string, error) {
	return u.try("apt-get", "-q", "-y", "--no-install-recommends", "install", "bril")
}

// TestRepository has apt install and upgrade from a signed repository.
func TestRepository(t *testing.T) {
	arch := hostArch(t)
	u := newUserland(t, arch)
	s := newSigner(t, "Bril test repository")
	deb := built(t, arch)
	first, second := older(t, deb), t.TempDir()
	s.publish(t, filepath.Dir(first), u.path("srv/repository"))
	u.subscribe()
	u.must(u.update())
	u.must(u.upgrade())
	before := u.version()
	u.edit()

	host(t, "cp", deb, second)
	s.publish(t, second, u.path("srv/repository"))
	u.must(u.update())
	u.must(u.upgrade())
	if after := u.version(); before != "0~0" || after == before {
		t.Errorf("apt has installed %s, then %s", before, after)
	}
	u.kept("an upgrade by apt", true)
	u.must(u.try("apt-get", "-q", "-y", "--allow-downgrades", "install", "bril=0~0")) // the version before is still there
	u.run("rm", "-r", "/srv/repository", "/etc/apt/sources.list.d/bril.list", "/usr/share/keyrings/bril.gpg")
	u.purge()
}

func (u *userland) must(out string, err error) {
	u.Helper()
	if err != nil {
		u.Fatalf("%v\n%s", err, out)
	}
}

func (u *userland) version() string {
	u.Helper()
	return u.run("dpkg-query", "-W", "-f", "${Version}", "bril")
}

// TestTamperedRepository: apt takes nothing that the key has not signed.
func TestTamperedRepository(t *testing.T) {
	arch := hostArch(t)
	u := newUserland(t, arch)
	s, stranger := newSigner(t, "Bril test repository"), newSigner(t, "Somebody else")
	packages := t.TempDir()
	host(t, "cp", built(t, arch), packages)
	s.publish(t, packages, u.path("srv/good"))
	stranger.publish(t, packages, u.path("srv/strange"))
	const index = "srv/repository/dists/stable/"
	list := index + "main/binary-" + arch + "/Packages"
	for name, tamper := range map[string]func(){
		"another package": func() {
			u.run("sh", "-c", "for deb in /srv/repository/pool/main/b/bril/*.deb; do printf x | dd of=$deb bs=1 seek=4000 conv=notrunc; done")
		},
		"another list": func() {
			u.write(list, strings.Replace(u.read(list), "Version: ", "Version: 9", 1), 0o644)
			u.run("sh", "-c", "gzip -9n < /"+list+" > /"+list+".gz")
		},
		"another release": func() {
			u.write(index+"InRelease", strings.Replace(u.read(index+"InRelease"), "Label: Bril", "Label: Brill", 1), 0o644)
		},
		"another key": func() { u.run("sh", "-c", "cp -r /srv/strange/dists /srv/repository/") },
		"no signature": func() {
			u.run("rm", "/"+index+"InRelease", "/"+index+"Release.gpg")
		},
	} {
		u.run("sh", "-c", "rm -rf /srv/repository /var/lib/apt/lists/* && cp -r /srv/good /srv/repository")
		u.subscribe()
		tamper()
		out, err := u.update()
		if err == nil {
			var more string
			more, err = u.upgrade()
			out += more
		}
		if err == nil || u.exists("usr/bin/bril") {
			t.Errorf("%s: installed (%v)\n%s", name, err, out)
		}
	}
	// Untouched, it is taken: what was refused was refused for the tampering.
	u.run("sh", "-c", "rm -rf /srv/repository /var/lib/apt/lists/* && cp -r /srv/good /srv/repository")
	u.subscribe()
	u.must(u.update())
	u.must(u.upgrade())
}

// TestRepositoryKeepsItsPool: a version is published once.
func TestRepositoryKeepsItsPool(t *testing.T) {
	arch := hostArch(t)
	u := newUserland(t, arch)
	s := newSigner(t, "Bril test repository")
	deb := older(t, built(t, arch))
	s.publish(t, filepath.Dir(deb), u.path("srv/repository"))
	s.publish(t, filepath.Dir(deb), u.path("srv/repository"))
	if err := os.WriteFile(deb, []byte("another"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := runFor(t.Context(), time.Minute, "env", "GNUPGHOME="+s.home, "../../../configs/package/repository", filepath.Dir(deb), u.path("srv/repository"))
	if err == nil || !strings.Contains(out, "published once") {
		t.Errorf("%v\n%s", err, out)
	}
}
