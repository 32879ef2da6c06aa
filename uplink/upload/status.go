package upload

import (
	"time"

	"github.com/bril-edge/bril/uplink/spool"
)

func (u *Uploader) begin(item spool.Entry) {
	u.mu.Lock()
	defer u.mu.Unlock()
	err := u.status.Err // shown until something gets on
	u.status = Status{State: Sending, Item: item.ID, Bytes: item.Bytes, Since: time.Now(), Err: err}
}

// progress takes what the endpoint has confirmed, and reports whether that is more
// than before.
func (u *Uploader) progress(id string, sent int64) bool {
	u.cfg.Spool.Progress(id, sent)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.status.Sent = sent
	if !u.history.advanced(id, sent) {
		return false
	}
	u.status.Err = nil
	return true
}

func (u *Uploader) succeeded(item spool.Entry) {
	u.history.succeeded(item.ID)
	u.rest()
}

func (u *Uploader) rest() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.status = Status{State: Idle, Since: time.Now()}
}

// failed shows an error and returns how long to wait.
func (u *Uploader) failed(item spool.Entry, err error, v verdict) time.Duration {
	wait := u.history.wait(item.ID, err, v)
	u.mu.Lock()
	news := v != pending && (u.status.Err == nil || u.status.Err.Error() != err.Error())
	now := time.Now()
	u.status.State, u.status.Since, u.status.Retry = Waiting, now, now.Add(wait)
	if v == pending {
		err = nil
	}
	u.status.Err = err
	u.mu.Unlock()
	if news {
		u.log.Warn("upload failed", "item", item.ID, "error", err, "retry_in", wait.Round(time.Second))
	}
	return wait
}
