package talkback

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/bril-edge/bril/encoder/opus"
	"github.com/bril-edge/bril/uplink/rtc"
)

const packetTime = 20 * time.Millisecond

// scripted decodes packets that hold a number: to 20 ms of samples of that value.
type scripted struct{ concealed, recovered int }

const toc = 31 << 3 // one frame of 20 ms, without FEC

func (d *scripted) Decode(packet []byte, pcm []int16) (int, error) {
	if len(packet) < 3 {
		return 0, fmt.Errorf("packet of %d bytes", len(packet))
	}
	d.fill(pcm[:20*ms], int16(binary.BigEndian.Uint16(packet[1:])))
	return 20 * ms, nil
}

func (d *scripted) Recover(_ []byte, pcm []int16) error {
	d.recovered++
	d.fill(pcm, 1)
	return nil
}

func (d *scripted) Conceal(pcm []int16) error {
	d.concealed++
	d.fill(pcm, 1)
	return nil
}

func (d *scripted) Reset() error { return nil }

func (d *scripted) fill(pcm []int16, value int16) {
	for i := range pcm {
		pcm[i] = value
	}
}

// sent is one packet on its way.
type sent struct {
	speech  rtc.Speech
	arrives time.Duration
}

// script is what a sender says and a network does.
type script struct {
	length time.Duration
	delay  func(i int) (time.Duration, bool) // of the network for packet i; false loses it
	skips  func(i int) bool                  // what the sender does not send: a pause, DTX
	value  func(i int) int16                 // of the samples; nil is loud
	drift  float64                           // of the sound card, as a share
	first  uint16                            // sequence
	stamp  uint32
	ssrc   func(i int) uint32
}

func (s script) packets() (list []sent) {
	sequence := s.first
	for i := range int(s.length / packetTime) {
		if s.skips != nil && s.skips(i) {
			continue
		}
		value := int16(5000)
		if s.value != nil {
			value = s.value(i)
		}
		payload := binary.BigEndian.AppendUint16([]byte{toc}, uint16(value))
		ssrc := uint32(7)
		if s.ssrc != nil {
			ssrc = s.ssrc(i)
		}
		speech := rtc.Speech{SSRC: ssrc, Sequence: sequence, Timestamp: s.stamp + uint32(i*20*ms), Payload: payload}
		sequence++
		delay, arrives := s.delay(i)
		if !arrives {
			continue
		}
		speech.Arrived = time.Hour + time.Duration(i)*packetTime + delay
		list = append(list, sent{speech, speech.Arrived})
	}
	slices.SortStableFunc(list, func(a, b sent) int { return int(a.arrives - b.arrives) })
	return list
}

// heard is what came of a script.
type heard struct {
	*player
	decoder *scripted
	out     []int16
	// delays are from a packet's earliest arrival to when it was heard, one a second.
	delays []time.Duration
}

// run plays a script as a device would, in steps of 10 ms of its own clock.
func (s script) run() heard {
	h := heard{decoder: &scripted{}}
	h.player = &player{decoder: h.decoder}
	packets := s.packets()
	chunk := make([]int16, 10*ms)
	period := time.Duration(float64(10*time.Millisecond) * (1 + s.drift))
	for now, n := time.Hour, 0; now < time.Hour+s.length; now, n = now+period, n+1 {
		for len(packets) > 0 && packets[0].arrives <= now {
			h.put(packets[0].speech)
			packets = packets[1:]
		}
		h.fill(chunk, now)
		h.out = append(h.out, chunk...)
		if n%100 == 99 {
			h.delays = append(h.delays, h.stats().Delay)
		}
	}
	return h
}

func even(int) (time.Duration, bool) { return 30 * time.Millisecond, true }

// jittery delays packets by up to as much more, of which some arrive out of order.
func jittery(most time.Duration) func(int) (time.Duration, bool) {
	random := rand.New(rand.NewPCG(1, 2))
	return func(int) (time.Duration, bool) {
		return 30*time.Millisecond + time.Duration(random.Int64N(int64(most))), true
	}
}

func TestQuietNetwork(t *testing.T) {
	s := script{length: time.Minute, delay: even}
	h := s.run()
	stats := h.stats()
	t.Logf("%+v", stats)
	if stats.Lost > 0 || stats.Concealed > 0 || stats.Delay > 30*time.Millisecond {
		t.Errorf("on a network without jitter: %+v", stats)
	}
	if h.delays[0] > 45*time.Millisecond {
		t.Errorf("at first %v", h.delays[0])
	}
}

// The target is about as much as packets are late, it is there at once, and goes
// away slowly.
func TestAdapts(t *testing.T) {
	calm, wild := jittery(4*time.Millisecond), jittery(80*time.Millisecond)
	s := script{length: 60 * time.Second, value: syllables, delay: func(i int) (time.Duration, bool) {
		if at := time.Duration(i) * packetTime; at >= 10*time.Second && at < 20*time.Second {
			return wild(i)
		}
		return calm(i)
	}}
	h := s.run()
	t.Logf("delays %v, %+v", h.delays, h.stats())
	if before := h.delays[8]; before > 40*time.Millisecond {
		t.Errorf("before the jitter %v", before)
	}
	if then := h.delays[14]; then < 70*time.Millisecond || then > 130*time.Millisecond {
		t.Errorf("with up to 80 ms of jitter %v", then)
	}
	if soon := h.delays[22]; soon < 50*time.Millisecond {
		t.Errorf("2 s after the jitter %v", soon)
	}
	if after := h.delays[58]; after > 45*time.Millisecond {
		t.Errorf("40 s after the jitter %v", after)
	}
	if c := h.stats().Concealed; c > 400*time.Millisecond {
		t.Errorf("%v were made up", c)
	}
}

// syllables are loud for 300 ms of each 400.
func syllables(i int) int16 {
	if i%20 < 15 {
		return 5000
	}
	return 3
}

func TestLoss(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	lost := 0
	s := script{length: time.Minute, delay: func(int) (time.Duration, bool) {
		if random.IntN(20) == 0 {
			lost++
			return 0, false
		}
		return even(0)
	}}
	h := s.run()
	stats := h.stats()
	t.Logf("%d lost: %+v", lost, stats)
	if diff := int(stats.Lost) - lost; diff < -3 || diff > 3 {
		t.Errorf("%d lost, counted %d", lost, stats.Lost)
	}
	if made, most := stats.Concealed, time.Duration(lost)*packetTime*3/2; made > most || made == 0 {
		t.Errorf("%v made up for %d packets", made, lost)
	}
	if n := slices.Index(h.out[20*ms*10:], 0); n >= 0 {
		t.Errorf("silence at sample %d", n)
	}
	if stats.Delay > 60*time.Millisecond {
		t.Errorf("delay %v", stats.Delay)
	}
}

func TestReorderAndDuplicates(t *testing.T) {
	s := script{length: 20 * time.Second, first: 65_000, stamp: math.MaxUint32 - 1e5, delay: func(i int) (time.Duration, bool) {
		if i%10 == 3 {
			return 55 * time.Millisecond, true // behind the next one
		}
		return even(i)
	}}
	p := &player{decoder: &scripted{}}
	chunk := make([]int16, 10*ms)
	packets := s.packets()
	for now := time.Hour; now < time.Hour+s.length; now += 10 * time.Millisecond {
		for len(packets) > 0 && packets[0].arrives <= now {
			p.put(packets[0].speech)
			again := packets[0].speech
			p.put(again)
			again.Arrived += 300 * time.Millisecond
			p.put(again)
			packets = packets[1:]
		}
		p.fill(chunk, now)
	}
	stats := p.stats()
	t.Logf("%+v, %+v", stats, p.counts)
	if stats.Lost > 1 || stats.Concealed > 60*time.Millisecond || stats.Delay > 60*time.Millisecond {
		t.Errorf("%+v", stats)
	}
	if want := 2 * stats.Packets / 3; p.counts.duplicates != want || p.counts.late > 1 {
		t.Errorf("%d duplicates, want %d; %d late", p.counts.duplicates, want, p.counts.late)
	}
}

// What a sender does not send while there is nothing to say is not lost, and what
// it says then is heard whole and no later.
func TestPauses(t *testing.T) {
	s := script{length: 20 * time.Second, delay: even, skips: func(i int) bool { return i%100 >= 50 && i%20 != 0 }}
	h := s.run()
	stats := h.stats()
	t.Logf("%+v", stats)
	if stats.Lost > 0 || stats.Delay > 45*time.Millisecond {
		t.Errorf("%+v", stats)
	}
	loud := 0
	for _, x := range h.out {
		if x == 5000 {
			loud++
		}
	}
	if sent := len(s.packets()) * 20 * ms; loud < sent-200*ms || loud > sent {
		t.Errorf("%d of %d samples were heard", loud, sent)
	}
}

// A sound card whose clock is wrong changes nothing but a few quiet moments.
func TestDrift(t *testing.T) {
	for _, drift := range []float64{-0.002, -0.0002, 0.0002, 0.002} {
		s := script{length: 5 * time.Minute, delay: even, value: syllables, drift: drift}
		h := s.run()
		stats := h.stats()
		t.Logf("%+.2f %%: %+v", drift*100, stats)
		if last := h.delays[len(h.delays)-1]; last > 60*time.Millisecond {
			t.Errorf("%+.2f %%: delay %v after 5 minutes", drift*100, last)
		}
		if stats.Concealed > 100*time.Millisecond || stats.Lost > 0 {
			t.Errorf("%+.2f %%: %+v", drift*100, stats)
		}
		for i, x := range h.out {
			if x != 5000 && x > 100 && i > 0 && h.out[i-1] > 100 && abs(int64(x)-int64(h.out[i-1])) > 300 {
				t.Errorf("%+.2f %%: a step at %d", drift*100, i)
				break
			}
		}
	}
}

func TestAnotherSource(t *testing.T) {
	s := script{length: 10 * time.Second, delay: even, ssrc: func(i int) uint32 { return uint32(i / 150) }}
	h := s.run()
	if stats := h.stats(); stats.Lost > 0 || stats.Delay > 50*time.Millisecond || stats.Concealed > 400*time.Millisecond {
		t.Errorf("%+v", stats)
	}
}

// A sender that begins anew, with the same name and other numbers.
func TestJumps(t *testing.T) {
	p := &player{decoder: &scripted{}}
	chunk := make([]int16, 10*ms)
	now := time.Hour
	say := func(first uint16, stamp uint32) {
		for i := range 100 {
			payload := []byte{toc, 10, 10}
			p.put(rtc.Speech{SSRC: 1, Sequence: first + uint16(i), Timestamp: stamp + uint32(i*20*ms), Payload: payload, Arrived: now})
			for range 2 {
				p.fill(chunk, now)
				now += 10 * time.Millisecond
			}
		}
	}
	say(10, 1000)
	say(30_000, 4_000_000_000)
	say(30_100, 77)
	say(20, 77)
	if stats := p.stats(); stats.Delay > 60*time.Millisecond || chunk[0] == 0 {
		t.Errorf("%+v, %d", stats, chunk[0])
	}
}

// A device that opens late, or a machine that stands still, leaves nothing behind.
func TestStandstill(t *testing.T) {
	p := &player{decoder: &scripted{}}
	chunk := make([]int16, 10*ms)
	now := time.Hour
	for i := range 1000 {
		p.put(rtc.Speech{Sequence: uint16(i), Timestamp: uint32(i * 20 * ms), Payload: []byte{toc, 10, 10}, Arrived: now})
		for range 2 {
			if i < 100 || i > 150 && i < 500 || i > 530 {
				p.fill(chunk, now)
			}
			now += 10 * time.Millisecond
		}
	}
	if stats := p.stats(); stats.Delay > 60*time.Millisecond {
		t.Errorf("%+v", stats)
	} else {
		t.Logf("%+v", stats)
	}
}

func FuzzPlayer(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Fuzz(func(t *testing.T, script []byte) {
		d, err := opus.NewDecoder()
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		p := &player{decoder: d}
		chunk := make([]int16, 10*ms)
		now := time.Hour
		for len(script) >= 8 {
			s := rtc.Speech{SSRC: uint32(script[0] & 1), Sequence: uint16(script[1]) | uint16(script[2]&3)<<14,
				Timestamp: uint32(script[3])<<24 | uint32(script[4])<<8, Payload: script[5:8], Arrived: now + time.Duration(script[0])*time.Millisecond}
			p.put(s)
			p.fill(chunk, now)
			now += time.Duration(script[7]) * time.Millisecond
			script = script[5:]
		}
	})
}

func BenchmarkPacket(b *testing.B) {
	d, err := opus.NewDecoder()
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	packets := encoded(b, 50)
	p := &player{decoder: d}
	chunk := make([]int16, 10*ms)
	now := time.Hour
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p.put(rtc.Speech{Sequence: uint16(i), Timestamp: uint32(i * 10 * ms), Payload: packets[i%len(packets)], Arrived: now})
		p.fill(chunk, now)
		now += 10 * time.Millisecond
	}
}
