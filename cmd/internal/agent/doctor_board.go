package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/user"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/camera"
	"github.com/bril-edge/bril/capture/microphone"
	"github.com/bril-edge/bril/capture/pattern"
	"github.com/bril-edge/bril/capture/pixel"
	"github.com/bril-edge/bril/cmd/internal/doctor"
	"github.com/bril-edge/bril/cmd/internal/lit"
	"github.com/bril-edge/bril/cmd/internal/session"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/encoder"
	"github.com/bril-edge/bril/hardware"
)

func (e *exam) kernel(context.Context) doctor.Verdict {
	r := doctor.KernelReading{Board: e.board.name, Cameras: len(camera.List())}
	var name unix.Utsname
	if err := unix.Uname(&name); err == nil {
		r.Release, r.Machine = unix.ByteSliceToString(name.Release[:]), unix.ByteSliceToString(name.Machine[:])
		_, _ = fmt.Sscanf(r.Release, "%d.%d", &r.Major, &r.Minor)
	}
	if list, err := microphone.List(); err == nil {
		r.Sound = len(list)
	}
	if e.cfg.Video.Encoder == configs.EncoderHardware && len(e.chips()) == 0 {
		r.Missing = append(r.Missing, "an encoder in hardware (video.encoder)")
	}
	return doctor.JudgeKernel(r)
}

// permissions looks at the device nodes that the configuration counts on, which this
// user has to be able to open.
func (e *exam) permissions(context.Context) doctor.Verdict {
	r := doctor.PermissionsReading{User: userName()}
	for _, path := range e.needed() {
		info, err := os.Stat(path)
		if errors.Is(err, os.ErrPermission) {
			r.Denied = append(r.Denied, doctor.Denied{Path: path})
		}
		if err != nil {
			continue // it is not there: the check of the device says so
		}
		r.Looked++
		if unix.Faccessat(unix.AT_FDCWD, path, unix.R_OK|unix.W_OK, unix.AT_EACCESS) != nil {
			r.Denied = append(r.Denied, doctor.Denied{Path: path, Group: groupOf(info)})
		}
	}
	return doctor.JudgePermissions(r)
}

func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "user " + strconv.Itoa(os.Getuid())
}

// groupOf returns the group that may use a file; "" where that would not help.
func groupOf(info os.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Mode()&0o060 != 0o060 {
		return ""
	}
	g, err := user.LookupGroupId(strconv.Itoa(int(st.Gid)))
	if err != nil {
		return ""
	}
	return g.Name
}

// needed are the device nodes that the board's profile and the configuration use.
func (e *exam) needed() (list []string) {
	if e.probes.devices != nil {
		return e.probes.devices
	}
	if usesCamera(e.cfg) {
		for _, c := range camera.List() {
			list = append(list, c.Path)
		}
	}
	if s := e.cfg.Microphone.Source.Kind; s == configs.Auto || s == configs.ALSA {
		list = append(list, nodes("/dev/snd", "pcm")...)
	}
	if len(e.board.buttons) > 0 || e.board.light.Status().State != hardware.LightNone {
		list = append(list, nodes("/dev", "gpiochip")...)
	}
	return list
}

func usesCamera(cfg configs.Config) bool {
	return cfg.Camera.Source.Kind == configs.Auto || cfg.Camera.Source.Kind == configs.Device
}

func nodes(dir, prefix string) (list []string) {
	entries, _ := os.ReadDir(dir) // without it there are none
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), prefix) {
			list = append(list, dir+"/"+entry.Name())
		}
	}
	return list
}

const (
	cameraTime = 2 * time.Second
	soundTime  = 1500 * time.Millisecond
	openTime   = 5 * time.Second // until the first picture or sound
)

func (e *exam) checkCamera(ctx context.Context) doctor.Verdict {
	if e.cfg.Camera.Source.Kind == configs.None {
		return doctor.Skip("no camera is configured")
	}
	if e.cfg.Camera.Source.Live() {
		return doctor.Skip("the pictures come from standard input, which has no second look")
	}
	r, err := e.lookThroughCamera(ctx)
	return doctor.JudgeCamera(r, err)
}

func (e *exam) lookThroughCamera(ctx context.Context) (r doctor.CameraReading, err error) {
	source, err := e.videoSource(nil)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	format := source.Format()
	r.Name = fmt.Sprintf("%s %v", e.videoName(source), format)
	r.Want = e.wantedRate()
	r.Encoded = format.Format == capture.H264
	reader := pixel.NewLumaReader(e.opts.Log)
	defer reader.Close()
	return r, measurePictures(ctx, source, reader, &r)
}

// wantedRate is the one that is asked for: by the source's own name, where it has one.
func (e *exam) wantedRate() float64 {
	if fps := e.cfg.Camera.Source.FPS; fps > 0 {
		return float64(fps)
	}
	return float64(e.cfg.Camera.FPS)
}

// measurePictures counts what comes in the time after the first one, and looks at the
// last.
func measurePictures(ctx context.Context, source session.VideoSource, reader *pixel.LumaReader, r *doctor.CameraReading) error {
	begun, first := false, time.Duration(0)
	count := 0
	wait, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	for {
		f, err := source.Next(wait)
		switch {
		case errors.Is(err, io.EOF): // a file that is shorter
			return nil
		case err != nil && ctx.Err() == nil && wait.Err() != nil:
			return nil // the rate tells it
		case err != nil:
			return err
		}
		if !begun {
			begun, first = true, f.PTS
		}
		r.Took = f.PTS - first
		if r.Took > 0 {
			count++
			r.Rate = float64(count) / r.Took.Seconds()
		}
		over := r.Took >= cameraTime
		if !r.Encoded && (over || count%15 == 1) {
			if luma, err := reader.Read(&f); err == nil {
				r.Luma = brightness(luma)
			}
		}
		f.Release()
		if over {
			return nil
		}
	}
}

// brightness looks at each eighth pixel both ways.
func brightness(l pixel.Luma) doctor.Luma {
	b := doctor.Luma{Least: 255}
	var sum, n uint64
	for y := 0; y < l.Height; y += 8 {
		for x := 0; x < l.Width; x += 8 {
			v := l.Data[y*l.Stride+x*l.Step]
			b.Least, b.Most = min(b.Least, v), max(b.Most, v)
			sum, n = sum+uint64(v), n+1
		}
	}
	b.Mean = float64(sum) / float64(max(n, 1))
	return b
}

const testPictures = 30

func (e *exam) checkEncoder(ctx context.Context) doctor.Verdict {
	if e.cfg.Camera.Source.Kind == configs.None {
		return doctor.Skip("no camera is configured")
	}
	r, err := e.tryEncoder(ctx)
	return doctor.JudgeEncoder(r, err)
}

// tryEncoder encodes a moving test picture of the configured size, as fast as that goes.
func (e *exam) tryEncoder(ctx context.Context) (r doctor.EncoderReading, err error) {
	cfg := patternConfig(e.cfg.Camera)
	cfg.FPS = 120 // what it can do is measured, not how it is paced
	source, err := pattern.New(cfg)
	if err != nil {
		return r, err
	}
	defer source.Close()
	format := source.Format()
	format.FPS = e.wantedRate()
	keys := []bool{}
	v := session.Video{Source: source, Format: format}
	enc, err := e.newVideoEncoder(v, encoder.BitRate(e.cfg.Video.MaxBitRate), func(au encoder.AccessUnit) error {
		keys = append(keys, au.Key)
		return nil
	})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, enc.Close()) }()
	r = doctor.EncoderReading{Pictures: testPictures, Period: time.Duration(float64(time.Second) / format.FPS)}
	var spent time.Duration
	asked := 0
	for i := range testPictures {
		f, err := source.Next(ctx)
		if err != nil {
			return r, err
		}
		if i == testPictures/2 {
			asked = len(keys)
			enc.ForceKeyFrame()
		}
		begun := time.Now()
		if err := enc.Encode(f); err != nil {
			return r, err
		}
		spent += time.Since(begun)
	}
	state := enc.State()
	r.Name, r.Warning, r.Came, r.Each = state.Name, state.Warning, len(keys), spent/testPictures
	for _, key := range keys[min(asked, len(keys)):] {
		r.KeyAsked = r.KeyAsked || key
	}
	return r, nil
}

func (e *exam) checkMicrophone(ctx context.Context) doctor.Verdict {
	if e.cfg.Microphone.Source.Kind == configs.None {
		return doctor.Skip("no microphone is configured")
	}
	r, err := e.listen(ctx)
	if errors.Is(err, errEncodedSound) {
		return doctor.Skip(err.Error())
	}
	return doctor.JudgeMicrophone(r, err)
}

var errEncodedSound = errors.New("its sound comes encoded, and is not looked at")

func (e *exam) listen(ctx context.Context) (r doctor.MicrophoneReading, err error) {
	source, err := e.audioSource()
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	r.Name = e.cfg.Microphone.Source.String()
	if m, ok := source.(*lit.Microphone); ok {
		r.Name = m.Name()
	}
	wait, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	var level loudness
	for level.n < int(soundTime.Seconds()*capture.SampleRate) {
		s, err := source.Next(wait)
		if errors.Is(err, io.EOF) || err != nil && ctx.Err() == nil && wait.Err() != nil {
			break
		}
		if err != nil {
			return r, err
		}
		if s.Format != capture.PCM16 {
			return r, errEncodedSound
		}
		level.add(s.Samples)
	}
	level.tell(&r)
	return r, nil
}

// loudness is that of samples.
type loudness struct {
	n, clipped int
	most       float64
	squares    float64
}

func (l *loudness) add(samples []int16) {
	for _, s := range samples {
		v := math.Abs(float64(s))
		l.most, l.squares = max(l.most, v), l.squares+v*v
		if v >= math.MaxInt16 {
			l.clipped++
		}
	}
	l.n += len(samples)
}

func (l *loudness) tell(r *doctor.MicrophoneReading) {
	if r.Samples = l.n; l.n == 0 {
		return
	}
	decibels := func(v float64) float64 { return 20 * math.Log10(max(v, 1e-3)/-math.MinInt16) }
	r.Zero = l.most == 0
	r.Peak, r.Level = decibels(l.most), decibels(math.Sqrt(l.squares/float64(l.n)))
	r.Clipped = float64(l.clipped) / float64(l.n)
}

// playTime is how much silence the output has to take, and waitPlay for how long.
const (
	playTime = 100 * time.Millisecond
	waitPlay = 2 * time.Second
)

// checkOutput plays silence: whether it is heard, only the advisor knows.
func (e *exam) checkOutput(ctx context.Context) doctor.Verdict {
	device := e.cfg.Cues.Device
	if e.cfg.Talkback.Enabled {
		device = e.cfg.TalkbackDevice()
	}
	if device == string(configs.None) {
		return doctor.Skip("no sound output is configured")
	}
	name := "the sound output"
	if device != string(configs.Auto) {
		name = device
	}
	var taken atomic.Int64
	enough := make(chan struct{}, 1)
	source, err := e.ear.Above(func(out []int16) {
		clear(out)
		if taken.Add(int64(len(out))) >= int64(playTime.Seconds()*capture.SampleRate) {
			select {
			case enough <- struct{}{}:
			default:
			}
		}
	})
	if err != nil {
		return doctor.JudgeOutput(name, 0, err)
	}
	defer source.Close()
	timer := time.NewTimer(waitPlay)
	defer timer.Stop()
	select {
	case <-enough:
	case <-timer.C:
		err = fmt.Errorf("%s opens, and plays nothing", name)
	case <-ctx.Done():
		err = ctx.Err()
	}
	return doctor.JudgeOutput(name, playTime, err)
}
