// Packager makes the Debian package of one architecture from a binary that was
// built before. `make package` runs it from the top of the project.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/cmd/internal/cli"
	"github.com/bril-edge/bril/cmd/internal/manual"
)

func main() {
	var j job
	flag.StringVar(&j.arch, "arch", "", "Debian's name of the architecture, such as arm64")
	flag.StringVar(&j.binary, "binary", "", "bril for it")
	flag.StringVar(&j.describe, "version", "", "what git describe says")
	flag.StringVar(&j.out, "out", "dist", "directory for the package")
	flag.StringVar(&j.key, "provision-key", "", "file with the public key of provisioning codes")
	pages := flag.String("pages", "", "write only the man pages, to this directory")
	flag.Parse()
	unix.Umask(0o022) // what is staged is packaged with its modes
	var err error
	if *pages != "" {
		err = writePages(*pages)
	} else {
		err = j.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "make:", err)
		os.Exit(1)
	}
}

func writePages(dir string) error {
	committed, err := commitTime()
	if err != nil {
		return err
	}
	return manual.Pages(dir, cli.Root(app()), committed)
}

// app is for a tree of commands of which none runs.
func app() cli.App { return cli.App{Stdout: io.Discard, Stderr: io.Discard} }

// job is one package.
type job struct {
	arch, binary, describe, out, key string
}

// run prints the path of the package that it made.
func (j job) run() error {
	committed, err := commitTime()
	if err != nil {
		return err
	}
	libc, err := neededLibc(j.binary)
	if err != nil {
		return err
	}
	stage, err := os.MkdirTemp("", "bril-package-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(stage)
	if err := (tree{stage, committed}).fill(j.binary, j.key); err != nil {
		return err
	}
	version := debianVersion(j.describe, committed)
	path := filepath.Join(j.out, fmt.Sprintf("bril_%s_%s.deb", version, j.arch))
	if err := os.MkdirAll(j.out, 0o755); err != nil {
		return err
	}
	if err := nfpm(path, map[string]string{
		"ARCH": j.arch, "VERSION": version, "LIBC": libc, "STAGE": stage,
		"SOURCE_DATE_EPOCH": strconv.FormatInt(committed.Unix(), 10),
	}); err != nil {
		return err
	}
	fmt.Println(path)
	return nil
}

// nfpm has a module of its own, so that none of what it needs is in the project's.
func nfpm(path string, set map[string]string) error {
	cmd := exec.Command("go", "tool", "-modfile", "configs/package/tool/go.mod", "nfpm",
		"package", "--config", "configs/package/nfpm.yaml", "--packager", "deb", "--target", path)
	cmd.Env = os.Environ()
	for name, value := range set {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nfpm: %w\n%s", err, out)
	}
	return nil
}

// commitTime is when the commit was made that is packaged, so that the same commit
// makes the same package; SOURCE_DATE_EPOCH stands before it
// (reproducible-builds.org/specs/source-date-epoch).
func commitTime() (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		out, err := exec.Command("git", "log", "-1", "--format=%ct").Output()
		if err != nil {
			return time.Time{}, fmt.Errorf("ask git when the commit was made (outside of git, set SOURCE_DATE_EPOCH): %w", err)
		}
		text = strings.TrimSpace(string(out))
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 {
		return time.Time{}, errors.New("SOURCE_DATE_EPOCH is not a number of seconds: " + text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}
