package packagetest

import (
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestArchitectures: each package holds a program of its own architecture, which says
// the version that the package has.
func TestArchitectures(t *testing.T) {
	if os.Getenv("BRIL_PACKAGES") == "" {
		t.Skip("make test-package runs this")
	}
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "armhf": elf.EM_ARM} {
		deb := built(t, arch)
		if got := strings.TrimSpace(host(t, "dpkg-deb", "-f", deb, "Architecture")); got != arch {
			t.Errorf("%s is for %s", deb, got)
		}
		dir := t.TempDir()
		host(t, "dpkg-deb", "-x", deb, dir)
		f, err := elf.Open(filepath.Join(dir, "usr/bin/bril"))
		if err != nil {
			t.Fatal(err)
		}
		if f.Machine != machine {
			t.Errorf("%s holds a program for %v", deb, f.Machine)
		}
		libraries, err := f.ImportedLibraries()
		if err != nil {
			t.Fatal(err)
		}
		// A board has these; what else is needed is loaded where there is one.
		for _, l := range libraries {
			if !strings.HasPrefix(l, "libc.so") && !strings.HasPrefix(l, "libm.so") && !strings.HasPrefix(l, "libdl.so") &&
				!strings.HasPrefix(l, "libpthread.so") && !strings.HasPrefix(l, "librt.so") && !strings.HasPrefix(l, "ld-linux") {
				t.Errorf("%s needs %s", deb, l)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestReproducible makes a package twice, at other times and for other people.
func TestReproducible(t *testing.T) {
	if os.Getenv("BRIL_PACKAGES") == "" {
		t.Skip("make test-package runs this")
	}
	deb := built(t, "amd64")
	dir := t.TempDir()
	host(t, "dpkg-deb", "-x", deb, dir+"/tree")
	packager := filepath.Join(dir, "packager")
	goTool := func(args ...string) {
		t.Helper()
		if out, err := runFor(t.Context(), 5*time.Minute, "env", append([]string{"PATH=" + os.Getenv("PATH"), "go"}, args...)...); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	goTool("build", "-tags", "netgo,osusergo,nethttpomithttp2,nodemo", "-o", packager, "../packager")
	var made [2][]byte
	for i, how := range []string{"umask 022; export TZ=UTC", "umask 077; export TZ=Asia/Tokyo HOME=" + dir + "/home"} {
		out := filepath.Join(dir, string(rune('a'+i)))
		script := how + "; export PATH=" + os.Getenv("PATH") + " GOCACHE=$1 GOMODCACHE=$2 SOURCE_DATE_EPOCH=1700000000; cd ../../.. && exec " + packager +
			" -arch amd64 -binary " + dir + "/tree/usr/bin/bril -version v1.0.0 -out " + out
		host(t, "sh", "-c", script, "sh", strings.TrimSpace(goEnv(t, "GOCACHE")), strings.TrimSpace(goEnv(t, "GOMODCACHE")))
		data, err := os.ReadFile(filepath.Join(out, "bril_1.0.0_amd64.deb"))
		if err != nil {
			t.Fatal(err)
		}
		made[i] = data
	}
	if string(made[0]) != string(made[1]) {
		t.Errorf("the same commit makes two packages, of %d and %d bytes", len(made[0]), len(made[1]))
	}
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := runFor(t.Context(), time.Minute, "env", "PATH="+os.Getenv("PATH"), "go", "env", name)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
