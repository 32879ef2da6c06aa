// Package audit keeps the log of what was captured, uploaded and deleted on the
// glasses: one JSON object a line, each holding the hash of the one before, so
// that nobody can change or take out a line without every later hash changing
// as well. The hash of the last line goes up with each upload.
//
// It holds no personal data: no conversation, no kind of picture, no label, no
// reason; an item is its random id. Lines older than six months are cut off at
// the front, and an anchor in their place keeps the rest verifiable.
//
//	{"seq":7,"time":"2026-05-04T10:00:00Z","event":"capture","item":"…","bytes":300412,"prev":"<hash of line 6>","hash":"…"}
//	hash = hex(sha256(prev + the line without its hash))
//
// An anchor repeats seq and hash of the last line that was cut off:
//
//	{"seq":6,"event":"anchor","hash":"<hash of line 6>"}
package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Event is what happened to an item.
type Event string

// The events. Upload is the endpoint's acknowledgement of the item's checksum;
// Delete is its removal from the glasses, whether it was uploaded or not.
const (
	Capture Event = "capture"
	Upload  Event = "upload"
	Delete  Event = "delete"

	anchor Event = "anchor"
)

// Entry is one line of the log.
type Entry struct {
	Seq int64 `json:"seq"`
	// Time is in UTC, to the second, and empty when the clock was not
	// confirmed: a wrong time would be worse than none.
	Time  string `json:"time,omitempty"`
	Event Event  `json:"event"`
	// Item is the item's id; Bytes is the size of its encrypted file.
	Item  string `json:"item,omitempty"`
	Bytes int64  `json:"bytes,omitempty"`
	// Prev is the hash of the line before, empty in the first line of all.
	Prev string `json:"prev,omitempty"`
	Hash string `json:"hash,omitempty"`
}

// The bounds of what is believed of a file.
const (
	maxItem = 64
	maxLine = 512
)

// ErrBroken is what Verify says of a log whose chain does not hold.
var ErrBroken = errors.New("the chain of the audit log does not hold")

// sum is the hash that belongs to e.
func (e Entry) sum() string {
	e.Hash = ""
	line, err := json.Marshal(e)
	if err != nil {
		panic("audit: an entry has no JSON: " + err.Error())
	}
	h := sha256.New()
	h.Write([]byte(e.Prev))
	h.Write(line)
	return hex.EncodeToString(h.Sum(nil))
}

// line is e as it stands in the file.
func (e Entry) line() []byte {
	line, err := json.Marshal(e)
	if err != nil {
		panic("audit: an entry has no JSON: " + err.Error())
	}
	return append(line, '\n')
}

// at is when e was written; zero when the clock was not confirmed.
func (e Entry) at() time.Time {
	t, err := time.Parse(time.RFC3339, e.Time)
	if err != nil {
		return time.Time{}
	}
	return t
}

// parse reads a line without its end. It is strict: there is one way only to
// write an entry, so a line that says the same in another way was not written
// here.
func parse(line []byte) (Entry, error) {
	if len(line) > maxLine {
		return Entry{}, fmt.Errorf("a line of %d bytes", len(line))
	}
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return Entry{}, err
	}
	if !bytes.Equal(bytes.TrimSuffix(e.line(), []byte("\n")), line) {
		return Entry{}, errors.New("not as this log writes it")
	}
	return e, e.check()
}

// check judges e by itself.
func (e Entry) check() error {
	if e.Event == anchor {
		if e.Seq < 1 || !isHash(e.Hash) || e != (Entry{Seq: e.Seq, Event: anchor, Hash: e.Hash}) {
			return errors.New("not an anchor")
		}
		return nil
	}
	switch {
	case e.Event != Capture && e.Event != Upload && e.Event != Delete:
		return fmt.Errorf("unknown event %q", e.Event)
	case e.Seq < 1 || e.Bytes < 0 || len(e.Item) > maxItem:
		return errors.New("a number or an id out of range")
	case e.Time != "" && e.at().IsZero():
		return fmt.Errorf("not a time: %q", e.Time)
	case e.Hash != e.sum():
		return errors.New("the hash is not that of the line")
	}
	return nil
}

func isHash(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && hex.EncodeToString(b) == s
}

// follows judges whether e may come after last. The zero Entry stands for the
// beginning of the file, where an anchor may be.
func (e Entry) follows(last Entry) error {
	switch {
	case last == Entry{} && e.Event == anchor:
		return nil
	case e.Event == anchor:
		return errors.New("an anchor amid the log")
	case e.Seq != last.Seq+1:
		return fmt.Errorf("line %d comes after line %d", e.Seq, last.Seq)
	case e.Prev != last.Hash:
		return fmt.Errorf("line %d does not hold the hash of the line before", e.Seq)
	}
	return nil
}
