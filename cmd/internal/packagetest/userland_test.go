package packagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// suite is the oldest Debian that the packages are for.
const suite = "bookworm"

// needs are the packages that bril's own depends on, and those of a system that boots.
// In the cache, they cost a test nothing.
const needs = "systemd,systemd-sysv,udev,dbus,ca-certificates,libasound2,libturbojpeg0"

// lacking skips a test that this machine cannot run, unless it is CI's, which has to.
func lacking(t *testing.T, why ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why...)
	}
	t.Skip(why...)
}

// userland is a Debian of a test's own.
type userland struct {
	*testing.T
	dir string
}

// newUserland copies the cached Debian of an architecture.
func newUserland(t *testing.T, arch string) *userland {
	t.Helper()
	if os.Getenv("BRIL_PACKAGES") == "" {
		t.Skip("make test-package runs this: it needs the packages, and root")
	}
	if os.Getuid() != 0 {
		lacking(t, "a userland takes root: sudo make test-package")
	}
	for _, tool := range []string{"debootstrap", "dpkg-deb", "apt-get", "chroot"} {
		if _, err := exec.LookPath(tool); err != nil {
			lacking(t, "apt install debootstrap: ", err)
		}
	}
	cached := base(t, arch)
	dir := filepath.Join(t.TempDir(), arch)
	host(t, "cp", "-a", "--reflink=auto", cached, dir)
	u := &userland{T: t, dir: dir}
	// As on a machine with a policy of its own: nothing starts in a chroot.
	u.write("usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
	return u
}

// base returns the cached Debian, and makes it where it is missing. One test at a
// time, of all processes, makes one or runs foreign programs.
func base(t *testing.T, arch string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	cache = filepath.Join(cache, "bril", "debian")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.Create(filepath.Join(cache, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() })
	if err := flock(lock); err != nil {
		t.Fatal("lock the cache: ", err)
	}
	if arch != hostArch(t) {
		emulate(t, arch)
	}
	dir := filepath.Join(cache, fmt.Sprintf("%s-%s-%d", suite, arch, len(needs)))
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	t.Log("making a Debian for ", arch, ": later runs are quicker")
	fresh := dir + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		t.Fatal(err)
	}
	host(t, "debootstrap", "--variant=minbase", "--arch="+arch, "--include="+needs, suite, fresh, mirror(t))
	host(t, "rm", "-rf", fresh+"/var/cache/apt/archives", fresh+"/var/lib/apt/lists", fresh+"/usr/share/doc", fresh+"/usr/share/locale")
	if err := os.MkdirAll(fresh+"/var/cache/apt/archives/partial", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func flock(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// mirror is where this machine gets its own Debian from.
func mirror(t *testing.T) string {
	t.Helper()
	sites := host(t, "apt-get", "indextargets", "--format", "$(SITE) $(LABEL)", "Created-By: Packages", "Component: main")
	for line := range strings.Lines(sites) {
		if site, ok := strings.CutSuffix(strings.TrimSpace(line), " Debian"); ok && site != "" {
			return site
		}
	}
	lacking(t, "this machine's apt knows no Debian, for debootstrap to get one from:\n", sites)
	return ""
}

func hostArch(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(host(t, "dpkg", "--print-architecture"))
}

// host runs a program of this machine and returns what it printed.
func host(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := runFor(t.Context(), 8*time.Minute, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func runFor(ctx context.Context, patience time.Duration, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive", "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
	cmd.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// run runs a program of the userland, which has to succeed.
func (u *userland) run(args ...string) string {
	u.Helper()
	out, err := u.try(args...)
	if err != nil {
		u.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (u *userland) try(args ...string) (string, error) {
	return runFor(u.Context(), 3*time.Minute, "chroot", append([]string{u.dir}, args...)...)
}

func (u *userland) path(name string) string { return filepath.Join(u.dir, name) }

func (u *userland) write(name, text string, mode fs.FileMode) {
	u.Helper()
	if err := os.MkdirAll(filepath.Dir(u.path(name)), 0o755); err != nil {
		u.Fatal(err)
	}
	if err := os.WriteFile(u.path(name), []byte(text), mode); err != nil {
		u.Fatal(err)
	}
}

func (u *userland) read(name string) string {
	u.Helper()
	data, err := os.ReadFile(u.path(name))
	if err != nil {
		u.Fatal(err)
	}
	return string(data)
}

// exists is about the name itself, not what a link points at.
func (u *userland) exists(name string) bool {
	u.Helper()
	_, err := os.Lstat(u.path(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		u.Fatal(err)
	}
	return err == nil
}

// install installs a package file of this machine.
func (u *userland) install(deb string) string {
	u.Helper()
	u.copyIn(deb)
	return u.run("dpkg", "-i", "/root/"+filepath.Base(deb))
}

func (u *userland) copyIn(file string) {
	u.Helper()
	host(u.T, "cp", file, u.path("root"))
}

// built returns the package of an architecture that was made last.
func built(t *testing.T, arch string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(os.Getenv("BRIL_PACKAGES"), "bril_*_"+arch+".deb"))
	if err != nil {
		t.Fatal(err)
	}
	var newest string
	var when time.Time
	for _, path := range found {
		if info, err := os.Stat(path); err == nil && info.ModTime().After(when) {
			newest, when = path, info.ModTime()
		}
	}
	if newest == "" {
		lacking(t, "no package for ", arch, " in ", os.Getenv("BRIL_PACKAGES"), ": make package ARCHS=", arch)
	}
	return newest
}

// older makes a version before of a package.
func older(t *testing.T, deb string) string {
	t.Helper()
	return remade(t, deb, "0~0", func(string) {})
}

// remade makes another version of a package. What is in it can be edited.
func remade(t *testing.T, deb, version string, edit func(tree string)) string {
	t.Helper()
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	host(t, "dpkg-deb", "-R", deb, tree)
	control := filepath.Join(tree, "DEBIAN", "control")
	text, err := os.ReadFile(control)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "Version: ") {
			lines[i] = "Version: " + version
		}
	}
	if err := os.WriteFile(control, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	edit(tree)
	out := filepath.Join(dir, "bril_"+version+"_"+architecture(string(text))+".deb")
	host(t, "dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "-b", tree, out)
	return out
}

// architecture reads a package's control file.
func architecture(control string) string {
	for line := range strings.Lines(control) {
		if arch, ok := strings.CutPrefix(line, "Architecture: "); ok {
			return strings.TrimSpace(arch)
		}
	}
	return ""
}
