package recorder

import (
	"time"

	"github.com/bril-edge/bril/cmd/internal/control"
	"github.com/bril-edge/bril/cmd/internal/percentile"
)

// times are of the last photos, by stage.
type times struct{ choose, encode, store percentile.Window }

func (t *times) add(choose, encode, store time.Duration) {
	t.choose.Add(choose)
	t.encode.Add(encode)
	t.store.Add(store)
}

// Show puts what photos and clips are made of into s.
func (r *Recorder) Show(s *control.Status) {
	bytes, limit, buffered := r.cfg.Ring.Stats()
	s.Recording = control.Recording{
		RingBytes: int64(bytes), RingLimitBytes: int64(limit), RingSeconds: buffered.Seconds(), Sound: r.cfg.Sound,
	}
	s.LatencyMS.Photo = control.PhotoLatency{
		Choose: r.times.choose.Read(), Encode: r.times.encode.Read(), Store: r.times.store.Read(),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Recording.Armed = r.take != nil
	if r.clip != nil {
		s.Recording.Clip, s.Recording.ClipSince = r.clip.id, r.clip.since
	}
}
