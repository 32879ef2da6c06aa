package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bril-edge/bril/capture/camera"
	"github.com/bril-edge/bril/capture/microphone"
)

type deviceList struct {
	SchemaVersion int                 `json:"schema_version"`
	Cameras       []camera.Device     `json:"cameras"`
	Microphones   []microphone.Device `json:"microphones"`
	Encoders      []string            `json:"encoders"`
}

func newDevices(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "devices",
		Short: "List cameras and microphones",
		Long:  "devices lists what may be given to --camera and --microphone. It opens cameras\nto ask them, and captures nothing.\n\n" + ExitCodes,
		Args:  arguments(),
		RunE: func(c *cobra.Command, _ []string) error {
			microphones, err := microphone.List()
			if err != nil {
				return err
			}
			list := deviceList{
				SchemaVersion: schemaVersion,
				Cameras:       append([]camera.Device{}, camera.List()...),
				Microphones:   append([]microphone.Device{}, microphones...),
				Encoders:      []string{"openh264 (software)"},
			}
			return o.print(c, list, func(w io.Writer) error { return list.write(w) })
		},
	}
}

func (l deviceList) write(w io.Writer) error {
	var b strings.Builder
	for _, d := range l.Cameras {
		writeCamera(&b, d)
	}
	for _, d := range l.Microphones {
		row(&b, "microphone", d.Name)
		row(&b, "", printable(d.Description))
	}
	if len(l.Cameras) == 0 {
		row(&b, "camera", "none found; --camera pattern makes a test picture")
	}
	if len(l.Microphones) == 0 {
		row(&b, "microphone", "none found; --microphone tone makes a test sound")
	}
	for _, e := range l.Encoders {
		row(&b, "encoder", e)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeCamera leaves out what cannot be used. The camera's name is what its
// maker wrote.
func writeCamera(b *strings.Builder, d camera.Device) {
	row(b, "camera", d.Path)
	row(b, "", printable(d.Name))
	if d.Error != "" {
		row(b, "", d.Error)
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
			word += fmt.Sprintf("@%g", s.FPS[0])
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}
