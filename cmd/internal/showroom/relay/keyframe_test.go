package relay

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestPaceRequests(t *testing.T) {
	for _, c := range []struct {
		name      string
		asked     []time.Duration
		wantSends []time.Duration
	}{
		{"one goes at once", ms(50), ms(50)},
		{"many become one at once and one afterwards", ms(0, 10, 20, 30, 290), ms(0, 300)},
		{"a late one waits for nobody", ms(0, 1000), ms(0, 1000)},
		{"a steady flood keeps the interval", ms(0, 100, 200, 300, 400, 500, 600, 700), ms(0, 300, 600, 900)},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testPace(t, c.asked, c.wantSends) })
		})
	}
}

func testPace(t *testing.T, asked, want []time.Duration) {
	begin := time.Now()
	ctx, cancel := context.WithCancel(t.Context())
	p := &publisher{keys: make(chan struct{}, 1)}
	var sends []time.Duration
	done := make(chan struct{})
	go func() {
		defer close(done)
		paceRequests(ctx, p.keys, keyFrameInterval, func() { sends = append(sends, time.Since(begin)) })
	}()
	for _, at := range asked {
		time.Sleep(at - time.Since(begin))
		p.askKey()
		synctest.Wait()
	}
	time.Sleep(2 * time.Second)
	cancel()
	<-done
	if !slices.Equal(sends, want) {
		t.Errorf("asked at %v, sent at %v, want %v", asked, sends, want)
	}
}

func ms(values ...int) (list []time.Duration) {
	for _, v := range values {
		list = append(list, time.Duration(v)*time.Millisecond)
	}
	return list
}

func TestStartsKeyFrame(t *testing.T) {
	for _, c := range []struct {
		name    string
		payload []byte
		want    bool
	}{
		{"empty", nil, false},
		{"one byte", []byte{0x67}, false},
		{"SPS", []byte{0x67, 0x42}, true},
		{"PPS", []byte{0x68, 0xce}, false},
		{"IDR slice", []byte{0x65, 0x88}, true},
		{"other slice", []byte{0x41, 0x9a}, false},
		{"STAP-A of SPS and PPS", []byte{0x78, 0, 2, 0x67, 0x42, 0, 2, 0x68, 0xce}, true},
		{"STAP-A of PPS and IDR", []byte{0x78, 0, 2, 0x68, 0xce, 0, 2, 0x65, 0x88}, true},
		{"STAP-A of PPS", []byte{0x78, 0, 2, 0x68, 0xce}, false},
		{"STAP-A with a size beyond its end", []byte{0x78, 0xff, 0xff, 0x68}, false},
		{"FU-A, first of IDR", []byte{0x7c, 0x85, 1}, true},
		{"FU-A, middle of IDR", []byte{0x7c, 0x05, 1}, false},
		{"FU-A, first of another", []byte{0x7c, 0x81, 1}, false},
	} {
		if got := startsKeyFrame(c.payload); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func FuzzStartsKeyFrame(f *testing.F) {
	f.Add([]byte{0x78, 0, 2, 0x67, 0x42, 0, 2, 0x68, 0xce})
	f.Fuzz(func(_ *testing.T, payload []byte) { startsKeyFrame(payload) })
}

func TestPhase(t *testing.T) {
	flowing := facts{publisher: true, connected: true, picture: true, sound: true}
	with := func(change func(*facts)) facts { f := flowing; change(&f); return f }
	for _, c := range []struct {
		name  string
		facts facts
		want  Phase
	}{
		{"nobody", facts{}, Waiting},
		{"nobody any more", facts{lost: true}, Interrupted},
		{"on the way", facts{publisher: true}, Connecting},
		{"on the way back", facts{publisher: true, lost: true}, Interrupted},
		{"flowing", flowing, Live},
		{"says it paused", with(func(f *facts) { f.told = true }), Paused},
		{"no picture", with(func(f *facts) { f.picture = false }), Paused},
		{"no sound", with(func(f *facts) { f.sound = false }), Live},
		{"nothing", with(func(f *facts) { f.picture, f.sound = false, false }), Interrupted},
	} {
		if got := c.facts.phase(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
