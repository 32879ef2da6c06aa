package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bril-edge/bril/configs"
)

// before is the configuration file as setup finds it.
type before struct {
	cfg    configs.Config
	set    []string // its keys
	exists bool
}

// read reads the file; one that is not there is an empty one.
func read(path string) (b before, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return before{cfg: configs.Default()}, nil
	}
	if err != nil {
		return b, fmt.Errorf("read the configuration: %w", err)
	}
	if b.cfg, err = configs.Parse(data, path); err != nil {
		return b, hinted{err, "mend it, or move it away: setup writes another one"}
	}
	b.exists = true
	b.set, err = configs.Keys(data)
	return b, err
}

// text is the file for a configuration: what is set, with the reasons.
func text(cfg configs.Config, set []string, lines []Line) ([]byte, error) {
	keep := map[string]string{}
	for _, key := range set {
		keep[key] = asItWas
	}
	for _, line := range lines {
		keep[line.Key] = line.Reason
	}
	body, err := cfg.Only(keep)
	if err != nil {
		return nil, err
	}
	const head = "# Written by bril setup. Every other key has its default; all of them are in\n# `bril config show --reference`.\n"
	return append([]byte(head), body...), nil
}

// Old is what stands behind the name of the file that setup keeps.
const Old = ".old"

// write replaces the file at once, or not at all, and keeps the one of before beside
// it.
func write(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return asRoot(fmt.Errorf("write the configuration: %w", err))
	}
	temporary, err := os.CreateTemp(dir, ".bril-setup-")
	if err != nil {
		return asRoot(fmt.Errorf("write the configuration: %w", err))
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write the configuration: %w", errors.Join(err, os.Remove(temporary.Name())))
		}
	}()
	_, err = temporary.Write(data)
	// Anybody may read it: it names files with secrets, and holds none.
	err = errors.Join(err, temporary.Chmod(0o644), temporary.Sync(), temporary.Close())
	if err != nil {
		return err
	}
	if err := keep(path); err != nil {
		return err
	}
	if err := os.Rename(temporary.Name(), path); err != nil {
		return err
	}
	return sync(dir)
}

// keep gives the file a second name.
func keep(path string) error {
	if err := os.Remove(path + Old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Link(path, path+Old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func sync(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// asRoot says who may write there.
func asRoot(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return hinted{err, "sudo bril setup, or --config FILE in a place of yours"}
	}
	return err
}
