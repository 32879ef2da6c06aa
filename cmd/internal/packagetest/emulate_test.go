package packagetest

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

const binfmt = "/proc/sys/fs/binfmt_misc"

// foreign is how the kernel recognises an architecture's programs
// (docs.kernel.org, admin-guide/binfmt-misc), and who runs them.
var foreign = map[string]struct{ emulator, rule string }{
	"arm64": {"qemu-aarch64-static", `M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:` +
		`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`},
}

// emulate has the kernel run an architecture's programs until the test ends, unless
// it does already. The caller holds the lock of the cache.
func emulate(t *testing.T, arch string) {
	t.Helper()
	how, ok := foreign[arch]
	if !ok {
		t.Fatal("no rule to emulate ", arch)
	}
	emulator, err := exec.LookPath(how.emulator)
	if err != nil {
		lacking(t, "apt install qemu-user-static: ", err)
	}
	if _, err := os.Stat(binfmt + "/register"); errors.Is(err, fs.ErrNotExist) {
		if err := unix.Mount("binfmt_misc", binfmt, "binfmt_misc", 0, ""); err != nil {
			lacking(t, "this kernel runs no programs of other architectures: mount ", binfmt, ": ", err)
		}
		t.Cleanup(func() { _ = unix.Unmount(binfmt, 0) }) // another may use it now
	}
	for _, name := range []string{how.emulator[:len(how.emulator)-len("-static")], "bril-" + arch} {
		if _, err := os.Stat(binfmt + "/" + name); err == nil {
			return
		}
	}
	// F: opened now, so that it is found in a chroot; O and C: with the program's own
	// file and rights.
	name := "bril-" + arch
	if err := os.WriteFile(binfmt+"/register", []byte(":"+name+":"+how.rule+":"+emulator+":OCF"), 0); err != nil {
		lacking(t, "this kernel takes no emulator for ", arch, ": ", err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(binfmt+"/"+name, []byte("-1"), 0); err != nil {
			t.Error("forget the emulator: ", err)
		}
	})
}
