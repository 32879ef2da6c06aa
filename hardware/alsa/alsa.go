// Package alsa runs sound devices of ALSA, by malgo: 48 kHz, mono, 16 bits,
// whatever the hardware does. Which device to open, what is done with the sound,
// and when a device is tried again is its callers' business.
package alsa

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"time"
	"unsafe"

	"github.com/gen2brain/malgo"
)

// SampleRate is in Hz.
const SampleRate = 48_000

// Default is the name by which ALSA knows what the user has set up.
const Default = "default"

// Direction is where the sound goes, as the names of device nodes end.
type Direction byte

// The directions.
const (
	Recording Direction = 'c'
	Playing   Direction = 'p'
)

// Names returns the names of the devices below dir, /dev/snd, Default first; none
// when no card has any. It is to be asked before a device is opened: libasound
// writes to standard error when it finds no card.
func Names(dir string, d Direction) []string {
	nodes, _ := filepath.Glob(filepath.Join(dir, "pcmC*D*"+string(d))) // the pattern is well-formed
	if len(nodes) == 0 {
		return nil
	}
	names := []string{Default}
	for _, node := range nodes {
		var card, number int
		if _, err := fmt.Sscanf(filepath.Base(node), "pcmC%dD%d", &card, &number); err == nil {
			names = append(names, fmt.Sprintf("hw:%d,%d", card, number))
		}
	}
	return names
}

// Config says which device to run. All of it is needed.
type Config struct {
	Name    string // as hw:1,0
	Missing Missing
	// Period is how much sound there is at a time, and the device holds Periods of
	// them.
	Period  time.Duration
	Periods int
	// Log gets what the library says, at level debug.
	Log *slog.Logger
	// Gone is called when the device has stopped or was unplugged, on a thread of the
	// library, and may be called more than once. It must not call the Device. Close
	// it soon then: the library keeps a processor busy.
	Gone func()
}

// Missing is how the caller says that there is no such device.
type Missing struct {
	Err  error
	Hint string // which command lists what there is
}

// Device is a device that runs.
type Device struct {
	context *malgo.AllocatedContext
	device  *malgo.Device
}

// Record opens a device and calls take with what it records, on a thread of the
// library. The samples are valid during the call only, and take must not call the
// Device.
func Record(cfg Config, take func(in []int16)) (*Device, error) {
	return run(cfg, malgo.Capture, func(_, in []byte, _ uint32) { take(samples(in)) })
}

// Play opens a device and calls fill for what it plays next, as Record calls take.
// Fill is to write every sample.
func Play(cfg Config, fill func(out []int16)) (*Device, error) {
	return run(cfg, malgo.Playback, func(out, _ []byte, _ uint32) { fill(samples(out)) })
}

func run(cfg Config, kind malgo.DeviceType, data malgo.DataProc) (*Device, error) {
	context, err := load(cfg.Missing, listen(cfg.Log, cfg.Gone))
	if err != nil {
		return nil, err
	}
	d := &Device{context: context}
	if d.device, err = start(context.Context, cfg, kind, data); err == nil {
		err = d.device.Start()
	}
	if err != nil {
		d.Close()
		return nil, explain(err, cfg.Missing)
	}
	return d, nil
}

// load loads ALSA; other backends are not wanted, least of all the null device,
// which records silence and swallows sound.
func load(missing Missing, log malgo.LogProc) (*malgo.AllocatedContext, error) {
	context, err := malgo.InitContext([]malgo.Backend{malgo.BackendAlsa}, malgo.ContextConfig{}, log)
	if err != nil {
		return nil, hinted{fmt.Errorf("%w: load ALSA: %w", missing.Err, err), "apt install libasound2"}
	}
	return context, nil
}

// disconnected is what the library says, without end, once the device has been
// unplugged: it spins on poll and calls no callback (miniaudio 0.11,
// ma_device_wait__alsa; 8 is SND_PCM_STATE_DISCONNECTED). There is no other sign
// of it, and only Close ends it.
const disconnected = "POLLERR detected. status = 8"

// listen returns what takes the library's messages.
func listen(log *slog.Logger, gone func()) malgo.LogProc {
	return func(message string) {
		switch {
		case strings.Contains(message, disconnected):
			gone()
		case strings.HasPrefix(message, "Loading symbol"): // a hundred of them
		default:
			log.Debug("alsa: " + strings.TrimSpace(message))
		}
	}
}

// start has malgo's own converter bring what the hardware does to the one format.
// ALSA's plugins are told not to, so that the sound is converted once.
func start(context malgo.Context, cfg Config, kind malgo.DeviceType, data malgo.DataProc) (*malgo.Device, error) {
	var id malgo.DeviceID
	if len(cfg.Name) >= len(id) {
		return nil, fmt.Errorf("%w: the name has %d characters, of at most %d", cfg.Missing.Err, len(cfg.Name), len(id)-1)
	}
	copy(id[:], cfg.Name)
	var pin runtime.Pinner // the C side reads the id during the call
	pin.Pin(&id)
	defer pin.Unpin()

	config := malgo.DefaultDeviceConfig(kind)
	sound := &config.Capture
	if kind == malgo.Playback {
		sound = &config.Playback
	}
	sound.DeviceID, sound.Format, sound.Channels = unsafe.Pointer(&id), malgo.FormatS16, 1
	config.SampleRate = SampleRate
	config.PeriodSizeInMilliseconds = uint32(cfg.Period.Milliseconds())
	config.Periods = uint32(cfg.Periods)
	config.Resampling.Algorithm = malgo.ResampleAlgorithmLinear
	config.Alsa.NoAutoFormat, config.Alsa.NoAutoChannels, config.Alsa.NoAutoResample = 1, 1, 1
	return malgo.InitDevice(context, config, malgo.DeviceCallbacks{Data: data, Stop: cfg.Gone})
}

// Close stops the device. Nothing is called any more once it has returned. It is
// to be called once.
func (d *Device) Close() {
	if d.device != nil {
		// Uninit alone waits for the thread's next buffer, and from a device that was
		// unplugged none comes; Stop wakes the thread.
		_ = d.device.Stop() // Uninit ends what cannot be stopped
		d.device.Uninit()
	}
	_ = d.context.Uninit() // it has no device any more, so it can only succeed
	d.context.Free()
}

// samples views the library's buffer, valid until the callback returns. It aligns
// its buffers for any sample format.
func samples(b []byte) []int16 {
	if len(b) < 2 {
		return nil
	}
	return unsafe.Slice((*int16)(unsafe.Pointer(&b[0])), len(b)/2)
}

// Info describes a device, for people.
type Info struct {
	Name        string // for Config.Name
	Description string
	Default     bool
}

// Recorders describes the devices that record. Without a card it is empty.
func Recorders(missing Missing) ([]Info, error) {
	list := []Info{}
	if Names("/dev/snd", Recording) == nil {
		return list, nil
	}
	// No log: malgo holds a lock during Devices that its log callback takes.
	context, err := load(missing, nil)
	if err != nil {
		return nil, err
	}
	d := &Device{context: context}
	defer d.Close()
	infos, err := context.Devices(malgo.Capture)
	if err != nil {
		return nil, err
	}
	for _, info := range infos {
		name := alsaName(info.ID)
		if name == "null" { // ALSA's own, which records silence
			continue
		}
		list = append(list, Info{Name: name, Description: info.Name(), Default: info.IsDefault != 0})
	}
	return list, nil
}

// alsaName makes of the library's own `:1,0` what ALSA and Config.Name take.
func alsaName(id malgo.DeviceID) string {
	name, _, _ := strings.Cut(string(id[:]), "\x00")
	if strings.HasPrefix(name, ":") {
		return "hw" + name
	}
	return name
}
