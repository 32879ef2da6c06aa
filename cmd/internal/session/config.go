package session

import (
	"context"
	"log/slog"
	"time"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware/monotonic"
	"github.com/bril-edge/bril/uplink/rtc"
)

// VideoSource delivers pictures. Next blocks; io.EOF means that there are no
// more. Close ends a blocked Next.
type VideoSource interface {
	Next(ctx context.Context) (capture.Frame, error)
	Format() capture.VideoFormat
	Close() error
}

// AudioSource delivers sound, in the same manner.
type AudioSource interface {
	Next(ctx context.Context) (capture.Sound, error)
	Close() error
}

// VideoEncoder turns frames into access units for the sink that it was made with.
type VideoEncoder interface {
	// Encode takes over f and releases it, which may be in a later call: a device
	// reads the memory of the camera. It calls the sink, for f or for a frame that
	// came before, from within.
	Encode(f capture.Frame) error
	State() EncoderState
	// ProfileLevelID is what the endpoint is offered; "" while it is not known,
	// which it is for a passed-through stream before its first key frame.
	ProfileLevelID() string
	ForceKeyFrame()
	SetBitRate(rate encoder.BitRate) error
	Close() error
}

// EncoderState is what an encoder says of itself. The counts are since it was made.
type EncoderState struct {
	Name    string // as `bril status` shows it
	Warning string // what deserves a look; "" is nothing
	Skipped uint64 // frames that nothing came of
	Copied  uint64 // frames that were copied or converted on their way
}

// AudioEncoder turns sound into packets for the sink that it was made with.
type AudioEncoder interface {
	Encode(s capture.Sound) error
	Close() error
}

// Publisher is a connection to an endpoint.
type Publisher interface {
	WriteVideo(au encoder.AccessUnit) error
	WriteAudio(p encoder.Packet) error
	Lost() <-chan struct{}
	Err() error
	NetworkChanged(ctx context.Context) error
	Viewers(ctx context.Context) (n int, known bool, err error)
	SetPaused(ctx context.Context, paused bool) error
	Room() string // as the endpoint calls the conversation; "" where it does not tell
	Stats() rtc.Stats
	Close(ctx context.Context) error
}

// Offer is what a call to the endpoint offers and whom it tells.
type Offer struct {
	ProfileLevelID string // of the picture; "" is no picture
	Audio          bool
	KeyFrame       func()
	Estimate       func(rtc.Estimate)
}

// Backoff says how long to wait before the next try, as whip.Backoff does.
type Backoff interface {
	Next(down time.Duration, err error) time.Duration
	Reset()
}

// Video is a picture source that has been opened.
type Video struct {
	Source VideoSource
	Name   string // as `bril status` shows it
	// Device says that it is a real camera: it is closed while paused. Other
	// sources only wait.
	Device bool
	// Convert brings a frame to what the encoder takes, and owns it from then on;
	// nil when nothing is to do.
	Convert func(capture.Frame) (capture.Frame, error)
	// Format is what the encoder is given.
	Format capture.VideoFormat
}

// Audio is a sound source that has been opened.
type Audio struct {
	Source AudioSource
	Name   string
	Device bool // a real microphone: it is closed while paused
}

// Config says where everything comes from. Video or Audio is nil when there is
// to be none of it.
type Config struct {
	OpenVideo func(ctx context.Context) (Video, error)
	OpenAudio func(ctx context.Context) (Audio, error)

	// NewVideoEncoder makes the encoder for what v delivers. For black and notices, v
	// has a format and no source.
	NewVideoEncoder func(v Video, rate encoder.BitRate, sink func(encoder.AccessUnit) error) (VideoEncoder, error)
	NewAudioEncoder func(func(encoder.Packet) error) (AudioEncoder, error)

	Connect        func(ctx context.Context, offer Offer) (Publisher, error)
	ConnectBackoff Backoff
	// Network calls changed whenever an address or route comes or goes, until
	// ctx ends; nil when that is not watched.
	Network func(ctx context.Context, changed func()) error

	// Devices calls came whenever a camera or a microphone may have come, until ctx
	// ends; nil when that is not watched.
	Devices func(ctx context.Context, came func(camera, microphone bool)) error

	// Notice is what viewers read, in ASCII, while the camera has failed.
	Notice string

	// Cue lets the advisor hear a cue; nil when nobody is to. It returns at once.
	Cue func(Cue)

	// Phase hears of each new phase; nil when nobody needs to. It returns at once.
	Phase func(Phase)

	// Room hears where the session publishes, each time that it is connected, and
	// Ended why a conversation has ended; nil when nobody needs to. They return at
	// once.
	Room  func(room string)
	Ended func(Reason)

	// Tap is shown what is captured while a conversation is live or interrupted; nil
	// for none. Without one nothing is captured while it is interrupted.
	Tap Tap
	// KeyFrameEvery is the longest from one key frame to the next while a Tap is
	// shown them; 0 leaves that to the encoder. Of an encoder whose own are that far
	// apart less three frames, none is forced. What comes encoded has the key frames
	// that it has.
	KeyFrameEvery time.Duration

	// Outside says that what is captured may be shown to the Tap without a
	// conversation, when Keep asks for it.
	Outside bool

	MaxBitRate encoder.BitRate
	Limits     Limits
	Version    string
	URL        string // of the endpoint, for status
	Log        *slog.Logger

	newTimer func() (timer, error) // of stills and silence
}

func newTimer() (timer, error) { return monotonic.NewTimer() }
