package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/bril-edge/bril/uplink/spool/internal/disk"
)

// Keep is how long a line is kept.
const Keep = 4380 * time.Hour // six months

// MaxSize bounds the file: seventy thousand lines, some four hundred a day for
// six months. At the bound the oldest quarter is cut off, however young.
const MaxSize = 16 << 20

// DamagedSuffix ends the name of a log whose chain did not hold when it was
// opened. It is kept for those who want to know why, one at most; the log goes
// on, anchored at the last line that was right.
const DamagedSuffix = ".damaged"

// Log is an open log. Its methods may be called at the same time.
type Log struct {
	fsys disk.FS
	path string
	max  int64

	mu   sync.Mutex
	last Entry // the last line; only Seq and Hash when that is an anchor
	// oldest is the first time in the file, so that Prune need not read it.
	oldest time.Time
	size   int64 // of the file, up to the end of the last whole line
	// torn says that there may be more in the file than size: an append failed.
	torn bool
	// open are the items that were captured and not deleted since, as the log
	// tells it, with the last event of each.
	open    map[string]Event
	damaged error
}

// Open opens the log at path; the first Append makes it where it is missing. A
// last line that a power cut left incomplete does not count and is overwritten:
// what it would have said was never reported as written.
func Open(path string) (*Log, error) { return open(disk.OS{}, path, MaxSize) }

// OpenOn is Open on another file system, for the spool's tests.
func OpenOn(fsys disk.FS, path string) (*Log, error) { return open(fsys, path, MaxSize) }

func open(fsys disk.FS, path string, max int64) (*Log, error) {
	l := &Log{fsys: fsys, path: path, max: max, open: map[string]Event{}}
	data, err := l.read()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	good, err := scan(data, l.note)
	l.size = good
	switch {
	case err != nil:
		if err := l.setAside(err); err != nil {
			return nil, fmt.Errorf("open audit log: %w", err)
		}
	case good < int64(len(data)):
		l.torn = true
	}
	return l, nil
}

// read returns the whole file; more than twice the bound was not written here.
func (l *Log) read() ([]byte, error) {
	f, err := l.fsys.Open(l.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 2*l.max+1))
	if err == nil && int64(len(data)) > 2*l.max {
		err = fmt.Errorf("%s is larger than %d bytes", l.path, 2*l.max)
	}
	return data, err
}

// begin makes the file where it is missing: at first, or because somebody
// deleted it; the chain then goes on behind an anchor.
func (l *Log) begin() error {
	if err := disk.MkdirAll(l.fsys, filepath.Dir(l.path)); err != nil {
		return err
	}
	var data []byte
	if l.last != (Entry{}) {
		data = Entry{Seq: l.last.Seq, Event: anchor, Hash: l.last.Hash}.line()
	}
	if err := disk.Replace(l.fsys, l.path, data); err != nil {
		return err
	}
	l.size, l.torn = int64(len(data)), false
	return nil
}

// note keeps what is known of the lines: the last one, and which items are open.
func (l *Log) note(e Entry) {
	l.last = e
	if l.oldest.IsZero() {
		l.oldest = e.at()
	}
	switch e.Event {
	case Capture, Upload:
		l.open[e.Item] = e.Event
	case Delete:
		delete(l.open, e.Item)
	}
}

// scan calls each with every line of data in turn and returns how many bytes
// of data are whole lines in an unbroken chain. What follows them is no error
// when it is what a power cut leaves of the last append: nothing after it is an
// entry.
func scan(data []byte, each func(Entry)) (good int64, err error) {
	var last Entry
	for rest := data; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		e, err := parse(line)
		if err == nil {
			err = e.follows(last)
		}
		switch {
		case !whole:
			return good, nil
		case err != nil && !anyEntry(after) && !isEntry(line):
			return good, nil
		case err != nil:
			return good, fmt.Errorf("%w: after line %d: %w", ErrBroken, last.Seq, err)
		}
		each(e)
		last = e
		good += int64(len(line)) + 1
		rest = after
	}
	return good, nil
}

func isEntry(line []byte) bool {
	_, err := parse(line)
	return err == nil
}

func anyEntry(data []byte) bool {
	for line := range bytes.Lines(data) {
		if isEntry(bytes.TrimSuffix(line, []byte("\n"))) {
			return true
		}
	}
	return false
}

// setAside puts a log that does not hold out of the way and goes on from its
// last good line.
func (l *Log) setAside(why error) error {
	if err := l.fsys.Rename(l.path, l.path+DamagedSuffix); err != nil {
		return err
	}
	l.damaged = fmt.Errorf("%w; it is kept as %s", why, l.path+DamagedSuffix)
	return l.begin()
}

// Damaged says what was wrong with the log that was found at Open, nil when it
// was right.
func (l *Log) Damaged() error { return l.damaged }

// Head is the hash of the last line, empty when there is none.
func (l *Log) Head() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last.Hash
}

// Last is what the log last said of an item that was captured and not deleted
// since; empty otherwise.
func (l *Log) Last(item string) Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open[item]
}

// Open is the ids of the items that were captured and not deleted since.
func (l *Log) Open() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := make([]string, 0, len(l.open))
	for id := range l.open {
		ids = append(ids, id)
	}
	return ids
}

// Append adds a line and returns when it is on disk. The zero time stands for
// a clock that is not confirmed. When it fails nothing was added, and the next
// call tries on a log that is as it was.
func (l *Log) Append(at time.Time, event Event, item string, size int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := Entry{Seq: l.last.Seq + 1, Event: event, Item: item, Bytes: size, Prev: l.last.Hash}
	if !at.IsZero() {
		e.Time = at.UTC().Format(time.RFC3339)
	}
	e.Hash = e.sum()
	line := e.line()
	if _, err := parse(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
		return fmt.Errorf("add %s of %.64q to the audit log: %w", event, item, err)
	}
	if err := l.append(line); err != nil {
		return fmt.Errorf("add %s to the audit log: %w", event, err)
	}
	l.note(e)
	return nil
}

func (l *Log) append(line []byte) error {
	if _, err := l.fsys.Lstat(l.path); errors.Is(err, os.ErrNotExist) {
		if err := l.begin(); err != nil {
			return err
		}
	}
	if l.size+int64(len(line)) > l.max {
		if err := l.cut(l.size / 4); err != nil {
			return err
		}
	}
	if err := l.mend(); err != nil {
		return err
	}
	f, err := l.fsys.Edit(l.path)
	if err != nil {
		return err
	}
	defer f.Close()
	if end, err := f.Seek(0, io.SeekEnd); err != nil {
		return err
	} else if end != l.size {
		return fmt.Errorf("%s has %d bytes instead of %d: somebody else wrote to it", l.path, end, l.size)
	}
	l.torn = true
	if _, err := f.Write(line); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	l.torn = false
	l.size += int64(len(line))
	return nil
}

// mend cuts off what a failed append, or one that lost power, left behind.
func (l *Log) mend() error {
	if !l.torn {
		return nil
	}
	f, err := l.fsys.Edit(l.path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(l.size); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	l.torn = false
	return nil
}

// Verify reads the whole log again and checks its chain up to Head.
func (l *Log) Verify() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	data, err := l.read()
	if errors.Is(err, os.ErrNotExist) && l.last == (Entry{}) {
		return nil // nothing has happened yet
	}
	if err != nil {
		return fmt.Errorf("verify audit log: %w", err)
	}
	var last Entry
	good, err := scan(data, func(e Entry) { last = e })
	switch {
	case err != nil:
		return fmt.Errorf("verify audit log: %w", err)
	case last.Seq != l.last.Seq, last.Hash != l.last.Hash:
		return fmt.Errorf("verify audit log: %w: it ends with line %d instead of %d", ErrBroken, last.Seq, l.last.Seq)
	case good < int64(len(data)) && !l.torn:
		return fmt.Errorf("verify audit log: %w: something follows line %d", ErrBroken, last.Seq)
	}
	return nil
}

// Prune cuts off the lines older than Keep; now must come from a confirmed
// clock. A line without a time is as old as the next one that has one.
func (l *Log) Prune(now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.oldest.IsZero() || now.Sub(l.oldest) <= Keep {
		return nil
	}
	data, err := l.read()
	if err != nil {
		return fmt.Errorf("prune audit log: %w", err)
	}
	end, upTo := int64(0), int64(0)
	var oldest, last time.Time
	_, err = scan(data, func(e Entry) {
		end += int64(len(e.line()))
		at := e.at()
		switch {
		case at.IsZero() || !oldest.IsZero():
		case now.Sub(at) > Keep:
			upTo, last = end, at
		default:
			oldest = at
		}
	})
	if err == nil {
		err = l.cut(upTo)
	}
	if err != nil {
		return fmt.Errorf("prune audit log: %w", err)
	}
	if upTo == end {
		oldest = last // the last line stays until there is another
	}
	l.oldest = oldest
	return nil
}

// cut puts an anchor in the place of the lines that begin before byte upTo.
// The last line of all stays, so that Head does.
func (l *Log) cut(upTo int64) error {
	if upTo <= 0 {
		return nil
	}
	data, err := l.read()
	if err != nil {
		return err
	}
	var from, end int64
	var gone, last Entry
	good, err := scan(data, func(e Entry) {
		if end < upTo && end+int64(len(e.line())) < l.size {
			gone, from = e, end+int64(len(e.line()))
		}
		end += int64(len(e.line()))
		last = e
	})
	if err != nil {
		return err
	}
	if good != l.size || last.Hash != l.last.Hash {
		return fmt.Errorf("%w: it is not what was written", ErrBroken)
	}
	if gone == (Entry{}) || gone.Event == anchor {
		return nil // nothing to cut, or the anchor only
	}
	a := Entry{Seq: gone.Seq, Event: anchor, Hash: gone.Hash}
	kept := append(a.line(), data[from:good]...)
	if err := disk.Replace(l.fsys, l.path, kept); err != nil {
		return l.reload(err) // the folder may or may not hold the new file
	}
	l.size, l.torn = int64(len(kept)), false
	return nil
}

// reload takes the file's size as it is found, after a cut of which it is not
// known whether it took place. It returns err, the reason.
func (l *Log) reload(err error) error {
	data, readErr := l.read()
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	good, scanErr := scan(data, func(Entry) {})
	if scanErr == nil {
		l.size, l.torn = good, good < int64(len(data))
	}
	return err
}
