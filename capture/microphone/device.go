package microphone

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"github.com/gen2brain/malgo"

	"github.com/bril-edge/bril/capture"
)

// What callers decide by. A microphone that may not be opened is
// os.ErrPermission, a closed one os.ErrClosed.
var (
	ErrNoMicrophone = errors.New("no microphone")
	ErrBusy         = errors.New("device in use by another process")
	ErrGone         = errors.New("device was unplugged")
	ErrOutOfRange   = errors.New("value out of range")
)

// defaultDevice is the name by which ALSA knows what the user has set up.
const defaultDevice = "default"

// device is one ALSA device as malgo runs it. It records; that it may also play,
// in the same callback, is what echo cancellation will need: handlers then gets
// an out beside in, and the type below becomes malgo.Duplex.
type device struct {
	context *malgo.AllocatedContext
	device  *malgo.Device
}

// handlers are called on a thread of the sound library. They must not call it.
type handlers struct {
	data func(in []byte) // valid during the call only
	stop func()          // the device stopped or is gone; may come more than once
}

func openDevice(name string, log *slog.Logger, h handlers) (*device, error) {
	context, err := newContext(listen(log, h.stop))
	if err != nil {
		return nil, err
	}
	d := &device{context: context}
	if d.device, err = initDevice(context.Context, name, h); err == nil {
		err = d.device.Start()
	}
	if err != nil {
		d.close()
		return nil, explain(err)
	}
	return d, nil
}

// newContext loads ALSA; other backends are not wanted, least of all the null
// device, which would record silence.
func newContext(log malgo.LogProc) (*malgo.AllocatedContext, error) {
	context, err := malgo.InitContext([]malgo.Backend{malgo.BackendAlsa}, malgo.ContextConfig{}, log)
	if err != nil {
		return nil, hinted{fmt.Errorf("%w: load ALSA: %w", ErrNoMicrophone, err), "apt install libasound2"}
	}
	return context, nil
}

// disconnected is what the library says, without end, once the device has been
// unplugged: it spins on poll and calls no callback (miniaudio 0.11,
// ma_device_wait__alsa; 8 is SND_PCM_STATE_DISCONNECTED). There is no other sign
// of it, and only close ends it.
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

// initDevice asks for 48 kHz mono; what the hardware does otherwise, malgo's own
// converter brings to it. ALSA's plugins are told not to, so that the sound is
// converted once.
func initDevice(context malgo.Context, name string, h handlers) (*malgo.Device, error) {
	var id malgo.DeviceID
	if len(name) >= len(id) {
		return nil, fmt.Errorf("%w: the name has %d characters, of at most %d", ErrNoMicrophone, len(name), len(id)-1)
	}
	copy(id[:], name)
	var pin runtime.Pinner // the C side reads the id during the call
	pin.Pin(&id)
	defer pin.Unpin()

	config := malgo.DefaultDeviceConfig(malgo.Capture)
	config.Capture.DeviceID = unsafe.Pointer(&id)
	config.Capture.Format = malgo.FormatS16
	config.Capture.Channels = 1
	config.SampleRate = capture.SampleRate
	config.PeriodSizeInMilliseconds = uint32(capture.ChunkTime.Milliseconds())
	config.Periods = 4 // 80 ms until sound is lost when the machine stalls
	config.Resampling.Algorithm = malgo.ResampleAlgorithmLinear
	config.Alsa.NoAutoFormat, config.Alsa.NoAutoChannels, config.Alsa.NoAutoResample = 1, 1, 1
	return malgo.InitDevice(context, config, malgo.DeviceCallbacks{
		Data: func(_, in []byte, _ uint32) { h.data(in) },
		Stop: h.stop,
	})
}

func (d *device) close() {
	if d.device != nil {
		// Uninit alone waits for the thread's next buffer, and from a device that was
		// unplugged none comes; Stop wakes the thread.
		_ = d.device.Stop() // Uninit ends what cannot be stopped
		d.device.Uninit()
	}
	_ = d.context.Uninit() // it has no device any more, so it can only succeed
	d.context.Free()
}

// hinted is an error with what to do about it, which a user sees on a line of its
// own.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// Hint returns what the user can do, as one line.
func (h hinted) Hint() string { return h.hint }

// explain gives the sound library's results the meaning that callers ask for.
func explain(err error) error {
	switch {
	case errors.Is(err, malgo.ErrBusy), errors.Is(err, malgo.ErrAlreadyInUse):
		return hinted{fmt.Errorf("%w (%w)", ErrBusy, err), "fuser -v /dev/snd/* names the other process"}
	case errors.Is(err, malgo.ErrAccessDenied):
		return hinted{fmt.Errorf("%w (%w)", os.ErrPermission, err), "add the user to the group audio"}
	case errors.Is(err, malgo.ErrDoesNotExist), errors.Is(err, malgo.ErrNoDevice),
		errors.Is(err, malgo.ErrFailedToOpenBackendDevice):
		return hinted{fmt.Errorf("%w of this name (%w)", ErrNoMicrophone, err), "bril devices lists the microphones that are connected"}
	}
	return err
}

// Device describes a microphone, for people and as JSON.
type Device struct {
	Name        string `json:"name"` // for Config.Device
	Description string `json:"description"`
	Default     bool   `json:"default,omitempty"`
}

// List describes the sound devices that record. Without any it is empty.
func List() ([]Device, error) {
	list := []Device{}
	if len(candidates("/dev/snd")) == 0 {
		return list, nil
	}
	// No log: malgo holds a lock during Devices that its log callback takes.
	context, err := newContext(nil)
	if err != nil {
		return nil, fmt.Errorf("list microphones: %w", err)
	}
	d := &device{context: context}
	defer d.close()
	infos, err := context.Devices(malgo.Capture)
	if err != nil {
		return nil, fmt.Errorf("list microphones: %w", err)
	}
	for _, info := range infos {
		name := alsaName(info.ID)
		if name == "null" { // ALSA's own, which records silence
			continue
		}
		list = append(list, Device{Name: name, Description: info.Name(), Default: info.IsDefault != 0})
	}
	return list, nil
}

// alsaName makes of the library's own `:1,0` what ALSA and Config.Device take.
func alsaName(id malgo.DeviceID) string {
	name, _, _ := strings.Cut(string(id[:]), "\x00")
	if strings.HasPrefix(name, ":") {
		return "hw" + name
	}
	return name
}
