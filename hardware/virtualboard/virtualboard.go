// Package virtualboard is an emulated companion board for system tests: a real
// Debian kernel for arm64 under qemu, with the kernel's own virtual camera, a
// V4L2 H.264 encoder (folder venc), an ALSA loopback, GPIO lines, a key, an LED
// and a network. The arm64 programs that are shipped run in it unchanged.
//
//	image, err := virtualboard.Prepare(ctx, virtualboard.Config{Log: log})
//	board, err := image.Boot(ctx, virtualboard.BootConfig{Share: dir})
//	defer board.Close()
//	result, err := board.Run(ctx, "v4l2-ctl", "--list-devices")
//
// It is made of Debian packages only, which it fetches into a cache of its own:
// nothing of the host is touched but the listed tools (see MissingTools). The
// guest reaches the host's 127.0.0.1 as HostAddress, by TCP and UDP. Folder
// boardrun runs one command in it by hand, or a shell (make board-shell).
package virtualboard

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// HostAddress is where the guest finds the host's 127.0.0.1.
const HostAddress = "10.0.2.2"

// The lines of the board's GPIO chip, and what hangs on them.
const (
	Button1     = "BTN1"
	Button2     = "BTN2"
	Light       = "LED1" // the capture light
	StatusLight = "LED2"
)

// Config says where things are. Zero values mean the defaults.
type Config struct {
	// Cache holds what is fetched and built, some 700 MB; default
	// bril/virtualboard below os.UserCacheDir.
	Cache string
	// Log is told what is being done, one line a step; default nothing.
	Log func(line string)
}

// Image is a board that can be booted.
type Image struct {
	kernel     string // path of vmlinuz
	initramfs  string
	deviceTree string
	log        func(string)
}

// builder makes an image.
type builder struct {
	cache  string
	source string // folder of this package in the tree
	log    func(string)
}

func (b *builder) say(format string, args ...any) { b.log(fmt.Sprintf(format, args...)) }

// Prepare fetches and builds what the cache lacks: about a minute and 220 MB of
// downloads at the first time, two seconds afterwards. *MissingTools says what is
// to be installed on the host.
func Prepare(ctx context.Context, cfg Config) (*Image, error) {
	if err := checkTools(); err != nil {
		return nil, err
	}
	b := &builder{cache: cfg.Cache, log: cfg.Log}
	if b.log == nil {
		b.log = func(string) {}
	}
	if b.cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("find a place for the virtual board: %w", err)
		}
		b.cache = filepath.Join(dir, "bril", "virtualboard")
	}
	image, err := b.build(ctx)
	if err != nil {
		return nil, fmt.Errorf("prepare the virtual board: %w", err)
	}
	return image, nil
}

func (b *builder) build(ctx context.Context) (*Image, error) {
	var err error
	if b.source, err = b.goSource(ctx); err != nil {
		return nil, err
	}
	unlock, err := b.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	root, err := b.fetch(ctx)
	if err != nil {
		return nil, err
	}
	modules, err := b.modules(ctx, root)
	if err != nil {
		return nil, err
	}
	guest, err := b.guest(ctx)
	if err != nil {
		return nil, err
	}
	image := &Image{kernel: root.kernel(), log: b.log}
	if image.deviceTree, err = b.deviceTree(ctx); err != nil {
		return nil, err
	}
	image.initramfs, err = b.initramfs(root, modules, guest)
	return image, err
}

func (b *builder) goSource(ctx context.Context) (string, error) {
	out, err := b.output(ctx, "", "go", "list", "-f", "{{.Dir}}", "github.com/bril-edge/bril/hardware/virtualboard")
	return filepath.Clean(out), err
}

// guest builds the program that is the guest's first process.
func (b *builder) guest(ctx context.Context) (string, error) {
	path := filepath.Join(b.cache, "guest")
	b.say("building the guest's own program")
	env := []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=arm64"}
	_, err := b.outputWith(ctx, b.source, env, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", path, "./guest")
	return path, err
}
