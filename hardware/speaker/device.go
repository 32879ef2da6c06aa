package speaker

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"github.com/gen2brain/malgo"
)

// defaultDevice is the name by which ALSA knows what the user has set up.
const defaultDevice = "default"

// device is one ALSA device as malgo runs it.
type device struct {
	context *malgo.AllocatedContext
	device  *malgo.Device
}

// handlers are called on a thread of the sound library. They must not call it.
type handlers struct {
	data func(out []byte) // to be filled during the call
	stop func()           // the device stopped or is gone; may come more than once
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
// device, which would swallow the sound.
func newContext(log malgo.LogProc) (*malgo.AllocatedContext, error) {
	context, err := malgo.InitContext([]malgo.Backend{malgo.BackendAlsa}, malgo.ContextConfig{}, log)
	if err != nil {
		return nil, hinted{fmt.Errorf("%w: load ALSA: %w", ErrNoSpeaker, err), "apt install libasound2"}
	}
	return context, nil
}

// disconnected is what the library says, without end, once the device has been
// unplugged: it spins on poll and calls no callback (miniaudio 0.11,
// ma_device_wait__alsa; 8 is SND_PCM_STATE_DISCONNECTED).
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
// converter brings it to. ALSA's plugins are told not to, so that the sound is
// converted once.
func initDevice(context malgo.Context, name string, h handlers) (*malgo.Device, error) {
	var id malgo.DeviceID
	if len(name) >= len(id) {
		return nil, fmt.Errorf("%w: the name has %d characters, of at most %d", ErrNoSpeaker, len(name), len(id)-1)
	}
	copy(id[:], name)
	var pin runtime.Pinner // the C side reads the id during the call
	pin.Pin(&id)
	defer pin.Unpin()

	config := malgo.DefaultDeviceConfig(malgo.Playback)
	config.Playback.DeviceID = unsafe.Pointer(&id)
	config.Playback.Format = malgo.FormatS16
	config.Playback.Channels = 1
	config.SampleRate = SampleRate
	config.PeriodSizeInMilliseconds = uint32(period.Milliseconds())
	config.Periods = periods
	config.Resampling.Algorithm = malgo.ResampleAlgorithmLinear
	config.Alsa.NoAutoFormat, config.Alsa.NoAutoChannels, config.Alsa.NoAutoResample = 1, 1, 1
	return malgo.InitDevice(context, config, malgo.DeviceCallbacks{
		Data: func(out, _ []byte, _ uint32) { h.data(out) },
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
		return hinted{fmt.Errorf("%w of this name (%w)", ErrNoSpeaker, err), "aplay -L lists the sound outputs that are connected"}
	}
	return err
}
