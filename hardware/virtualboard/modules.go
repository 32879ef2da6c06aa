package virtualboard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// simulatedGPIO are the files of the kernel's source that make gpio-sim, which
// Debian leaves out of 6.1, and the interrupt simulator that it stands on.
var simulatedGPIO = []string{"drivers/gpio/gpio-sim.c", "drivers/gpio/gpiolib.h", "kernel/irq/irq_sim.c"}

var byDescriptor = regexp.MustCompile(`handle_simple_irq\(irq_to_desc\((\w+)\)\)`)

const simulatedGPIOKbuild = `obj-m := gpio-sim.o
gpio-sim-y := sim.o irq_sim.o
ccflags-y := -I$(src)
`

// modules builds what the kernel's package lacks, and returns the folder of the
// built modules.
func (b *builder) modules(ctx context.Context, r rootfs) (string, error) {
	if err := b.useHeaders(r); err != nil {
		return "", err
	}
	dir := r.path("built")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if !hasGPIO(r.modules(), dir) {
		b.say("building gpio-sim for %s", r.release)
		if err := b.buildGPIO(ctx, r, dir); err != nil {
			return "", err
		}
	}
	return dir, b.buildEncoder(ctx, r, dir)
}

// hasGPIO says whether gpio-sim is there: shipped, as kernels of newer Debian
// releases have it, or built before.
func hasGPIO(dirs ...string) bool {
	all, err := findModules(dirs...)
	return err == nil && all["gpio_sim"] != ""
}

// useHeaders makes the packages find each other where they were unpacked.
func (b *builder) useHeaders(r rootfs) error {
	makefile := filepath.Join(r.headers(), "Makefile")
	text, err := os.ReadFile(makefile)
	if err != nil {
		return err
	}
	text = bytes.ReplaceAll(text, []byte("include /usr/src"), []byte("include "+r.path("usr", "src")))
	return os.WriteFile(makefile, text, 0o644)
}

// buildGPIO takes gpio-sim from the kernel's source. Outside of the kernel it gets
// a copy of the interrupt simulator, and asks for an interrupt by its number, as
// descriptors are not to be had from modules.
func (b *builder) buildGPIO(ctx context.Context, r rootfs, to string) error {
	work, err := os.MkdirTemp(b.cache, "gpio-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	archive := r.path("usr", "src", "linux-source-"+r.series+".tar.xz")
	args := []string{"tar", "-xJf", archive, "--strip-components=1", "-C", work}
	for _, file := range simulatedGPIO {
		args = append(args, "linux-source-"+r.series+"/"+file)
	}
	if _, err := b.output(ctx, "", args...); err != nil {
		return err
	}
	for _, file := range simulatedGPIO {
		if err := os.Rename(filepath.Join(work, file), filepath.Join(work, filepath.Base(file))); err != nil {
			return err
		}
	}
	if err := adaptGPIO(work); err != nil {
		return err
	}
	return b.makeModule(ctx, r, work, "gpio-sim.ko", to)
}

func adaptGPIO(work string) error {
	simulator := filepath.Join(work, "irq_sim.c")
	text, err := os.ReadFile(simulator)
	if err != nil {
		return err
	}
	adapted := byDescriptor.ReplaceAll(text, []byte("generic_handle_irq($1)"))
	return errors.Join(
		os.WriteFile(simulator, adapted, 0o644),
		os.Rename(filepath.Join(work, "gpio-sim.c"), filepath.Join(work, "sim.c")),
		os.WriteFile(filepath.Join(work, "Kbuild"), []byte(simulatedGPIOKbuild), 0o644))
}

// buildEncoder builds venc again whenever its source has changed.
func (b *builder) buildEncoder(ctx context.Context, r rootfs, to string) error {
	source := filepath.Join(b.source, "venc")
	sum, err := hash(os.DirFS(source))
	if err != nil {
		return err
	}
	stamp := filepath.Join(to, "bril_venc.sum")
	if built, err := os.ReadFile(stamp); err == nil && string(built) == sum {
		return nil
	}
	b.say("building the test encoder for %s", r.release)
	work, err := os.MkdirTemp(b.cache, "venc-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.CopyFS(filepath.Join(work, "venc"), os.DirFS(source)); err != nil {
		return err
	}
	if err := b.makeModule(ctx, r, filepath.Join(work, "venc"), "bril_venc.ko", to); err != nil {
		return err
	}
	return os.WriteFile(stamp, []byte(sum), 0o644)
}

func hash(tree fs.FS) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(tree, path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(data), data)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}

func (b *builder) makeModule(ctx context.Context, r rootfs, work, module, to string) error {
	if _, err := b.output(ctx, "", "make", "-s", "-j2", "-C", r.headers(), "M="+work, "ARCH=arm64",
		"CROSS_COMPILE=aarch64-linux-gnu-", "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules"); err != nil {
		return err
	}
	built := filepath.Join(work, module)
	if _, err := b.output(ctx, "", "aarch64-linux-gnu-strip", "-g", built); err != nil {
		return err
	}
	data, err := os.ReadFile(built)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, module), data, 0o644)
}

// moduleName is the kernel's: with underscores, without what follows it.
func moduleName(path string) string {
	name, _, _ := strings.Cut(filepath.Base(path), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}
