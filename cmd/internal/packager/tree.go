package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/bril-edge/bril/cmd/internal/cli"
	"github.com/bril-edge/bril/cmd/internal/manual"
	"github.com/bril-edge/bril/uplink/enrol/keyfile"
)

// tree is where the package's generated files are put together: the binary at its
// top, and share as /usr/share.
type tree struct {
	dir  string
	date time.Time
}

func (t tree) fill(binary, key string) error {
	if err := t.copy("bril", binary); err != nil {
		return err
	}
	if err := t.manual(); err != nil {
		return err
	}
	if err := t.documents(); err != nil {
		return err
	}
	if key == "" {
		return nil
	}
	return t.provisionKey(key)
}

// manual writes what the commands say of themselves.
func (t tree) manual() error {
	pages := filepath.Join(t.dir, "pages")
	if err := manual.Pages(pages, cli.Root(app()), t.date); err != nil {
		return err
	}
	list, err := filepath.Glob(filepath.Join(pages, "*.1"))
	if err != nil {
		return err
	}
	for _, page := range list {
		if err := t.compress("share/man/man1/"+filepath.Base(page)+".gz", page); err != nil {
			return err
		}
	}
	return manual.Completions(filepath.Join(t.dir, "share"), cli.Root(app()))
}

func (t tree) documents() error {
	for name, source := range map[string]string{
		"bril.yaml": "configs/bril.yaml", "README.md": "README.md", "CHANGELOG.md": "CHANGELOG.md",
		"NOTICE": "NOTICE", "copyright": "configs/package/copyright",
	} {
		if err := t.copy("share/doc/bril/"+name, source); err != nil {
			return err
		}
	}
	if err := t.copy("share/bril/bril.schema.json", "configs/bril.schema.json"); err != nil { // the reference names it
		return err
	}
	pages, err := filepath.Glob("cmd/bril/doc/*.md")
	if err != nil {
		return err
	}
	for _, page := range pages {
		if err := t.copy("share/doc/bril/"+filepath.Base(page), page); err != nil {
			return err
		}
	}
	return nil
}

func (t tree) copy(name, source string) error {
	data, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	return t.write(name, data)
}

// compress has no name and no time in the file, as Debian's `gzip -9n`.
func (t tree) compress(name, source string) error {
	data, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return t.write(name, b.Bytes())
}

func (t tree) write(name string, data []byte) error {
	path := filepath.Join(t.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// provisionKey refuses all but public keys: a private one in a package would be
// everybody's.
func (t tree) provisionKey(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("PROVISION_KEY: %w", err)
	}
	if _, err := keyfile.ParsePublic(data); err != nil {
		return fmt.Errorf("PROVISION_KEY %s: %w", path, err)
	}
	return t.write("share/bril/provision.pub", data)
}
