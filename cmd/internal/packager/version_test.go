package main

import (
	"os/exec"
	"testing"
	"time"
)

func TestDebianVersion(t *testing.T) {
	committed := time.Date(2026, 12, 1, 3, 20, 38, 0, time.FixedZone("", 3600))
	for describe, want := range map[string]string{
		"v1.2.0":                     "1.2.0",
		"1.2.0":                      "1.2.0",
		"v1.2.0-rc.1":                "1.2.0~rc.1",
		"v1.2.0-beta-2":              "1.2.0~beta.2",
		"v1.2.0-14-gabcdef0":         "1.2.0+14.gabcdef0",
		"v1.2.0-14-gabcdef0-dirty":   "1.2.0+14.gabcdef0+dirty",
		"v1.2.0-rc.1-3-gabcdef0":     "1.2.0~rc.1+3.gabcdef0",
		"abcdef0":                    "0~20261201.022038.gabcdef0",
		"1234567":                    "0~20261201.022038.g1234567",
		"abcdef0-dirty":              "0~20261201.022038.gabcdef0+dirty",
		"unknown":                    "0~20261201.022038",
		"":                           "0~20261201.022038",
		"release/2026; rm -rf /tmp/": "0~20261201.022038",
	} {
		if got := debianVersion(describe, committed); got != want {
			t.Errorf("%q: got %s, want %s", describe, got, want)
		}
	}
}

// Each version is newer than the one before, as dpkg sees it.
func TestDebianVersionsAscend(t *testing.T) {
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("no dpkg: ", err)
	}
	early, late := time.Unix(1_700_000_000, 0), time.Unix(1_700_000_060, 0)
	versions := []string{
		debianVersion("fffffff", early), debianVersion("0000000", late),
		debianVersion("v0.9.0-rc.1", early), debianVersion("v0.9.0", early), debianVersion("v0.9.0-2-g9999999", late),
		debianVersion("v0.9.0-10-g1111111", late), debianVersion("v0.9.1", late), debianVersion("v0.10.0", late),
	}
	for i := 1; i < len(versions); i++ {
		if err := exec.Command("dpkg", "--compare-versions", versions[i-1], "lt", versions[i]).Run(); err != nil {
			t.Errorf("%s is not older than %s: %v", versions[i-1], versions[i], err)
		}
	}
}

func TestNeededLibc(t *testing.T) {
	if v, ok := glibc("GLIBC_2.34"); !ok || v != [2]int{2, 34} {
		t.Errorf("got %v, %v", v, ok)
	}
	for _, other := range []string{"", "GLIBC_PRIVATE", "GLIBCXX_3.4", "GLIBC_2"} {
		if v, ok := glibc(other); ok {
			t.Errorf("%q: got %v", other, v)
		}
	}
	if _, err := neededLibc("version.go"); err == nil {
		t.Error("a text passes for a binary")
	}
}
