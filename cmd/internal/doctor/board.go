package doctor

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/bril-edge/bril/uplink/origin"
)

// KernelReading is what the kernel is, and what it has made of the board.
type KernelReading struct {
	Release      string // 6.12.25+rpt
	Machine      string // aarch64
	Major, Minor int
	Board        string // the profile's name
	Cameras      int
	Sound        int      // cards
	Missing      []string // drivers that the configuration needs, and what to do without
}

// The first kernel with the second ABI of GPIO lines (gpio-v2), by which buttons and
// light are served.
const oldestMajor, oldestMinor = 5, 10

// JudgeKernel judges kernel and drivers.
func JudgeKernel(r KernelReading) Verdict {
	text := fmt.Sprintf("Linux %s on %s, board %s", r.Release, r.Machine, r.Board)
	if r.Major < oldestMajor || r.Major == oldestMajor && r.Minor < oldestMinor {
		return bad(text+": too old for buttons and light", fmt.Sprintf("install a kernel of %d.%d or later", oldestMajor, oldestMinor))
	}
	if len(r.Missing) > 0 {
		return look(text+": no driver for "+strings.Join(r.Missing, ", "), "is its overlay in config.txt, its module installed? dmesg tells what the kernel found")
	}
	return good(fmt.Sprintf("%s, %s, %s", text, plural(r.Cameras, "camera"), plural(r.Sound, "sound card")))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Denied is a file that this user may not use.
type Denied struct {
	Path  string
	Group string // whose it is; "" where a group would not do
	Write bool   // it may be read, and not written
}

// PermissionsReading is which of the device nodes and folders may be used.
type PermissionsReading struct {
	Looked int
	Denied []Denied
	User   string
}

// JudgePermissions judges them.
func JudgePermissions(r PermissionsReading) Verdict {
	if len(r.Denied) == 0 {
		return good(fmt.Sprintf("%s may use all it needs", r.User)).with(float64(r.Looked), "files")
	}
	d := r.Denied[0]
	what := "not use "
	if d.Write {
		what = "not write "
	}
	text := r.User + " may " + what + d.Path
	if more := len(r.Denied) - 1; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	hint := "ls -l " + d.Path + " tells who may"
	if d.Group != "" {
		hint = fmt.Sprintf("sudo usermod -aG %s %s, then restart bril", d.Group, r.User)
	}
	return bad(text, hint).code(codePermission)
}

// CameraReading is what came from the camera.
type CameraReading struct {
	Name    string  // and format
	Want    float64 // pictures a second
	Rate    float64 // what came
	Took    time.Duration
	Encoded bool // pictures come encoded, and are not looked at
	Luma    Luma
}

// Luma is how bright a picture is, of 16 for black to 235 for white (BT.601).
type Luma struct {
	Mean  float64
	Least uint8
	Most  uint8
}

// A picture with a lens cap on it is black with some noise of the sensor.
const (
	blackMean = 24
	blackMost = 64
	whiteMean = 228

	slowShare = 0.8 // of the rate that is asked for: looks jerky
	poorShare = 0.6 // cannot be talked over
)

// JudgeCamera judges the camera's rate and exposure.
func JudgeCamera(r CameraReading, err error) Verdict {
	if err != nil {
		return device("camera", err)
	}
	share := r.Rate / r.Want
	text := fmt.Sprintf("%s, %.1f pictures a second", r.Name, r.Rate)
	v := good(text)
	switch {
	case r.Rate == 0:
		v = bad(r.Name+" opens, and no picture comes", "is its cable seated? unplug it and plug it in again")
	case !r.Encoded && r.Luma.Mean < blackMean && r.Luma.Most < blackMost:
		v = bad(text+": the picture is black", "is the lens covered, or camera.exposure far too short?")
	case share < poorShare:
		v = bad(fmt.Sprintf("%s, not %.0f: too slow", text, r.Want), slowHint)
	case share < slowShare:
		v = look(fmt.Sprintf("%s, not %.0f: slow", text, r.Want), slowHint)
	case !r.Encoded && r.Luma.Mean > whiteMean:
		v = look(text+": the picture is overexposed", "set camera.exposure to auto, or shorter")
	}
	return v.with(tenth(r.Rate), "fps")
}

const slowHint = "is it dark (exposure gets long)? lower camera.size, or set camera.fps to what bril devices lists"

// EncoderReading is how an encoder did with a few pictures.
type EncoderReading struct {
	Name     string
	Pictures int           // that were given
	Came     int           // access units
	Each     time.Duration // for one, on average
	Period   time.Duration // between pictures of the camera
	KeyAsked bool          // a key frame came when it was asked for
	Warning  string        // of the encoder itself
}

// JudgeEncoder judges them.
func JudgeEncoder(r EncoderReading, err error) Verdict {
	if err != nil {
		return device("encoder", err)
	}
	v := good(fmt.Sprintf("%s, %.1f ms a picture", r.Name, r.Each.Seconds()*1000))
	switch {
	case r.Came < r.Pictures*9/10:
		v = bad(fmt.Sprintf("%s made %d of %d pictures", r.Name, r.Came, r.Pictures), "set video.encoder to software, or camera.size to less")
	case !r.KeyAsked:
		v = bad(r.Name+" makes no key frame when asked", "set video.encoder to software: viewers who join would see nothing")
	case r.Each > r.Period:
		v = bad(fmt.Sprintf("%s: too slow", v.Message), "set camera.size or camera.fps to less")
	case r.Each > r.Period*3/4:
		v = look(fmt.Sprintf("%s: hardly fast enough", v.Message), "set camera.size or camera.fps to less")
	case r.Warning != "":
		v = look(r.Warning, "")
	}
	return v.with(tenth(r.Each.Seconds()*1000), "ms")
}

// MicrophoneReading is what a microphone delivered. Levels are in dB of full scale.
type MicrophoneReading struct {
	Name    string
	Samples int
	Level   float64 // RMS
	Peak    float64
	Clipped float64 // share of samples at full scale
	Zero    bool    // nothing but zeros
}

const (
	quietLevel  = -72   // dBFS: below the noise of a room
	someClipped = 0.001 // share
	muchClipped = 0.01
)

// JudgeMicrophone judges level and clipping.
func JudgeMicrophone(r MicrophoneReading, err error) Verdict {
	if err != nil {
		return device("microphone", err)
	}
	text := fmt.Sprintf("%s, level %.0f dBFS", r.Name, r.Level)
	v := good(text)
	switch {
	case r.Samples == 0:
		return bad(r.Name+" opens, and no sound comes", "unplug it and plug it in again")
	case r.Zero:
		return bad(r.Name+": dead silence, not even noise", "is it muted? alsamixer shows it; else its wiring is broken")
	case r.Clipped > muchClipped:
		v = bad(fmt.Sprintf("%s: clips in %.0f %% of the samples", text, 100*r.Clipped), clipHint)
	case r.Clipped > someClipped:
		v = look(fmt.Sprintf("%s: clips now and then", text), clipHint)
	case r.Level < quietLevel:
		v = look(text+": hardly anything is heard", "raise microphone.gain_db, or the capture level in alsamixer")
	}
	return v.with(tenth(r.Level), "dBFS")
}

const clipHint = "lower microphone.gain_db, or the capture level in alsamixer"

// JudgeOutput judges whether the advisor can hear anything.
func JudgeOutput(name string, played time.Duration, err error) Verdict {
	if err != nil {
		return device("output", err)
	}
	return good(name+" plays").with(float64(played.Milliseconds()), "ms")
}

// ButtonReading is a button of the board.
type ButtonReading struct {
	Name, Line string
	Err        error
	Stuck      bool // down while nobody presses it
	Asked      bool // somebody was asked to press it
	Pressed    bool
}

// JudgeButtons judges them all by the worst.
func JudgeButtons(list []ButtonReading) Verdict {
	if len(list) == 0 {
		return Skip("this board has no buttons")
	}
	var works []string
	asked, missing := false, ""
	for _, b := range list {
		switch {
		case b.Err != nil:
			return device(b.Name, b.Err)
		case b.Stuck:
			return bad(fmt.Sprintf("%s (%s) is stuck: it is down while nobody presses it", b.Name, b.Line), "is something pressing it, or its line wired the other way (active low)?")
		case b.Asked && !b.Pressed:
			missing = b.Name
		}
		asked = asked || b.Asked
		works = append(works, b.Name)
	}
	text := strings.Join(works, " and ")
	switch {
	case missing != "":
		return look("no press of "+missing+" came", "press it while doctor asks; bril devices shows its line")
	case asked:
		return good(text+": pressed, and seen").with(float64(len(list)), "buttons")
	}
	return good(text+": read, not pressed").with(float64(len(list)), "buttons")
}

// LightReading is the capture light. Absent is a board without one.
type LightReading struct {
	Line   string
	Absent bool
	Held   bool          // it was on for a capture already
	Took   time.Duration // to drive it and read it back
}

// JudgeLight judges it.
func JudgeLight(r LightReading, err error) Verdict {
	switch {
	case err != nil:
		return device("light", err)
	case r.Absent:
		return look("this board has no capture light: nobody can see that it captures", "set board.profile if this is a board with one")
	case r.Held:
		return good(r.Line + " is on, for what is captured now")
	}
	return good(r.Line+" follows: driven, and read back").with(tenth(r.Took.Seconds()*1000), "ms")
}

// device is the verdict on one that cannot be used.
func device(what string, err error) Verdict {
	text, code := err.Error(), codeDevice
	if errors.Is(err, os.ErrPermission) {
		code = codePermission
	}
	if !strings.Contains(text, what) {
		text = what + ": " + text
	}
	return bad(text, orElse(hintOf(err), "is another program using it? bril devices lists what there is")).code(code)
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return origin.Hint(err)
}

func tenth(v float64) float64 { return float64(int(v*10+0.5*sign(v))) / 10 }

func sign(v float64) float64 {
	if v < 0 {
		return -1
	}
	return 1
}
