package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/capture/camera"
	"github.com/bril-edge/bril/cmd/internal/agent"
	"github.com/bril-edge/bril/configs"
	"github.com/bril-edge/bril/hardware/gpio"
	"github.com/bril-edge/bril/hardware/power"
)

func newDevices(o *options) *cobra.Command {
	var config string
	c := &cobra.Command{
		Use:   "devices",
		Short: "List the board, cameras, encoders, microphones, lines and lights",
		Long: `devices shows which board this is and how its lights and buttons are wired,
what may be given to --camera and --microphone, what encodes, and what there
is of lines, batteries and thermal zones. It opens devices to ask them; it
captures and changes nothing.

` + ExitCodes,
		Example: "  bril devices\n  bril devices --config /etc/bril/bril.yaml\n  bril devices --json | jq '.cameras[].path'",
		Args:    arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := load(config)
			if err != nil {
				return err
			}
			list, err := agent.ListDevices(cfg)
			if err != nil {
				return err
			}
			return o.print(c, list, func(w io.Writer) error { return writeDevices(w, list) })
		},
	}
	configFlag(c, &config)
	return c
}

func writeDevices(w io.Writer, d agent.Devices) error {
	var b strings.Builder
	writeAssigned(&b, d.Board)
	b.WriteByte('\n')
	for _, c := range d.Cameras {
		writeCamera(&b, c)
	}
	if len(d.Cameras) == 0 {
		row(&b, "camera", "none found; --camera pattern makes a test picture")
	}
	for _, e := range d.Encoders {
		writeEncoder(&b, e)
	}
	for _, m := range d.Microphones {
		row(&b, "microphone", printable(m.Name))
		row(&b, "", printable(m.Description))
	}
	if len(d.Microphones) == 0 {
		row(&b, "microphone", "none found; --microphone tone makes a test sound")
	}
	b.WriteByte('\n')
	writeLines(&b, d.Chips)
	writeKeys(&b, d.Inputs)
	for _, s := range d.Batteries {
		row(&b, "battery", printable(supplyLine(s)))
	}
	if len(d.Batteries) == 0 {
		row(&b, "battery", "none: it runs on mains, or does not tell")
	}
	for _, z := range d.Zones {
		row(&b, "heat", printable(zoneLine(z)))
	}
	if len(d.Zones) == 0 {
		row(&b, "heat", "no thermal zone tells")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeAssigned writes what the profile counts on, and what of it is missing.
func writeAssigned(b *strings.Builder, board agent.Board) {
	row(b, "board", board.Title+" (profile "+board.Profile+")")
	switch {
	case board.KnownBy != "":
		row(b, "", "as its device tree says: "+board.KnownBy)
	case board.Profile != configs.ProfileGeneric:
		row(b, "", "as the configuration says")
	}
	if board.Light == nil {
		row(b, "light", "none: nobody can see that it captures")
	} else {
		writeWire(b, "light", *board.Light, "", "nothing is captured without it")
	}
	if board.StatusLight != nil {
		writeWire(b, "status", *board.StatusLight, "", "nothing blinks without it")
	}
	if len(board.Buttons) == 0 {
		row(b, "buttons", "none; bril live is what they would do")
	}
	for _, button := range board.Buttons {
		does := fmt.Sprintf("short %s, double %s, long %s", button.Short, button.Double, button.Long)
		writeWire(b, button.Button, button.Assigned, does, "")
	}
}

// writeWire writes one line of the profile: where it is, or what to do about it.
func writeWire(b *strings.Builder, name string, a agent.Assigned, does, without string) {
	if a.Problem != "" {
		text := "none: " + a.Name + ": " + a.Problem
		if without != "" {
			text += "; " + without
		}
		row(b, name, printable(text))
		row(b, "", "hint: it should be "+a.Wiring+"; is board.profile the right one?")
		return
	}
	text := fmt.Sprintf("%s, %s", a.Name, a.Place)
	if a.UsedBy != "" {
		text += ", in use by " + a.UsedBy
	}
	row(b, name, printable(text))
	row(b, "", does)
	row(b, "", a.Wiring)
}

// writeCamera leaves out what cannot be used. The camera's name is what its
// maker wrote.
func writeCamera(b *strings.Builder, d camera.Device) {
	row(b, "camera", d.Path)
	row(b, "", printable(d.Name))
	if d.Error != "" {
		row(b, "", printable(d.Error))
	}
	for _, f := range d.Formats {
		if f.Usable {
			row(b, "", f.Format+" "+sizes(f.Sizes))
		}
	}
}

// sizes lists a format's sizes with the best rate of each.
func sizes(list []camera.Size) string {
	words := make([]string, 0, len(list))
	for _, s := range list {
		word := fmt.Sprintf("%dx%d", s.Width, s.Height)
		if s.MaxWidth > 0 {
			word += fmt.Sprintf("…%dx%d", s.MaxWidth, s.MaxHeight)
		}
		if len(s.FPS) > 0 {
			word += fmt.Sprintf("@%.4g", s.FPS[0])
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func writeEncoder(b *strings.Builder, e agent.Encoder) {
	if e.Device == nil {
		row(b, "encoder", e.Name)
		return
	}
	d := e.Device
	row(b, "encoder", printable(fmt.Sprintf("%s, %s (%s)", d.Path, d.Card, d.Driver)))
	takes := "takes " + strings.Join(d.Formats, " ")
	if d.MaxWidth > 0 {
		takes += fmt.Sprintf(" up to %dx%d", d.MaxWidth, d.MaxHeight)
	}
	row(b, "", takes)
}

// writeLines lists the lines that have a name; the others are counted.
func writeLines(b *strings.Builder, chips []gpio.Chip) {
	if len(chips) == 0 {
		row(b, "lines", "no GPIO chip")
	}
	for _, chip := range chips {
		if chip.Error != "" {
			row(b, "lines", printable(chip.Name+": "+chip.Error))
			row(b, "", "hint: add the user to the group gpio")
			continue
		}
		var names []string
		unnamed := 0
		for _, l := range chip.Lines {
			switch {
			case l.Name == "":
				unnamed++
			case l.Consumer != "":
				names = append(names, l.Name+" (in use by "+l.Consumer+")")
			default:
				names = append(names, l.Name)
			}
		}
		text := fmt.Sprintf("%s (%s): %s", chip.Name, chip.Label, strings.Join(names, ", "))
		switch {
		case unnamed > 0 && len(names) > 0:
			text += fmt.Sprintf(", and %d without a name", unnamed)
		case unnamed > 0:
			text += fmt.Sprintf("%d without a name", unnamed)
		}
		row(b, "lines", printable(text))
	}
}

// writeKeys counts the devices that cannot be asked: without the right to, that is
// each of them.
func writeKeys(b *strings.Builder, inputs []gpio.InputDevice) {
	blind, why := 0, ""
	for _, i := range inputs {
		if i.Error != "" {
			blind++
			why = i.Path + ": " + i.Error
			continue
		}
		row(b, "keys", fmt.Sprintf("%s (%s): %s", i.Path, printable(i.Name), keyCodes(i.Keys)))
	}
	if blind > 0 {
		row(b, "keys", fmt.Sprintf("%d not readable, such as %s", blind, why))
		row(b, "", "hint: add the user to the group input")
	}
}

// keyCodes lists a few: a device with more is hardly one of buttons.
func keyCodes(codes []uint16) string {
	const few = 12
	words := make([]string, 0, few)
	for i, c := range codes {
		if i == few {
			return strings.Join(words, " ") + fmt.Sprintf(" and %d more", len(codes)-few)
		}
		words = append(words, fmt.Sprint(c))
	}
	return strings.Join(words, " ")
}

func supplyLine(s power.Supply) string {
	text := s.Name
	if s.Model != "" {
		text += " (" + s.Model + ")"
	}
	switch {
	case s.Percent == nil:
		text += ": charge unknown"
	case s.Guessed:
		text += fmt.Sprintf(": about %d %%, by its voltage", *s.Percent)
	default:
		text += fmt.Sprintf(": %d %%", *s.Percent)
	}
	if s.Status != "" {
		text += ", " + strings.ToLower(s.Status)
	}
	if s.Volts != nil {
		text += fmt.Sprintf(", %.2f V", *s.Volts)
	}
	return text
}

func zoneLine(z power.Zone) string {
	text := z.Type + " cannot be read"
	if z.Celsius != nil {
		text = fmt.Sprintf("%.0f °C at %s", *z.Celsius, z.Type)
	}
	if z.Critical > 0 {
		text += fmt.Sprintf("; the kernel turns the board off at %.0f °C", z.Critical)
	}
	return text
}
