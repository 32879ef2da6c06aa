package soak

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// search looks for what must never be on the device's disk. Markers are long
// enough not to be met in encrypted bytes by chance.
type search struct {
	markers map[string][]byte
	seen    map[string]stamp // files that had none, as they were
	bytes   int64            // searched
}

type stamp struct {
	size int64
	at   time.Time
}

func newSearch(words ...string) *search {
	s := &search{seen: map[string]stamp{}, markers: map[string][]byte{
		"a JPEG's JFIF marker": []byte("JFIF\x00"),
		"a JPEG's Exif marker": []byte("Exif\x00\x00"),
		// The first Huffman table of ITU-T T.81, Annex K, which most JPEGs have.
		"a JPEG's tables":     {0xff, 0xc4, 0x00, 0x1f, 0x00, 0x00, 0x01, 0x05, 0x01},
		"an MP4's first box":  []byte("ftypi"),
		"an MP4's index":      []byte("mvhd\x00\x00\x00\x00"),
		"an MP4's fragment":   {'m', 'o', 'o', 'f', 0, 0, 0, 16, 'm', 'f', 'h', 'd'},
		"an MP4's H.264":      []byte("avcC\x01"),
		"an item's metadata":  []byte(`"content_type"`),
		"the metadata's type": []byte("image/jpeg"),
	}}
	for _, word := range words {
		s.markers[word] = []byte(word)
	}
	return s
}

// all searches folders and returns what it found.
func (s *search) all(dirs ...string) (found []string, err error) {
	for _, dir := range dirs {
		err = errors.Join(err, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			what, err := s.file(path)
			if what != "" {
				found = append(found, fmt.Sprintf("%s in %s", what, path))
			}
			return err
		}))
	}
	return found, err
}

// file searches one file, its name too, unless it has not changed.
func (s *search) file(path string) (found string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	now := stamp{info.Size(), info.ModTime()}
	if s.seen[path] == now {
		return "", nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	s.bytes += int64(len(data))
	if found := s.in(append(data, path...)); found != "" {
		return found, nil
	}
	s.seen[path] = now
	return "", nil
}

// in says what of it there is in data.
func (s *search) in(data []byte) string {
	for what, marker := range s.markers {
		if bytes.Contains(data, marker) {
			return what
		}
	}
	return ""
}

// TestSearch plants each thing that is searched for, amid a file.
func TestSearch(t *testing.T) {
	s := newSearch("anna-7", "Glasses 12")
	for what, marker := range s.markers {
		dir := t.TempDir()
		path := filepath.Join(dir, "spool", "x.ready")
		write(t, path, bytes.Repeat([]byte{0xa5}, 100_000))
		if found, err := s.all(dir); err != nil || len(found) != 0 {
			t.Errorf("%s is found where it is not: %q, %v", what, found, err)
		}
		write(t, path, append(append(bytes.Repeat([]byte{0xa5}, 65_530), marker...), "and more"...))
		if found, err := s.all(dir); err != nil || len(found) != 1 {
			t.Errorf("%s is not found: %q, %v", what, found, err)
		}
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
