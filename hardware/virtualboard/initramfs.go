package virtualboard

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// programs of the packages that the guest gets, by their path there.
var programs = []string{
	"bin/busybox", "usr/bin/v4l2-ctl", "usr/bin/v4l2-compliance", "usr/bin/gpioinfo", "usr/bin/gpioset",
	"usr/bin/gpioget", "usr/bin/aplay", "usr/bin/arecord", "bin/ip", "sbin/tc",
}

// loaded are libraries that the agent opens while it runs.
var loaded = []string{"libasound.so.2", "libturbojpeg.so.0", "libm.so.6", "libdl.so.2", "libpthread.so.0"}

// wanted are the modules that the guest loads, in this order; what each depends on
// comes before it. What the kernel has built in is skipped.
var wanted = []string{
	"virtio_mmio", "virtio_pci", "virtio_net", "virtio_rng", "virtio_console", "9pnet_virtio", "9p", "configfs",
	"videodev", "videobuf2_common", "videobuf2_v4l2", "videobuf2_dma_contig", "vivid", "v4l2_mem2mem", "videobuf2_vmalloc", "bril_venc",
	"snd_aloop", "gpio_sim", "evdev", "gpio_keys", "leds_gpio", "sch_netem", "uinput",
	"loop", "crc32c_generic", "ext4", // a disk that can be stopped; ext4 asks for crc32c by its name only
}

// groups are what programs look up by name: ALSA wants its own.
const groups = "root:x:0:\naudio:x:29:\nvideo:x:44:\n"

const libraries = "lib/aarch64-linux-gnu"

// tree collects what goes into an initramfs.
type tree struct {
	root  rootfs
	files map[string][]byte // by path in the guest
	modes map[string]bool   // is a program
	links map[string]string
	order []string // modules, as they are to be loaded
}

// initramfs assembles the guest's file system and returns its path.
func (b *builder) initramfs(r rootfs, built, guest string) (string, error) {
	b.say("assembling the guest's file system")
	t := &tree{root: r, files: map[string][]byte{}, modes: map[string]bool{}, links: map[string]string{}}
	if err := t.fill(built, guest); err != nil {
		return "", err
	}
	image, err := t.zip()
	if err != nil {
		return "", err
	}
	return b.keep("initramfs", image)
}

func (t *tree) fill(built, guest string) error {
	for _, p := range programs {
		if err := t.program(p); err != nil {
			return err
		}
	}
	for _, l := range loaded {
		if err := t.library(l); err != nil {
			return err
		}
	}
	if err := t.folder("usr/share/alsa"); err != nil {
		return err
	}
	t.files["etc/group"] = []byte(groups)
	t.files["etc/passwd"] = []byte("root:x:0:0::/root:/bin/sh\n")
	init, err := os.ReadFile(guest)
	if err != nil {
		return err
	}
	t.files["init"], t.modes["init"] = init, true
	modules, err := findModules(t.root.modules(), built)
	if err != nil {
		return err
	}
	for _, m := range wanted {
		if err := t.module(m, modules); err != nil {
			return err
		}
	}
	t.files["modules"] = []byte(strings.Join(t.order, "\n") + "\n")
	return nil
}

// program adds a file of the packages with the libraries that it needs.
func (t *tree) program(name string) error {
	if _, done := t.files[name]; done {
		return nil
	}
	data, err := os.ReadFile(t.root.path(name))
	if err != nil {
		return err
	}
	t.files[name], t.modes[name] = data, true
	return t.needs(name, data)
}

// needs adds the libraries and the loader that an ELF file names.
func (t *tree) needs(name string, data []byte) error {
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	names, err := f.ImportedLibraries()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return fmt.Errorf("read what %s needs: %w", name, err)
	}
	for _, l := range names {
		if err := t.library(l); err != nil {
			return err
		}
	}
	if s := f.Section(".interp"); s != nil {
		interp, err := s.Data()
		if err != nil {
			return fmt.Errorf("read the loader of %s: %w", name, err)
		}
		loader := strings.Trim(string(interp), "\x00")
		if base := path.Base(loader); path.Dir(loader) == "/lib" {
			t.links["lib/"+base] = "/" + libraries + "/" + base
			return t.library(base)
		}
	}
	return nil
}

func (t *tree) library(name string) error {
	to := libraries + "/" + name
	if _, done := t.files[to]; done {
		return nil
	}
	for _, dir := range []string{libraries, "usr/" + libraries, "lib"} {
		data, err := os.ReadFile(t.root.path(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		t.files[to], t.modes[to] = data, true
		return t.needs(to, data)
	}
	return fmt.Errorf("library %s: %w in the packages", name, fs.ErrNotExist)
}

func (t *tree) folder(name string) error {
	root := os.DirFS(t.root.dir)
	return fs.WalkDir(root, name, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		t.files[p], err = fs.ReadFile(root, p)
		return err
	})
}

// findModules returns the files of all modules by name; built ones win.
func findModules(dirs ...string) (map[string]string, error) {
	found := map[string]string{}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err == nil && strings.Contains(d.Name(), ".ko") {
				found[moduleName(p)] = p
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (t *tree) module(name string, all map[string]string) error {
	if slices.Contains(t.order, name) {
		return nil
	}
	file, ok := all[name]
	if !ok {
		return t.builtIn(name)
	}
	data, err := readModule(file)
	if err != nil {
		return err
	}
	for _, needed := range dependencies(data) {
		if err := t.module(needed, all); err != nil {
			return err
		}
	}
	t.order = append(t.order, name)
	t.files["lib/modules/"+name+".ko"] = data
	return nil
}

// builtIn says whether the kernel has a module without loading it.
func (t *tree) builtIn(name string) error {
	list, err := os.ReadFile(filepath.Join(t.root.modules(), "modules.builtin"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(list)) {
		if moduleName(strings.TrimSpace(line)) == name {
			return nil
		}
	}
	return fmt.Errorf("kernel %s has no module %s", t.root.release, name)
}

func readModule(file string) ([]byte, error) {
	if !strings.HasSuffix(file, ".xz") {
		return os.ReadFile(file)
	}
	data, err := exec.Command("xz", "-dc", file).Output()
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", file, err)
	}
	return data, nil
}

// dependencies reads the modules that one needs out of its .modinfo section.
func dependencies(module []byte) []string {
	f, err := elf.NewFile(bytes.NewReader(module))
	if err != nil {
		return nil
	}
	s := f.Section(".modinfo")
	if s == nil {
		return nil
	}
	info, err := s.Data()
	if err != nil {
		return nil
	}
	for field := range bytes.SplitSeq(info, []byte{0}) {
		if list, ok := bytes.CutPrefix(field, []byte("depends=")); ok && len(list) > 0 {
			return strings.Split(strings.ReplaceAll(string(list), "-", "_"), ",")
		}
	}
	return nil
}

func (t *tree) zip() ([]byte, error) {
	var out bytes.Buffer
	zip, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	err = errors.Join(t.archive(&cpio{w: zip}), zip.Close())
	return out.Bytes(), err
}

func (t *tree) archive(c *cpio) error {
	for _, dir := range t.dirs() {
		c.dir(dir)
	}
	for _, name := range sorted(t.files) {
		if t.modes[name] {
			c.program(name, t.files[name])
		} else {
			c.document(name, t.files[name])
		}
	}
	for _, name := range sorted(t.links) {
		c.link(name, t.links[name])
	}
	return c.close()
}

// dirs returns all directories, each after the one that it is in.
func (t *tree) dirs() []string {
	all := map[string]bool{}
	for _, d := range []string{"dev", "proc", "sys", "tmp", "run", "host", "root", "etc", "var"} {
		all[d] = true
	}
	for _, names := range [][]string{sorted(t.files), sorted(t.links)} {
		for _, name := range names {
			for d := path.Dir(name); d != "."; d = path.Dir(d) {
				all[d] = true
			}
		}
	}
	return sorted(all)
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
