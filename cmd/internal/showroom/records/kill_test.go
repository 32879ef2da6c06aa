package records

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func containsText(content []byte, text string) bool {
	return bytes.Contains(bytes.ToLower(content), bytes.ToLower([]byte(text)))
}

// The environment of the process that is killed.
const (
	killDir  = "BRIL_TEST_KILL_DIR"
	killWhat = "BRIL_TEST_KILL_WHAT" // erase or purge
	killAt   = "BRIL_TEST_KILL_AT"   // at the nth step
)

// TestKilled is the process that is killed; by itself it does nothing.
func TestKilled(t *testing.T) {
	dir := os.Getenv(killDir)
	if dir == "" {
		return
	}
	left, err := strconv.Atoi(os.Getenv(killAt))
	check(t, err)
	c := monday()
	c.now = c.now.Add(2 * week)
	d := open(t, dir, c)
	d.fault = func(string) error {
		if left--; left == 0 {
			return syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		return nil
	}
	if os.Getenv(killWhat) == "purge" {
		purge(t, d, c)
		return
	}
	scope, err := d.Find(t.Context(), anna().Email)
	check(t, err)
	_, err = d.Remove(t.Context(), scope, removeOutside(d))
	check(t, err)
}

// removeOutside is the others of a removal.
func removeOutside(d *DB) Others {
	return func(context.Context, Scope) error {
		if err := os.Remove(filepath.Join(d.dir, "outside")); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return d.at("outside removed")
	}
}

// finish is what each start does.
func finish(t *testing.T, d *DB) {
	t.Helper()
	pending, err := d.Pending(t.Context())
	check(t, err)
	_, err = d.Remove(t.Context(), pending, removeOutside(d))
	check(t, err)
}

func purge(t *testing.T, d *DB, c *clock) {
	t.Helper()
	_, err := d.Purge(t.Context(), c.now.Add(-week), removeOutside(d))
	check(t, err)
}

// Whenever the process dies, the next one finishes it. An erasure that had begun
// needs nobody to ask again.
func TestKillAtEachStep(t *testing.T) {
	from, c := prepared(t)
	for _, what := range []string{"erase", "purge"} {
		for step := 1; ; step++ {
			dir := copied(t, from)
			if !killed(t, dir, what, step) {
				if step < 8 {
					t.Errorf("%s has only %d steps", what, step)
				}
				break
			}
			d := open(t, dir, c)
			finish(t, d)
			if what == "purge" {
				purge(t, d, c)
			}
			wantNothing(t, dir)
			if pending, err := d.Pending(t.Context()); err != nil || !pending.Empty() {
				t.Errorf("%s, step %d: left to do: %+v, %v", what, step, pending, err)
			}
			check(t, d.Close())
		}
	}
}

// prepared is a directory with the story, two backups, and a file of others.
func prepared(t *testing.T) (dir string, c *clock) {
	t.Helper()
	dir, c = t.TempDir(), monday()
	d := open(t, dir, c)
	story(t, d, c)
	check(t, os.WriteFile(filepath.Join(dir, "outside"), []byte("zonneveld"), 0o600))
	for range 2 {
		c.now = c.now.Add(10 * 24 * time.Hour)
		_, err := d.Backup(t.Context())
		check(t, err)
	}
	check(t, d.Close())
	return dir, c
}

func copied(t *testing.T, from string) string {
	t.Helper()
	dir := t.TempDir()
	for path, content := range files(t, from) {
		to := filepath.Join(dir, strings.TrimPrefix(path, from))
		check(t, errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, content, 0o600)))
	}
	return dir
}

// killed runs the test binary again, and says whether it was killed at that step.
func killed(t *testing.T, dir, what string, step int) bool {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestKilled$", "-test.count=1")
	c.Env = append(os.Environ(), killDir+"="+dir, killWhat+"="+what, fmt.Sprintf("%s=%d", killAt, step))
	out, err := c.CombinedOutput()
	if err == nil {
		return false
	}
	if status, ok := c.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("%s, step %d: %v\n%s", what, step, err, out)
	}
	return true
}
