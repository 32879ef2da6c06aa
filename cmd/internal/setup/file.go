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

// write replaces the file, and keeps the one of before beside it. Anybody may read it:
// it names files with secrets, and holds none.
func write(path string, data []byte) error {
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = replace(path, data, 0o644, func() error { return keep(path) })
	}
	if err != nil {
		return asRoot(fmt.Errorf("write the configuration: %w", err))
	}
	return nil
}

// replace puts a new file in the place of one at once, or not at all; before is done
// when it is ready. What root has others name, as in /tmp, is never opened: a link or
// the mode of another's file counts for nothing.
func replace(path string, data []byte, mode os.FileMode, before func() error) (err error) {
	dir := filepath.Dir(path)
	temporary, err := os.CreateTemp(dir, ".bril-setup-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temporary.Name()))
		}
	}()
	_, err = temporary.Write(data)
	if err = errors.Join(err, temporary.Chmod(mode), temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	if err := before(); err != nil {
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
