package recorder

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"filippo.io/age"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/clip"
	"github.com/bril-edge/bril/capture/photo"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/encoder/h264"
	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/uplink/spool"
)

const (
	width, height = 128, 96
	frameTime     = 40 * time.Millisecond
	gop           = 25 // pictures
	unitSize      = 2000
)

// rig is a Recorder with a real spool, ring and taker behind a session that the
// test plays. It runs in a synctest bubble.
type rig struct {
	t *testing.T
	*Recorder
	cfg      Config
	spool    *spool.Spool
	identity *age.X25519Identity

	mu       sync.Mutex // of what follows
	cues     []session.Cue
	stored   int
	refused  error // of Recordable and Keep
	alone    bool  // of the claims
	claims   int   // given
	sounding int   // of them, with sound
	released int
	asked    int // for the recipient

	shows    sync.Mutex // Begin and End are not called beside Frame, Video and Audio
	sequence uint64
	on       bool
	film     []encoder.AccessUnit // what a source of H.264 delivers, over and over; nil: it delivers pictures
}

// inBubble runs a test with a rig that change has set up.
func inBubble(t *testing.T, change func(*rig, *spool.Config), test func(*rig)) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "spool")
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, dir, change)
		defer r.close()
		test(r)
	})
}

func newRig(t *testing.T, dir string, change func(*rig, *spool.Config)) *rig {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, identity: identity}
	r.cfg = Config{
		Photos: func() (*photo.Taker, error) { return photo.New(photo.Config{Quality: 80}) },
		Ring:   clip.NewRing(clip.Config{PreRoll: 2 * time.Second, KeyFrameEvery: time.Second, Sound: true}),
		Sound:  true, Session: func() string { return "showroom-1" }, MaxClip: 10 * time.Second,
		Recordable: func() error { return r.refusal() },
		Keep:       r.keep,
		Recipient: func(context.Context) (age.Recipient, error) {
			r.count(&r.asked)
			return identity.Recipient(), nil
		},
		Clock:  func() (time.Time, bool) { return time.Now(), true },
		Cue:    r.heard,
		Stored: func() { r.count(&r.stored) },
		Log:    slog.New(slog.DiscardHandler),
	}
	to := spool.Config{Dir: dir}
	if change != nil {
		change(r, &to)
	}
	if r.spool, err = spool.Open(to); err != nil {
		t.Fatal(err)
	}
	r.cfg.Spool = r.spool
	r.Recorder = New(r.cfg)
	return r
}

func (r *rig) close() {
	r.silence()
	for range 2 {
		if err := r.Close(); err != nil {
			r.t.Errorf("close: %v", err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.claims != r.released {
		r.t.Errorf("%d claims of %d were given back", r.released, r.claims)
	}
	if err := r.spool.Close(); err != nil {
		r.t.Errorf("close the spool: %v", err)
	}
}

func (r *rig) count(n *int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*n++
}

func (r *rig) heard(c session.Cue) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cues = append(r.cues, c)
}

func (r *rig) refusal() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refused
}

func (r *rig) keep(_ context.Context, sound bool) (session.Claim, error) {
	if err := r.refusal(); err != nil {
		return session.Claim{}, err
	}
	r.count(&r.claims)
	if sound {
		r.count(&r.sounding)
	}
	return session.Claim{Alone: r.alone, Release: sync.OnceFunc(func() { r.count(&r.released) })}, nil
}

// begin opens a take; its first picture is a key frame.
func (r *rig) begin() {
	r.shows.Lock()
	defer r.shows.Unlock()
	r.sequence, r.on = 0, true
	r.Begin()
}

func (r *rig) end() {
	r.shows.Lock()
	defer r.shows.Unlock()
	r.on = false
	r.End()
}

// silence ends what is shown without a word, as a session does that has ended.
func (r *rig) silence() {
	r.shows.Lock()
	defer r.shows.Unlock()
	r.on = false
}

// films shows what a camera and a microphone deliver while a take is open, until
// the test ends.
func (r *rig) films() {
	ctx, cancel := context.WithCancel(context.Background())
	var filming sync.WaitGroup
	filming.Go(func() {
		for ctx.Err() == nil {
			r.show()
			time.Sleep(frameTime)
		}
	})
	r.t.Cleanup(func() { cancel(); filming.Wait() })
}

// show shows one picture and its sound.
func (r *rig) show() {
	r.shows.Lock()
	defer r.shows.Unlock()
	if !r.on {
		return
	}
	now := monotonic.Now()
	f := picture(now, r.sequence)
	au := encoder.AccessUnit{Data: unit(r.sequence%gop == 0), PTS: now, Key: r.sequence%gop == 0}
	if r.film != nil {
		au = r.film[int(r.sequence)%len(r.film)]
		au.PTS = now
		f = capture.Frame{Format: capture.H264, Width: width, Height: height, PTS: now, Planes: [3]capture.Plane{{Data: au.Data}}}
	}
	r.Frame(&f)
	r.Video(au)
	r.Audio(encoder.Packet{Data: []byte{0xf8, 0xff, 0xfe}, PTS: now, Length: frameTime})
	r.sequence++
}

func picture(pts time.Duration, sequence uint64) capture.Frame {
	memory := make([]byte, width*height*3/2)
	random := rand.New(rand.NewPCG(sequence, 0))
	for i := range memory {
		memory[i] = byte(random.Uint32())
	}
	return capture.Frame{
		Format: capture.I420, Width: width, Height: height, PTS: pts, Sequence: sequence,
		Planes: capture.LayOut(capture.I420, width, height, memory),
	}
}

// unit is an access unit of noise; its parameter sets are of a picture of 64x48.
func unit(key bool) (data []byte) {
	slice := append(h264.NAL{0x41}, make([]byte, unitSize)...)
	if key {
		data = h264.AppendNAL(data, h264.NAL{0x67, 0x42, 0xc0, 0x1f, 0xda, 0x11, 0xe4})
		data = h264.AppendNAL(data, h264.NAL{0x68, 0xce, 0x3c, 0x80})
		slice[0] = 0x65
	}
	for i := range slice[1:] {
		slice[1+i] = 0x80 | byte(i)
	}
	return h264.AppendNAL(data, slice)
}

// pass lets time pass, and what is due then happen.
func (r *rig) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// wantItems checks how many items there are, all of them ready, and none half made.
func (r *rig) wantItems(n int) []spool.Entry {
	r.t.Helper()
	list := r.spool.List()
	if len(list) != n || slices.ContainsFunc(list, func(e spool.Entry) bool { return e.State != spool.Ready }) {
		r.t.Fatalf("the spool holds %+v, want %d items", list, n)
	}
	return list
}

// wantCues checks what was heard since the last time.
func (r *rig) wantCues(want ...session.Cue) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.cues, want) {
		r.t.Errorf("heard %q, want %q", r.cues, want)
	}
	r.cues = nil
}

// read decrypts an item, as the cloud does.
func (r *rig) read(id string) (spool.Header, []byte) {
	r.t.Helper()
	f, err := r.spool.Open(id)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	clear, err := age.Decrypt(f, r.identity)
	if err != nil {
		r.t.Fatal(err)
	}
	lines := bufio.NewReader(clear)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		r.t.Fatal(err)
	}
	header, err := spool.ParseHeader(line)
	if err != nil {
		r.t.Fatal(err)
	}
	media, err := io.ReadAll(lines)
	if err != nil {
		r.t.Fatal(err)
	}
	return header, media
}
