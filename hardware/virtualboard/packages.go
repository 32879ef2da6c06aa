package virtualboard

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// userland is what the guest gets beside the kernel, with all that it depends on.
var userland = []string{"busybox-static", "v4l-utils", "gpiod", "alsa-utils", "iproute2", "libasound2", "libturbojpeg0"}

// listsAge is how old apt's lists may be: a version that has been superseded
// vanishes from the archive.
const listsAge = 12 * time.Hour

// aptConfig keeps apt's state apart from the host's. amd64 is for the programs of
// the kernel's build system, which run on the host.
const aptConfig = `APT::Architecture "arm64";
APT::Architectures { "arm64"; "amd64"; };
APT::Sandbox::User "";
Dir::State "%[1]s";
Dir::State::lists "%[1]s/lists";
Dir::State::status "%[1]s/status";
Dir::Cache "%[1]s/cache";
Dir::Cache::archives "%[1]s/archives";
Debug::NoLocking "true";
`

// rootfs is the unpacked packages.
type rootfs struct {
	dir     string
	release string // of the kernel, such as 6.1.0-56-arm64
	series  string // such as 6.1
}

func (r rootfs) path(elem ...string) string {
	return filepath.Join(append([]string{r.dir}, elem...)...)
}
func (r rootfs) kernel() string   { return r.path("boot", "vmlinuz-"+r.release) }
func (r rootfs) headers() string  { return r.path("usr", "src", "linux-headers-"+r.release) }
func (r rootfs) modules() string  { return r.path("lib", "modules", r.release) }
func (r rootfs) archives() string { return filepath.Join(filepath.Dir(r.dir), "apt", "archives") }

// fetch downloads and unpacks the newest kernel of the host's Debian release.
func (b *builder) fetch(ctx context.Context) (rootfs, error) {
	apt := filepath.Join(b.cache, "apt")
	env, err := b.updateLists(ctx, apt)
	if err != nil {
		return rootfs{}, err
	}
	r, kernel, err := b.newestKernel(ctx, env)
	if err != nil {
		return rootfs{}, err
	}
	uris, err := b.outputWith(ctx, apt, env, slices.Concat([]string{"apt-get", "--print-uris", "-qq", "download"}, kernel)...)
	if err != nil {
		return rootfs{}, err
	}
	sum := sha256.Sum256([]byte(uris + strings.Join(userland, " ")))
	r.dir = filepath.Join(b.cache, "root-"+hex.EncodeToString(sum[:6]))
	if _, err := os.Stat(r.dir); err == nil {
		return r, nil
	}
	if err := b.download(ctx, env, r, kernel); err != nil {
		return rootfs{}, err
	}
	return r, b.unpack(ctx, r)
}

func (b *builder) updateLists(ctx context.Context, apt string) (env []string, err error) {
	for _, dir := range []string{"lists/partial", "cache", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(apt, dir), 0o755); err != nil {
			return nil, err
		}
	}
	config := filepath.Join(apt, "apt.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, aptConfig, apt), 0o644); err != nil {
		return nil, err
	}
	status, err := os.OpenFile(filepath.Join(apt, "status"), os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	if err := status.Close(); err != nil {
		return nil, err
	}
	env = []string{"APT_CONFIG=" + config, "LC_ALL=C"}
	stamp := filepath.Join(apt, "updated")
	if info, err := os.Stat(stamp); err == nil && time.Since(info.ModTime()) < listsAge {
		return env, nil
	}
	b.say("asking the Debian archive for its newest arm64 kernel")
	_, err = b.outputWith(ctx, apt, env, "apt-get", "-qq", "-o", "APT::Update::Error-Mode=any", "update")
	if err == nil {
		return env, os.WriteFile(stamp, nil, 0o644)
	}
	known, _ := filepath.Glob(filepath.Join(apt, "lists", "*_Packages*")) // the pattern is well-formed
	if len(known) == 0 || ctx.Err() != nil {
		return nil, err
	}
	b.say("going on with the lists of before: %v", err)
	return env, nil
}

// newestKernel follows the dependency of the meta package, and names the packages
// of kernel, headers, build system and source.
func (b *builder) newestKernel(ctx context.Context, env []string) (rootfs, []string, error) {
	out, err := b.outputWith(ctx, "", env, "apt-cache", "depends", "linux-image-arm64")
	if err != nil {
		return rootfs{}, nil, err
	}
	for line := range strings.Lines(out) {
		release, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: linux-image-")
		if !ok {
			continue
		}
		major, rest, _ := strings.Cut(release, ".")
		minor, _, _ := strings.Cut(rest, ".")
		r := rootfs{release: release, series: major + "." + minor}
		common := strings.TrimSuffix(release, "-arm64") + "-common"
		return r, []string{"linux-image-" + release, "linux-headers-" + release, "linux-headers-" + common,
			"linux-kbuild-" + r.series + ":amd64", "linux-source-" + r.series}, nil
	}
	return rootfs{}, nil, fmt.Errorf("apt-cache depends linux-image-arm64 names no kernel:\n%s", out)
}

func (b *builder) download(ctx context.Context, env []string, r rootfs, kernel []string) error {
	b.say("downloading kernel %s with its headers, and the guest's programs", r.release)
	old, err := filepath.Glob(filepath.Join(r.archives(), "*.deb"))
	if err != nil {
		return err
	}
	for _, deb := range old {
		if err := os.Remove(deb); err != nil {
			return err
		}
	}
	if err := b.get(ctx, r.archives(), env, "download", kernel...); err != nil {
		return err
	}
	return b.get(ctx, "", env, "install", append([]string{"-y", "--no-install-recommends", "--download-only"}, userland...)...)
}

// get runs a command of apt-get that downloads, and tells of each package.
func (b *builder) get(ctx context.Context, dir string, env []string, command string, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", slices.Concat([]string{"-q", command}, args)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "Get:") {
			b.say("%s", lines.Text())
		}
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("apt-get %s: %w\n%s", command, err, lastLines(said.String(), 20))
	}
	return nil
}

// unpack makes the root directory in one step, so that half of one is never taken
// for a whole, and removes those of older kernels.
func (b *builder) unpack(ctx context.Context, r rootfs) error {
	b.say("unpacking")
	older, err := filepath.Glob(filepath.Join(b.cache, "root-*"))
	if err != nil {
		return err
	}
	for _, dir := range older {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	debs, err := filepath.Glob(filepath.Join(r.archives(), "*.deb"))
	if err != nil {
		return err
	}
	half := r.dir + ".new"
	if err := os.RemoveAll(half); err != nil {
		return err
	}
	for _, deb := range debs {
		if _, err := b.output(ctx, "", "dpkg-deb", "-x", deb, half); err != nil {
			return err
		}
		if err := os.Remove(deb); err != nil {
			return err
		}
	}
	return os.Rename(half, r.dir)
}
