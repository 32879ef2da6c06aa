package virtualboard

import (
	"context"
	_ "embed"
	"os"
	"path/filepath"
	"strconv"
)

//go:embed board.dtsi
var boardTree string

// The machine that qemu emulates: its device tree belongs to just these.
const (
	processors = 1 // a second one makes everything slower under emulation
	megabytes  = 1024
)

func machine() []string {
	return []string{"-M", "virt,gic-version=3", "-cpu", "cortex-a53",
		"-smp", strconv.Itoa(processors), "-m", strconv.Itoa(megabytes)}
}

// deviceTree appends the board's own devices to qemu's, and returns its path.
func (b *builder) deviceTree(ctx context.Context) (string, error) {
	dir, err := os.MkdirTemp("", "bril-tree-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	dtb, dts := filepath.Join(dir, "virt.dtb"), filepath.Join(dir, "board.dts")
	args := append([]string{"qemu-system-aarch64", "-nodefaults", "-display", "none"}, machine()...)
	args[5] += ",dumpdtb=" + dtb
	if _, err := b.output(ctx, "", args...); err != nil {
		return "", err
	}
	text, err := b.output(ctx, "", "dtc", "-q", "-I", "dtb", "-O", "dts", dtb)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(dts, []byte(text+"\n"+boardTree), 0o644); err != nil {
		return "", err
	}
	if _, err := b.output(ctx, "", "dtc", "-q", "-I", "dts", "-O", "dtb", "-o", dtb, dts); err != nil {
		return "", err
	}
	tree, err := os.ReadFile(dtb)
	if err != nil {
		return "", err
	}
	return b.keep("tree", tree)
}
