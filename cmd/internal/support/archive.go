package support

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
)

// Write packs the bundle: a folder of its name, and the files in it in their order.
func (b *Bundle) Write(w io.Writer) error {
	zip := gzip.NewWriter(w)
	archive := tar.NewWriter(zip)
	for _, e := range b.Entries {
		header := &tar.Header{Name: b.Name + "/" + e.Name, Typeflag: tar.TypeReg, Mode: 0o600, Size: int64(len(e.data)), ModTime: b.Time.UTC()}
		if err := archive.WriteHeader(header); err != nil {
			return fmt.Errorf("pack %s: %w", e.Name, err)
		}
		if _, err := archive.Write(e.data); err != nil {
			return fmt.Errorf("pack %s: %w", e.Name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("pack the bundle: %w", err)
	}
	if err := zip.Close(); err != nil {
		return fmt.Errorf("pack the bundle: %w", err)
	}
	return nil
}

// WriteFile packs the bundle into a new file that only this user may read. What
// cannot be written whole is not there.
func (b *Bundle) WriteFile(path string) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	if err = errors.Join(b.Write(f), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}
