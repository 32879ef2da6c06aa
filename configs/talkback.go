package configs

import "strings"

// talkback allows no device but sound cards: another ALSA name could be one that
// writes what is played to a file, and the customer is not to be recorded.
func (v *checker) talkback(c Config) {
	t := c.Talkback
	if d := t.Device; d != "" && d != string(Auto) && !card(d) {
		v.report("talkback.device", "aplay -l lists the cards and devices", "%q is not auto or hw:CARD,DEVICE", d)
	}
	v.oneOf("talkback.output", t.Output, OutputInEar, OutputOpen)
	between(v, "talkback.volume_db", decibel(t.VolumeDB), -40, 6)
	if c.Clip.Sound && t.Enabled && t.Output != OutputInEar {
		v.report("clip.sound", "where the customer is heard in the ear alone, set talkback.output to in-ear",
			"the microphone would hear the customer, who is not to be recorded, from an open loudspeaker")
	}
}

// card says that a name is one of a sound card.
func card(name string) bool {
	return strings.HasPrefix(name, "hw:") && name != "hw:" && printable(name) == nil
}

// TalkbackDevice returns the device by which the customer is heard: that of the
// cues, unless it has its own.
func (c Config) TalkbackDevice() string {
	switch {
	case c.Talkback.Device != "":
		return c.Talkback.Device
	case c.Cues.Device == string(None):
		return string(Auto)
	}
	return c.Cues.Device
}
