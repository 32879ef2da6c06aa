package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/cmd/internal/doctor"
)

// readSecrets reads the files with secrets that the configuration names, and forgets
// what they hold.
func (e *exam) readSecrets() error {
	if _, err := token(e.cfg.Uplink); err != nil {
		return err
	}
	_, err := iceServers(e.cfg.Uplink.ICEServers)
	return err
}

func (e *exam) checkConfiguration(context.Context) doctor.Verdict {
	var warnings []string
	if e.broken == nil {
		for _, w := range e.cfg.Warnings() {
			warnings = append(warnings, w.Error())
		}
	}
	path := e.opts.ConfigPath
	if path == "" && !e.alone { // it was told what is in it
		path = "that of the daemon"
	}
	return doctor.JudgeConfiguration(path, cmp.Or(e.broken, e.secrets), warnings)
}

const syncs = 5

// checkDisk writes a little where the daemon keeps its files, in a file without a name,
// which is gone when it is closed.
func (e *exam) checkDisk(ctx context.Context) doctor.Verdict {
	r := doctor.DiskReading{Dir: existing(e.opts.StateDir)}
	var st unix.Statfs_t
	if err := unix.Statfs(r.Dir, &st); err != nil {
		r.Err = fmt.Errorf("look at %s: %w", r.Dir, err)
		return doctor.JudgeDisk(r)
	}
	r.Free = int64(st.Bavail) * int64(st.Bsize)
	r.Sync, r.Err = e.timeSync(ctx, r.Dir)
	return doctor.JudgeDisk(r)
}

// existing is a folder, or the one that it would be made in.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// timeSync returns the median time until a block is safe.
func (e *exam) timeSync(ctx context.Context, dir string) (time.Duration, error) {
	f, err := nameless(dir)
	if err != nil {
		return 0, fmt.Errorf("write to %s: %w", dir, err)
	}
	defer f.Close()
	var took []time.Duration
	for range syncs {
		begun := e.probes.now()
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return 0, fmt.Errorf("write to %s: %w", dir, err)
		}
		if err := e.probes.sync(f); err != nil {
			return 0, fmt.Errorf("make what was written to %s safe: %w", dir, err)
		}
		if took = append(took, e.probes.now().Sub(begun)); ctx.Err() != nil || took[len(took)-1] > time.Second {
			break // slow enough to be told
		}
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

// nameless opens a file that nobody finds. Where a file system has none, it is one
// whose name is taken away at once.
func nameless(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600)
	if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR) {
		return f, err
	}
	if f, err = os.CreateTemp(dir, ".doctor-"); err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

func (e *exam) checkSpool(context.Context) doctor.Verdict {
	if !e.alone {
		of := e.spool.Status()
		r := doctor.SpoolReading{Items: of.Items, Bytes: of.Bytes, Quota: of.Quota}
		if !of.Oldest.IsZero() {
			r.Oldest = e.probes.now().Sub(of.Oldest)
		}
		return doctor.JudgeSpool(r)
	}
	dir := cmp.Or(e.cfg.Spool.Dir, filepath.Join(e.opts.StateDir, "spool"))
	return doctor.JudgeSpool(readSpool(dir, int64(e.cfg.Spool.Quota), e.probes.now()))
}

// readSpool looks at a spool that nobody has opened, and leaves it so.
func readSpool(dir string, quota int64, now time.Time) doctor.SpoolReading {
	r := doctor.SpoolReading{Dir: dir, Quota: quota}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return r // nothing was taken yet
	}
	r.Err = err
	for _, entry := range entries {
		bytes, oldest := weigh(filepath.Join(dir, entry.Name()))
		r.Items, r.Bytes = r.Items+1, r.Bytes+bytes
		if !oldest.IsZero() {
			r.Oldest = max(r.Oldest, now.Sub(oldest))
		}
	}
	return r
}

// weigh returns what is in an item, and when it was begun.
func weigh(path string) (bytes int64, oldest time.Time) {
	_ = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // what has gone meanwhile weighs nothing
		}
		if info, err := d.Info(); err == nil {
			bytes += info.Size()
			if oldest.IsZero() || info.ModTime().Before(oldest) {
				oldest = info.ModTime()
			}
		}
		return nil
	})
	return bytes, oldest
}
