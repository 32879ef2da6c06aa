package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"
)

const viewCommand = "view"

// audience is what the viewers of one process have received.
type audience struct {
	Packets uint64 `json:"packets"`
	Lost    uint64 `json:"lost"` // gaps in the sequence numbers; nobody asks again
}

// endpoints measures what an endpoint costs: many viewers of one conversation, and
// many conversations with one viewer each. Publishers and viewers are processes of
// their own on the same machine.
func (b *bench) endpoints() (lines []string, err error) {
	for _, c := range []struct {
		what                   string
		conversations, viewers int
	}{{"one conversation with one viewer", 1, 1}, {"one conversation with 50 viewers", 1, 50}, {"20 conversations with a viewer each", 20, 1}} {
		b.say("an endpoint with %s, %v", c.what, b.length)
		line, err := b.crowd(c.conversations, c.viewers)
		if err != nil {
			return nil, err
		}
		lines = append(lines, "showroom, "+c.what+": "+line)
	}
	return lines, nil
}

// crowd measures one endpoint that serves the conversations, each with so many
// viewers.
func (b *bench) crowd(conversations, viewers int) (string, error) {
	endpoint, cmd, err := b.startEndpoint(fmt.Sprintf("data-%d-%d", conversations, viewers))
	if err != nil {
		return "", err
	}
	defer end(cmd)
	var names []string
	for i := range conversations {
		s := b.agentAt(fmt.Sprintf("crowd %d-%d", conversations, i), endpoint, b.encoded())
		if err := s.cmd.Start(); err != nil {
			return "", fmt.Errorf("start %s: %w", s.name, err)
		}
		defer end(s.cmd)
		names = append(names, fmt.Sprintf("%s/whep/%d-%d", endpoint, conversations, i))
	}
	if err := b.pause(warmUp); err != nil {
		return "", err
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	watch := exec.CommandContext(b.ctx, self, append([]string{viewCommand, strconv.Itoa(viewers), b.length.String()}, names...)...)
	watch.Stderr = b.progress
	out, err := watch.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := watch.Start(); err != nil {
		return "", err
	}
	defer end(watch)
	lines := bufio.NewReader(out)
	if _, err := lines.ReadString('\n'); err != nil { // all are connected
		return "", fmt.Errorf("view: %w", err)
	}
	before, err := read(cmd.Process.Pid)
	if err != nil {
		return "", err
	}
	var seen audience
	if err := json.NewDecoder(lines).Decode(&seen); err != nil {
		return "", fmt.Errorf("view: %w", err)
	}
	after, err := read(cmd.Process.Pid)
	if err != nil {
		return "", err
	}
	m := after.since(before, b.length)
	return fmt.Sprintf("%.1f s of CPU a minute, %.0f wakeups a second, peak %.1f MiB; %d packets arrived, %d did not",
		m.CPU, m.Wakeups, m.PeakMiB, seen.Packets, seen.Lost), nil
}

// view has so many viewers of each endpoint, says when all are connected, and
// counts what they receive for as long as it is told.
func view(ctx context.Context, args []string) error {
	count, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	length, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	var packets, lost atomic.Uint64
	for _, endpoint := range args[2:] {
		for range count {
			peer, err := viewer(ctx, endpoint, &packets, &lost)
			if err != nil {
				return err
			}
			defer peer.Close()
		}
	}
	fmt.Println("connected")
	packetsBefore, lostBefore := packets.Load(), lost.Load()
	select {
	case <-time.After(length):
	case <-ctx.Done():
		return ctx.Err()
	}
	return json.NewEncoder(os.Stdout).Encode(audience{Packets: packets.Load() - packetsBefore, Lost: lost.Load() - lostBefore})
}

// viewer receives by WHEP, and returns once it is connected.
func viewer(ctx context.Context, endpoint string, packets, lost *atomic.Uint64) (*webrtc.PeerConnection, error) {
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetIPFilter(net.IP.IsLoopback)
	engine := &webrtc.MediaEngine{}
	if err := engine.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	api := webrtc.NewAPI(webrtc.WithSettingEngine(settings), webrtc.WithMediaEngine(engine), webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	peer, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err
	}
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio} {
		if _, err := peer.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			return nil, err
		}
	}
	peer.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { count(track, packets, lost) })
	connected := make(chan struct{})
	var once sync.Once // it may be lost, and come back
	peer.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(connected) })
		}
	})
	if err := postPlain(ctx, peer, endpoint); err != nil {
		return nil, err
	}
	select {
	case <-connected:
		return peer, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// count reads a track until it ends.
func count(track *webrtc.TrackRemote, packets, lost *atomic.Uint64) {
	var next uint16
	for first := true; ; first = false {
		p, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		packets.Add(1)
		if gap := p.SequenceNumber - next; !first && gap < 1<<15 {
			lost.Add(uint64(gap))
		}
		next = p.SequenceNumber + 1
	}
}
