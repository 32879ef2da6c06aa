package agent

import (
	"strings"
	"testing"
	"time"

	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/uplink/spool"
)

// What `bril spool list` says of an item's end does not move with the time of day,
// whether the clock is confirmed or not, and `bril status` says when the endpoint
// refuses it.
func TestSpoolIsShown(t *testing.T) {
	cfg := configs.Default()
	a := &Agent{cfg: cfg}
	var err error
	if a.spool, err = spool.Open(spool.Config{Dir: t.TempDir(), Retention: time.Duration(cfg.Spool.Retention)}); err != nil {
		t.Fatal(err)
	}
	defer a.spool.Close()
	before := time.Now()
	item, err := a.spool.Create(newKey(t), spool.Meta{Session: "x", Kind: spool.Photo, TakenAt: before, ContentType: "image/jpeg"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := item.Write([]byte("a photo")); err != nil {
		t.Fatal(err)
	}
	if err := item.Finish(); err != nil {
		t.Fatal(err)
	}
	first := a.Spool().Items[0]
	end := before.Add(time.Duration(cfg.Spool.Retention))
	if first.ID != item.ID() || first.DeleteAfter.Before(end) || first.DeleteAfter.After(end.Add(time.Minute)) {
		t.Errorf("%+v, want its end at %v", first, end)
	}
	if again := a.Spool().Items[0]; again != first {
		t.Errorf("%+v, and then %+v", first, again)
	}
	if list := refused(a.spool.List()); list != nil {
		t.Errorf("refused, before anybody was asked: %+v", list)
	}
	if err := a.spool.Refuse(item.ID(), "for another key"); err != nil {
		t.Fatal(err)
	}
	list := refused(a.spool.List())
	if len(list) != 1 || !strings.Contains(list[0].Message, "refuses 1 of what was taken: for another key") || list[0].Hint == "" || list[0].Since.Before(before) {
		t.Errorf("a refused item is shown as %+v", list)
	}
}
