package setup

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bril-edge/bril/capture/camera"
	"github.com/bril-edge/bril/cmd/internal/agent"
	"github.com/bril-edge/bril/configs"
)

// Line is a key of the configuration with the reason for its value.
type Line struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Reason string `json:"reason"`
}

// key is one that a technician may decide.
type key struct {
	name     string
	question string
	chosen   string // by a flag
	get      func(configs.Config) string
	set      func(*configs.Config, string) error
	// propose returns what fits what was found.
	propose func(agent.Devices) string
	// reason says why, of a value that was not chosen by name.
	reason func(d agent.Devices, value string) string
}

const (
	asChosen = "as chosen"
	asItWas  = "as it was"
)

// Of the profile for glasses on a USB cable, in configs.
const (
	profileUSB = "usb-camera"
	lightLine  = "bril-light"
)

func keys(c Choices) []key {
	automatic := func(agent.Devices) string { return string(configs.Auto) }
	return []key{
		{
			"board.profile", "Which board is this? auto, generic, usb-camera or a profile of bril devices", c.Profile,
			func(c configs.Config) string { return c.Board.Profile },
			func(c *configs.Config, v string) error { c.Board.Profile = v; return nil },
			proposeProfile, reasonOfProfile,
		},
		{
			"camera.source", "Camera? auto, /dev/videoN or none", c.Camera,
			func(c configs.Config) string { return c.Camera.Source.String() },
			func(c *configs.Config, v string) (err error) {
				c.Camera.Source, err = configs.ParseVideoSource(v)
				return err
			},
			automatic, reasonOfCamera,
		},
		{
			"microphone.source", "Microphone? auto, hw:CARD,DEVICE or none", c.Microphone,
			func(c configs.Config) string { return c.Microphone.Source.String() },
			func(c *configs.Config, v string) (err error) {
				c.Microphone.Source, err = configs.ParseAudioSource(v)
				return err
			},
			automatic, reasonOfMicrophone,
		},
		{
			"talkback.output", "Where is the customer heard? open, or in-ear where the advisor alone hears them", c.Output,
			func(c configs.Config) string { return c.Talkback.Output },
			func(c *configs.Config, v string) error { c.Talkback.Output = v; return nil },
			func(agent.Devices) string { return configs.OutputOpen }, reasonOfOutput,
		},
		{
			"cues.language", "In which language are cues said? none, nl, de or en", c.Language,
			func(c configs.Config) string { return c.Cues.Language },
			func(c *configs.Config, v string) error { c.Cues.Language = v; return nil },
			func(agent.Devices) string { return string(configs.None) }, reasonOfLanguage,
		},
	}
}

// propose makes of a configuration the one for what was found, and says why. What the
// file has set stays, unless something else is chosen.
func (s *setup) propose(ctx context.Context, was configs.Config, set []string) (configs.Config, []Line, error) {
	cfg, lines := was, []Line(nil)
	for _, k := range keys(s.Choices) {
		value, reason := k.chosen, asChosen
		switch {
		case value != "":
		case slices.Contains(set, k.name):
			value, reason = k.get(was), asItWas
		default:
			value = k.propose(s.devices)
			reason = k.reason(s.devices, value)
		}
		if k.chosen == "" && s.Ask != nil {
			answer, err := s.Ask.Ask(ctx, k.question, value, func(v string) error { return s.allowed(cfg, k, v) })
			if err != nil {
				return was, nil, err
			}
			if answer != value {
				value, reason = answer, asChosen
			}
		}
		if value == string(configs.Auto) && reason == asChosen { // which says nothing
			reason = k.reason(s.devices, value)
		}
		if err := k.set(&cfg, value); err != nil {
			return was, nil, configs.Problems{{Key: k.name, Message: err.Error()}}
		}
		lines = append(lines, Line{k.name, value, reason})
	}
	if line, small := smaller(&cfg, set, s.devices); small {
		lines = append(lines, line)
	}
	return cfg, lines, cfg.Validate()
}

// allowed says why a key may not have a value; that of a board's profile depends on
// the board.
func (s *setup) allowed(cfg configs.Config, k key, value string) error {
	if err := k.set(&cfg, value); err != nil {
		return err
	}
	if err := cfg.Validate(); err != nil {
		return err
	}
	if k.name == "board.profile" {
		_, err := s.Board.List(cfg)
		return err
	}
	return nil
}

func proposeProfile(d agent.Devices) string {
	if d.Board.KnownBy == "" && hasLine(d, lightLine) {
		return profileUSB
	}
	return configs.ProfileAuto
}

func reasonOfProfile(d agent.Devices, value string) string {
	switch {
	case value == profileUSB:
		return "the board is not a known one, and has a line " + lightLine + " for the capture light"
	case d.Board.KnownBy != "":
		return fmt.Sprintf("the device tree says that it is %s (%s)", d.Board.Title, d.Board.KnownBy)
	}
	return "the board is not a known one: it has no capture light and no buttons"
}

func hasLine(d agent.Devices, name string) bool {
	for _, chip := range d.Chips {
		for _, line := range chip.Lines {
			if line.Name == name {
				return true
			}
		}
	}
	return false
}

func reasonOfCamera(d agent.Devices, _ string) string {
	usable := slices.DeleteFunc(slices.Clone(d.Cameras), func(c camera.Device) bool { return c.Error != "" })
	switch len(usable) {
	case 0:
		return "no camera was found: the first that is connected is taken"
	case 1:
		return "the only one is " + nameOf(usable[0])
	}
	return fmt.Sprintf("the first of %d that works: %s", len(usable), nameOf(usable[0]))
}

func nameOf(c camera.Device) string {
	return oneLine(fmt.Sprintf("%s (%s)", cmp.Or(c.Name, "a camera"), c.Path))
}

// oneLine keeps what a device says of itself from being more than words in a comment.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func reasonOfMicrophone(d agent.Devices, _ string) string {
	switch found := d.Microphones; len(found) {
	case 0:
		return "no microphone was found: the first that is connected is taken"
	case 1:
		return "the only one is " + oneLine(cmp.Or(found[0].Description, found[0].Name))
	default:
		return fmt.Sprintf("the system's of %d, such as %s", len(found), oneLine(cmp.Or(found[0].Description, found[0].Name)))
	}
}

func reasonOfOutput(_ agent.Devices, value string) string {
	if value == configs.OutputInEar {
		return "the advisor alone hears the customer"
	}
	return "the microphone may hear the customer, too, and is made soft while they speak"
}

func reasonOfLanguage(_ agent.Devices, value string) string {
	if value == string(configs.None) {
		return "cues are sounds without words"
	}
	return "each cue is said in words, too"
}

// softwareSize is what is asked of a camera where no chip encodes: a third of the
// pixels of the default, and so about a third of the load.
var softwareSize = configs.Size{Width: 640, Height: 480}

// smaller asks for smaller pictures of a known board's camera where nothing but
// software would encode them: neither a chip nor the camera itself.
func smaller(cfg *configs.Config, set []string, d agent.Devices) (Line, bool) {
	const name = "camera.size"
	kind := cfg.Camera.Source.Kind
	switch {
	case slices.Contains(set, name), d.Board.KnownBy == "", kind != configs.Auto && kind != configs.Device,
		slices.ContainsFunc(d.Encoders, func(e agent.Encoder) bool { return e.Device != nil }),
		slices.ContainsFunc(d.Cameras, encodes):
		return Line{}, false
	}
	cfg.Camera.Size = softwareSize
	return Line{name, softwareSize.String(), "no encoder of the board was found: software has a third of the pixels of 1280x720 to encode"}, true
}

func encodes(c camera.Device) bool {
	return slices.ContainsFunc(c.Formats, func(f camera.Format) bool { return f.Format == "H264" })
}
