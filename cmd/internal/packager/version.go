package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// What `git describe --tags --always --dirty` prints is a tag, perhaps the number of
// commits since and their hash; or a hash where there is no tag.
var (
	tagged   = regexp.MustCompile(`^v?([0-9][0-9A-Za-z.+~]*)(?:-([0-9A-Za-z.-]+))?$`)
	since    = regexp.MustCompile(`^(.+)-([0-9]+)-g([0-9a-f]+)$`)
	hashOnly = regexp.MustCompile(`^[0-9a-f]{7,40}$`)
)

// debianVersion returns a version as Debian's policy (5.6.12) allows, that is newer
// than those of earlier commits. Without a tag it is older than all with one.
//
//	v1.2.0                1.2.0
//	v1.2.0-rc.1           1.2.0~rc.1
//	v1.2.0-14-gabcdef0    1.2.0+14.gabcdef0
//	abcdef0-dirty         0~20261201.022038.gabcdef0+dirty
func debianVersion(describe string, committed time.Time) string {
	describe, dirty := strings.CutSuffix(describe, "-dirty")
	version := cleanVersion(describe, committed)
	if dirty {
		version += "+dirty"
	}
	return version
}

func cleanVersion(describe string, committed time.Time) string {
	untagged := "0~" + committed.UTC().Format("20060102.150405")
	if hashOnly.MatchString(describe) {
		return untagged + ".g" + describe
	}
	suffix := ""
	if m := since.FindStringSubmatch(describe); m != nil {
		describe, suffix = m[1], "+"+m[2]+".g"+m[3]
	}
	m := tagged.FindStringSubmatch(describe)
	if m == nil {
		return untagged
	}
	version := m[1]
	if m[2] != "" { // a version before it
		version += "~" + strings.ReplaceAll(m[2], "-", ".")
	}
	return version + suffix
}

// neededLibc returns the oldest version of the C library that runs a program.
func neededLibc(path string) (string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return "", fmt.Errorf("read the binary: %w", err)
	}
	defer f.Close()
	symbols, err := f.ImportedSymbols()
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	newest := [2]int{}
	for _, s := range symbols {
		if v, ok := glibc(s.Version); ok && (v[0] > newest[0] || v[0] == newest[0] && v[1] > newest[1]) {
			newest = v
		}
	}
	if newest == [2]int{} {
		return "", fmt.Errorf("read %s: %w", path, errors.New("no symbol of the C library"))
	}
	return fmt.Sprintf("%d.%d", newest[0], newest[1]), nil
}

// glibc reads GLIBC_2.34.
func glibc(version string) (v [2]int, ok bool) {
	text, ok := strings.CutPrefix(version, "GLIBC_")
	if !ok {
		return v, false
	}
	parts := strings.Split(text, ".")
	if len(parts) < 2 {
		return v, false
	}
	for i := range v {
		n, err := strconv.Atoi(parts[i])
		if err != nil {
			return v, false
		}
		v[i] = n
	}
	return v, true
}
